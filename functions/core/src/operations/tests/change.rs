//! Cancelling and retrying: who may, when, and what races and lost answers make of it.

use super::*;

fn cancelled(stack: &Stack, id: JobId) -> Result<Job, OperationError> {
    block_on(cancel(&stack.memory, &owner_of_shop(), id, Some("no longer wanted".into())))
}

fn retried(stack: &Stack, id: JobId, delay_ms: u32) -> Result<Job, OperationError> {
    block_on(retry(&stack.memory, &owner_of_shop(), id, delay_ms))
}

/// A job whose one attempt failed.
fn failed(stack: &Stack) -> Job {
    let job = stack.scheduled(&json!({}));
    stack.answers([transient()]);
    stack.drive();
    assert_eq!(stack.status(job.id), Status::Failed);
    stack.job(job.id)
}

fn refused_as(changed: Result<Job, OperationError>) -> String {
    match changed {
        Err(OperationError::Refused(refusal)) => refusal.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cancelled_job_is_disarmed_and_never_dispatched() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({"start_at": NOW.0 + 60_000}));
    let message = (NOW.plus(60_000), job.fire());
    let cancelled_job = cancelled(&stack, job.id).unwrap();
    assert_eq!((cancelled_job.state.status, stack.stored_and_armed()), (Status::Cancelled, (1, 0)));
    assert_eq!(stack.job(job.id), cancelled_job);
    // A timer that fires anyway does no harm.
    stack.memory.tables().armed.insert(message);
    stack.drive();
    assert_eq!(stack.dispatched(), 0);
    let reason = Some("no longer wanted".to_owned());
    assert_eq!(outcomes(&stack, job.fire()), [Outcome::Cancelled { reason }]);
    assert_eq!(refused_as(cancelled(&stack, job.id)), "a job that is cancelled cannot be cancelled");
    assert_eq!(refused_as(retried(&stack, job.id, 0)), "a job that is cancelled cannot be retried");
}

#[test]
fn a_failed_job_is_retried_under_a_new_fire_that_is_armed_before_it_is_stored() {
    let stack = Stack::new();
    let job = failed(&stack);
    stack.memory.forget_calls();
    let again = retried(&stack, job.id, 5_000).unwrap();
    assert_eq!(stack.memory.calls(), [PortCall::GetJob, PortCall::Arm, PortCall::Commit]);
    assert_eq!((again.state.status, again.fire()), (Status::Scheduled, Fire { generation: 2, ..job.fire() }));
    assert_eq!(refused_as(retried(&stack, job.id, 0)), "a job that is scheduled cannot be retried");
    stack.drive();
    assert_eq!((stack.status(job.id), stack.dispatched()), (Status::Completed, 2));
    assert_eq!(stack.memory.tables().retired[&job.id], [job.state.run]);
    assert_eq!(refused_as(retried(&stack, job.id, 0)), "a job that is completed cannot be retried");
    assert_eq!(refused_as(cancelled(&stack, job.id)), "a job that is completed cannot be cancelled");
}

#[test]
fn whoever_loses_a_race_decides_anew_on_what_is_there() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({}));
    let id = job.id;
    stack.script(PortCall::Commit, Fault::Overtaken(Box::new(move |world| claimed_elsewhere(world, id))));
    let cancelled_job = cancelled(&stack, id).unwrap();
    assert_eq!((cancelled_job.state.status, cancelled_job.state.run.attempts), (Status::Cancelled, 1));

    let stack = Stack::new();
    let job = stack.scheduled(&json!({}));
    let finish = move |world: &mut Tables| {
        claimed_elsewhere(world, job.id);
        happens(world, job.id, &Trigger::Succeed { owner: Owner::new(99), output: Output::default() });
    };
    stack.script(PortCall::Commit, Fault::Overtaken(Box::new(finish)));
    assert_eq!(refused_as(cancelled(&stack, job.id)), "a job that is completed cannot be cancelled");
    assert_eq!(outcomes(&stack, job.fire()), [Outcome::Completed(Output::default())]);
}

#[test]
fn of_two_retries_at_once_one_wins_and_its_time_holds() {
    let stack = Stack::new();
    let job = failed(&stack);
    let id = job.id;
    // The other one, which is stored, wants the job now. The loser has armed the same fire for later.
    let sooner = move |world: &mut Tables| {
        let fire = Fire { generation: 2, ..world.jobs[&id].fire() };
        world.armed.insert((world.now, fire));
        happens(world, id, &Trigger::Retry { delay_ms: 0 });
    };
    stack.script(PortCall::Commit, Fault::Overtaken(Box::new(sooner)));
    assert_eq!(refused_as(retried(&stack, id, 3_600_000)), "a job that is queued cannot be retried");
    let due_at = stack.job(id).state.run.due_at;
    stack.drive();
    let job = stack.job(id);
    assert_eq!((job.state.status, job.state.run.started_at), (Status::Completed, Some(due_at)));
    assert_eq!((stack.dispatched(), outcomes(&stack, job.fire()).len()), (2, 1));
}

#[test]
fn a_lost_answer_of_a_change_is_looked_up() {
    for fault in [|| Fault::After, || Fault::Twice] {
        let stack = Stack::new();
        let job = failed(&stack);
        stack.script(PortCall::Commit, fault());
        assert_eq!(retried(&stack, job.id, 0).unwrap(), stack.job(job.id));
        stack.script(PortCall::Commit, fault());
        assert_eq!(cancelled(&stack, job.id).unwrap(), stack.job(job.id));
        assert_eq!(stack.memory.tables().outcomes.len(), 2, "one of each generation");
    }
}

#[test]
fn a_change_that_cannot_be_stored_is_an_error_and_changes_nothing() {
    for call in [PortCall::GetJob, PortCall::Arm, PortCall::Commit] {
        let stack = Stack::new();
        let job = failed(&stack);
        stack.script(call, Fault::Before);
        assert!(matches!(retried(&stack, job.id, 0), Err(OperationError::Port(_))), "{call:?}");
        stack.drive();
        assert_eq!(stack.job(job.id), job, "a timer of a retry that was not stored is dropped");
    }
}

#[test]
fn a_change_gives_up_when_others_never_let_go() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({}));
    let id = job.id;
    for _ in 0..ATTEMPTS_AT_A_CHANGE {
        let touch = move |world: &mut Tables| world.jobs.get_mut(&id).unwrap().state.revision += 1;
        stack.script(PortCall::Commit, Fault::Overtaken(Box::new(touch)));
    }
    assert!(matches!(cancelled(&stack, id), Err(OperationError::Contended)), "scripted for every commit");
}

#[test]
fn a_timer_that_cannot_be_disarmed_does_not_undo_the_cancellation() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({"start_at": NOW.0 + 1_000}));
    stack.script(PortCall::Disarm, Fault::Before);
    cancelled(&stack, job.id).unwrap();
    assert_eq!(stack.stored_and_armed(), (1, 1));
    stack.drive();
    assert_eq!((stack.dispatched(), stack.status(job.id)), (0, Status::Cancelled));
}
