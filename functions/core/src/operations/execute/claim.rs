//! Takes the lease on a fire, or finds that there is nothing to dispatch.

use super::follow_up::{arm_missing, arm_next, ended_by, verdict_after, verdict_of};
use super::plan::{Planned, plan};
use super::{Execution, Executor, Verdict};
use crate::ids::{Fire, Owner};
use crate::job::Job;
use crate::machine::{Effect, Refusal, Transition, Trigger, decide};
use crate::operations::cache_lookup::{CacheLookup, look_again_at};
use crate::operations::{ATTEMPTS_AT_A_CHANGE, Stored, commit};
use crate::ports::{CacheAnswer, CachedResult, Clock, JobStore, PortError, Ports, Targets};

/// Delay before a message is tried again whose job others keep changing, ms.
const CONTENDED_MS: i64 = 1_000;

/// The result of [`claim`].
pub(super) enum Claim {
    /// The lease is taken: the attempt may begin.
    Begun(Box<(Claimed, Planned)>),
    /// There is nothing to dispatch.
    Ended(Box<Execution>),
}

/// A job with the lease on its fire.
pub(super) struct Claimed {
    pub(super) job: Job,
    pub(super) fire: Fire,
    pub(super) owner: Owner,
}

/// Claims `fire` for `owner`.
pub(super) async fn claim<P: Ports, T: Targets>(
    ports: &P,
    executor: &Executor<T>,
    fire: Fire,
    owner: Owner,
) -> Result<Claim, PortError> {
    let mut claiming = Claiming { ports, executor, fire, owner, lookup: CacheLookup::default() };
    let claim = claiming.run().await;
    // Without an attempt there will be no result: other jobs need not wait for it.
    if !matches!(claim, Ok(Claim::Begun(_))) {
        claiming.lookup.give_up(ports).await;
    }
    claim
}

/// One pass over a job as it was read.
enum Pass {
    Done(Claim),
    /// Another write was first; the job as it is now, `None` when it is gone.
    Overtaken(Option<Box<Job>>),
}

impl Pass {
    fn ended(verdict: Verdict, job: Option<Job>, refusal: Option<Refusal>) -> Self {
        Self::Done(Claim::Ended(Box::new(Execution::idle(verdict, job, refusal))))
    }

    fn refused(job: Job, refusal: Refusal) -> Self {
        Self::ended(verdict_of(&refusal), Some(job), Some(refusal))
    }
}

/// Why a claim is not stored.
enum Declined {
    /// Another executor fills the cache with this result.
    Wait(Verdict),
    Refused(Refusal),
}

struct Claiming<'a, P, T> {
    ports: &'a P,
    executor: &'a Executor<T>,
    fire: Fire,
    owner: Owner,
    lookup: CacheLookup,
}

impl<P: Ports, T: Targets> Claiming<'_, P, T> {
    async fn run(&mut self) -> Result<Claim, PortError> {
        let mut current = self.ports.jobs().get(self.fire.job_id).await?;
        for _ in 0..ATTEMPTS_AT_A_CHANGE {
            let pass = match current {
                Some(job) => self.pass(job).await?,
                None => Pass::ended(Verdict::Unknown, None, None),
            };
            match pass {
                Pass::Done(claim) => return Ok(claim),
                Pass::Overtaken(newer) => current = newer.map(|newer| *newer),
            }
        }
        // Too many concurrent changes.
        let at = self.ports.clock().now().plus(CONTENDED_MS);
        Ok(Claim::Ended(Box::new(Execution::idle(Verdict::Redeliver { at }, None, None))))
    }

    async fn pass(&mut self, job: Job) -> Result<Pass, PortError> {
        if self.fire > job.fire() {
            // The timer of a later fire is armed before that fire is stored: the message is not void.
            return Ok(Pass::ended(Verdict::Unknown, Some(job), None));
        }
        if job.state.timer_missing && self.fire < job.fire() {
            return Ok(match arm_missing(self.ports, &job).await? {
                Stored::Done => Pass::ended(Verdict::Acknowledge, Some(job), Some(Refusal::Void)),
                Stored::Overtaken(newer) => Pass::Overtaken(newer),
            });
        }
        let planned = plan(self.ports, &self.executor.limits, &job).await?;
        match self.decide(&job, &planned).await? {
            Ok(transition) => self.store(transition, planned).await,
            Err(Declined::Wait(verdict)) => Ok(Pass::ended(verdict, Some(job), None)),
            Err(Declined::Refused(refusal)) => Ok(Pass::refused(job, refusal)),
        }
    }

    /// Decides on the claim, and looks into the cache if an attempt would follow.
    async fn decide(&mut self, job: &Job, planned: &Planned) -> Result<Result<Transition, Declined>, PortError> {
        let fire = self.fire;
        let lease_ms = planned.timeout_ms.saturating_add(self.executor.limits.lease_margin_ms);
        let trigger = Trigger::Claim { fire, owner: self.owner.clone(), lease_ms };
        let transition = match decide(job, &trigger, self.ports.clock().now()) {
            Ok(transition) => transition,
            Err(refusal) => return Ok(Err(Declined::Refused(refusal))),
        };
        let (Effect::Dispatch { .. }, Some(slot)) = (&transition.effect, &planned.cache) else {
            return Ok(Ok(transition));
        };
        Ok(match self.lookup.lookup(self.ports, slot, &self.owner, lease_ms).await? {
            CacheAnswer::Miss => Ok(transition),
            CacheAnswer::Filling(other) => {
                Err(Declined::Wait(Verdict::Redeliver { at: look_again_at(&other, self.ports.clock().now()) }))
            }
            CacheAnswer::Hit(CachedResult { output, made_at, .. }) => {
                let hit = decide(job, &Trigger::CacheHit { fire, output, made_at }, self.ports.clock().now());
                hit.map_err(Declined::Refused)
            }
        })
    }

    async fn store(&self, mut transition: Transition, planned: Planned) -> Result<Pass, PortError> {
        let timer_fault = arm_next(self.ports, &mut transition).await;
        if let Stored::Overtaken(newer) = commit(self.ports, &transition).await? {
            return Ok(Pass::Overtaken(newer));
        }
        if let Effect::Dispatch { .. } = transition.effect {
            let claimed = Claimed { job: transition.into_after(), fire: self.fire, owner: self.owner.clone() };
            return Ok(Pass::Done(Claim::Begun(Box::new((claimed, planned)))));
        }
        // The result was cached, or an executor died in the last attempt.
        let (verdict, ended) = (verdict_after(&transition), ended_by(&transition));
        let idle = Execution::idle(verdict, Some(transition.into_after()), None);
        Ok(Pass::Done(Claim::Ended(Box::new(Execution { ended, timer_fault, ..idle }))))
    }
}
