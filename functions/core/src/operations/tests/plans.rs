//! Changes to the plan of a job: pauses, edits, runs outside the schedule.

use super::series::{changed, drive_for, due, listed, minutely, paused, resumed};
use super::*;
use crate::job::{JobSpec, SkipReason, Skipped};

#[test]
fn an_attempt_that_was_under_way_when_its_job_was_paused_is_recorded_and_nothing_follows() {
    let stack = Stack::new();
    let job = minutely(&stack, &json!({}));
    let id = job.id;
    let pausing = move |world: &mut Tables| happens(world, id, &Trigger::Pause);
    stack.answers([Answer { meanwhile: Box::new(pausing), ..Answer::new(Ok(Output::default())) }]);
    drive_for(&stack, 600_000);
    let held = stack.job(id);
    assert_eq!((held.state.status, held.state.run.run_no, held.state.lease.clone()), (Status::Paused, 2, None));
    assert_eq!((stack.dispatched(), outcomes(&stack, job.fire()).len()), (1, 1));
    // A failed one keeps what is left of its budget, and its fire.
    let stack = Stack::new();
    let job = stack.scheduled(&json!({"retries": 2}));
    let id = job.id;
    let pausing = move |world: &mut Tables| happens(world, id, &Trigger::Pause);
    stack.answers([Answer { meanwhile: Box::new(pausing), ..transient() }]);
    drive_for(&stack, 600_000);
    assert_eq!((stack.status(id), stack.dispatched()), (Status::Paused, 1));
    assert_eq!(resumed(&stack, &job).fire(), job.fire());
    stack.drive();
    assert_eq!((stack.status(id), stack.job(id).state.run.attempts), (Status::Completed, 2));
}

#[test]
fn a_job_that_is_resumed_while_its_attempt_is_under_way_is_looked_at_when_the_lease_ends() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({"retries": 1}));
    claimed_elsewhere(&mut stack.memory.tables(), job.id);
    stack.memory.tables().armed.clear();
    paused(&stack, &job);
    // A duplicate of the message finds the job paused, and is gone once it is old.
    assert_eq!(stack.execute(job.fire()).unwrap().verdict, Verdict::Unknown);
    let running = resumed(&stack, &job);
    assert_eq!((running.state.status, running.fire()), (Status::Running, job.fire()));
    // Nobody ever hears of the attempt again.
    stack.drive();
    let job = stack.job(job.id);
    assert_eq!((job.state.status, job.state.run.attempts), (Status::Completed, 2));
}

#[test]
fn a_series_that_was_over_before_it_was_resumed_ends_without_a_run() {
    let stack = Stack::new();
    let job = minutely(&stack, &json!({"endDate": NOW.0 + 150_000}));
    drive_for(&stack, 1_000);
    paused(&stack, &job);
    stack.wait(600_000);
    let over = resumed(&stack, &job);
    assert_eq!((over.state.status, over.state.missed, stack.stored_and_armed()), (Status::Completed, 2, (1, 0)));
    let statuses: Vec<_> =
        listed(&stack, &job).iter().map(|listed| (listed.status, listed.skipped_after.len())).collect();
    assert_eq!(statuses, [(RunStatus::Skipped, 1), (RunStatus::Completed, 0)]);
}

#[test]
fn a_paused_job_begins_nothing_and_goes_on_with_what_can_still_be_met() {
    let stack = Stack::new();
    let job = minutely(&stack, &json!({"limit": 3}));
    drive_for(&stack, 30_000);
    paused(&stack, &job);
    drive_for(&stack, 600_000);
    assert_eq!((stack.dispatched(), stack.stored_and_armed()), (1, (1, 0)));
    let again = resumed(&stack, &job);
    assert_eq!((again.state.status, due(&again.state.run), again.state.run.run_no), (Status::Scheduled, 660_000, 2));
    let skipped = Skipped { reason: SkipReason::Paused, from: NOW.plus(60_000), count: 10 };
    assert_eq!((again.state.run.skipped.clone(), again.state.missed), (vec![skipped], 10));
    stack.drive();
    assert_eq!((stack.status(job.id), stack.dispatched()), (Status::Completed, 3));
}

#[test]
fn a_run_beside_the_cadence_does_not_move_it() {
    let stack = Stack::new();
    let job = minutely(&stack, &json!({"limit": 3}));
    drive_for(&stack, 10_000);
    let beside = block_on(run_now(&stack.memory, &owner_of_shop(), job.id)).unwrap();
    assert_eq!((beside.state.status, beside.state.run.nominal_at), (Status::Queued, None));
    drive_for(&stack, 0);
    let waiting = stack.job(job.id);
    assert_eq!((due(&waiting.state.run), waiting.state.run.run_no, waiting.state.missed), (60_000, 3, 0));
    stack.drive();
    assert_eq!((stack.status(job.id), stack.dispatched()), (Status::Completed, 3), "it counts toward the limit");
}

#[test]
fn a_backoff_is_cut_short_by_running_now_under_the_same_fire() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({"retries": 1, "retry": {"initialDelay": 3_600_000, "maxDelay": 3_600_000}}));
    stack.answers([transient()]);
    drive_for(&stack, 1_000);
    let again = block_on(run_now(&stack.memory, &owner_of_shop(), job.id)).unwrap();
    assert_eq!(again.fire(), job.fire());
    drive_for(&stack, 0);
    assert_eq!((stack.status(job.id), stack.dispatched()), (Status::Completed, 2));
    stack.drive();
    assert_eq!(stack.dispatched(), 2, "the message of the backoff finds nothing to do");
}

#[test]
fn an_edit_changes_what_it_names_and_replans_only_when_the_plan_is_named() {
    let stack = Stack::new();
    let job = minutely(&stack, &json!({}));
    drive_for(&stack, 10_000);
    let before = stack.job(job.id);
    let input = json!({"params": {"id": "8"}});
    let edited = changed(&stack, &job, &json!({"input": input, "retries": 2})).unwrap();
    assert_eq!((edited.fire(), edited.state.wake_at), (before.fire(), before.state.wake_at));
    let expected = JobSpec { input, retries: 2, ..JobSpec::clone(&before.spec) };
    assert_eq!(*edited.spec, expected);

    let replanned = changed(&stack, &job, &json!({"repeat": {"every": 3_600_000}})).unwrap();
    assert_eq!((replanned.state.run.generation, due(&replanned.state.run)), (2, 3_600_000));
    drive_for(&stack, 120_000);
    assert_eq!(stack.dispatched(), 1, "the timer of the old plan is void");
    let moved = changed(&stack, &job, &json!({"start_at": NOW.0 + 200_000})).unwrap();
    assert_eq!(due(&moved.state.run), 200_000);
    let once = changed(&stack, &job, &json!({"repeat": {}})).unwrap();
    assert_eq!((once.state.run.due_at, once.state.run.nominal_at), (NOW.plus(200_000), None));
    stack.drive();
    assert_eq!((stack.status(job.id), stack.dispatched()), (Status::Completed, 2));
}

#[test]
fn bad_edits_are_refused_by_name_and_change_nothing() {
    let stack = Stack::new();
    let job = minutely(&stack, &json!({}));
    drive_for(&stack, 10_000);
    let before = stack.job(job.id);
    let refused = |body: Value| match changed(&stack, &job, &body) {
        Err(OperationError::Invalid(faults)) => faults.into_iter().map(|fault| fault.pointer).collect::<Vec<_>>(),
        other => panic!("{body}: {other:?}"),
    };
    assert_eq!(refused(json!({})), [""]);
    assert_eq!(refused(json!({"env": "dev", "retries": -1})), ["/retries", "/env"]);
    assert_eq!(refused(json!({"input": {"params": {"id": {}}}})), ["/input/params/id"]);
    assert_eq!(refused(json!({"repeat": {"every": 60_000, "endDate": NOW.0 + 1}})), ["/repeat/endDate"]);
    assert_eq!(refused(json!({"repeat": {"every": 60_000, "limit": 1}})), ["/repeat/limit"]);
    let elsewhere = Condition::Is(vec![crate::catalog::Revision::named("1")]);
    let outdated = block_on(edit(&stack.memory, &owner_of_shop(), job.id, b"{\"retries\": 1}", &elsewhere));
    assert!(matches!(outdated, Err(OperationError::PreconditionFailed)), "{outdated:?}");
    assert_eq!(stack.job(job.id), before);
    let own = Condition::Is(vec![revision(&before)]);
    block_on(edit(&stack.memory, &owner_of_shop(), job.id, b"{\"retries\": 1}", &own)).unwrap();
}

#[test]
fn a_failed_job_is_mended_and_then_retried() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({}));
    stack.answers([transient()]);
    stack.drive();
    changed(&stack, &job, &json!({"input": {"params": {"id": "mended"}}})).unwrap();
    block_on(retry(&stack.memory, &owner_of_shop(), job.id, 0)).unwrap();
    stack.drive();
    assert_eq!(stack.status(job.id), Status::Completed);
    let requests = stack.executor.targets.requests.lock().unwrap();
    assert!(
        requests[1].request.http().unwrap().url.as_str().contains("mended"),
        "{:?}",
        requests[1].request.http().unwrap().url
    );
}

#[test]
fn a_retried_run_of_a_series_goes_on_after_a_pause_and_counts_as_no_miss() {
    let stack = Stack::new();
    let job = minutely(&stack, &json!({"endDate": NOW.0 + 50_000}));
    stack.answers([transient()]);
    drive_for(&stack, 10_000);
    block_on(retry(&stack.memory, &owner_of_shop(), job.id, 3_600_000)).unwrap();
    paused(&stack, &job);
    stack.wait(60_000);
    let again = resumed(&stack, &job);
    assert_eq!((again.state.status, due(&again.state.run), again.state.missed), (Status::Scheduled, 0, 0));
    let now = block_on(run_now(&stack.memory, &owner_of_shop(), job.id)).unwrap();
    assert_eq!((now.state.status, due(&now.state.run)), (Status::Queued, 0), "it still stands for its occurrence");
    stack.drive();
    let job = stack.job(job.id);
    assert_eq!((job.state.status, job.state.run.run_no, job.state.missed), (Status::Completed, 1, 0));
}

#[test]
fn a_run_that_is_due_is_not_dropped_by_an_edit_of_the_plan() {
    let stack = Stack::new();
    let job = minutely(&stack, &json!({}));
    // Its message waits behind others.
    stack.wait(2_000);
    let edited = changed(&stack, &job, &json!({"repeat": {"every": 60_000, "limit": 9}})).unwrap();
    assert_eq!((edited.fire(), due(&edited.state.run)), (job.fire(), 0));
    stack.drive();
    assert_eq!((stack.dispatched(), stack.job(job.id).state.missed), (9, 0));
    // A run outside the schedule was requested as well.
    let stack = Stack::new();
    let job = minutely(&stack, &json!({}));
    drive_for(&stack, 10_000);
    let beside = block_on(run_now(&stack.memory, &owner_of_shop(), job.id)).unwrap();
    stack.wait(1);
    assert_eq!(changed(&stack, &job, &json!({"repeat": {"every": 120_000}})).unwrap().fire(), beside.fire());
}

#[test]
fn a_new_plan_misses_nothing_of_the_time_before_it() {
    let stack = Stack::new();
    let job = stack.scheduled(
        &json!({"retries": 1, "retry": {"initialDelay": 43_200_000, "maxDelay": 43_200_000, "jitter": false}}),
    );
    stack.answers([transient()]);
    drive_for(&stack, 40_000_000);
    changed(&stack, &job, &json!({"repeat": {"every": 60_000}})).unwrap();
    drive_for(&stack, 3_300_000);
    let job = stack.job(job.id);
    assert!(job.state.run.run_no > 1, "the backoff is over");
    let since_the_edit = i64::try_from(job.state.missed).unwrap();
    assert!((53..=54).contains(&since_the_edit), "{since_the_edit} minutes from the edit to the end of the backoff");
}

#[test]
fn what_the_old_plan_missed_is_counted_before_the_new_one_holds() {
    let stack = Stack::new();
    let job = minutely(&stack, &json!({}));
    drive_for(&stack, 1_000);
    paused(&stack, &job);
    stack.wait(150_000);
    let edited = changed(&stack, &job, &json!({"repeat": {"every": 3_600_000}})).unwrap();
    let skipped = Skipped { reason: SkipReason::Paused, from: NOW.plus(60_000), count: 2 };
    assert_eq!((edited.state.run.skipped, edited.state.missed), (vec![skipped], 2));
}

#[test]
fn however_often_a_job_is_paused_each_stretch_is_told_once() {
    let stack = Stack::new();
    let job = minutely(&stack, &json!({}));
    drive_for(&stack, 1_000);
    for _ in 0..10 {
        paused(&stack, &job);
        stack.wait(60_000);
        resumed(&stack, &job);
    }
    let state = stack.job(job.id).state;
    assert_eq!((state.run.skipped.len(), state.run.skipped[0].count, state.missed), (1, 10, 10));
}

#[test]
fn a_plan_that_is_left_takes_its_timer_along() {
    let stack = Stack::new();
    let job = stack.scheduled(&json!({"start_at": NOW.0 + 86_400_000}));
    for day in 2..6 {
        changed(&stack, &job, &json!({"start_at": NOW.0 + day * 86_400_000})).unwrap();
    }
    assert_eq!(stack.stored_and_armed(), (1, 1));
    block_on(run_now(&stack.memory, &owner_of_shop(), job.id)).unwrap();
    let armed: Vec<_> = stack.memory.tables().armed.iter().map(|(at, _)| *at).collect();
    assert_eq!(armed, [NOW]);
}
