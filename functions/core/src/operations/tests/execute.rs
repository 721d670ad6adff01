//! One message's way, step by step, and what a single fault or a single other actor makes of it.

use super::*;
use crate::machine::Refusal;
use crate::testkit::turns::crash_when;

/// The verdict on the only message, which is taken off the queue.
fn verdict(stack: &Stack, fire: Fire) -> Verdict {
    stack.memory.tables().armed.clear();
    stack.execute(fire).unwrap().verdict
}

fn failures(job: &Job) -> Vec<(u32, &str)> {
    job.state.run.failures.iter().map(|failure| (failure.attempt, failure.error.code.as_str())).collect()
}

/// An executor that dies with the request on its way.
fn dies_in_dispatch(stack: &Stack, fire: Fire) {
    let before = stack.dispatched();
    let died = crash_when(execute(&stack.memory, &stack.executor, fire), || stack.dispatched() > before);
    assert!(died.is_none());
}

#[test]
fn a_due_job_is_claimed_dispatched_and_settled() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({"start_at": NOW.0 + 1_000}));
    stack.wait(1_007);
    let claimed_at = NOW.plus(1_007);
    let seen = Arc::new(Mutex::new(None));
    let lease = Arc::clone(&seen);
    stack.answers([Answer {
        takes_ms: 20,
        meanwhile: Box::new(move |world| *lease.lock().unwrap() = world.jobs[&job.id].state.lease.clone()),
        ..Answer::new(Ok(Output { value: json!({"status": 204}), truncated: false }))
    }]);
    let execution = stack.execute(job.fire()).unwrap();
    assert_eq!((execution.verdict, execution.refusal), (Verdict::Acknowledge, None));
    let attempt = execution.attempt.unwrap();
    let expected =
        Attempt { number: 1, began_at: claimed_at, lateness_ms: 7, dispatch_ms: 20, error: None, recorded: true };
    assert_eq!(attempt, expected);
    let settled = execution.job.unwrap();
    assert_eq!(settled, stack.job(job.id));
    assert_eq!((settled.state.status, settled.state.run.ended_at), (Status::Completed, Some(NOW.plus(1_027))));
    assert_eq!(seen.lock().unwrap().as_ref().unwrap().until, claimed_at.plus(15_000), "timeout and margin");
    let requests = stack.executor.targets.requests.lock().unwrap();
    let call = &requests[0];
    assert_eq!((call.id.fire, call.attempt, call.timeout_ms), (job.fire(), 1, 10_000));
    assert_eq!(call.trace.as_deref(), Some("Root=1-2-3"), "the trace goes on to the target");
    assert_eq!(call.request.http().unwrap().url.as_str(), "https://shop.example.com/orders/7/close");
    let calls = stack.memory.calls().split_off(3);
    assert_eq!(
        calls,
        [PortCall::GetJob, PortCall::GetCatalog, PortCall::Commit, PortCall::Commit],
        "two writes in all"
    );
}

#[test]
fn a_failed_attempt_returns_after_its_backoff_with_the_same_fire() {
    let stack = Stack::new();
    let retry = json!({"initialDelay": 1_000, "jitter": false});
    let job = stack.scheduled(&json!({"retries": 3, "retry": retry}));
    let asked = RunError { retry_after_ms: Some(7_000), ..RunError::transient(codes::RATE_LIMITED, "slow down") };
    stack.answers([transient(), Answer::new(Err(asked))]);
    assert_eq!(verdict(&stack, job.fire()), Verdict::Redeliver { at: NOW.plus(1_010) }, "the backoff after 10 ms");
    assert_eq!((stack.status(job.id), stack.job(job.id).state.wake_at), (Status::Queued, Some(NOW.plus(1_010))));
    stack.wait(1_000);
    assert_eq!(verdict(&stack, job.fire()), Verdict::Redeliver { at: NOW.plus(8_020) }, "the target's own wish");
    stack.wait(7_005);
    let execution = stack.execute(job.fire()).unwrap();
    assert_eq!((execution.verdict, execution.attempt.unwrap().lateness_ms), (Verdict::Acknowledge, 5));
    let job = stack.job(job.id);
    assert_eq!((job.state.status, job.state.run.attempts), (Status::Completed, 3));
    assert_eq!(failures(&job), [(1, codes::TIMEOUT), (2, codes::RATE_LIMITED)]);
    let requests = stack.executor.targets.requests.lock().unwrap();
    assert!(requests.iter().all(|call| call.id.fire == job.fire()) && requests.len() == 3);
}

#[test]
fn a_spent_or_hopeless_job_is_dead_lettered_with_its_last_error() {
    let hopeless = || Answer::new(Err(RunError::permanent(codes::FORBIDDEN, "no")));
    for (retries, answers, attempts, code) in [
        (0, vec![transient()], 1, codes::TIMEOUT),
        (1, vec![transient(), transient()], 2, codes::TIMEOUT),
        (5, vec![hopeless()], 1, codes::FORBIDDEN),
        (5, vec![transient(), hopeless()], 2, codes::FORBIDDEN),
    ] {
        let stack = Stack::new();
        let job = stack.scheduled(&json!({"retries": retries}));
        stack.answers(answers);
        stack.drive();
        let Some(Outcome::Failed(error)) = outcomes(&stack, job.fire()).pop() else { panic!("it failed") };
        let job = stack.job(job.id);
        assert_eq!((job.state.status, job.state.run.attempts, error.code.as_str()), (Status::Failed, attempts, code));
        assert_eq!(*stack.dead_lettered.lock().unwrap(), [job.fire()]);
        assert_eq!(job.state.run.failures.len(), stack.dispatched());
    }
}

#[test]
fn an_executor_that_dies_costs_one_attempt() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({"retries": 1}));
    dies_in_dispatch(&stack, job.fire());
    let until = NOW.plus(15_000);
    assert_eq!(verdict(&stack, job.fire()), Verdict::Redeliver { at: until }, "the lease may still be held");
    assert_eq!(stack.dispatched(), 1);
    stack.wait(15_000);
    let execution = stack.execute(job.fire()).unwrap();
    assert_eq!((execution.verdict, execution.attempt.unwrap().number), (Verdict::Acknowledge, 2));
    let job = stack.job(job.id);
    assert_eq!((job.state.status, failures(&job)), (Status::Completed, vec![(1, codes::EXECUTOR_LOST)]));
}

#[test]
fn a_job_that_kills_every_executor_ends_as_failed_and_is_dead_lettered() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({"retries": 2}));
    for _ in 0..4 {
        let at = stack.job(job.id).state.wake_at.unwrap();
        let now = stack.memory.tables().now.max(at);
        stack.memory.tables().now = now;
        let before = stack.dispatched();
        let died = crash_when(execute(&stack.memory, &stack.executor, job.fire()), || stack.dispatched() > before);
        let Some(execution) = died else { continue };
        assert!(matches!(execution.unwrap().verdict, Verdict::DeadLetter(error) if error.code == codes::EXECUTOR_LOST));
    }
    let job = stack.job(job.id);
    assert_eq!((job.state.status, job.state.run.attempts, stack.dispatched()), (Status::Failed, 3, 3));
    assert_eq!(failures(&job), [1, 2, 3].map(|attempt| (attempt, codes::EXECUTOR_LOST)));
}

#[test]
fn a_message_before_its_time_comes_back_at_it() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({"start_at": NOW.0 + 5}));
    let execution = stack.execute(job.fire()).unwrap();
    assert_eq!(execution.verdict, Verdict::Redeliver { at: NOW.plus(5) });
    assert_eq!(execution.refusal, Some(Refusal::Early { due_at: NOW.plus(5) }));
    assert_eq!((stack.job(job.id), stack.dispatched()), (job, 0));
}

#[test]
fn messages_of_no_job_and_of_fires_to_come_are_unknown_and_of_past_fires_void() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({}));
    stack.answers([transient()]);
    stack.drive();
    let nowhere = Fire { job_id: JobId::new(NOW, 5), ..job.fire() };
    let next = Fire { generation: 2, ..job.fire() };
    assert_eq!((verdict(&stack, nowhere), verdict(&stack, next)), (Verdict::Unknown, Verdict::Unknown));
    assert_eq!(stack.execute(job.fire()).unwrap().refusal, Some(Refusal::AlreadySettled));
    block_on(retry(&stack.memory, &owner_of_shop(), job.id, 0)).unwrap();
    let execution = stack.execute(job.fire()).unwrap();
    assert_eq!((execution.verdict, execution.refusal), (Verdict::Acknowledge, Some(Refusal::Void)));
    assert_eq!((stack.dispatched(), verdict(&stack, next)), (1, Verdict::Acknowledge));
    assert_eq!(stack.dispatched(), 2);
}

#[test]
fn a_retrys_message_that_comes_before_the_retry_is_stored_is_not_lost() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({}));
    stack.answers([transient()]);
    stack.drive();
    let next = Fire { generation: 2, ..job.fire() };
    let is_armed = || stack.memory.tables().armed.iter().any(|(_, fire)| *fire == next);
    let caller = owner_of_shop();
    let mut stored_later = Box::pin(retry(&stack.memory, &caller, job.id, 0));
    assert!(crash_when(stored_later.as_mut(), is_armed).is_none());
    assert_eq!(stack.execute(next).unwrap().verdict, Verdict::Unknown, "the message stays");
    block_on(stored_later).unwrap();
    stack.drive();
    assert_eq!(stack.status(job.id), Status::Completed);
}

#[test]
fn what_was_cancelled_or_taken_over_meanwhile_is_not_recorded() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({"retries": 1}));
    let id = job.id;
    let cancel = move |world: &mut Tables| happens(world, id, &Trigger::Cancel { reason: None });
    stack.answers([Answer { meanwhile: Box::new(cancel), ..Answer::new(Ok(Output::default())) }]);
    let execution = stack.execute(job.fire()).unwrap();
    assert_eq!((execution.verdict, execution.attempt.unwrap().recorded), (Verdict::Acknowledge, false));
    assert_eq!(outcomes(&stack, job.fire()), [Outcome::Cancelled { reason: None }]);

    let stack = Stack::new();
    let job = stack.scheduled(&json!({"retries": 1}));
    let id = job.id;
    // The target takes longer than the lease, and another executor continues with the fire.
    let taken = Box::new(move |world: &mut Tables| claimed_elsewhere(world, id));
    stack.answers([Answer { takes_ms: 15_000, meanwhile: taken, ..Answer::new(Ok(Output::default())) }]);
    let execution = stack.execute(job.fire()).unwrap();
    let until = NOW.plus(15_000 + 60_000);
    assert_eq!((execution.verdict, execution.attempt.unwrap().recorded), (Verdict::Redeliver { at: until }, false));
    assert_eq!((outcomes(&stack, job.fire()), stack.job(id).state.run.attempts), (vec![], 2));
}

#[test]
fn a_claim_whose_answer_was_lost_is_adopted_and_counted_once() {
    for fault in [Fault::After, Fault::Twice] {
        let stack = Stack::new();
        let job = stack.scheduled(&json!({}));
        stack.wait(3);
        stack.script(PortCall::Commit, fault);
        let execution = stack.execute(job.fire()).unwrap();
        let attempt = execution.attempt.unwrap();
        assert_eq!((attempt.number, attempt.lateness_ms, attempt.recorded), (1, 3, true));
        let job = stack.job(job.id);
        assert_eq!((job.state.status, job.state.run.attempts, stack.dispatched()), (Status::Completed, 1, 1));
    }
}

#[test]
fn an_outcome_whose_answer_was_lost_is_recorded_once() {
    let ended_by = |fault: Fault, answer: Answer| {
        let stack = Stack::new();
        let job = stack.scheduled(&json!({}));
        stack.answers([answer]);
        stack.memory.script(When::Nth(PortCall::Commit, 1), fault);
        let execution = stack.execute(job.fire()).unwrap();
        assert!(execution.attempt.unwrap().recorded && stack.dispatched() == 1);
        assert_eq!((outcomes(&stack, job.fire()).len(), execution.job), (1, Some(stack.job(job.id))));
        execution.verdict
    };
    for fault in [|| Fault::Before, || Fault::After, || Fault::Twice] {
        assert_eq!(ended_by(fault(), Answer::new(Ok(Output::default()))), Verdict::Acknowledge);
        assert!(matches!(ended_by(fault(), transient()), Verdict::DeadLetter(error) if error.code == codes::TIMEOUT));
    }
}

#[test]
fn an_outcome_that_cannot_be_stored_at_all_costs_the_attempt_and_no_more() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({"retries": 1}));
    for nth in [1, 2] {
        stack.memory.script(When::Nth(PortCall::Commit, nth), Fault::Before);
    }
    assert!(stack.execute(job.fire()).is_err());
    stack.drive();
    let job = stack.job(job.id);
    assert_eq!((job.state.status, failures(&job)), (Status::Completed, vec![(1, codes::EXECUTOR_LOST)]));
    assert_eq!((stack.dispatched(), outcomes(&stack, job.fire()).len()), (2, 1));
}

#[test]
fn a_fault_before_the_claim_changes_nothing_and_the_message_comes_back() {
    for call in [PortCall::GetJob, PortCall::GetCatalog, PortCall::Commit] {
        let stack = Stack::new();
        let job = stack.scheduled(&json!({}));
        stack.script(call, Fault::Before);
        assert!(stack.execute(job.fire()).is_err(), "{call:?}");
        assert_eq!((stack.job(job.id), stack.dispatched()), (job, 0));
        stack.drive();
        assert_eq!((stack.memory.tables().outcomes.len(), stack.dispatched()), (1, 1));
    }
}

#[test]
fn a_claim_that_others_keep_overtaking_comes_back_in_a_second() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({}));
    let id = job.id;
    for _ in 0..ATTEMPTS_AT_A_CHANGE {
        let touch = move |world: &mut Tables| world.jobs.get_mut(&id).unwrap().state.revision += 1;
        stack.script(PortCall::Commit, Fault::Overtaken(Box::new(touch)));
    }
    assert_eq!(verdict(&stack, job.fire()), Verdict::Redeliver { at: NOW.plus(1_000) });
    assert_eq!((stack.dispatched(), verdict(&stack, job.fire())), (0, Verdict::Acknowledge));
}

#[test]
fn a_catalog_that_changed_or_went_fails_the_job_for_good_without_a_dispatch() {
    let mut other_path = shop();
    other_path["apps"]["shop"]["actions"]["order.close"]["path"] = json!("/orders/:order/close");
    let mut no_event = shop();
    no_event["apps"]["shop"]["actions"].as_object_mut().unwrap().remove("order.close");
    let mut other_env = shop();
    other_env["apps"]["shop"]["envs"] = json!({"dev": {"base_url": "https://dev.example.com"}});
    let mut foreign = shop();
    foreign["apps"]["shop"]["envs"]["prd"]["auth"] = json!({"bearer": "ssm:/token"});
    for (catalog, code) in [
        (Some(other_path), codes::VALIDATION_ERROR),
        (Some(no_event), codes::EVENT_NOT_FOUND),
        (Some(other_env), codes::EVENT_NOT_FOUND),
        (Some(foreign), codes::EVENT_NOT_FOUND),
        (None, codes::EVENT_NOT_FOUND),
    ] {
        let stack = Stack::new();
        let job = stack.scheduled(&json!({"retries": 3}));
        match &catalog {
            Some(document) => stack.publish(document),
            None => stack.memory.tables().catalogs.clear(),
        }
        let Verdict::DeadLetter(error) = verdict(&stack, job.fire()) else { panic!("{catalog:?}") };
        assert_eq!((error.code.as_str(), error.retryable), (code, false));
        let job = stack.job(job.id);
        assert_eq!((job.state.status, job.state.run.attempts, stack.dispatched()), (Status::Failed, 1, 0));
    }
}

#[test]
fn only_the_catalog_that_is_published_now_fails_a_job_for_good() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({}));
    stack.memory.tables().cached_catalogs.insert("shop".into(), None);
    assert_eq!(verdict(&stack, job.fire()), Verdict::Acknowledge);
    assert_eq!((stack.status(job.id), stack.dispatched()), (Status::Completed, 1));
}

#[test]
fn an_attempt_has_the_time_that_the_job_the_catalog_or_the_stack_gives_it() {
    for (extra, timeout_ms) in [
        (json!({}), 10_000),
        (json!({"timeout": 1}), 1),
        (json!({"timeout": 900_000}), 60_000),
        (json!({"event": "ping", "app": "bank", "input": {}}), 30_000),
    ] {
        let stack = Stack::new();
        let job = stack.scheduled(&extra);
        dies_in_dispatch(&stack, job.fire());
        assert_eq!(stack.executor.targets.requests.lock().unwrap()[0].timeout_ms, timeout_ms);
        let lease = stack.job(job.id).state.lease.unwrap();
        assert_eq!(lease.until.since(NOW), i64::from(timeout_ms) + 5_000, "{extra}");
    }
}
