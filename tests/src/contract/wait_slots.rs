//! Slots of callers that wait.

use carillon_core::ids::Owner;
use carillon_core::ports::{Clock, Ports, WaitSlots};
use futures_util::future::join_all;

/// One of many concurrent callers takes a slot, and keeps it until it releases it.
pub async fn a_slot_is_taken_by_one_of_many_until_it_is_released<P: Ports>(ports: &P) {
    let now = ports.clock().now();
    let until = now.plus(25_000);
    let owners: Vec<_> = (0..20).map(Owner::new).collect();
    let taken = join_all(owners.iter().map(|owner| ports.wait_slots().take(3, owner, now, until))).await;
    let holders: Vec<_> = owners.iter().zip(taken).filter(|(_, taken)| *taken.as_ref().unwrap()).collect();
    let [(holder, _)] = holders[..] else { panic!("{holders:?}") };
    // A request that is repeated meets its own slot, and another slot is another one.
    assert!(ports.wait_slots().take(3, holder, now, until).await.unwrap());
    let other = Owner::new(99);
    assert!(ports.wait_slots().take(4, &other, now, until).await.unwrap());
    ports.wait_slots().release(3, &other).await.unwrap();
    assert!(!ports.wait_slots().take(3, &other, now, until).await.unwrap());
    ports.wait_slots().release(3, holder).await.unwrap();
    ports.wait_slots().release(3, holder).await.unwrap();
    assert!(ports.wait_slots().take(3, &other, now, until).await.unwrap());
}

/// A slot whose holder does not release it is free at its time.
pub async fn a_slot_ends_with_its_time<P: Ports>(ports: &P) {
    let now = ports.clock().now();
    let [dead, next] = [1, 2].map(Owner::new);
    assert!(ports.wait_slots().take(0, &dead, now, now.plus(1_000)).await.unwrap());
    assert!(!ports.wait_slots().take(0, &next, now.plus(999), now.plus(2_000)).await.unwrap());
    assert!(ports.wait_slots().take(0, &next, now.plus(1_000), now.plus(2_000)).await.unwrap());
    ports.wait_slots().release(0, &dead).await.unwrap();
    assert!(!ports.wait_slots().take(0, &dead, now.plus(1_001), now.plus(3_000)).await.unwrap());
}
