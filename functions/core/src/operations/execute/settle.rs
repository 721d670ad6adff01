//! Records the result of an attempt.

use super::follow_up::{arm_next, ended_by, verdict_after};
use super::{Claimed, Verdict};
use crate::event_types::Halt;
use crate::ids::Owner;
use crate::job::{Job, Output, RunStatus};
use crate::machine::{Trigger, decide};
use crate::operations::{ATTEMPTS_AT_A_CHANGE, Stored, commit};
use crate::ports::{Clock, Entropy, PortError, Ports};

/// An attempt after its settlement.
pub(super) struct Settled {
    pub(super) verdict: Verdict,
    pub(super) job: Job,
    /// True if the outcome was stored.
    pub(super) recorded: bool,
    pub(super) ended: Option<RunStatus>,
    pub(super) timer_fault: Option<PortError>,
}

impl Settled {
    fn unrecorded(verdict: Verdict, job: Job) -> Self {
        Self { verdict, job, recorded: false, ended: None, timer_fault: None }
    }
}

/// Records the result of the attempt, unless another executor holds the lease by now.
///
/// # Errors
/// [`PortError`] when the store failed twice.
pub(super) async fn settle<P: Ports>(
    ports: &P,
    Claimed { mut job, owner, .. }: Claimed,
    dispatched: Result<Output, Halt>,
) -> Result<Settled, PortError> {
    let random = ports.entropy().unit();
    let now = ports.clock().now();
    let trigger = trigger(owner, dispatched, random);
    let mut has_failed = false;
    for _ in 0..ATTEMPTS_AT_A_CHANGE {
        let Ok(mut transition) = decide(&job, &trigger, now) else { break };
        let timer_fault = arm_next(ports, &mut transition).await;
        match commit(ports, &transition).await {
            Ok(Stored::Done) => {
                let (verdict, ended) = (verdict_after(&transition), ended_by(&transition));
                return Ok(Settled { verdict, job: transition.into_after(), recorded: true, ended, timer_fault });
            }
            Ok(Stored::Overtaken(Some(newer))) => job = *newer,
            Ok(Stored::Overtaken(None)) => return Ok(Settled::unrecorded(Verdict::Acknowledge, job)),
            // The target's work is worth a second try: without a record it would have to be done again.
            Err(error) if has_failed => return Err(error),
            Err(_) => has_failed = true,
        }
    }
    // Not recorded: the message comes back when the current lease may have ended.
    let verdict = job.state.wake_at.map_or(Verdict::Acknowledge, |at| Verdict::Redeliver { at });
    Ok(Settled::unrecorded(verdict, job))
}

fn trigger(owner: Owner, dispatched: Result<Output, Halt>, random: f64) -> Trigger {
    match dispatched {
        Ok(output) => Trigger::Succeed { owner, output },
        Err(halt) => match halt.error() {
            Some(error) => Trigger::Fail { owner, error, random },
            // The job was paused, or the lease is lost: the owner's name then refuses the suspension.
            None => Trigger::Suspend { owner },
        },
    }
}
