//! Attempts: they begin, succeed, fail, or are lost.

use super::{Effect, Refusal, Transition, next, series, settle, store};
use crate::cadence::OnFailure;
use crate::ids::{Fire, Owner};
use crate::job::{FailedAttempt, Job, JobState, Lease, Outcome, Output, Run, RunError, Status, codes};
use crate::time::UnixMillis;

/// Begins an attempt. The attempt is counted here, so that one that kills its executor counts too.
pub(super) fn claim(
    job: &Job,
    fire: Fire,
    owner: &Owner,
    lease_ms: u32,
    now: UnixMillis,
) -> Result<Transition, Refusal> {
    Ok(match admit(job, fire, now)? {
        Admitted::Open(state) => begin(job, *state, owner, lease_ms, now),
        Admitted::Spent(lost) => spend(job, lost, now),
    })
}

/// Completes the run with a cached result. It counts toward `limit` like any other run.
pub(super) fn cache_hit(
    job: &Job,
    fire: Fire,
    output: &Output,
    made_at: UnixMillis,
    now: UnixMillis,
) -> Result<Transition, Refusal> {
    Ok(match admit(job, fire, now)? {
        Admitted::Open(state) => {
            let mut recalled =
                settle(job, Status::Completed, Outcome::Completed(output.clone()), Effect::Acknowledge, now);
            recalled.state.run.failures = state.run.failures;
            recalled.state.run.cached_at = Some(made_at);
            series::go_on(recalled, now)
        }
        Admitted::Spent(lost) => spend(job, lost, now),
    })
}

/// The state of a fire that a message may work on.
enum Admitted {
    /// The fire is due, and no lease is held on it.
    Open(Box<JobState>),
    /// The executor died during the last attempt.
    Spent(RunError),
}

fn admit(job: &Job, fire: Fire, now: UnixMillis) -> Result<Admitted, Refusal> {
    if fire != job.fire() {
        return Err(Refusal::Void);
    }
    match job.state.status {
        Status::Completed | Status::Failed => return Err(Refusal::AlreadySettled),
        // A run that has begun continues under this fire once the job is resumed; one that has not gets a new fire.
        Status::Paused if job.state.run.has_begun() => return Err(Refusal::Paused),
        Status::Cancelled | Status::Paused => return Err(Refusal::Void),
        Status::Scheduled | Status::Queued => {
            if let Some(due_at) = job.state.wake_at.filter(|due_at| *due_at > now) {
                return Err(Refusal::Early { due_at });
            }
        }
        Status::Running => {
            if let Some(until) = job.state.lease.as_ref().map(|lease| lease.until).filter(|until| *until > now) {
                return Err(Refusal::Leased { until });
            }
            let lost = RunError::transient(codes::EXECUTOR_LOST, "the executor ended in the middle of the attempt");
            if is_spent(job, &lost) {
                return Ok(Admitted::Spent(lost));
            }
            let mut abandoned = next(job, now);
            note_failure(&mut abandoned.run, lost, now);
            return Ok(Admitted::Open(abandoned.into()));
        }
    }
    Ok(Admitted::Open(next(job, now).into()))
}

fn begin(job: &Job, mut state: JobState, owner: &Owner, lease_ms: u32, now: UnixMillis) -> Transition {
    let until = now.plus(i64::from(lease_ms));
    state.status = Status::Running;
    state.run.attempts = state.run.attempts.saturating_add(1);
    state.run.started_at.get_or_insert(now);
    state.lease = Some(Lease { owner: owner.clone(), until });
    state.wake_at = Some(until);
    let effect = Effect::Dispatch { attempt: state.run.attempts };
    store(job, state, effect)
}

/// Ends an attempt with a result: the run is completed, and a series continues.
pub(super) fn succeed(job: &Job, owner: &Owner, output: &Output, now: UnixMillis) -> Result<Transition, Refusal> {
    check_owner(job, owner)?;
    let outcome = Outcome::Completed(output.clone());
    Ok(series::go_on(settle(job, Status::Completed, outcome, Effect::Acknowledge, now), now))
}

/// Ends an attempt with an error: the fire returns after the backoff, or has no attempt left.
pub(super) fn fail(
    job: &Job,
    owner: &Owner,
    error: &RunError,
    random: f64,
    now: UnixMillis,
) -> Result<Transition, Refusal> {
    check_owner(job, owner)?;
    if is_spent(job, error) {
        return Ok(spend(job, error.clone(), now));
    }
    let mut state = next(job, now);
    note_failure(&mut state.run, error.clone(), now);
    state.lease = None;
    if state.status == Status::Paused {
        // The next attempt waits for the resumption.
        return Ok(store(job, state, Effect::Acknowledge));
    }
    let at = now.plus(i64::from(job.spec.retry.delay_ms(job.state.run.attempts, random, error.retry_after_ms)));
    state.status = Status::Queued;
    state.wake_at = Some(at);
    Ok(store(job, state, Effect::Redeliver { at }))
}

/// Ends an attempt that stopped between two parts because its job was paused. It did not fail, and is not counted.
pub(super) fn suspend(job: &Job, owner: &Owner, now: UnixMillis) -> Result<Transition, Refusal> {
    check_owner(job, owner)?;
    let mut state = next(job, now);
    state.lease = None;
    state.run.attempts = state.run.attempts.saturating_sub(1);
    if state.status == Status::Paused {
        return Ok(store(job, state, Effect::Acknowledge));
    }
    // The job was resumed before the attempt stopped.
    state.status = Status::Queued;
    state.wake_at = Some(now);
    Ok(store(job, state, Effect::Redeliver { at: now }))
}

/// Accepts the lease's owner, also for a job that was paused during the attempt: its outcome is still recorded.
fn check_owner(job: &Job, owner: &Owner) -> Result<(), Refusal> {
    let is_open = matches!(job.state.status, Status::Running | Status::Paused);
    match &job.state.lease {
        Some(lease) if is_open && lease.owner == *owner => Ok(()),
        _ => Err(Refusal::NotOwner),
    }
}

fn is_spent(job: &Job, error: &RunError) -> bool {
    job.state.run.attempts > job.spec.retries || !job.spec.retry.retries(error)
}

/// Ends a run that has no attempt left. The series stops, unless `repeat.onFailure` is `continue`.
fn spend(job: &Job, error: RunError, now: UnixMillis) -> Transition {
    let mut spent = settle(job, Status::Failed, Outcome::Failed(error.clone()), Effect::DeadLetter, now);
    note_failure(&mut spent.state.run, error, now);
    match &job.spec.repeat {
        Some(repeat) if repeat.on_failure == OnFailure::Continue => series::go_on(spent, now),
        _ => spent,
    }
}

fn note_failure(run: &mut Run, error: RunError, now: UnixMillis) {
    let surplus = (run.failures.len() + 1).saturating_sub(Run::KEPT_FAILURES);
    run.failures.drain(..surplus);
    run.failures.push(FailedAttempt { attempt: run.attempts, failed_at: now, error });
}
