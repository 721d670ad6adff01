//! Changes that callers ask for.

use super::{ATTEMPTS_AT_A_CHANGE, OperationError, require, visible};
use crate::access::{ApiKey, Scope};
use crate::ids::JobId;
use crate::job::Job;
use crate::machine::{Event, Step, decide};
use crate::ports::{Clock, JobStore, Ports, Timers, Written};

/// Calls a job off. No dispatch of it starts afterwards; one that is under way is not recorded any more (I6).
///
/// # Errors
/// [`OperationError`]; `Refused` when the job has ended.
pub async fn cancel<P: Ports>(
    ports: &P,
    caller: &ApiKey,
    id: JobId,
    reason: Option<String>,
) -> Result<Job, OperationError> {
    change(ports, caller, id, &Event::Cancel { reason }).await
}

/// Gives a failed job a fresh budget of attempts, under a new fire.
///
/// # Errors
/// [`OperationError`]; `Refused` when the job is not failed.
pub async fn retry<P: Ports>(ports: &P, caller: &ApiKey, id: JobId, delay_ms: u32) -> Result<Job, OperationError> {
    change(ports, caller, id, &Event::Retry { delay_ms }).await
}

async fn change<P: Ports>(ports: &P, caller: &ApiKey, id: JobId, event: &Event) -> Result<Job, OperationError> {
    require(caller, Scope::JobsWrite)?;
    for _ in 0..ATTEMPTS_AT_A_CHANGE {
        let job = visible(ports.jobs().get(id).await?, caller)?;
        let transition = decide(&job, event, ports.clock().now()).map_err(OperationError::Refused)?;
        if let Step::Arm { fire, at } = transition.step {
            ports.timers().arm(fire, at).await?;
        }
        if ports.jobs().commit(&transition).await? == Written::Done {
            if let Step::Disarm { fire } = transition.step {
                ports.timers().disarm(fire).await;
            }
            return Ok(Job { state: transition.state, ..job });
        }
    }
    Err(OperationError::Contended)
}
