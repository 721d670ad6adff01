//! Accepting a job.

use std::sync::Arc;

use super::validate::{Requested, ValidJob, addressed};
use super::{ATTEMPTS_AT_A_CHANGE, OperationError, invalid, require};
use crate::access::{ApiKey, Scope};
use crate::error::FieldCode;
use crate::hash::sha256_hex;
use crate::idempotency::{Accepted, IdempotencyKey, IdempotencyRecord};
use crate::ids::{JobId, Owner};
use crate::job::{Job, JobSpec, JobState};
use crate::json::parse;
use crate::ports::{
    Clock, Entropy, IdempotencyStore, JobStore, PortError, Ports, SealingKeys, Sessions, Timers, WriteOutcome,
};
use crate::session::JobSession;

/// A job that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduled {
    /// The job as it stands.
    pub job: Job,
    /// The answer of the acceptance.
    pub accepted: Accepted,
    /// True if that was an earlier request with the same key: this one changed nothing.
    pub is_replayed: bool,
    /// Settings that are valid, but may not be meant.
    pub warnings: Vec<String>,
}

/// Accepts the job that `body` describes: arms its timer, then stores it, and only then answers.
///
/// A crash between the two leaves a timer that finds no job, which is harmless; the other order could leave a job that
/// nothing wakes (invariant I1).
///
/// A request that has a `key` (`Idempotency-Key`) is carried out once: its name is reserved first, and with it the job's id and
/// the instant from which the job is reckoned. So whoever sends it again, at once or after a crash, asks for the same job.
///
/// # Errors
/// [`OperationError`]; nothing is stored then, unless the store's answer was lost and could not be looked up. `Invalid`
/// names every bad field at once.
pub async fn schedule<P: Ports>(
    ports: &P,
    sessions: &dyn Sessions,
    caller: &ApiKey,
    body: &[u8],
    key: Option<&str>,
) -> Result<Scheduled, OperationError> {
    require(caller, Scope::JobsWrite)?;
    let document = parse(body)?;
    let now = ports.clock().now();
    let Some(request) = key.and_then(|key| Request::of(&document, caller, key)) else {
        let valid = Requested::read(&document).validate(ports, sessions, caller, now).await?;
        let id = JobId::new(now, ports.entropy().bits());
        return store(ports, id, valid, None).await;
    };
    let mut standing = ports.idempotency().find(&request.name, now).await?;
    for _ in 0..ATTEMPTS_AT_A_CHANGE {
        if let Some(standing) = &standing {
            if standing.body != request.body {
                let detail = "this key was given to another request, with another body, a while ago";
                return Err(invalid("header:Idempotency-Key", FieldCode::Conflict, detail));
            }
            if let Some(job) = ports.jobs().get(standing.accepted.job_id).await? {
                let accepted = standing.accepted;
                return Ok(Scheduled { job, accepted, is_replayed: true, warnings: Vec::new() });
            }
        }
        let at = standing.as_ref().map_or(now, |standing| standing.at);
        let valid = Requested::read(&document).validate(ports, sessions, caller, at).await?;
        let id = request.name.job_id(at);
        let accepted = accepted(id, &valid.spec, &valid.state);
        let Some(standing_before) = &standing else {
            let by = Owner::new(ports.entropy().bits());
            let new = IdempotencyRecord { by, at, body: request.body.clone(), accepted };
            let stands = ports.idempotency().reserve(&request.name, &new).await?;
            if stands == new {
                return store(ports, id, valid, Some(Named { accepted, is_first: true })).await;
            }
            // Another one was faster: its instant counts, and perhaps its job is there already.
            standing = Some(stands);
            continue;
        };
        let accepted = standing_before.accepted;
        return store(ports, id, valid, Some(Named { accepted, is_first: false })).await;
    }
    Err(OperationError::Contended)
}

/// A request that its caller gave a key.
struct Request {
    name: IdempotencyKey,
    body: String,
}

impl Request {
    /// Nothing where it does not say what it is for, or asks for what the caller may not: it will be refused.
    fn of(document: &serde_json::Value, caller: &ApiKey, key: &str) -> Option<Self> {
        let (Some(product), Some(env)) = addressed(document) else { return None };
        // Hashed as parsed, so that white space changed by a proxy does not make it another request.
        let request = Self { name: IdempotencyKey::of(product, env, key), body: sha256_hex(document.to_string()) };
        caller.opens(product, env).then_some(request)
    }
}

fn accepted(job_id: JobId, spec: &JobSpec, state: &JobState) -> Accepted {
    Accepted { job_id, status: state.status, due_at: state.run.due_at, recurring: spec.repeat.is_some() }
}

/// A request with an `Idempotency-Key`.
struct Named {
    /// The first answer.
    accepted: Accepted,
    /// True if this request reserved the key. The store cannot tell: two requests that carry the same one out store
    /// the same job, and both are told that they did.
    is_first: bool,
}

/// Arms the timer of a new job, and stores it. Of a request that has a name others may do so too.
async fn store<P: Ports>(
    ports: &P,
    id: JobId,
    valid: ValidJob,
    named: Option<Named>,
) -> Result<Scheduled, OperationError> {
    let ValidJob { mut spec, state, session, warnings } = valid;
    if let Some((tag, claims)) = &session {
        let (key, nonce) = (ports.sealing_keys().current().await?, [ports.entropy().bits(), ports.entropy().bits()]);
        let sealed = JobSession::seal(id, tag, claims, &key, nonce);
        spec.session = Some(sealed.map_err(|unsealable| PortError::Permanent(unsealable.into()))?);
    }
    let accepted = named.as_ref().map_or_else(|| accepted(id, &spec, &state), |named| named.accepted);
    let (is_named, is_replayed) = (named.is_some(), named.is_some_and(|named| !named.is_first));
    let job = Job { id, spec: Arc::new(spec), state };
    let scheduled = |job| Scheduled { job, accepted, is_replayed, warnings };
    ports.timers().arm(job.fire(), job.state.run.due_at).await?;
    let answer = ports.jobs().insert_new(&job).await;
    if let Ok(WriteOutcome::Done) = answer {
        return Ok(scheduled(job));
    }
    // Either the write happened and its answer was lost or says that a repetition below us found the job in its place; or
    // another request of the same name was faster; or 80 random bits were met twice in one millisecond.
    match (answer, ports.jobs().get(job.id).await) {
        (_, Ok(Some(stored))) if is_named || stored.spec == job.spec => Ok(scheduled(stored)),
        (Ok(_), Ok(_)) => Err(OperationError::Contended),
        (Err(error), _) | (Ok(_), Err(error)) => Err(error.into()),
    }
}
