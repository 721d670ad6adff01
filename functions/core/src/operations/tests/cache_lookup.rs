//! Remembered results: hits, the one who makes them, and those who wait.

use super::*;
use crate::cache::CacheId;
use crate::ports::{CacheAnswer, FillLease, ResultCache};
use crate::testkit::turns::{crash_when, interleave};

fn stack() -> Stack {
    let stack = Stack::new();
    let mut catalog = shop();
    catalog["caches"] = json!({"orders": {"expiry": 60_000}});
    stack.publish(&catalog);
    stack
}

fn cached(extra: &Value) -> Value {
    let mut body = json!({"cache": "orders", "retries": 1, "retry": {"initialDelay": 0, "jitter": false}});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

fn output(text: &str) -> Output {
    Output { value: json!(text), truncated: false }
}

fn answer(text: &str) -> Answer {
    Answer::new(Ok(output(text)))
}

fn result(job: &Job) -> Option<&Value> {
    match job.state.run.outcome.as_ref()? {
        Outcome::Completed(output) => Some(&output.value),
        _ => None,
    }
}

#[test]
fn what_was_done_a_while_ago_is_not_done_again() {
    let stack = stack();
    stack.answers([answer("first"), answer("second")]);
    let first = stack.scheduled(&cached(&json!({})));
    stack.drive();
    let made_at = stack.job(first.id).state.run.ended_at.unwrap();
    assert_eq!(stack.job(first.id).state.run.cached_at, None);
    stack.wait(1_000);
    let second = stack.scheduled(&cached(&json!({"retries": 0})));
    stack.memory.forget_calls();
    stack.drive();
    let calls = stack.memory.calls();
    assert_eq!(calls, [PortCall::GetJob, PortCall::GetCatalog, PortCall::LookupResult, PortCall::Commit], "one write");
    let second = stack.job(second.id);
    assert_eq!((result(&second), second.state.status), (Some(&json!("first")), Status::Completed));
    assert_eq!((second.state.run.cached_at, second.state.run.attempts), (Some(made_at), 0));
    assert_eq!(stack.dispatched(), 1);
    // Other inputs, other events and the same after its time are other questions.
    stack.scheduled(&cached(&json!({"input": {"params": {"id": "8"}}})));
    stack.drive();
    stack.wait(60_000);
    stack.scheduled(&cached(&json!({})));
    stack.drive();
    assert_eq!(stack.dispatched(), 3);
}

#[test]
fn an_input_is_compared_as_it_is_dispatched() {
    let stack = stack();
    let mut catalog = shop();
    catalog["sessions"] = json!({"s": {"algorithm": "HS256", "envs": {"prd": {"key": "env:KEY"}}}});
    stack.publish(&catalog);
    let of = |claims: &str| {
        cached(&json!({"session": {"tag": "s", "token": claims}, "input": {"params": {"id": "$Session{id}"}}}))
    };
    for (claims, dispatched) in [(r#"{"id": "a"}"#, 1), (r#"{"id": "b"}"#, 2), (r#"{"id": "a", "more": 1}"#, 2)] {
        stack.scheduled(&of(claims));
        stack.drive();
        assert_eq!(stack.dispatched(), dispatched, "{claims}");
    }
    stack.scheduled(&cached(&json!({"input": {"params": {"id": "a"}}})));
    stack.drive();
    assert_eq!(stack.dispatched(), 2, "the same question without a session");
}

#[test]
fn of_a_hundred_at_once_one_is_dispatched() {
    let stack = stack();
    let jobs: Vec<_> = (0..100).map(|_| stack.scheduled(&cached(&json!({})))).collect();
    stack.memory.tables().armed.clear();
    let executing = |job: &Job| {
        let fire = job.fire();
        let stack = &stack;
        Box::pin(async move {
            let verdict = execute(&stack.memory, &stack.executor, fire).await.unwrap().verdict;
            if let Verdict::Redeliver { at } = verdict {
                stack.memory.tables().armed.insert((at, fire));
            }
        }) as std::pin::Pin<Box<dyn Future<Output = ()>>>
    };
    let mut turn = 0;
    interleave(jobs.iter().map(executing).collect(), |_| {
        turn += 7;
        turn
    });
    stack.drive();
    assert_eq!(stack.dispatched(), 1);
    assert!(jobs.iter().all(|job| stack.status(job.id) == Status::Completed));
    let recalled = jobs.iter().filter(|job| stack.job(job.id).state.run.cached_at.is_some()).count();
    assert_eq!(recalled, 99);
}

#[test]
fn after_a_failure_the_next_one_tries() {
    let stack = stack();
    stack.answers([Answer::new(Err(RunError::permanent(codes::NOT_FOUND, "no such order"))), answer("found")]);
    let jobs: Vec<_> = (0..3).map(|_| stack.scheduled(&cached(&json!({})))).collect();
    stack.drive();
    let failed = jobs.iter().filter(|job| stack.status(job.id) == Status::Failed).count();
    let found = jobs.iter().filter(|job| result(&stack.job(job.id)) == Some(&json!("found"))).count();
    assert_eq!((failed, found), (1, 2));
    assert_eq!(stack.dispatched(), 2, "a failure is not remembered, a success is");
}

#[test]
fn an_executor_that_dies_with_the_lease_keeps_the_others_waiting_until_that_ends() {
    let stack = stack();
    let (first, second) = (stack.scheduled(&cached(&json!({}))), stack.scheduled(&cached(&json!({}))));
    let died = crash_when(execute(&stack.memory, &stack.executor, first.fire()), || stack.dispatched() > 0);
    assert!(died.is_none());
    let Verdict::Redeliver { at } = stack.execute(second.fire()).unwrap().verdict else { panic!("it waits") };
    assert!(at > NOW && stack.job(second.id).state.run.attempts == 0, "waiting costs no attempt");
    stack.drive();
    assert_eq!((stack.status(first.id), stack.status(second.id)), (Status::Completed, Status::Completed));
    assert_eq!(stack.dispatched(), 2, "the one that was lost, and one more");
}

#[test]
fn a_crash_between_the_cache_and_the_record_dispatches_nothing_again() {
    let stack = stack();
    stack.answers([answer("made")]);
    let job = stack.scheduled(&cached(&json!({})));
    let filled = || stack.memory.tables().results.filled() > 0;
    assert!(crash_when(execute(&stack.memory, &stack.executor, job.fire()), filled).is_none());
    stack.drive();
    let job = stack.job(job.id);
    assert_eq!((result(&job), stack.dispatched()), (Some(&json!("made")), 1));
    assert_eq!((job.state.run.attempts, job.state.run.failures.len()), (1, 1), "the lost attempt is told of");
}

#[test]
fn a_cache_that_fails_costs_a_retry_before_the_dispatch_and_nothing_after_it() {
    let stack = stack();
    let job = stack.scheduled(&cached(&json!({})));
    stack.script(PortCall::LookupResult, Fault::Before);
    assert!(stack.execute(job.fire()).is_err());
    assert_eq!((stack.job(job.id).state.run.attempts, stack.dispatched()), (0, 0));
    stack.script(PortCall::FillResult, Fault::Before);
    let execution = stack.execute(job.fire()).unwrap();
    assert!(execution.cache_write_failed.is_some());
    assert_eq!((execution.verdict, stack.status(job.id)), (Verdict::Acknowledge, Status::Completed));
}

#[test]
fn an_answer_of_the_cache_that_was_lost_is_asked_for_again() {
    let stack = stack();
    let job = stack.scheduled(&cached(&json!({})));
    stack.script(PortCall::LookupResult, Fault::After);
    stack.drive();
    assert_eq!(
        (stack.status(job.id), stack.dispatched()),
        (Status::Completed, 1),
        "its own lost lease ends, and it goes on"
    );
}

#[test]
fn a_job_that_others_change_meanwhile_lets_the_lease_go() {
    let stack = stack();
    let job = stack.scheduled(&cached(&json!({})));
    let id = job.id;
    stack.script(
        PortCall::Commit,
        Fault::Overtaken(Box::new(move |world| happens(world, id, &Trigger::Cancel { reason: None }))),
    );
    assert_eq!(stack.execute(job.fire()).unwrap().verdict, Verdict::Acknowledge);
    assert!(stack.memory.tables().results.is_empty(), "nobody waits for what will not come");
    assert_eq!(stack.dispatched(), 0);
}

#[test]
fn a_claim_that_meets_a_fault_lets_the_lease_go() {
    for (call, fault) in
        [(PortCall::Commit, Fault::Before), (PortCall::Commit, Fault::After), (PortCall::LookupResult, Fault::After)]
    {
        let stack = stack();
        let job = stack.scheduled(&cached(&json!({})));
        stack.script(call, fault);
        if call == PortCall::Commit {
            // Nor can it be looked up what became of the claim.
            stack.memory.script(When::Nth(PortCall::GetJob, 1), Fault::Before);
        }
        assert!(stack.execute(job.fire()).is_err());
        assert!(stack.memory.tables().results.is_empty(), "{call:?}: nobody waits for what will not come");
        stack.drive();
        assert_eq!((stack.status(job.id), stack.dispatched()), (Status::Completed, 1), "{call:?}");
    }
}

#[test]
fn hits_count_toward_the_limit_of_a_series() {
    let stack = stack();
    let mut catalog = shop();
    catalog["caches"] = json!({"orders": {"expiry": 150_000}});
    stack.publish(&catalog);
    let job = stack.scheduled(&cached(&json!({"repeat": {"every": 60_000, "limit": 5}})));
    stack.drive();
    assert_eq!(stack.status(job.id), Status::Completed);
    let world = stack.memory.tables();
    let runs: Vec<_> = world.retired[&job.id].iter().chain([&world.jobs[&job.id].state.run]).collect();
    assert_eq!(runs.iter().map(|run| run.run_no).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(runs.iter().map(|run| run.cached_at.is_some()).collect::<Vec<_>>(), [false, true, true, false, true]);
}

#[test]
fn a_cache_that_the_catalog_does_not_know_keeps_its_results_for_a_day_and_says_so() {
    let stack = stack();
    let unknown = json!({"cache": "daily"});
    let scheduled = block_on(schedule(&stack.memory, &Texts, &owner_of_shop(), &body(&unknown), None)).unwrap();
    assert_eq!(scheduled.warnings, ["the catalog has no cache daily: its results are kept for 24 hours"]);
    stack.drive();
    stack.wait(86_000_000);
    stack.scheduled(&unknown);
    stack.drive();
    assert_eq!(stack.dispatched(), 1);
    stack.wait(86_400_000);
    stack.scheduled(&unknown);
    stack.drive();
    assert_eq!(stack.dispatched(), 2);
    let known = block_on(schedule(&stack.memory, &Texts, &owner_of_shop(), &body(&cached(&json!({}))), None)).unwrap();
    assert!(known.warnings.is_empty());
}

#[test]
fn a_cache_is_looked_at_and_emptied_by_whoever_may() {
    let stack = stack();
    let cache = CacheId { product: "shop".into(), env: "prd".into(), tag: "orders".into() };
    for id in ["a", "b", "c"] {
        stack.scheduled(&cached(&json!({"input": {"params": {"id": id}}})));
    }
    stack.drive();
    let look = |caller: &ApiKey, after: Option<&str>, limit| {
        block_on(cache_entries(&stack.memory, caller, &cache, after, limit))
    };
    let first = look(&owner_of_shop(), None, 2).unwrap();
    assert_eq!((first.expiry_ms, first.is_defined, first.page.entries.len()), (60_000, true, 2));
    let second = look(&owner_of_shop(), first.page.next.as_deref(), 2).unwrap();
    assert_eq!((second.page.entries.len(), second.page.next), (1, None));
    assert!(
        first
            .page
            .entries
            .iter()
            .all(|entry| entry.event == "order.close" && entry.expires_at.since(entry.made_at) == 60_000)
    );
    assert!(matches!(look(&key("bank", "*"), None, 2), Err(OperationError::NotFound("cache"))));
    let stranger = block_on(clear_cache(&stack.memory, &key("shop", "dev"), &cache));
    assert!(matches!(stranger, Err(OperationError::NotFound("cache"))));
    block_on(clear_cache(&stack.memory, &owner_of_shop(), &cache)).unwrap();
    assert_eq!(look(&owner_of_shop(), None, 2).unwrap().page.entries, []);
    stack.scheduled(&cached(&json!({"input": {"params": {"id": "a"}}})));
    stack.drive();
    assert_eq!(stack.dispatched(), 4);
}

#[test]
fn whoever_waits_looks_again_the_later_the_longer_it_takes() {
    let stack = stack();
    let job = stack.scheduled(&cached(&json!({})));
    let taken = stack.scheduled(&cached(&json!({})));
    let key = crate::cache::CacheKey::of(&taken.spec, &taken.spec.input).unwrap();
    let lead = FillLease { leader: Owner::new(7), began_at: NOW, until: NOW.plus(100_000) };
    assert_eq!(block_on(stack.memory.lookup(&key, &lead, NOW)).unwrap(), CacheAnswer::Miss);
    for (after_ms, wait_ms) in [(0, 100), (1_000, 500), (30_000, 15_000), (60_000, 20_000), (90_000, 10_000)] {
        stack.memory.tables().now = NOW.plus(after_ms);
        let verdict = stack.execute(job.fire()).unwrap().verdict;
        assert_eq!(verdict, Verdict::Redeliver { at: NOW.plus(after_ms + wait_ms) }, "{after_ms}");
    }
}

#[test]
fn a_job_without_a_cache_asks_none() {
    let stack = stack();
    stack.memory.forget_calls();
    let job = stack.scheduled(&json!({}));
    stack.execute(job.fire()).unwrap();
    let calls = stack.memory.calls();
    assert!(
        !calls
            .iter()
            .any(|call| matches!(call, PortCall::LookupResult | PortCall::FillResult | PortCall::ReleaseResult)),
        "{calls:?}"
    );
}
