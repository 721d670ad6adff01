//! The state machine: the one place that changes a job's status.
//!
//! [`decide`] is pure. It says what an event makes of a job, or why it makes nothing of it. The answer is stored by
//! [`crate::ports::JobStore::commit`] only if the job still has the revision that was decided on; whoever loses that race
//! reads the job again and decides anew. So every rule below holds under duplicates, reordering and crashes.
//!
//! ```text
//!             claim                 succeed
//! scheduled ─────────> running ──────────────> completed
//!  queued   <───────── │  │  │
//!           fail, left │  │  └───────────────> failed ──retry──> queued / scheduled (next generation)
//!                         │      fail, spent
//!        └── cancel ──────┴──────────────────> cancelled
//! ```

mod abandon;

pub use abandon::abandon;

use crate::ids::{Fire, Owner};
use crate::job::{FailedAttempt, Job, JobState, Lease, Outcome, Output, Run, RunError, Status, codes};
use crate::time::UnixMillis;

/// Something that happens to a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A message of a fire asks to begin an attempt.
    Claim {
        /// The fire that the message names.
        fire: Fire,
        /// The name under which the outcome will be recorded.
        owner: Owner,
        /// How long the attempt may take, ms.
        lease_ms: u32,
    },
    /// The attempt brought a result.
    Succeed {
        /// Who claimed.
        owner: Owner,
        /// What the target gave back.
        output: Output,
    },
    /// The attempt failed.
    Fail {
        /// Who claimed.
        owner: Owner,
        /// Why.
        error: RunError,
        /// Uniform in 0..1, for the jitter of the backoff.
        random: f64,
    },
    /// A caller calls the job off.
    Cancel {
        /// Why, in the caller's words.
        reason: Option<String>,
    },
    /// A caller gives a failed job a fresh budget of attempts.
    Retry {
        /// Milliseconds from now.
        delay_ms: u32,
    },
}

/// What is to be stored, and what is to be done after that.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The job that this was decided on. Stored only if it still has this revision.
    pub before: Job,
    /// The state to store.
    pub state: JobState,
    /// A run of an earlier generation that leaves the job for its history.
    pub retired: Option<Run>,
    /// What this change calls for.
    pub step: Step,
}

impl Transition {
    /// The job once this is stored.
    pub fn after(&self) -> Job {
        Job { state: self.state.clone(), ..self.before.clone() }
    }
}

/// What follows a stored transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Dispatch this attempt (from 1), and settle it before the lease ends.
    Dispatch {
        /// The attempt.
        attempt: u32,
    },
    /// The message has to come back at this instant.
    Redeliver {
        /// When the next attempt is due.
        at: UnixMillis,
    },
    /// The message is done with.
    Acknowledge,
    /// The fire is spent: its message goes to the dead letters.
    Park,
    /// The old timer is void and may be removed.
    Disarm {
        /// The fire that it was armed for.
        fire: Fire,
    },
    /// A timer for the new fire; it is armed before this transition is stored.
    Arm {
        /// The new fire.
        fire: Fire,
        /// When it is due.
        at: UnixMillis,
    },
}

/// Why an event changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The fire belongs to another generation or run, or the job takes none: its timer or message is void.
    #[error("this fire was superseded")]
    Void,
    /// The fire already has its one outcome.
    #[error("this fire has its outcome already")]
    AlreadySettled,
    /// The fire is not due yet.
    #[error("not due before {due_at}")]
    Early {
        /// When it is.
        due_at: UnixMillis,
    },
    /// Somebody else works on it.
    #[error("another executor holds the lease until {until}")]
    Leased {
        /// When the lease ends.
        until: UnixMillis,
    },
    /// Whoever wants to settle does not hold the lease any more.
    #[error("the lease is somebody else's")]
    NotOwner,
    /// The job's status does not allow it.
    #[error("a job that is {status} cannot be {verb}")]
    Status {
        /// The job's status.
        status: Status,
        /// What was wanted, as a participle.
        verb: &'static str,
    },
}

/// What `event` makes of `job` at `now`.
///
/// # Errors
/// A [`Refusal`] when it makes nothing of it; the job stays as it is.
pub fn decide(job: &Job, event: &Event, now: UnixMillis) -> Result<Transition, Refusal> {
    match event {
        Event::Claim { fire, owner, lease_ms } => claim(job, *fire, owner, *lease_ms, now),
        Event::Succeed { owner, output } => {
            check_owner(job, owner)?;
            let outcome = Outcome::Completed(output.clone());
            Ok(settle(job, Status::Completed, outcome, Step::Acknowledge, now))
        }
        Event::Fail { owner, error, random } => {
            check_owner(job, owner)?;
            Ok(fail(job, error, *random, now))
        }
        Event::Cancel { reason } => cancel(job, reason.clone(), now),
        Event::Retry { delay_ms } => retry(job, *delay_ms, now),
    }
}

/// Begins an attempt. It is counted here, so that one that kills its executor is counted too.
fn claim(job: &Job, fire: Fire, owner: &Owner, lease_ms: u32, now: UnixMillis) -> Result<Transition, Refusal> {
    if fire != job.fire() {
        return Err(Refusal::Void);
    }
    match job.state.status {
        Status::Completed | Status::Failed => return Err(Refusal::AlreadySettled),
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
            if job.state.run.attempts > job.spec.retries || !job.spec.retry.retries(&lost) {
                return Ok(fail(job, &lost, 0.0, now));
            }
            let mut abandoned = next(job, now);
            note_failure(&mut abandoned.run, lost, now);
            return Ok(begin(job, abandoned, owner, lease_ms, now));
        }
    }
    Ok(begin(job, next(job, now), owner, lease_ms, now))
}

fn begin(job: &Job, mut state: JobState, owner: &Owner, lease_ms: u32, now: UnixMillis) -> Transition {
    let until = now.plus(i64::from(lease_ms));
    state.status = Status::Running;
    state.run.attempts = state.run.attempts.saturating_add(1);
    state.run.started_at.get_or_insert(now);
    state.lease = Some(Lease { owner: owner.clone(), until });
    state.wake_at = Some(until);
    let step = Step::Dispatch { attempt: state.run.attempts };
    store(job, state, step)
}

fn check_owner(job: &Job, owner: &Owner) -> Result<(), Refusal> {
    match &job.state.lease {
        Some(lease) if job.state.status == Status::Running && lease.owner == *owner => Ok(()),
        _ => Err(Refusal::NotOwner),
    }
}

/// Ends an attempt without a result: the fire returns after the backoff, or is spent.
fn fail(job: &Job, error: &RunError, random: f64, now: UnixMillis) -> Transition {
    let attempts = job.state.run.attempts;
    let spent = attempts > job.spec.retries || !job.spec.retry.retries(error);
    if spent {
        let mut transition = settle(job, Status::Failed, Outcome::Failed(error.clone()), Step::Park, now);
        note_failure(&mut transition.state.run, error.clone(), now);
        return transition;
    }
    let at = now.plus(i64::from(job.spec.retry.delay_ms(attempts, random, error.retry_after_ms)));
    let mut state = next(job, now);
    note_failure(&mut state.run, error.clone(), now);
    state.status = Status::Queued;
    state.lease = None;
    state.wake_at = Some(at);
    store(job, state, Step::Redeliver { at })
}

fn note_failure(run: &mut Run, error: RunError, now: UnixMillis) {
    let surplus = (run.failures.len() + 1).saturating_sub(Run::KEPT_FAILURES);
    run.failures.drain(..surplus);
    run.failures.push(FailedAttempt { attempt: run.attempts, failed_at: now, error });
}

/// Records the one outcome of the current run.
fn settle(job: &Job, status: Status, outcome: Outcome, step: Step, now: UnixMillis) -> Transition {
    let mut state = next(job, now);
    state.status = status;
    state.run.ended_at = Some(now);
    state.run.outcome = Some(outcome);
    state.lease = None;
    state.wake_at = None;
    store(job, state, step)
}

/// Calls the job off. An attempt under way cannot be called back: it loses its lease, and with it its outcome. The status
/// alone makes every timer and message of the job void, as no edge leaves it.
fn cancel(job: &Job, reason: Option<String>, now: UnixMillis) -> Result<Transition, Refusal> {
    let status = job.state.status;
    if status.is_settled() {
        return Err(Refusal::Status { status, verb: "cancelled" });
    }
    let step = Step::Disarm { fire: job.fire() };
    Ok(settle(job, Status::Cancelled, Outcome::Cancelled { reason }, step, now))
}

/// A failed job gets a fresh budget under a new generation; the failed run goes to the history.
fn retry(job: &Job, delay_ms: u32, now: UnixMillis) -> Result<Transition, Refusal> {
    let status = job.state.status;
    if status != Status::Failed {
        return Err(Refusal::Status { status, verb: "retried" });
    }
    let generation =
        job.state.run.generation.checked_add(1).ok_or(Refusal::Status { status, verb: "retried again" })?;
    let at = now.plus(i64::from(delay_ms));
    let mut state = next(job, now);
    let fresh = Run::new(generation, state.run.run_no, at);
    let retired = std::mem::replace(&mut state.run, fresh);
    state.status = waiting(at, now);
    state.wake_at = Some(at);
    let fire = Fire { job_id: job.id, generation: state.run.generation, run_no: state.run.run_no };
    let transition = store(job, state, Step::Arm { fire, at });
    Ok(Transition { retired: Some(retired), ..transition })
}

/// The status of a job that waits for `due_at`.
fn waiting(due_at: UnixMillis, now: UnixMillis) -> Status {
    if due_at > now { Status::Scheduled } else { Status::Queued }
}

/// The state of a job that was just accepted.
pub fn first_state(due_at: UnixMillis, now: UnixMillis) -> JobState {
    JobState {
        revision: 1,
        status: waiting(due_at, now),
        run: Run::new(1, 1, due_at),
        wake_at: Some(due_at),
        lease: None,
        updated_at: now,
    }
}

fn next(job: &Job, now: UnixMillis) -> JobState {
    JobState { revision: job.state.revision.saturating_add(1), updated_at: now, ..job.state.clone() }
}

fn store(job: &Job, state: JobState, step: Step) -> Transition {
    Transition { before: job.clone(), state, retired: None, step }
}

#[cfg(test)]
mod tests;
