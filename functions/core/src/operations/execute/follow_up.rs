//! The steps around a stored transition: the timer before it, the verdict on the message after it.

use super::Verdict;
use crate::job::{Job, RunStatus};
use crate::machine::{Effect, Refusal, Transition, Trigger, decide};
use crate::operations::{Stored, commit};
use crate::ports::{Clock, PortError, Ports, Timers};

/// Delay before a timer that could not be armed is tried again, ms.
const ARM_AGAIN_MS: i64 = 1_000;

/// Arms the timer of the next run before the transition is stored (I4).
///
/// If it cannot be armed, the outcome is stored all the same, because the target must not be asked again for it. The state then
/// says that the timer is missing, and the message comes back to have it armed.
pub(super) async fn arm_next<P: Ports>(ports: &P, transition: &mut Transition) -> Option<PortError> {
    let Effect::Arm { fire, at } = transition.effect else { return None };
    let fault = ports.timers().arm_promptly(fire, at).await.err()?;
    transition.set_timer_missing();
    Some(fault)
}

/// Arms the timer that was missing when the current fire was stored, and records that it is armed.
pub(super) async fn arm_missing<P: Ports>(ports: &P, job: &Job) -> Result<Stored, PortError> {
    let now = ports.clock().now();
    let (Some(at), Ok(noted)) = (job.state.wake_at, decide(job, &Trigger::TimerArmed, now)) else {
        return Ok(Stored::Done);
    };
    ports.timers().arm(job.fire(), at).await?;
    commit(ports, &noted).await
}

/// The outcome of the run that this transition ends, if it ends one.
pub(super) fn ended_by(transition: &Transition) -> Option<RunStatus> {
    transition.outcome().map(RunStatus::from)
}

/// The verdict on a message whose claim was refused.
pub(super) fn verdict_of(refusal: &Refusal) -> Verdict {
    match refusal {
        Refusal::Early { due_at } => Verdict::Redeliver { at: *due_at },
        Refusal::Leased { until } => Verdict::Redeliver { at: *until },
        // The message may be the timer of a resumption that is about to be stored.
        Refusal::Paused => Verdict::Unknown,
        Refusal::Void | Refusal::AlreadySettled | Refusal::NotOwner | Refusal::Status { .. } | Refusal::NoRunLeft => {
            Verdict::Acknowledge
        }
    }
}

/// The verdict on a message whose transition is stored.
pub(super) fn verdict_after(transition: &Transition) -> Verdict {
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
