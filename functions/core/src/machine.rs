//! The state machine: the one place that changes a job's status.
//!
//! [`decide`] is pure. It says what a trigger makes of a job, or why it makes nothing of it. The answer is stored by
//! [`crate::ports::JobStore::commit`] only if the job still has the revision that was decided on; whoever loses that race
//! reads the job again and decides anew. So every rule below holds under duplicates, reordering and crashes.
//!
//! ```text
//!       ┌───────────── succeed, recurring ───────────────┐
//!       v     claim                 succeed, the last    │
//! scheduled ─────────> running ──────────────> completed │
//!  queued   <───────── │ │ │ └───────────────────────────┘
//!   │ ^     fail, left │ │ │
//!   │ │                │ │ └─────────────────> failed ──retry──> queued / scheduled (next generation)
//!   │ │ resume   pause │ │       fail, spent
//!   └>paused <─────────┘ │
//!        └── cancel ─────┴───────────────────> cancelled
//! ```

mod abandon;
mod attempt;
mod change;
#[cfg(feature = "mutants")]
pub mod mutants;
mod series;

pub use abandon::abandon;

use std::sync::Arc;

use self::series::Series;
use crate::ids::{Fire, Owner};
use crate::job::{Job, JobSpec, JobState, Outcome, Output, Run, RunError, Status};
use crate::time::UnixMillis;

/// An input of the state machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// Begins an attempt, for a message of a fire.
    Claim {
        /// The fire in the message.
        fire: Fire,
        /// The name under which the outcome will be recorded.
        owner: Owner,
        /// Duration of the lease, ms.
        lease_ms: u32,
    },
    /// Completes a run with a cached result, without an attempt.
    CacheHit {
        /// The fire in the message.
        fire: Fire,
        /// The cached result.
        output: Output,
        /// When the result was made.
        made_at: UnixMillis,
    },
    /// Ends an attempt with a result.
    Succeed {
        /// The owner of the lease.
        owner: Owner,
        /// The target's result.
        output: Output,
    },
    /// Ends an attempt with an error.
    Fail {
        /// The owner of the lease.
        owner: Owner,
        /// The error.
        error: RunError,
        /// Uniform in 0..1, for the jitter of the backoff.
        random: f64,
    },
    /// Ends an attempt between two parts of its event, because the job is paused.
    Suspend {
        /// The owner of the lease.
        owner: Owner,
    },
    /// Records that the timer of the current fire is armed, after it was missing.
    TimerArmed,
    /// Cancels the job.
    Cancel {
        /// The caller's reason.
        reason: Option<String>,
    },
    /// Gives a failed job a fresh budget of attempts.
    Retry {
        /// Milliseconds from now.
        delay_ms: u32,
    },
    /// Pauses the job: no attempt begins until it is resumed.
    Pause,
    /// Resumes a paused job. Occurrences that passed meanwhile are skipped.
    Resume,
    /// Makes the job run now. A recurring job runs outside its schedule, which continues unchanged.
    RunNow,
    /// Replaces the job's specification.
    Edit {
        /// The new specification.
        spec: Arc<JobSpec>,
        /// True if `start_at` or `repeat` was given, so that the next run is planned anew.
        is_replanned: bool,
    },
}

/// A decision: the state to store, and its effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The job that the decision was made on. The transition is stored only if the job still has this revision.
    pub before: Job,
    /// The new state.
    pub state: JobState,
    /// The new specification, if it changes.
    pub spec: Option<Arc<JobSpec>>,
    /// A run that moves from the job to its history.
    pub retired: Option<Run>,
    /// The effect of this transition.
    pub effect: Effect,
}

impl Transition {
    /// The job with this transition applied.
    pub fn after(&self) -> Job {
        let spec = Arc::clone(self.spec.as_ref().unwrap_or(&self.before.spec));
        Job { id: self.before.id, spec, state: self.state.clone() }
    }

    /// [`Transition::after`], without a copy.
    pub fn into_after(self) -> Job {
        let Job { id, spec, .. } = self.before;
        Job { id, spec: self.spec.unwrap_or(spec), state: self.state }
    }

    /// Records that the timer of this transition could not be armed. The message of the previous fire is kept until
    /// it is.
    pub fn set_timer_missing(&mut self) {
        self.state.timer_missing = true;
    }

    /// The outcome that this transition records, if any: of the retired run, or of the current one.
    pub fn outcome(&self) -> Option<&Outcome> {
        let run = self.retired.as_ref().unwrap_or(&self.state.run);
        run.outcome.as_ref().filter(|_| self.before.state.run.outcome.is_none())
    }
}

/// The effect of a stored transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Dispatch this attempt (from 1), and settle it before the lease ends.
    Dispatch {
        /// The attempt.
        attempt: u32,
    },
    /// Deliver the message again at this instant.
    Redeliver {
        /// When the next attempt is due.
        at: UnixMillis,
    },
    /// None. A message that led here is acknowledged.
    Acknowledge,
    /// Move the message to the dead letters: the fire has no attempt left.
    DeadLetter,
    /// The old timer is void and may be removed.
    Disarm {
        /// The fire of the timer.
        fire: Fire,
    },
    /// Arm a timer for the new fire, before this transition is stored.
    Arm {
        /// The new fire.
        fire: Fire,
        /// When it is due.
        at: UnixMillis,
    },
}

/// Why a trigger changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The fire belongs to another generation or run, or the job is settled: its timer or message is void.
    #[error("this fire was superseded")]
    Void,
    /// The job is paused during this fire's run: no attempt begins until it is resumed.
    #[error("the job is paused")]
    Paused,
    /// The fire already has its one outcome.
    #[error("this fire has its outcome already")]
    AlreadySettled,
    /// The fire is not due yet.
    #[error("not due before {due_at}")]
    Early {
        /// When it is due.
        due_at: UnixMillis,
    },
    /// Another executor holds the lease.
    #[error("another executor holds the lease until {until}")]
    Leased {
        /// When the lease ends.
        until: UnixMillis,
    },
    /// The caller does not hold the lease any more.
    #[error("the lease is somebody else's")]
    NotOwner,
    /// The job's status does not allow the change.
    #[error("a job that is {status} cannot be {verb}")]
    Status {
        /// The job's status.
        status: Status,
        /// The refused change, as a participle.
        verb: &'static str,
    },
    /// The job would never run again.
    #[error("no run would be left")]
    NoRunLeft,
}

/// Applies `trigger` to `job` at `now`.
///
/// # Errors
///
/// A [`Refusal`] if the trigger is not allowed; the job stays as it is.
pub fn decide(job: &Job, trigger: &Trigger, now: UnixMillis) -> Result<Transition, Refusal> {
    #[cfg(feature = "mutants")]
    use mutants::decide as rules;
    rules(job, trigger, now)
}

fn rules(job: &Job, trigger: &Trigger, now: UnixMillis) -> Result<Transition, Refusal> {
    match trigger {
        Trigger::Claim { fire, owner, lease_ms } => attempt::claim(job, *fire, owner, *lease_ms, now),
        Trigger::CacheHit { fire, output, made_at } => attempt::cache_hit(job, *fire, output, *made_at, now),
        Trigger::Succeed { owner, output } => attempt::succeed(job, owner, output, now),
        Trigger::Fail { owner, error, random } => attempt::fail(job, owner, error, *random, now),
        Trigger::Suspend { owner } => attempt::suspend(job, owner, now),
        Trigger::TimerArmed => change::timer_armed(job, now),
        Trigger::Cancel { reason } => change::cancel(job, reason.clone(), now),
        Trigger::Retry { delay_ms } => change::retry(job, *delay_ms, now),
        Trigger::Pause => change::pause(job, now),
        Trigger::Resume => change::resume(job, now),
        Trigger::RunNow => change::run_now(job, now),
        Trigger::Edit { spec, is_replanned } => change::edit(job, spec, *is_replanned, now),
    }
}

/// The state of a newly accepted job; `None` if the job would never run.
pub fn first_state(spec: &JobSpec, now: UnixMillis) -> Option<JobState> {
    let nominal_at = match &spec.repeat {
        None => None,
        Some(repeat) => Some(Series::of(repeat, spec.start_at).ahead(None, now)?),
    };
    let due_at = nominal_at.unwrap_or(spec.start_at);
    Some(JobState {
        revision: 1,
        status: waiting(due_at, now),
        run: Run { nominal_at, ..Run::new(1, 1, due_at) },
        wake_at: Some(due_at),
        lease: None,
        planned_through: nominal_at.map(before),
        missed: 0,
        skipped: Vec::new(),
        last_run: None,
        timer_missing: false,
        updated_at: now,
    })
}

/// The status of a job that waits for `due_at`.
fn waiting(due_at: UnixMillis, now: UnixMillis) -> Status {
    if due_at > now { Status::Scheduled } else { Status::Queued }
}

/// One millisecond before `at`.
fn before(at: UnixMillis) -> UnixMillis {
    at.plus(-1)
}

fn next(job: &Job, now: UnixMillis) -> JobState {
    let revision = job.state.revision.saturating_add(1);
    JobState { revision, timer_missing: false, updated_at: now, ..job.state.clone() }
}

fn store(job: &Job, state: JobState, effect: Effect) -> Transition {
    Transition { before: job.clone(), state, spec: None, retired: None, effect }
}

/// Stores a state whose fire needs a timer.
fn arm(job: &Job, state: JobState, at: UnixMillis) -> Transition {
    let fire = Fire { job_id: job.id, generation: state.run.generation, run_no: state.run.run_no };
    store(job, state, Effect::Arm { fire, at })
}

/// Records the one outcome of the current run, and ends the job with it.
fn settle(job: &Job, status: Status, outcome: Outcome, effect: Effect, now: UnixMillis) -> Transition {
    let mut state = next(job, now);
    state.status = status;
    state.run.ended_at = Some(now);
    state.run.outcome = Some(outcome);
    state.lease = None;
    state.wake_at = None;
    store(job, state, effect)
}

#[cfg(test)]
mod tests;
