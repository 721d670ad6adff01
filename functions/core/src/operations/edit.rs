//! Changing what a job was asked for.

use std::cell::RefCell;

use super::change::store;
use super::opened_session::OpenedSession;
use super::resolve::{check_input, no_run_left, with_catalog};
use super::{ATTEMPTS_AT_A_CHANGE, OperationError, Stored, require, visible};
use crate::access::{ApiKey, Scope};
use crate::catalog::Revision;
use crate::error::FieldCode;
use crate::event_types;
use crate::ids::JobId;
use crate::job::{Job, JobSpec};
use crate::json::parse;
use crate::machine::{Refusal, Trigger, decide};
use crate::ports::{Clock, Condition, JobStore, Ports, Published};
use crate::session::sealing::Unsealable;
use crate::submission;
use crate::time::UnixMillis;

/// Names a job as it stands: another one after every change of it.
pub fn revision(job: &Job) -> Revision {
    Revision::named(&job.state.revision.to_string())
}

/// Changes what the members of `body` name, and nothing else, if `condition` holds for the job's [`revision`].
///
/// A job that has begun a run goes on with it; what is changed holds for the next attempt, and a new plan for the next run.
///
/// # Errors
/// [`OperationError`]; the job stays as it is then. `Refused` when it has ended.
pub async fn edit<P: Ports>(
    ports: &P,
    caller: &ApiKey,
    id: JobId,
    body: &[u8],
    condition: &Condition,
) -> Result<Job, OperationError> {
    require(caller, Scope::JobsWrite)?;
    let mut job = visible(ports.jobs().get(id).await?, caller)?;
    let document = parse(body)?;
    // What a session said never changes.
    let session = match document.get("input") {
        Some(_) => OpenedSession::of(ports, &job).await?,
        None => Ok(None),
    };
    for _ in 0..ATTEMPTS_AT_A_CHANGE {
        if !condition.holds(Some(&revision(&job))) {
            return Err(OperationError::PreconditionFailed);
        }
        let now = ports.clock().now();
        let edited = |published: Option<&Published>| edited(&job, &document, &session, published, now);
        let (spec, is_replanned) = with_catalog(ports, &job.spec.product, edited).await?;
        let event = Trigger::Edit { spec: spec.into(), is_replanned };
        let transition = decide(&job, &event, now).map_err(|refusal| match (refusal, &event) {
            (Refusal::NoRunLeft, Trigger::Edit { spec, .. }) => no_run_left(spec, job.state.run.run_no),
            (refusal, _) => OperationError::Refused(refusal),
        })?;
        match store(ports, &transition).await? {
            Stored::Done => return Ok(transition.after()),
            Stored::Overtaken(newer) => job = visible(newer.map(|newer| *newer), caller)?,
        }
    }
    Err(OperationError::Contended)
}

/// What is asked for after the edit, and whether the next run has to be planned anew.
fn edited(
    job: &Job,
    document: &serde_json::Value,
    session: &Result<Option<OpenedSession>, Unsealable>,
    published: Option<&Published>,
    now: UnixMillis,
) -> Result<(JobSpec, bool), OperationError> {
    let faults = RefCell::default();
    let edit = submission::read_edit(document, now, &faults);
    if let Some(input) = &edit.input {
        match (published.map(|published| event_types::resolve(&published.catalog, &job.spec)), session) {
            (Some(Ok(target)), Ok(session)) => {
                check_input(&target, Some(&job.spec.env), input, session.as_ref().map(OpenedSession::session));
            }
            (_, Err(_)) => input.fault(FieldCode::NotAvailable, "the job's session cannot be opened any more"),
            _ => input.fault(FieldCode::UnknownTag, "the catalog does not define the job's event any more"),
        }
    }
    let old = JobSpec::clone(&job.spec);
    let is_replanned = edit.start_at.is_some() || edit.repeat.is_some();
    let spec = JobSpec {
        start_at: edit.start_at.unwrap_or(old.start_at),
        repeat: edit.repeat.unwrap_or(old.repeat),
        input: edit.input.map_or(old.input, |input| input.value().clone()),
        retries: edit.retries.unwrap_or(old.retries),
        retry: edit.retry.unwrap_or(old.retry),
        timeout: edit.timeout.or(old.timeout),
        ..old
    };
    faults.take().or((spec, is_replanned)).map_err(OperationError::Invalid)
}
