//! Requests that their callers named.

use std::pin::Pin;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::testkit::turns::interleave;

fn named(stack: &Stack, key: &str, extra: &Value) -> Result<Scheduled, OperationError> {
    block_on(schedule(&stack.memory, &Texts, &owner_of_shop(), &body(extra), Some(key)))
}

#[test]
fn the_same_request_is_carried_out_once_and_answered_as_at_first() {
    let stack = Stack::new();
    let first = named(&stack, "order-7", &json!({"start_at": NOW.0 + 1_000})).unwrap();
    assert!(!first.is_replayed);
    stack.wait(5_000);
    stack.drive();
    assert_eq!(stack.status(first.job.id), Status::Completed);
    let armed_then = stack.memory.calls().iter().filter(|call| **call == PortCall::Arm).count();
    let second = named(&stack, "order-7", &json!({"start_at": NOW.0 + 1_000})).unwrap();
    assert_eq!((second.is_replayed, second.accepted), (true, first.accepted));
    assert_eq!(second.job, stack.job(first.job.id), "the job as it is now");
    let armed = stack.memory.calls().iter().filter(|call| **call == PortCall::Arm).count();
    assert_eq!((armed, stack.stored_and_armed()), (armed_then, (1, 0)));
}

#[test]
fn another_body_is_refused_and_another_key_environment_or_day_is_another_request() {
    let stack = Stack::new();
    let first = named(&stack, "k", &json!({})).unwrap();
    let Err(OperationError::Invalid(faults)) = named(&stack, "k", &json!({"retries": 1})) else { panic!("refused") };
    assert_eq!((faults[0].pointer.as_str(), faults[0].code), ("header:Idempotency-Key", FieldCode::Conflict));
    assert_eq!(stack.memory.tables().jobs.len(), 1);
    named(&stack, "other", &json!({})).unwrap();
    named(&stack, "k", &json!({"env": "dev", "event": "ping", "app": "web", "input": {}}))
        .map(drop)
        .unwrap_or_default();
    stack.wait(86_400_000);
    let next_day = named(&stack, "k", &json!({"retries": 1})).unwrap();
    assert!(!next_day.is_replayed && next_day.job.id != first.job.id);
}

#[test]
fn what_was_refused_reserves_nothing() {
    let stack = Stack::new();
    assert!(named(&stack, "k", &json!({"event": "nothing"})).is_err());
    assert!(stack.memory.tables().reservations.is_empty());
    named(&stack, "k", &json!({})).unwrap();
    // An accepted job stays accepted, whatever the catalog defines later.
    stack.publish(&json!({"envs": ["prd"]}));
    assert!(named(&stack, "k", &json!({})).unwrap().is_replayed);
}

#[test]
fn a_request_that_died_on_the_way_is_carried_out_as_of_then() {
    for call in [PortCall::ReserveRequest, PortCall::Arm, PortCall::InsertJob] {
        for fault in [Fault::Before, Fault::After] {
            let stack = Stack::new();
            let is_kept = matches!(fault, Fault::After) || call != PortCall::ReserveRequest;
            stack.script(call, fault);
            let first = named(&stack, "k", &json!({}));
            stack.wait(90_000);
            let second = named(&stack, "k", &json!({})).unwrap();
            let due_at = if is_kept { NOW } else { NOW.plus(90_000) };
            assert_eq!((second.job.spec.start_at, second.accepted.due_at), (due_at, due_at), "{call:?}");
            stack.drive();
            assert_eq!(stack.memory.tables().jobs.len(), 1, "{call:?}");
            assert_eq!((stack.status(second.job.id), stack.dispatched()), (Status::Completed, 1), "{call:?}");
            if let Ok(first) = first {
                assert_eq!(first.job.id, second.job.id, "{call:?}");
            }
        }
    }
}

#[test]
fn a_stranger_learns_nothing_of_a_request() {
    let stack = Stack::new();
    named(&stack, "k", &json!({})).unwrap();
    stack.memory.forget_calls();
    let stranger = block_on(schedule(&stack.memory, &Texts, &key("shop", "dev"), &body(&json!({})), Some("k")));
    assert!(matches!(stranger, Err(OperationError::NotOpened)));
    assert_eq!(stack.memory.calls(), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn of_many_at_once_one_job_comes_whatever_their_order(turns in vec(0_usize..50, 0..600), faults in vec((0_usize..60, any::<bool>()), 0..3)) {
        let stack = Stack::new();
        let caller = owner_of_shop();
        for (at, is_lost) in faults {
            stack.memory.script(When::Any(at), if is_lost { Fault::After } else { Fault::Before });
        }
        let one = |_| {
            let (stack, caller, body) = (&stack, &caller, body(&json!({})));
            Box::pin(async move { schedule(&stack.memory, &Texts, caller, &body, Some("k")).await }) as Pin<Box<dyn Future<Output = Result<Scheduled, OperationError>>>>
        };
        let mut turns = turns.into_iter();
        let answers = interleave((0..50).map(one).collect(), |_| turns.next().unwrap_or_default());
        let jobs: std::collections::BTreeSet<_> = answers.iter().flatten().map(|it| (it.job.id, it.accepted.due_at)).collect();
        prop_assert_eq!(jobs.len(), 1);
        prop_assert_eq!(stack.memory.tables().jobs.len(), 1);
        let first = answers.iter().flatten().filter(|it| !it.is_replayed).count();
        prop_assert!(first <= 1, "{} say that they were the first", first);
        stack.drive();
        prop_assert_eq!(stack.dispatched(), 1);
    }
}
