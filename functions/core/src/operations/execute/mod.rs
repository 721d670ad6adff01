//! One message of a fire: load, plan, claim, dispatch, settle, follow up.
//!
//! - [`claim`](self::claim) loads the job, plans the attempt and takes the lease;
//! - [`plan`](self::plan) resolves the event and fills in the input;
//! - [`settle`](self::settle) records the result;
//! - [`follow_up`] arms the next timer and decides what becomes of the message.

mod claim;
mod follow_up;
mod plan;
mod settle;

use self::claim::{Claim, Claimed, claim};
use self::plan::Planned;
use self::settle::{Settled, settle};
use crate::event_types::{AttemptContext, Halt, Limits, ResolvedEvent};
use crate::ids::{Fire, Owner};
use crate::job::{Job, Output, RunError, RunStatus};
use crate::machine::Refusal;
use crate::ports::{Clock, Entropy, PortError, Ports, Targets};
use crate::time::UnixMillis;

/// The fate of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Acknowledged: the fire has its outcome, or will never have one from this message.
    Acknowledge,
    /// Delivered again at this instant: after a backoff, another executor's lease, or an early delivery.
    Redeliver {
        /// The instant.
        at: UnixMillis,
    },
    /// Moved to the dead letters: the fire has no attempt left.
    DeadLetter(RunError),
    /// Kept or dropped by its age: there is no such job, run or resumption, or not yet, because a timer is armed before
    /// the state that it is for is stored.
    Unknown,
}

/// The result of [`execute`], for the log and the metrics.
#[derive(Debug)]
pub struct Execution {
    /// The fate of the message.
    pub verdict: Verdict,
    /// The job as it is stored now, if it is known.
    pub job: Option<Job>,
    /// The attempt, if one was made.
    pub attempt: Option<Attempt>,
    /// Why the message was refused, if it was.
    pub refusal: Option<Refusal>,
    /// The outcome of the run, if this execution ended it.
    pub ended: Option<RunStatus>,
    /// Why the timer of the next run could not be armed. The message comes back for it.
    pub timer_fault: Option<PortError>,
    /// Why the result could not be written to the cache. It costs other jobs a dispatch.
    pub cache_write_failed: Option<PortError>,
}

impl Execution {
    /// An execution that did nothing.
    pub fn idle(verdict: Verdict, job: Option<Job>, refusal: Option<Refusal>) -> Self {
        Self { verdict, job, attempt: None, refusal, ended: None, timer_fault: None, cache_write_failed: None }
    }
}

/// One attempt of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// When it began.
    pub began_at: UnixMillis,
    /// Time from its due time to its begin, ms.
    pub lateness_ms: i64,
    /// Duration of the dispatch, ms.
    pub dispatch_ms: i64,
    /// The error, if it failed.
    pub error: Option<RunError>,
    /// True if its outcome was stored. False if the job was cancelled or the lease lost meanwhile.
    pub recorded: bool,
}

/// The targets and bounds of an executor.
#[derive(Clone, Debug)]
pub struct Executor<T> {
    /// The targets of jobs.
    pub targets: T,
    /// Bounds on attempts.
    pub limits: Limits,
    /// The message's trace, in the form of the header X-Amzn-Trace-Id. HTTP targets receive it.
    pub trace: Option<String>,
}

/// Works on one message of `fire`.
///
/// Safe to call for duplicates, late and stale messages, and for messages whose job is not stored yet: at most one
/// outcome is recorded (I2), and nothing is dispatched without a claim.
///
/// # Errors
/// [`PortError`] when a dependency failed: the message has to come back. An attempt that was begun is counted then.
pub async fn execute<P: Ports, T: Targets>(
    ports: &P,
    executor: &Executor<T>,
    fire: Fire,
) -> Result<Execution, PortError> {
    let owner = Owner::new(ports.entropy().bits());
    let (claimed, planned) = match claim(ports, executor, fire, owner).await? {
        Claim::Begun(begun) => *begun,
        Claim::Ended(execution) => return Ok(*execution),
    };
    let (number, began_at) = (claimed.job.state.run.attempts, claimed.job.state.updated_at);
    let dispatched = dispatch(ports, executor, &claimed, &planned).await;
    let dispatch_ms = ports.clock().now().since(began_at);
    let cache_write_failed = match &planned.cache {
        Some(slot) => slot.conclude(ports, &claimed.owner, &dispatched).await.err(),
        None => None,
    };
    let error = dispatched.as_ref().err().and_then(Halt::error);
    let Settled { verdict, job, recorded, ended, timer_fault } = settle(ports, claimed, dispatched).await?;
    let lateness_ms = began_at.since(planned.due_at);
    let attempt = Some(Attempt { number, began_at, lateness_ms, dispatch_ms, error, recorded });
    Ok(Execution { attempt, ended, timer_fault, cache_write_failed, ..Execution::idle(verdict, Some(job), None) })
}

/// Runs the planned event.
async fn dispatch<P: Ports, T: Targets>(
    ports: &P,
    executor: &Executor<T>,
    Claimed { job, fire, owner }: &Claimed,
    planned: &Planned,
) -> Result<Output, Halt> {
    let work = planned.work.as_ref().map_err(RunError::clone)?;
    let catalog = &work.published.catalog;
    let resolved = ResolvedEvent::of_job(catalog, &job.spec)?;
    let (targets, limits) = (&executor.targets, &executor.limits);
    let attempt = AttemptContext::new(ports, targets, (catalog, job, *fire, owner), limits, planned.timeout_ms);
    let input = work.input.as_ref().unwrap_or(&job.spec.input);
    attempt.traced(executor.trace.as_deref()).whole(&resolved, input).await
}
