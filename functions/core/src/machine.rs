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

/// Something that happens to a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// A message of a fire asks to begin an attempt.
    Claim {
        /// The fire that the message names.
        fire: Fire,
        /// The name under which the outcome will be recorded.
        owner: Owner,
        /// How long the attempt may take, ms.
        lease_ms: u32,
    },
    /// A message of a fire finds its result remembered: no attempt is needed.
    CacheHit {
        /// The fire that the message names.
        fire: Fire,
        /// What was given back then.
        output: Output,
        /// When.
        made_at: UnixMillis,
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
    /// The attempt stopped between two of its parts, as it saw that the job is paused.
    Suspend {
        /// Who claimed.
        owner: Owner,
    },
    /// The timer that could not be armed with the current fire is armed now.
    TimerArmed,
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
    /// A caller holds the job back: no attempt begins until it is resumed.
    Pause,
    /// A caller lets a paused job go on. What its cadence passed meanwhile is skipped.
    Resume,
    /// A caller wants the job to run now: a recurring one beside its cadence, which goes on as if nothing had been.
    RunNow,
    /// A caller changes what was asked for.
    Edit {
        /// What is asked for from here on.
        spec: Arc<JobSpec>,
        /// Whether its `start_at` or `repeat` was named, so that the next run is planned anew.
        is_replanned: bool,
    },
}

/// What is to be stored, and what is to be done with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The job that this was decided on. Stored only if it still has this revision.
    pub before: Job,
    /// The state to store.
    pub state: JobState,
    /// What is asked for from here on, where that changes.
    pub spec: Option<Arc<JobSpec>>,
    /// A run that leaves the job for its history.
    pub retired: Option<Run>,
    /// What this change calls for.
    pub effect: Effect,
}

impl Transition {
    /// The job once this is stored.
    pub fn after(&self) -> Job {
        let spec = Arc::clone(self.spec.as_ref().unwrap_or(&self.before.spec));
        Job { id: self.before.id, spec, state: self.state.clone() }
    }

    /// [`Transition::after`], for when nothing else of the transition is wanted.
    pub fn into_after(self) -> Job {
        let Job { id, spec, .. } = self.before;
        Job { id, spec: self.spec.unwrap_or(spec), state: self.state }
    }

    /// Notes that the timer that it calls for could not be armed: whoever carries the message of the fire before keeps that
    /// until it is.
    pub fn set_timer_missing(&mut self) {
        self.state.timer_missing = true;
    }

    /// The outcome that it records, if it records one: of the run that it retires, or of the current one.
    pub fn outcome(&self) -> Option<&Outcome> {
        let run = self.retired.as_ref().unwrap_or(&self.state.run);
        run.outcome.as_ref().filter(|_| self.before.state.run.outcome.is_none())
    }
}

/// What follows a stored transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
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
    /// Nothing: a message that brought this about is done with.
    Acknowledge,
    /// The fire is spent: its message goes to the dead letters.
    DeadLetter,
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

/// Why a trigger changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The fire belongs to another generation or run, or the job takes none: its timer or message is void.
    #[error("this fire was superseded")]
    Void,
    /// The job is paused in the middle of this fire's run: no attempt begins until it is resumed.
    #[error("the job is paused")]
    Paused,
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
    /// As it would be, the job never ran again.
    #[error("no run would be left")]
    NoRunLeft,
}

/// What `trigger` makes of `job` at `now`.
///
/// # Errors
/// A [`Refusal`] when it makes nothing of it; the job stays as it is.
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

/// The state of a job that was just accepted; `None` when it would never run.
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

/// The instant before this one.
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
