//! What events that consist of others leave behind.

use carillon_core::flow::{Counted, CounterName, FallbackName, Part, PartName, PartOutcome, RunName};
use carillon_core::ids::JobId;
use carillon_core::job::{Output, RunError};
use carillon_core::ports::{Clock, Counters, Health, Parts, Ports};
use carillon_core::time::UnixMillis;
use futures_util::future::join_all;
use serde_json::json;

use super::samples::NOW;

const HOUR_MS: i64 = 3_600_000;

fn run(number: u128, run_no: u32) -> RunName {
    RunName { job_id: JobId::new(NOW, number), run_no }
}

fn part(place: &str, brought: u32) -> Part {
    Part {
        place: place.to_owned(),
        of: format!("{brought:064x}"),
        outcome: PartOutcome::Completed(json!({"n": brought}).into()),
    }
}

fn by(number: u128, place: &str) -> PartName {
    PartName { run: run(number, 1), place: place.to_owned() }
}

/// The hour in which it is now, or one so many hours away.
fn counter(quota: &str, now: UnixMillis, hours: i64) -> CounterName {
    let from = UnixMillis((now.0.div_euclid(HOUR_MS) + hours) * HOUR_MS);
    let [product, env, quota] = ["shop", "prd", quota].map(str::to_owned);
    CounterName { product, env, quota, from, until: from.plus(HOUR_MS) }
}

/// The parts of a run are those that were noted of it, each as it was noted last.
pub async fn parts_are_found_with_their_run_as_they_were_noted_last<P: Ports>(ports: &P) {
    let (flows, now) = (ports.flows(), ports.clock().now());
    assert_eq!(flows.done(run(1, 1), "").await.unwrap(), []);
    for noted in [part("1", 1), part("2_email", 2), part("2", 3), part("1", 4)] {
        flows.note(run(1, 1), &noted, now).await.unwrap();
    }
    let outcome = PartOutcome::Failed(RunError::transient("TIMEOUT", "no answer"));
    let failed = Part { outcome, ..part("10", 5) };
    flows.note(run(1, 1), &failed, now).await.unwrap();
    let mut done = flows.done(run(1, 1), "").await.unwrap();
    done.sort_by(|one, other| one.place.cmp(&other.place));
    assert_eq!(done, [part("1", 4), failed, part("2", 3), part("2_email", 2)]);
    assert_eq!(flows.done(run(1, 1), "2_").await.unwrap(), [part("2_email", 2)]);
    assert_eq!(flows.done(run(1, 1), "3").await.unwrap(), []);
    for other in [run(1, 2), run(1, 11), run(2, 1)] {
        assert_eq!(flows.done(other, "").await.unwrap(), [], "{other:?}");
    }
}

/// The results of many steps may be as large as results are.
pub async fn large_parts_are_kept_whole<P: Ports>(ports: &P) {
    let (flows, now) = (ports.flows(), ports.clock().now());
    let large = |number: u32| {
        let outcome =
            PartOutcome::Completed(Output { value: json!("é".repeat(125_000)), truncated: number.is_multiple_of(2) });
        Part { outcome, ..part(&number.to_string(), number) }
    };
    for number in 0..8 {
        flows.note(run(1, 1), &large(number), now).await.unwrap();
    }
    let mut done = flows.done(run(1, 1), "").await.unwrap();
    done.sort_by(|one, other| one.place.cmp(&other.place));
    assert_eq!(done, (0..8).map(large).collect::<Vec<_>>());
}

/// A counter goes up to its limit, and whatever counts again is counted once.
pub async fn a_counter_goes_to_its_limit_and_counts_each_part_once<P: Ports>(ports: &P) {
    let (flows, now) = (ports.flows(), ports.clock().now());
    let hour = counter("q", now, 0);
    assert_eq!(flows.used(&hour).await.unwrap(), 0);
    assert_eq!(flows.add(&hour, &by(1, ""), 3, 5).await.unwrap(), Counted::Counted { used: 3 });
    assert_eq!(flows.add(&hour, &by(1, ""), 3, 5).await.unwrap(), Counted::Counted { used: 3 }, "the same again");
    assert_eq!(flows.add(&hour, &by(2, ""), 3, 5).await.unwrap(), Counted::Over { used: 3 });
    assert_eq!(flows.add(&hour, &by(2, ""), 2, 5).await.unwrap(), Counted::Counted { used: 5 }, "it was not counted");
    assert_eq!(flows.add(&hour, &by(1, "1"), 1, 5).await.unwrap(), Counted::Over { used: 5 }, "another part");
    assert_eq!(flows.add(&hour, &by(3, ""), 6, 5).await.unwrap(), Counted::Over { used: 5 });
    for other in [counter("q", now, 1), counter("r", now, 0)] {
        assert_eq!(flows.used(&other).await.unwrap(), 0);
        assert_eq!(flows.add(&other, &by(4, &other.quota), 1, 5).await.unwrap(), Counted::Counted { used: 1 });
    }
}

/// A reset that is sent again takes nothing away that was counted since.
pub async fn a_counter_is_reset_once<P: Ports>(ports: &P) {
    let (flows, now) = (ports.flows(), ports.clock().now());
    let hour = counter("q", now, 0);
    flows.reset(&hour, &by(1, "")).await.unwrap();
    flows.add(&hour, &by(2, ""), 4, 5).await.unwrap();
    flows.reset(&hour, &by(3, "")).await.unwrap();
    assert_eq!(flows.used(&hour).await.unwrap(), 0);
    flows.add(&hour, &by(4, ""), 2, 5).await.unwrap();
    flows.reset(&hour, &by(3, "")).await.unwrap();
    assert_eq!(flows.used(&hour).await.unwrap(), 2);
}

/// Of a hundred at once as many are counted as fit.
pub async fn a_hundred_at_once_count_up_to_the_limit_and_no_further<P: Ports>(ports: &P) {
    let (flows, now) = (ports.flows(), ports.clock().now());
    let hour = counter("q", now, 0);
    let hundred: Vec<_> = (0..100).map(|number| by(number, "")).collect();
    let counted = join_all(hundred.iter().map(|part| flows.add(&hour, part, 1, 60))).await;
    let counted: Vec<_> = counted.into_iter().map(Result::unwrap).collect();
    let fitted = counted.iter().filter(|one| matches!(one, Counted::Counted { .. })).count();
    assert_eq!((fitted, flows.used(&hour).await.unwrap()), (60, 60));
}

/// What is said of an option holds until something else is said of it.
pub async fn the_health_of_options_is_what_was_said_last<P: Ports>(ports: &P) {
    let (flows, now) = (ports.flows(), ports.clock().now());
    let [product, env, tag] = ["shop", "prd", "pay"].map(str::to_owned);
    let pay = FallbackName { product, env, tag };
    assert!(flows.failing(&pay).await.unwrap().is_empty());
    for (option, until) in [("stripe.charge", now.plus(1)), ("a b:c", now), ("stripe.charge", now.plus(2))] {
        flows.mark(&pay, option, until).await.unwrap();
    }
    let said = flows.failing(&pay).await.unwrap();
    let expected = [("a b:c", now), ("stripe.charge", now.plus(2))];
    assert_eq!(said.into_iter().collect::<Vec<_>>(), expected.map(|(option, until)| (option.to_owned(), until)));
    let other = FallbackName { env: "dev".to_owned(), ..pay };
    assert!(flows.failing(&other).await.unwrap().is_empty());
}
