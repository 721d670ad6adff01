//! Changes that callers ask for.

use super::{ATTEMPTS_AT_A_CHANGE, MAX_PAGE, OperationError, Stored, commit, require, visible};
use crate::access::{ApiKey, Scope};
use crate::catalog::Tag;
use crate::ids::{Fire, JobId};
use crate::job::{Job, Status};
use crate::machine::{Effect, Transition, Trigger, decide};
use crate::ports::{CatalogStore, Clock, DeadLetters, JobQuery, JobStore, PortError, Ports, Redriven, Timers};
use crate::time::UnixMillis;

/// Time in which a redrive begins new jobs, ms. Gateways wait 30 s for an answer.
const REDRIVE_MS: i64 = 15_000;

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
    change(ports, caller, id, &Trigger::Cancel { reason }).await
}

/// Pauses a job: no attempt begins until it is resumed (I6). An attempt in progress continues, and its outcome is
/// recorded.
///
/// # Errors
///
/// [`OperationError`]; `Refused` if the job has ended or is paused already.
pub async fn pause<P: Ports>(ports: &P, caller: &ApiKey, id: JobId) -> Result<Job, OperationError> {
    change(ports, caller, id, &Trigger::Pause).await
}

/// Resumes a paused job. A recurring job continues at the first occurrence that can still be met; earlier ones are
/// skipped.
///
/// # Errors
///
/// [`OperationError`]; `Refused` if the job is not paused.
pub async fn resume<P: Ports>(ports: &P, caller: &ApiKey, id: JobId) -> Result<Job, OperationError> {
    change(ports, caller, id, &Trigger::Resume).await
}

/// Runs a waiting job now. A recurring job runs outside its schedule, which stays as it is.
///
/// # Errors
///
/// [`OperationError`]; `Refused` if the job does not wait.
pub async fn run_now<P: Ports>(ports: &P, caller: &ApiKey, id: JobId) -> Result<Job, OperationError> {
    change(ports, caller, id, &Trigger::RunNow).await
}

/// Gives a failed job a fresh budget of attempts, under a new fire.
///
/// # Errors
/// [`OperationError`]; `Refused` when the job is not failed.
pub async fn retry<P: Ports>(ports: &P, caller: &ApiKey, id: JobId, delay_ms: u32) -> Result<Job, OperationError> {
    change(ports, caller, id, &Trigger::Retry { delay_ms }).await
}

/// Gives the job of a redriven dead letter a fresh budget, under a new fire with its own timer. `None` if the fire is
/// not the one that its job failed with, because the job was retried in another way; the message is then dropped.
///
/// # Errors
///
/// [`PortError`] when a dependency failed, or the job has too many concurrent changes: the dead letter has to come
/// back.
pub async fn revive<P: Ports>(ports: &P, fire: Fire) -> Result<Option<Job>, PortError> {
    let mut current = ports.jobs().get(fire.job_id).await?;
    for _ in 0..ATTEMPTS_AT_A_CHANGE {
        let Some(job) = current.filter(|job| job.fire() == fire) else { return Ok(None) };
        let Ok(transition) = decide(&job, &Trigger::Retry { delay_ms: 0 }, ports.clock().now()) else {
            return Ok(None);
        };
        match store(ports, &transition).await? {
            Stored::Done => return Ok(Some(transition.after())),
            Stored::Overtaken(newer) => current = newer.map(|newer| *newer),
        }
    }
    Err(PortError::Throttled("others keep changing the job".into()))
}

/// Retries failed jobs of a product's environment, at most `limit`, the newest first; returns their number.
///
/// No job is begun after 15 s, because the caller waits for the answer, so the number may be smaller than what there
/// is.
///
/// # Errors
///
/// [`OperationError`]. Jobs that were retried before it stay retried.
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
    let mut redrive = Redrive::new(ports, limit);
    redrive.env(product, env).await?;
    Ok(redrive.retried)
}

/// Like [`redrive`], for every environment of a product that the key opens.
///
/// # Errors
///
/// [`OperationError`]; `NotFound` if the product has no catalog, which defines its environments.
pub async fn redrive_product<P: Ports>(
    ports: &P,
    caller: &ApiKey,
    product: &str,
    limit: usize,
) -> Result<usize, OperationError> {
    require(caller, Scope::JobsWrite)?;
    if !caller.opens_product(product) {
        return Err(OperationError::NotOpened);
    }
    let published = ports.catalogs().fresh(product).await?.ok_or(OperationError::NotFound("product"))?;
    let envs = published.catalog.envs.iter().map(Tag::as_str);
    let opened: Vec<_> = envs.filter(|env| caller.opens(product, env)).collect();
    if opened.is_empty() {
        return Err(OperationError::NotOpened);
    }
    let mut redrive = Redrive::new(ports, limit);
    for env in opened {
        redrive.env(product, env).await?;
    }
    Ok(redrive.retried)
}

/// The result of a redrive of all products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redriving {
    /// The queue moves all of its dead letters back from here on; each revives its job when it arrives.
    Started,
    /// The queue is at it already.
    UnderWay,
    /// The number of retried jobs.
    Done(usize),
}

/// Redrives the failed jobs of all products, with a key that opens all of them. `limit` applies where no queue holds
/// the dead letters.
///
/// # Errors
///
/// [`OperationError`]. Jobs that were retried before it stay retried.
pub async fn redrive_all<P: Ports>(ports: &P, caller: &ApiKey, limit: usize) -> Result<Redriving, OperationError> {
    require(caller, Scope::JobsWrite)?;
    // No product has this tag, so only a key that lists it opens it.
    if !caller.opens_every_env("*") {
        return Err(OperationError::NotOpened);
    }
    match ports.dead_letters().redrive_all(limit).await? {
        Redriven::Started => Ok(Redriving::Started),
        Redriven::UnderWay => Ok(Redriving::UnderWay),
        Redriven::Fires(fires) => {
            let mut redrive = Redrive::new(ports, limit);
            redrive.fires(fires).await?;
            Ok(Redriving::Done(redrive.retried))
        }
    }
}

/// A redrive, as far as it has come.
struct Redrive<'a, P> {
    ports: &'a P,
    until: UnixMillis,
    limit: usize,
    retried: usize,
}

impl<'a, P: Ports> Redrive<'a, P> {
    fn new(ports: &'a P, limit: usize) -> Self {
        Self { ports, until: ports.clock().now().plus(REDRIVE_MS), limit, retried: 0 }
    }

    fn is_over(&self) -> bool {
        self.retried >= self.limit || self.ports.clock().now() >= self.until
    }

    async fn fires(&mut self, fires: impl IntoIterator<Item = Fire>) -> Result<(), PortError> {
        for fire in fires {
            if self.is_over() {
                break;
            }
            self.retried += usize::from(revive(self.ports, fire).await?.is_some());
        }
        Ok(())
    }

    async fn env(&mut self, product: &str, env: &str) -> Result<(), PortError> {
        let (product, env, status) = (product.to_owned(), env.to_owned(), Some(Status::Failed));
        let mut query = JobQuery { product, env, status, before: None, limit: MAX_PAGE };
        while !self.is_over() {
            query.limit = (self.limit - self.retried).min(MAX_PAGE);
            let page = self.ports.jobs().list(&query).await?;
            self.fires(page.jobs.iter().map(Job::fire)).await?;
            match page.next {
                Some(next) => query.before = Some(next),
                None => break,
            }
        }
        Ok(())
    }
}

async fn change<P: Ports>(ports: &P, caller: &ApiKey, id: JobId, trigger: &Trigger) -> Result<Job, OperationError> {
    require(caller, Scope::JobsWrite)?;
    let mut current = ports.jobs().get(id).await?;
    for _ in 0..ATTEMPTS_AT_A_CHANGE {
        let job = visible(current, caller)?;
        let transition = decide(&job, trigger, ports.clock().now()).map_err(OperationError::Refused)?;
        match store(ports, &transition).await? {
            Stored::Done => return Ok(transition.after()),
            Stored::Overtaken(newer) => current = newer.map(|newer| *newer),
        }
    }
    Err(OperationError::Contended)
}

/// Arms what the transition needs armed, then stores it, then takes back what it made void.
pub(super) async fn store<P: Ports>(ports: &P, transition: &Transition) -> Result<Stored, PortError> {
    if let Effect::Arm { fire, at } = transition.effect {
        ports.timers().arm(fire, at).await?;
    }
    let stored = commit(ports, transition).await?;
    if let Stored::Done = stored {
        let left = transition.before.fire();
        match transition.effect {
            Effect::Disarm { fire } => ports.timers().disarm(fire).await,
            // The timer of the plan before would stand until its own time, for nothing.
            Effect::Arm { fire, .. } if fire != left && transition.before.state.status == Status::Scheduled => {
                ports.timers().disarm(left).await;
            }
            _ => {}
        }
    }
    Ok(stored)
}
