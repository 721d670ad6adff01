//! Checkpoints, counters, and the health of fallbacks.

use carillon_core::ids::JobId;
use carillon_core::job::{Output, RunError};
use carillon_core::ports::{Checkpoints, Clock, Counters, FallbackHealth, Ports};
use carillon_core::progress::{Checkpoint, CheckpointId, Counted, CounterId, FallbackId, PartOutcome, RunId};
use carillon_core::time::UnixMillis;
use futures_util::future::join_all;
use serde_json::json;

use super::samples::NOW;

const HOUR_MS: i64 = 3_600_000;

fn run(number: u128, run_no: u32) -> RunId {
    RunId { job_id: JobId::new(NOW, number), run_no }
}

fn part(place: &str, brought: u32) -> Checkpoint {
    Checkpoint {
        place: place.to_owned(),
        of: format!("{brought:064x}"),
        outcome: PartOutcome::Completed(json!({"n": brought}).into()),
    }
}

fn by(number: u128, place: &str) -> CheckpointId {
    CheckpointId { run: run(number, 1), place: place.to_owned() }
}

/// The current hour, or one at this distance.
fn counter(quota: &str, now: UnixMillis, hours: i64) -> CounterId {
    let from = UnixMillis((now.0.div_euclid(HOUR_MS) + hours) * HOUR_MS);
    let [product, env, quota] = ["shop", "prd", quota].map(str::to_owned);
    CounterId { product, env, quota, from, until: from.plus(HOUR_MS) }
}

/// The parts of a run are those that were noted of it, each as it was noted last.
pub async fn parts_are_found_with_their_run_as_they_were_noted_last<P: Ports>(ports: &P) {
    let (progress, now) = (ports.progress(), ports.clock().now());
    assert_eq!(progress.finished(run(1, 1), "").await.unwrap(), []);
    for noted in [part("1", 1), part("2_email", 2), part("2", 3), part("1", 4)] {
        progress.save(run(1, 1), &noted, now).await.unwrap();
    }
    let outcome = PartOutcome::Failed(RunError::transient("TIMEOUT", "no answer"));
    let failed = Checkpoint { outcome, ..part("10", 5) };
    progress.save(run(1, 1), &failed, now).await.unwrap();
    let mut done = progress.finished(run(1, 1), "").await.unwrap();
    done.sort_by(|one, other| one.place.cmp(&other.place));
    assert_eq!(done, [part("1", 4), failed, part("2", 3), part("2_email", 2)]);
    assert_eq!(progress.finished(run(1, 1), "2_").await.unwrap(), [part("2_email", 2)]);
    assert_eq!(progress.finished(run(1, 1), "3").await.unwrap(), []);
    for other in [run(1, 2), run(1, 11), run(2, 1)] {
        assert_eq!(progress.finished(other, "").await.unwrap(), [], "{other:?}");
    }
}

/// The results of many steps may be as large as results are.
pub async fn large_parts_are_kept_whole<P: Ports>(ports: &P) {
    let (progress, now) = (ports.progress(), ports.clock().now());
    let large = |number: u32| {
        let outcome =
            PartOutcome::Completed(Output { value: json!("é".repeat(125_000)), truncated: number.is_multiple_of(2) });
        Checkpoint { outcome, ..part(&number.to_string(), number) }
    };
    for number in 0..8 {
        progress.save(run(1, 1), &large(number), now).await.unwrap();
    }
    let mut done = progress.finished(run(1, 1), "").await.unwrap();
    done.sort_by(|one, other| one.place.cmp(&other.place));
    assert_eq!(done, (0..8).map(large).collect::<Vec<_>>());
}

/// A counter goes up to its limit, and whatever counts again is counted once.
pub async fn a_counter_goes_to_its_limit_and_counts_each_part_once<P: Ports>(ports: &P) {
    let (progress, now) = (ports.progress(), ports.clock().now());
    let hour = counter("q", now, 0);
    assert_eq!(progress.used(&hour).await.unwrap(), 0);
    assert_eq!(progress.add(&hour, &by(1, ""), 3, 5).await.unwrap(), Counted::Counted { used: 3 });
    assert_eq!(progress.add(&hour, &by(1, ""), 3, 5).await.unwrap(), Counted::Counted { used: 3 }, "the same again");
    assert_eq!(progress.add(&hour, &by(2, ""), 3, 5).await.unwrap(), Counted::Over { used: 3 });
    assert_eq!(
        progress.add(&hour, &by(2, ""), 2, 5).await.unwrap(),
        Counted::Counted { used: 5 },
        "it was not counted"
    );
    assert_eq!(progress.add(&hour, &by(1, "1"), 1, 5).await.unwrap(), Counted::Over { used: 5 }, "another part");
    assert_eq!(progress.add(&hour, &by(3, ""), 6, 5).await.unwrap(), Counted::Over { used: 5 });
    for other in [counter("q", now, 1), counter("r", now, 0)] {
        assert_eq!(progress.used(&other).await.unwrap(), 0);
        assert_eq!(progress.add(&other, &by(4, &other.quota), 1, 5).await.unwrap(), Counted::Counted { used: 1 });
    }
}

/// A reset that is sent again takes nothing away that was counted since.
pub async fn a_counter_is_reset_once<P: Ports>(ports: &P) {
    let (progress, now) = (ports.progress(), ports.clock().now());
    let hour = counter("q", now, 0);
    progress.reset(&hour, &by(1, "")).await.unwrap();
    progress.add(&hour, &by(2, ""), 4, 5).await.unwrap();
    progress.reset(&hour, &by(3, "")).await.unwrap();
    assert_eq!(progress.used(&hour).await.unwrap(), 0);
    progress.add(&hour, &by(4, ""), 2, 5).await.unwrap();
    progress.reset(&hour, &by(3, "")).await.unwrap();
    assert_eq!(progress.used(&hour).await.unwrap(), 2);
}

/// As many of a hundred concurrent amounts are counted as fit.
pub async fn a_hundred_at_once_count_up_to_the_limit_and_no_further<P: Ports>(ports: &P) {
    let (progress, now) = (ports.progress(), ports.clock().now());
    let hour = counter("q", now, 0);
    let hundred: Vec<_> = (0..100).map(|number| by(number, "")).collect();
    let counted = join_all(hundred.iter().map(|part| progress.add(&hour, part, 1, 60))).await;
    let counted: Vec<_> = counted.into_iter().map(Result::unwrap).collect();
    let fitted = counted.iter().filter(|one| matches!(one, Counted::Counted { .. })).count();
    assert_eq!((fitted, progress.used(&hour).await.unwrap()), (60, 60));
}

/// The mark of an option holds until it is replaced.
pub async fn the_health_of_options_is_what_was_said_last<P: Ports>(ports: &P) {
    let (progress, now) = (ports.progress(), ports.clock().now());
    let [product, env, tag] = ["shop", "prd", "pay"].map(str::to_owned);
    let pay = FallbackId { product, env, tag };
    assert!(progress.failing(&pay).await.unwrap().is_empty());
    for (option, until) in [("stripe.charge", now.plus(1)), ("a b:c", now), ("stripe.charge", now.plus(2))] {
        progress.mark(&pay, option, until).await.unwrap();
    }
    let said = progress.failing(&pay).await.unwrap();
    let expected = [("a b:c", now), ("stripe.charge", now.plus(2))];
    assert_eq!(said.into_iter().collect::<Vec<_>>(), expected.map(|(option, until)| (option.to_owned(), until)));
    let other = FallbackId { env: "dev".to_owned(), ..pay };
    assert!(progress.failing(&other).await.unwrap().is_empty());
}
