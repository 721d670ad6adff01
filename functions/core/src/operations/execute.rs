//! A due message's way: resolve, claim, dispatch, settle.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use serde_json::Value;

use super::cache_lookup::{CacheLookup, CacheSlot, look_again_at};
use super::opened_session::OpenedSession;
use super::{ATTEMPTS_AT_A_CHANGE, Stored, commit};
use crate::event_types::{self, AttemptContext, Halt, Limits, ResolvedEvent};
use crate::ids::{Fire, Owner};
use crate::job::{Job, JobSpec, Output, RunError, RunStatus, codes};
use crate::json::Field;
use crate::machine::{Effect, Refusal, Transition, Trigger, decide};
use crate::ports::{
    CacheAnswer, CachedResult, CatalogStore, Clock, Entropy, JobStore, PortError, Ports, Published, Targets, Timers,
};
use crate::session::inject;
use crate::session::sealing::Unsealable;
use crate::time::UnixMillis;

/// A timer that could not be armed is armed after so long, ms.
const ARM_AGAIN_MS: i64 = 1_000;

/// What is to become of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done with: the fire has its outcome, or will never have one from this message.
    Acknowledge,
    /// It has to come back at this instant: a backoff, another's lease, or an early arrival.
    Redeliver {
        /// When.
        at: UnixMillis,
    },
    /// The fire is spent: the message goes to the dead letters.
    DeadLetter(RunError),
    /// No such job, run or resumption, or not yet: a timer is armed before what it is for is stored. Whoever carries the
    /// message decides by its age.
    Unknown,
}

/// What happened, for whoever logs and counts.
#[derive(Debug)]
pub struct Execution {
    /// What is to become of the message.
    pub verdict: Verdict,
    /// The job as it stands now, where it is known.
    pub job: Option<Job>,
    /// The attempt that was made, if one was.
    pub attempt: Option<Attempt>,
    /// Why nothing was attempted, if so.
    pub refusal: Option<Refusal>,
    /// How the run ended, if this is what ended it.
    pub ended: Option<RunStatus>,
    /// Why the timer of the run that follows could not be armed, if so: the message comes back for that.
    pub timer_fault: Option<PortError>,
    /// Why the cache could not be told of the result, if so: it costs others a dispatch.
    pub cache_write_failed: Option<PortError>,
}

impl Execution {
    /// An execution that did nothing.
    pub fn idle(verdict: Verdict, job: Option<Job>, refusal: Option<Refusal>) -> Self {
        Self { verdict, job, attempt: None, refusal, ended: None, timer_fault: None, cache_write_failed: None }
    }
}

/// One attempt, as it went.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Which one, from 1.
    pub number: u32,
    /// When it began.
    pub began_at: UnixMillis,
    /// How long after its due time it began, ms.
    pub lateness_ms: i64,
    /// How long the target took, ms.
    pub dispatch_ms: i64,
    /// The error's code, if it failed.
    pub error: Option<RunError>,
    /// Whether its outcome was recorded: not when the job was cancelled or the lease lost meanwhile.
    pub recorded: bool,
}

/// What an executor works with besides the ports.
#[derive(Clone, Debug)]
pub struct Executor<T> {
    /// What reaches the outside.
    pub targets: T,
    /// Bounds on attempts.
    pub limits: Limits,
    /// The trace that the message belongs to, as the header X-Amzn-Trace-Id carries it on to HTTP targets.
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
    let (claimed, planned) = match claim(ports, executor, fire, &owner).await? {
        Claim::Begun(begun) => *begun,
        Claim::Ended(execution) => return Ok(*execution),
    };
    let number = claimed.state.run.attempts;
    let began_at = claimed.state.updated_at;
    let dispatched = dispatch(ports, executor, (&claimed, fire, &owner), &planned).await;
    let dispatch_ms = ports.clock().now().since(began_at);
    let cache_write_failed = match &planned.cache {
        Some(cached) => cached.conclude(ports, &owner, &dispatched).await.err(),
        None => None,
    };
    let error = dispatched.as_ref().err().and_then(Halt::error);
    let settled = settle(ports, claimed, &owner, dispatched).await?;
    let attempt = Attempt {
        number,
        began_at,
        lateness_ms: began_at.since(planned.due_at),
        dispatch_ms,
        error,
        recorded: settled.recorded,
    };
    let Settled { verdict, job, ended, timer_fault, .. } = settled;
    Ok(Execution {
        verdict,
        job: Some(job),
        attempt: Some(attempt),
        refusal: None,
        ended,
        timer_fault,
        cache_write_failed,
    })
}

enum Claim {
    Begun(Box<(Job, Planned)>),
    Ended(Box<Execution>),
}

/// What an attempt would do. Known before the claim, as the lease has to outlast it.
struct Planned {
    work: Result<Work, RunError>,
    timeout_ms: u32,
    /// Where its result is remembered, if anywhere.
    cache: Option<CacheSlot>,
    /// When this attempt was due: the run's own time, or the end of a backoff or of a dead executor's lease.
    due_at: UnixMillis,
}

/// A job's event that can be run, by a catalog as it was published.
struct Work {
    published: Arc<Published>,
    /// The input, laid over its defaults and filled in; `None` where that is the job's own.
    input: Option<Value>,
}

/// Runs what was planned.
async fn dispatch<P: Ports, T: Targets>(
    ports: &P,
    executor: &Executor<T>,
    (job, fire, owner): (&Job, Fire, &Owner),
    planned: &Planned,
) -> Result<Output, Halt> {
    let work = planned.work.as_ref().map_err(RunError::clone)?;
    let catalog = &work.published.catalog;
    let followed = event_types::resolve(catalog, &job.spec)?;
    let (targets, limits) = (&executor.targets, &executor.limits);
    let dispatch = AttemptContext::new(ports, targets, (catalog, job, fire, owner), limits, planned.timeout_ms);
    let input = work.input.as_ref().unwrap_or(&job.spec.input);
    dispatch.traced(executor.trace.as_deref()).whole(&followed, input).await
}

async fn claim<P: Ports, T: Targets>(
    ports: &P,
    executor: &Executor<T>,
    fire: Fire,
    owner: &Owner,
) -> Result<Claim, PortError> {
    let mut lookup = CacheLookup::default();
    let claim = claim_with_lookup(ports, executor, fire, owner, &mut lookup).await;
    // What does not begin makes no result: others need not wait for it.
    if !matches!(claim, Ok(Claim::Begun(_))) {
        lookup.give_up(ports).await;
    }
    claim
}

async fn claim_with_lookup<P: Ports, T: Targets>(
    ports: &P,
    executor: &Executor<T>,
    fire: Fire,
    owner: &Owner,
    lookup: &mut CacheLookup,
) -> Result<Claim, PortError> {
    let limits = &executor.limits;
    let mut current = ports.jobs().get(fire.job_id).await?;
    for _ in 0..ATTEMPTS_AT_A_CHANGE {
        let Some(job) = current else { return Ok(ended(Verdict::Unknown, None, None)) };
        if fire > job.fire() {
            // The timer of a later fire is armed before that is stored: it must not be taken for a void one.
            return Ok(ended(Verdict::Unknown, Some(job), None));
        }
        if job.state.timer_missing && fire < job.fire() {
            match arm_after_all(ports, &job).await? {
                Stored::Done => return Ok(ended(Verdict::Acknowledge, Some(job), Some(Refusal::Void))),
                Stored::Overtaken(newer) => {
                    current = newer.map(|newer| *newer);
                    continue;
                }
            }
        }
        let planned = plan(ports, limits, &job).await?;
        let lease_ms = planned.timeout_ms.saturating_add(limits.lease_margin_ms);
        let event = Trigger::Claim { fire, owner: owner.clone(), lease_ms };
        let transition = match decide(&job, &event, ports.clock().now()) {
            Ok(transition) => transition,
            Err(refusal) => return Ok(ended(verdict_of(&refusal), Some(job), Some(refusal))),
        };
        let mut transition = match (&transition.effect, &planned.cache) {
            (Effect::Dispatch { .. }, Some(cached)) => match lookup.lookup(ports, cached, owner, lease_ms).await? {
                CacheAnswer::Miss => transition,
                CacheAnswer::Filling(other) => {
                    let at = look_again_at(&other, ports.clock().now());
                    return Ok(ended(Verdict::Redeliver { at }, Some(job), None));
                }
                CacheAnswer::Hit(CachedResult { output, made_at, .. }) => {
                    match decide(&job, &Trigger::CacheHit { fire, output, made_at }, ports.clock().now()) {
                        Ok(recalled) => recalled,
                        Err(refusal) => return Ok(ended(verdict_of(&refusal), Some(job), Some(refusal))),
                    }
                }
            },
            _ => transition,
        };
        let timer_fault = arm_if_possible(ports, &mut transition).await;
        match commit(ports, &transition).await? {
            Stored::Done => {
                if let Effect::Dispatch { .. } = transition.effect {
                    return Ok(Claim::Begun(Box::new((transition.into_after(), planned))));
                }
                // The result was remembered, or the executor before this one died in the last attempt.
                let (verdict, ended) = (verdict_after(&transition), ended_by(&transition));
                let job = transition.into_after();
                let execution = Execution { ended, timer_fault, ..Execution::idle(verdict, Some(job), None) };
                return Ok(Claim::Ended(Box::new(execution)));
            }
            Stored::Overtaken(newer) => current = newer.map(|newer| *newer),
        }
    }
    // Whoever keeps changing the job will let go of it.
    let at = ports.clock().now().plus(1_000);
    Ok(ended(Verdict::Redeliver { at }, None, None))
}

fn ended(verdict: Verdict, job: Option<Job>, refusal: Option<Refusal>) -> Claim {
    Claim::Ended(Box::new(Execution::idle(verdict, job, refusal)))
}

/// Arms the timer of the run that follows, before that is stored (I4).
///
/// Where it cannot be armed, the outcome is recorded all the same: what the target did must not be done again for it. The
/// state says that the timer is missing, and the message, which comes back, has it armed.
async fn arm_if_possible<P: Ports>(ports: &P, transition: &mut Transition) -> Option<PortError> {
    let Effect::Arm { fire, at } = transition.effect else { return None };
    let fault = ports.timers().arm_promptly(fire, at).await.err()?;
    transition.set_timer_missing();
    Some(fault)
}

/// Arms the timer that could not be armed when the current fire was stored, and notes it.
async fn arm_after_all<P: Ports>(ports: &P, job: &Job) -> Result<Stored, PortError> {
    let now = ports.clock().now();
    let (Some(at), Ok(noted)) = (job.state.wake_at, decide(job, &Trigger::TimerArmed, now)) else {
        return Ok(Stored::Done);
    };
    ports.timers().arm(job.fire(), at).await?;
    commit(ports, &noted).await
}

/// How the run ended that this transition ends, if it ends one.
fn ended_by(transition: &Transition) -> Option<RunStatus> {
    transition.outcome().map(RunStatus::from)
}

async fn plan<P: Ports>(ports: &P, limits: &Limits, job: &Job) -> Result<Planned, PortError> {
    let session = OpenedSession::of(ports, job).await?;
    let due_at = job.state.wake_at.unwrap_or(job.state.run.due_at);
    let planned = |published: Option<Arc<Published>>| {
        let followed = followed(published.as_deref(), &job.spec);
        let timeout_ms = limits.timeout_ms(&job.spec, followed.as_ref().ok());
        let input = followed.as_ref().map_err(RunError::clone).and_then(|it| input_of(it, &job.spec, &session));
        let cache = CacheSlot::of(published.as_deref(), &job.spec, input.as_deref().ok());
        let sound = followed.and_then(|followed| {
            let input = input?;
            // The channels of a notification do their part each, whatever another one lacks.
            match event_types::not_available(&followed, &job.spec.env, None, ports.capabilities()).pop() {
                Some(lack) => Err(RunError::permanent(codes::EVENT_NOT_FOUND, lack.reason)),
                None => event_types::still_fits(&followed, &job.spec, &input).map(|()| match input {
                    Cow::Owned(input) => Some(input),
                    Cow::Borrowed(_) => None,
                }),
            }
        });
        // Without a catalog nothing is sound.
        let work = sound.and_then(|input| Ok(Work { published: published.clone().ok_or_else(gone)?, input }));
        Planned { cache: cache.filter(|_| work.is_ok()), work, timeout_ms, due_at }
    };
    let product = &job.spec.product;
    let cached = planned(ports.catalogs().get(product).await?);
    if cached.work.is_ok() {
        return Ok(cached);
    }
    // A cached catalog may be older than the job; only what is published now may fail it for good.
    Ok(planned(ports.catalogs().fresh(product).await?))
}

fn gone() -> RunError {
    RunError::permanent(codes::EVENT_NOT_FOUND, "the product has no catalog any more")
}

/// What the job comes to by the catalog.
fn followed<'c>(published: Option<&'c Published>, spec: &JobSpec) -> Result<ResolvedEvent<'c>, RunError> {
    event_types::resolve(&published.ok_or_else(gone)?.catalog, spec)
}

/// The input of a job, laid over its defaults, with its annotations filled in.
fn input_of<'s>(
    followed: &ResolvedEvent<'_>,
    spec: &'s JobSpec,
    session: &Result<Option<OpenedSession>, Unsealable>,
) -> Result<Cow<'s, Value>, RunError> {
    let unreadable = |detail: &str| RunError::permanent(codes::SESSION_UNREADABLE, detail);
    let session = session.as_ref().map_err(|_| unreadable("what the job's session said cannot be opened any more"))?;
    let faults = RefCell::default();
    let laid = followed.input(&spec.input);
    let filled_in = inject::inject(&Field::root(&laid, &faults), session.as_ref().map(OpenedSession::session));
    // It was resolved when the job was scheduled. Since then only the defaults of a definition may have changed.
    match filled_in.ok_or_else(|| unreadable("the job's session does not resolve its input any more"))? {
        Cow::Owned(filled_in) => Ok(Cow::Owned(filled_in)),
        Cow::Borrowed(_) => Ok(laid),
    }
}

fn verdict_of(refusal: &Refusal) -> Verdict {
    match refusal {
        Refusal::Early { due_at } => Verdict::Redeliver { at: *due_at },
        Refusal::Leased { until } => Verdict::Redeliver { at: *until },
        // It may be the timer of a resumption that is about to be stored.
        Refusal::Paused => Verdict::Unknown,
        Refusal::Void | Refusal::AlreadySettled | Refusal::NotOwner | Refusal::Status { .. } | Refusal::NoRunLeft => {
            Verdict::Acknowledge
        }
    }
}

fn verdict_after(transition: &Transition) -> Verdict {
    match &transition.effect {
        Effect::Redeliver { at } => Verdict::Redeliver { at: *at },
        Effect::Arm { .. } if transition.state.timer_missing => {
            Verdict::Redeliver { at: transition.state.updated_at.plus(ARM_AGAIN_MS) }
        }
        Effect::DeadLetter => {
            let last = transition.state.run.failures.last();
            last.map_or(Verdict::Acknowledge, |failure| Verdict::DeadLetter(failure.error.clone()))
        }
        _ => Verdict::Acknowledge,
    }
}

struct Settled {
    verdict: Verdict,
    job: Job,
    recorded: bool,
    ended: Option<RunStatus>,
    timer_fault: Option<PortError>,
}

/// Records what the attempt brought, unless the lease is somebody else's by now.
async fn settle<P: Ports>(
    ports: &P,
    mut job: Job,
    owner: &Owner,
    dispatched: Result<Output, Halt>,
) -> Result<Settled, PortError> {
    let random = ports.entropy().unit();
    let now = ports.clock().now();
    let event = match dispatched {
        Ok(output) => Trigger::Succeed { owner: owner.clone(), output },
        Err(halt) => match halt.error() {
            Some(error) => Trigger::Fail { owner: owner.clone(), error, random },
            // It was paused. Whoever lost the lease is refused by its name.
            None => Trigger::Suspend { owner: owner.clone() },
        },
    };
    let mut has_failed = false;
    for _ in 0..ATTEMPTS_AT_A_CHANGE {
        let Ok(mut transition) = decide(&job, &event, now) else { break };
        let timer_fault = arm_if_possible(ports, &mut transition).await;
        match commit(ports, &transition).await {
            Ok(Stored::Done) => {
                let (verdict, ended) = (verdict_after(&transition), ended_by(&transition));
                return Ok(Settled { verdict, job: transition.into_after(), recorded: true, ended, timer_fault });
            }
            Ok(Stored::Overtaken(Some(newer))) => job = *newer,
            Ok(Stored::Overtaken(None)) => {
                return Ok(Settled {
                    verdict: Verdict::Acknowledge,
                    job,
                    recorded: false,
                    ended: None,
                    timer_fault: None,
                });
            }
            // What the target has done is worth a second try: without its record it would have to be done again.
            Err(error) if has_failed => return Err(error),
            Err(_) => has_failed = true,
        }
    }
    // Not recorded: the message comes back when whoever holds the fire may have let go of it.
    let verdict = job.state.wake_at.map_or(Verdict::Acknowledge, |at| Verdict::Redeliver { at });
    Ok(Settled { verdict, job, recorded: false, ended: None, timer_fault: None })
}
