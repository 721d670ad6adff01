//! Every fault at every call of a job's whole life, one and two at a time, and a crash at every call.

use super::*;
use crate::testkit::turns::crash_when;

/// The course of a job.
#[derive(Clone, Copy)]
struct Life {
    retries: u32,
    answers: fn() -> Vec<Answer>,
    /// Its final status.
    status: Status,
    /// Its number of attempts.
    attempts: u32,
}

const LIVES: [Life; 4] = [
    Life { retries: 0, answers: Vec::new, status: Status::Completed, attempts: 1 },
    Life { retries: 1, answers: || vec![transient()], status: Status::Completed, attempts: 2 },
    Life { retries: 1, answers: || vec![transient(), transient()], status: Status::Failed, attempts: 2 },
    Life { retries: 3, answers: || vec![hopeless()], status: Status::Failed, attempts: 1 },
];

fn hopeless() -> Answer {
    Answer::new(Err(RunError::permanent(codes::FORBIDDEN, "no")))
}

type MakeFault = fn() -> Fault;

const FAULTS: [MakeFault; 3] = [|| Fault::Before, || Fault::After, || Fault::Twice];

/// Lives through one life with faults at these calls. `None` when the life is too short for all of them.
fn live(life: Life, faults: &[(usize, MakeFault)]) -> Option<(Stack, Option<Job>)> {
    let stack = Stack::new();
    stack.answers((life.answers)());
    for (call, fault) in faults {
        stack.memory.script(When::Any(*call), fault());
    }
    let accepted = stack.schedule(&json!({"retries": life.retries}));
    stack.drive();
    stack.memory.is_script_done().then(|| (stack, accepted.ok()))
}

/// Invariants after any fault.
fn check(stack: &Stack, accepted: Option<&Job>, retries: u32, context: &str) {
    let world = stack.memory.tables();
    assert!(accepted.is_none_or(|job| world.jobs.contains_key(&job.id)), "{context}: an acknowledged job is lost");
    assert!(world.jobs.len() <= 1 && world.armed.is_empty(), "{context}: doubled or left behind");
    for job in world.jobs.values() {
        let fire = job.fire();
        assert!(job.state.status.is_settled(), "{context}: {} for ever", job.state.status);
        assert_eq!(world.outcomes.iter().filter(|(of, _)| *of == fire).count(), 1, "{context}: outcomes");
        assert!(job.state.run.attempts <= retries + 1, "{context}: {} attempts", job.state.run.attempts);
    }
}

#[test]
fn no_single_fault_of_a_dependency_costs_an_attempt_or_changes_how_a_job_ends() {
    for life in LIVES {
        let Life { retries, status, attempts, .. } = life;
        for fault in FAULTS {
            let mut calls = 0;
            while let Some((stack, accepted)) = live(life, &[(calls, fault)]) {
                let context = format!("{status} after {attempts}, fault at call {calls}");
                check(&stack, accepted.as_ref(), retries, &context);
                let jobs: Vec<Job> = stack.memory.tables().jobs.values().cloned().collect();
                for job in jobs {
                    let run = &job.state.run;
                    assert_eq!((job.state.status, run.attempts), (status, attempts), "{context}");
                    assert_eq!(stack.dispatched(), usize::try_from(attempts).unwrap(), "{context}: dispatched twice");
                    let dead_lettered = usize::from(status == Status::Failed);
                    assert_eq!(stack.dead_lettered.lock().unwrap().len(), dead_lettered, "{context}: dead letters");
                }
                calls += 1;
            }
            assert!(calls >= 6, "every life has its calls: {calls}");
        }
    }
}

#[test]
fn no_two_faults_lose_a_job_double_its_outcome_or_pass_its_attempts() {
    for life in LIVES {
        for (first, second) in FAULTS.iter().flat_map(|first| FAULTS.iter().map(move |second| (*first, *second))) {
            for call in 0..20 {
                for gap in 0..8 {
                    // The second is counted among the calls that the first leaves.
                    let faults = [(call, first), (call + gap + 1, second)];
                    let Some((stack, accepted)) = live(life, &faults) else { break };
                    check(
                        &stack,
                        accepted.as_ref(),
                        life.retries,
                        &format!("faults at calls {call} and {}", call + gap + 1),
                    );
                }
            }
        }
    }
}

#[test]
fn a_crash_at_any_call_costs_at_most_one_attempt() {
    for life in LIVES {
        for calls in 0.. {
            let stack = Stack::new();
            stack.answers((life.answers)());
            let job = stack.scheduled(&json!({"retries": life.retries}));
            stack.memory.forget_calls();
            let running = execute(&stack.memory, &stack.executor, job.fire());
            let is_over = crash_when(running, || stack.memory.calls().len() > calls).is_some();
            // Its message was not acknowledged, so that it comes back.
            stack.drive();
            check(&stack, Some(&job), life.retries, &format!("killed after call {calls}"));
            let lost = stack.job(job.id).state.run.failures;
            let lost = lost.iter().filter(|failure| failure.error.code == codes::EXECUTOR_LOST).count();
            assert!(lost <= 1, "killed after call {calls}: {lost} attempts are lost");
            if is_over {
                break;
            }
        }
    }
}

#[test]
fn a_cancellation_before_any_call_leaves_one_outcome_and_no_dispatch_that_begins_later() {
    for life in LIVES {
        for call in 0..20 {
            let stack = Stack::new();
            stack.answers((life.answers)());
            let job = stack.scheduled(&json!({"retries": life.retries}));
            let requests = Arc::clone(&stack.executor.targets.requests);
            let begun = Arc::new(Mutex::new(None));
            let at_cancel = Arc::clone(&begun);
            let cancel = move |world: &mut Tables| {
                let current = &world.jobs[&job.id];
                if let Ok(transition) = decide(current, &Trigger::Cancel { reason: None }, world.now) {
                    // A claim that was stored may still be on its way to the target; nothing else may.
                    let claimed = usize::from(current.state.status == Status::Running);
                    let sent = requests.lock().unwrap().len();
                    let attempts = usize::try_from(current.state.run.attempts).unwrap();
                    *at_cancel.lock().unwrap() = Some(sent + claimed.min(attempts - sent));
                    assert_eq!(world.commit(&transition), WriteOutcome::Done);
                }
            };
            stack.memory.script(When::Any(call), Fault::Overtaken(Box::new(cancel)));
            stack.drive();
            check(&stack, Some(&job), life.retries, &format!("cancelled before call {call}"));
            if let Some(most) = *begun.lock().unwrap() {
                assert_eq!(stack.status(job.id), Status::Cancelled);
                assert!(stack.dispatched() <= most, "cancelled before call {call}: a dispatch began later");
            }
        }
    }
}
