//! Changes that callers ask for.

use super::{ATTEMPTS_AT_A_CHANGE, MAX_PAGE, OperationError, Stored, commit, require, visible};
use crate::access::{ApiKey, Scope};
use crate::ids::{Fire, JobId};
use crate::job::{Job, Status};
use crate::machine::{Event, Step, Transition, decide};
use crate::ports::{Clock, JobQuery, JobStore, PortError, Ports, Timers};

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

/// Brings a spent fire back to life, on behalf of a dead letter that came back to the queue: its job gets a fresh budget
/// under a new fire, which has a timer of its own. `None` when the fire is not the one that its job failed with, because
/// somebody else retried it: then there is nothing to do.
///
/// # Errors
/// [`PortError`] when a dependency failed, or others keep changing the job: the dead letter has to come back.
pub async fn revive<P: Ports>(ports: &P, fire: Fire) -> Result<Option<Job>, PortError> {
    let mut current = ports.jobs().get(fire.job_id).await?;
    for _ in 0..ATTEMPTS_AT_A_CHANGE {
        let Some(job) = current.filter(|job| job.fire() == fire) else { return Ok(None) };
        let Ok(transition) = decide(&job, &Event::Retry { delay_ms: 0 }, ports.clock().now()) else { return Ok(None) };
        match store(ports, &transition).await? {
            Stored::Done => return Ok(Some(Job { state: transition.state, ..job })),
            Stored::Overtaken(newer) => current = newer.map(|newer| *newer),
        }
    }
    Err(PortError::Throttled("others keep changing the job".into()))
}

/// Retries spent jobs of a product's environment, at most `limit` of them, the newest first; gives their number.
///
/// # Errors
/// [`OperationError`]. Jobs that were retried before it stay so.
pub async fn redrive<P: Ports>(
    ports: &P,
    caller: &ApiKey,
    product: &str,
    env: &str,
    limit: usize,
) -> Result<usize, OperationError> {
    require(caller, Scope::JobsWrite)?;
    if !caller.opens(product, env) {
        return Err(OperationError::NotOpened);
    }
    let mut query = JobQuery {
        product: product.to_owned(),
        env: env.to_owned(),
        status: Some(Status::Failed),
        before: None,
        limit: limit.clamp(1, MAX_PAGE),
    };
    let mut retried = 0;
    loop {
        let page = ports.jobs().list(&query).await?;
        for job in page.jobs.iter().take(limit - retried) {
            retried += usize::from(revive(ports, job.fire()).await?.is_some());
        }
        match page.next {
            Some(next) if retried < limit => query.before = Some(next),
            _ => return Ok(retried),
        }
    }
}

async fn change<P: Ports>(ports: &P, caller: &ApiKey, id: JobId, event: &Event) -> Result<Job, OperationError> {
    require(caller, Scope::JobsWrite)?;
    let mut current = ports.jobs().get(id).await?;
    for _ in 0..ATTEMPTS_AT_A_CHANGE {
        let job = visible(current, caller)?;
        let transition = decide(&job, event, ports.clock().now()).map_err(OperationError::Refused)?;
        match store(ports, &transition).await? {
            Stored::Done => return Ok(Job { state: transition.state, ..job }),
            Stored::Overtaken(newer) => current = newer.map(|newer| *newer),
        }
    }
    Err(OperationError::Contended)
}

/// Arms what the transition needs armed, then stores it, then takes back what it made void.
async fn store<P: Ports>(ports: &P, transition: &Transition) -> Result<Stored, PortError> {
    if let Step::Arm { fire, at } = transition.step {
        ports.timers().arm(fire, at).await?;
    }
    let stored = commit(ports, transition).await?;
    if let (Stored::Done, Step::Disarm { fire }) = (&stored, &transition.step) {
        ports.timers().disarm(*fire).await;
    }
    Ok(stored)
}
