//! Recurring jobs: when they run, what stops them, and what faults make of them.

use super::*;
use crate::cadence::{Cadence, Repeat};
use crate::job::{LastRun, Run, SkipReason, Skipped};
use crate::testkit::turns::crash_when;

pub(super) fn every(ms: u64, extra: &Value) -> Value {
    let mut repeat = json!({"every": ms});
    repeat.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    json!({"repeat": repeat})
}

/// A job every minute, from now on.
pub(super) fn minutely(stack: &Stack, extra: &Value) -> Job {
    stack.scheduled(&every(60_000, extra))
}

pub(super) fn changed(stack: &Stack, job: &Job, body: &Value) -> Result<Job, OperationError> {
    let body = body.to_string();
    block_on(edit(&stack.memory, &owner_of_shop(), job.id, body.as_bytes(), &Condition::Always))
}

pub(super) fn paused(stack: &Stack, job: &Job) -> Job {
    block_on(pause(&stack.memory, &owner_of_shop(), job.id)).unwrap()
}

pub(super) fn resumed(stack: &Stack, job: &Job) -> Job {
    block_on(resume(&stack.memory, &owner_of_shop(), job.id)).unwrap()
}

pub(super) fn listed(stack: &Stack, job: &Job) -> Vec<ListedRun> {
    block_on(runs(&stack.memory, &owner_of_shop(), job.id, 100, None)).unwrap().runs
}

/// Delivers the messages that are due within `ms`, and lets that time pass.
pub(super) fn drive_for(stack: &Stack, ms: i64) {
    let until = stack.memory.tables().now.plus(ms);
    loop {
        let mut world = stack.memory.tables();
        let Some((at, fire)) = world.armed.first().copied().filter(|(at, _)| *at <= until) else {
            world.now = world.now.max(until);
            return;
        };
        world.armed.pop_first();
        world.now = world.now.max(at);
        drop(world);
        let verdict = stack.execute(fire).unwrap().verdict;
        match verdict {
            Verdict::Redeliver { at } => drop(stack.memory.tables().armed.insert((at, fire))),
            Verdict::DeadLetter(_) => stack.dead_lettered.lock().unwrap().push(fire),
            Verdict::Acknowledge | Verdict::Unknown => {}
        }
    }
}

pub(super) fn due(run: &Run) -> i64 {
    run.nominal_at.unwrap().since(NOW)
}

#[test]
fn a_series_runs_at_its_nominal_instants_until_its_limit() {
    let stack = Stack::new();
    let job = minutely(&stack, &json!({"limit": 3}));
    assert_eq!((job.state.status, job.state.run.nominal_at), (Status::Queued, Some(NOW)));
    stack.answers([
        Answer { takes_ms: 30_000, ..Answer::new(Ok(Output::default())) },
        Answer { takes_ms: 59_000, ..Answer::new(Ok(Output::default())) },
    ]);
    stack.drive();
    let job = stack.job(job.id);
    assert_eq!((job.state.status, job.state.run.run_no, stack.dispatched()), (Status::Completed, 3, 3));
    let runs = listed(&stack, &job);
    let nominal: Vec<_> = runs.iter().map(|listed| (listed.run.run_no, due(&listed.run), listed.status)).collect();
    let done = RunStatus::Completed;
    assert_eq!(nominal, [(3, 120_000, done), (2, 60_000, done), (1, 0, done)], "however long a run takes");
    assert_eq!(job.state.missed, 0);
    let requests = stack.executor.targets.requests.lock().unwrap();
    let fires: Vec<_> = requests.iter().map(|call| (call.id.fire.generation, call.id.fire.run_no)).collect();
    assert_eq!(fires, [(1, 1), (1, 2), (1, 3)]);
}

#[test]
fn what_a_long_run_misses_is_skipped_and_counted() {
    let stack = Stack::new();
    let job = minutely(&stack, &json!({}));
    stack.answers([Answer { takes_ms: 150_000, ..Answer::new(Ok(Output::default())) }]);
    drive_for(&stack, 0);
    let job = stack.job(job.id);
    assert_eq!((job.state.run.run_no, due(&job.state.run), job.state.missed), (2, 180_000, 2));
    let skipped = Skipped { reason: SkipReason::Missed, from: NOW.plus(60_000), count: 2 };
    assert_eq!(job.state.run.skipped, [skipped]);
    let ended_at = NOW.plus(150_000);
    assert_eq!(job.state.last_run, Some(LastRun { run_no: 1, status: RunStatus::Completed, ended_at }));
}

#[test]
fn nothing_runs_after_the_end_date_and_what_is_due_on_it_does() {
    for (end_ms, expected) in [(119_999, 2), (120_000, 3), (120_001, 3)] {
        let stack = Stack::new();
        let job = minutely(&stack, &json!({"endDate": NOW.0 + end_ms}));
        stack.drive();
        let job = stack.job(job.id);
        assert_eq!(
            (job.state.status, job.state.run.run_no, stack.dispatched()),
            (Status::Completed, expected, 3.min(expected as usize))
        );
    }
}

#[test]
fn what_passed_until_the_end_date_is_told_with_the_last_run() {
    let stack = Stack::new();
    let job = minutely(&stack, &json!({"endDate": NOW.0 + 130_000}));
    stack.answers([Answer { takes_ms: 600_000, ..Answer::new(Ok(Output::default())) }]);
    stack.drive();
    let job = stack.job(job.id);
    assert_eq!((job.state.status, job.state.run.run_no, job.state.missed), (Status::Completed, 1, 2));
    assert_eq!(listed(&stack, &job)[0].skipped_after[0].count, 2);
}

#[test]
fn a_failed_run_stops_the_series_and_its_retry_resumes_it() {
    let stack = Stack::new();
    let job = minutely(&stack, &json!({"limit": 3}));
    stack.answers([Answer::new(Ok(Output::default())), transient()]);
    stack.drive();
    let failed = stack.job(job.id);
    assert_eq!((failed.state.status, failed.state.run.run_no), (Status::Failed, 2));
    assert_eq!((stack.stored_and_armed(), stack.dead_lettered.lock().unwrap().len()), ((1, 0), 1));
    stack.wait(200_000);
    let again = block_on(retry(&stack.memory, &owner_of_shop(), job.id, 0)).unwrap();
    assert_eq!((again.state.run.run_no, due(&again.state.run)), (2, 60_000), "it still stands for its occurrence");
    stack.drive();
    let job = stack.job(job.id);
    assert_eq!((job.state.status, job.state.run.run_no, due(&job.state.run)), (Status::Completed, 3, 300_000));
    assert_eq!(job.state.missed, 3, "those of 120, 180 and 240 s");
}

#[test]
fn a_series_that_is_to_continue_passes_over_failed_runs_but_the_last() {
    let stack = Stack::new();
    let job = minutely(&stack, &json!({"limit": 3, "onFailure": "continue"}));
    stack.answers([transient(), Answer::new(Ok(Output::default())), transient()]);
    stack.drive();
    let job = stack.job(job.id);
    assert_eq!((job.state.status, job.state.run.run_no), (Status::Failed, 3));
    let statuses: Vec<_> = listed(&stack, &job).iter().map(|listed| listed.status).collect();
    assert_eq!(statuses, [RunStatus::Failed, RunStatus::Completed, RunStatus::Failed]);
    assert_eq!(*stack.dead_lettered.lock().unwrap(), [job.fire()], "only what can be retried is a dead letter");
}

/// A series of three runs, whose second fails once. No occurrence is so near that a fault makes it pass: what is skipped
/// is another test's matter.
fn series(stack: &Stack) -> Result<Job, OperationError> {
    stack.answers([Answer::new(Ok(Output::default())), transient()]);
    let mut body = every(86_400_000, &json!({"limit": 3}));
    body["retries"] = json!(1);
    stack.schedule(&body)
}

/// Invariants of that series after any fault.
fn check(stack: &Stack, accepted: Option<&Job>, context: &str) {
    let world = stack.memory.tables();
    assert!(accepted.is_none_or(|job| world.jobs.contains_key(&job.id)), "{context}: an acknowledged job is lost");
    for job in world.jobs.values() {
        assert!(job.state.status.is_settled(), "{context}: {} for ever, armed: {:?}", job.state.status, world.armed);
        let Repeat { limit, .. } = job.spec.repeat.clone().unwrap();
        assert!(Some(job.state.run.run_no) <= limit, "{context}: the limit is exact");
        let mut fires: Vec<_> = world.outcomes.iter().map(|(fire, _)| *fire).collect();
        let recorded = fires.len();
        fires.dedup();
        assert_eq!(fires.len(), recorded, "{context}: one outcome for each fire");
        let cadence = Cadence::of(job.spec.repeat.as_ref().unwrap(), job.spec.start_at);
        let runs = world.retired.get(&job.id).into_iter().flatten().chain([&job.state.run]);
        for run in runs {
            assert_eq!(cadence.next_from(run.nominal_at.unwrap()), run.nominal_at, "{context}: off the cadence");
        }
    }
}

#[test]
fn no_fault_of_a_dependency_ends_a_series_early_or_repeats_what_it_did() {
    for fault in [|| Fault::Before, || Fault::After, || Fault::Twice] {
        for call in 0.. {
            let stack = Stack::new();
            stack.memory.script(When::Any(call), fault());
            let accepted = series(&stack).ok();
            stack.drive();
            if !stack.memory.is_script_done() {
                assert!(call > 20, "a series has its calls: {call}");
                break;
            }
            let context = format!("fault at call {call}");
            check(&stack, accepted.as_ref(), &context);
            let jobs: Vec<_> = stack.memory.tables().jobs.values().cloned().collect();
            for job in jobs {
                let state = &job.state;
                assert_eq!((state.status, state.run.run_no, state.missed), (Status::Completed, 3, 0), "{context}");
                assert_eq!(stack.dispatched(), 4, "{context}");
            }
        }
    }
}

#[test]
fn no_two_faults_lose_a_series_or_pass_its_limit() {
    let faults: [fn() -> Fault; 3] = [|| Fault::Before, || Fault::After, || Fault::Twice];
    for (first, second) in faults.iter().flat_map(|first| faults.iter().map(move |second| (first, second))) {
        for call in 0..24 {
            for gap in 0..8 {
                let stack = Stack::new();
                stack.memory.script(When::Any(call), first());
                stack.memory.script(When::Any(call + gap + 1), second());
                let accepted = series(&stack).ok();
                stack.drive();
                check(&stack, accepted.as_ref(), &format!("faults at calls {call} and {}", call + gap + 1));
            }
        }
    }
}

#[test]
fn a_crash_at_any_call_of_any_run_leaves_a_series_that_goes_on() {
    for run in 1..=3 {
        for calls in 0.. {
            let stack = Stack::new();
            let mut body = every(86_400_000, &json!({"limit": 3}));
            body["retries"] = json!(1);
            let job = stack.scheduled(&body);
            while stack.job(job.id).state.run.run_no < run {
                let (at, fire) = stack.memory.tables().armed.pop_first().unwrap();
                stack.memory.tables().now = at;
                assert_eq!(stack.execute(fire).unwrap().verdict, Verdict::Acknowledge);
            }
            let (at, fire) = stack.memory.tables().armed.pop_first().unwrap();
            let now = stack.memory.tables().now.max(at);
            stack.memory.tables().now = now;
            stack.memory.forget_calls();
            let running = execute(&stack.memory, &stack.executor, fire);
            let is_over = crash_when(running, || stack.memory.calls().len() > calls).is_some();
            // Its message was not acknowledged, so that it comes back.
            stack.memory.tables().armed.insert((now.plus(30_000), fire));
            stack.drive();
            let context = format!("killed in run {run} after call {calls}");
            check(&stack, Some(&job), &context);
            let job = stack.job(job.id);
            assert_eq!((job.state.status, job.state.run.run_no), (Status::Completed, 3), "{context}");
            if is_over {
                break;
            }
        }
    }
}

#[test]
fn a_timer_that_cannot_be_armed_costs_no_outcome_and_is_armed_when_the_message_comes_back() {
    let stack = Stack::new();
    let job = minutely(&stack, &json!({}));
    stack.script(PortCall::Arm, Fault::Before);
    let execution = stack.execute(job.fire()).unwrap();
    let next = stack.job(job.id);
    assert_eq!(
        (next.state.timer_missing, next.state.run.run_no, execution.ended),
        (true, 2, Some(RunStatus::Completed))
    );
    assert!(execution.timer_fault.is_some() && matches!(execution.verdict, Verdict::Redeliver { .. }), "{execution:?}");
    stack.memory.tables().armed.clear();
    // The Scheduler is still down: the message has to come back once more.
    stack.script(PortCall::Arm, Fault::Before);
    stack.execute(job.fire()).unwrap_err();
    assert_eq!(stack.execute(job.fire()).unwrap().verdict, Verdict::Acknowledge);
    assert!(!stack.job(job.id).state.timer_missing);
    assert_eq!(stack.memory.tables().armed.iter().map(|(_, fire)| *fire).collect::<Vec<_>>(), [next.fire()]);
    // A duplicate of it has nothing left to do: each would otherwise breed another.
    stack.memory.forget_calls();
    assert_eq!(stack.execute(job.fire()).unwrap().verdict, Verdict::Acknowledge);
    assert!(!stack.memory.calls().contains(&PortCall::Arm));
    assert_eq!(stack.dispatched(), 1);
}

#[test]
fn a_plan_by_which_nothing_ever_runs_is_refused() {
    let stack = Stack::new();
    let pointers = |extra: &Value| match stack.schedule(extra) {
        Err(OperationError::Invalid(faults)) => faults.into_iter().map(|fault| fault.pointer).collect::<Vec<_>>(),
        other => panic!("{extra}: {other:?}"),
    };
    let later = NOW.0 + 60_000;
    let before_the_first_run = json!({"start_at": later, "repeat": {"every": 1_000, "endDate": later - 1}});
    assert_eq!(pointers(&before_the_first_run), ["/repeat/endDate"]);
    assert_eq!(pointers(&json!({"repeat": {"cron": "0 0 30 2 *"}})), ["/repeat/cron"]);
    for (every, is_fault) in
        [(json!(999), true), (json!(1_500.5), true), (json!(-1), true), (json!(315_360_000_001_u64), true)]
    {
        assert_eq!(pointers(&json!({"repeat": {"every": every}})) == ["/repeat/every"], is_fault, "{every}");
    }
    for limit in [json!(0), json!(-1), json!(1.5)] {
        assert_eq!(pointers(&json!({"repeat": {"every": 1_000, "limit": limit}})), ["/repeat/limit"]);
    }
    let zone = json!({"repeat": {"cron": "* * * * *", "tz": "Europe/Amsterdm", "endDate": "soon"}});
    assert_eq!(pointers(&zone), ["/repeat/endDate", "/repeat/tz"]);
    for cron in ["* ".repeat(5_000), "* ".repeat(61)] {
        assert_eq!(pointers(&json!({"repeat": {"cron": cron.trim()}})), ["/repeat/cron"]);
    }
    assert_eq!(stack.stored_and_armed(), (0, 0));
}
