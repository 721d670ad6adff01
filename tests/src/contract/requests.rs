//! Requests that their callers named.

use carillon_core::idempotency::{Accepted, IdempotencyKey, IdempotencyRecord, KEPT_HOURS};
use carillon_core::ids::{JobId, Owner};
use carillon_core::job::Status;
use carillon_core::ports::{Clock, IdempotencyStore, Ports};
use carillon_core::time::UnixMillis;
use futures_util::future::join_all;

fn reservation(at: UnixMillis, number: u128) -> IdempotencyRecord {
    let accepted =
        Accepted { job_id: JobId::new(at, number), status: Status::Scheduled, due_at: at.plus(5), recurring: true };
    IdempotencyRecord { by: Owner::new(number), at, body: format!("{number:064x}"), accepted }
}

/// A reserved key is found, and no other.
pub async fn a_reservation_is_found_under_its_name<P: Ports>(ports: &P) {
    let now = ports.clock().now();
    let name = IdempotencyKey::of("shop", "dev", "k");
    assert_eq!(ports.idempotency().find(&name, now).await.unwrap(), None);
    let new = reservation(now, 1);
    assert_eq!(ports.idempotency().reserve(&name, &new).await.unwrap(), new);
    assert_eq!(ports.idempotency().find(&name, now).await.unwrap(), Some(new));
    assert_eq!(ports.idempotency().find(&IdempotencyKey::of("shop", "prd", "k"), now).await.unwrap(), None);
}

/// One of many concurrent reservations is kept, and all callers are told which.
pub async fn exactly_one_of_many_reservations_stands<P: Ports>(ports: &P) {
    let now = ports.clock().now();
    let name = IdempotencyKey::of("shop", "dev", "k");
    let new: Vec<_> = (0..20).map(|number| reservation(now, number)).collect();
    let stands = join_all(new.iter().map(|new| ports.idempotency().reserve(&name, new))).await;
    let stands: Vec<_> = stands.into_iter().map(Result::unwrap).collect();
    assert!(stands.iter().all(|it| *it == stands[0]) && new.contains(&stands[0]), "{stands:?}");
    assert_eq!(ports.idempotency().find(&name, now).await.unwrap().as_ref(), Some(&stands[0]));
    // A repeated reservation returns the stored one.
    assert_eq!(ports.idempotency().reserve(&name, &reservation(now, 99)).await.unwrap(), stands[0]);
}

/// After its time a name is free.
pub async fn a_reservation_ends_with_its_time<P: Ports>(ports: &P) {
    let now = ports.clock().now();
    let name = IdempotencyKey::of("shop", "dev", "k");
    let old = reservation(now, 1);
    ports.idempotency().reserve(&name, &old).await.unwrap();
    // Its end may be kept to the second.
    let (last, after) =
        (now.plus(i64::from(KEPT_HOURS) * 3_600_000 - 1), now.plus(i64::from(KEPT_HOURS) * 3_600_000 + 1_000));
    assert_eq!(ports.idempotency().find(&name, last).await.unwrap(), Some(old));
    assert_eq!(ports.idempotency().find(&name, after).await.unwrap(), None);
    let new = reservation(after, 2);
    assert_eq!(ports.idempotency().reserve(&name, &new).await.unwrap(), new);
}
