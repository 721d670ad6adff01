//! Changing what a job was asked for.

use super::change::store;
use super::opened_session::OpenedSession;
use super::validate::{input_faults, no_run_left, with_catalog};
use super::{ATTEMPTS_AT_A_CHANGE, OperationError, Stored, require, visible};
use crate::access::{ApiKey, Scope};
use crate::bodies::{self, EditRequest, Input};
use crate::cadence::Repeat;
use crate::catalog::Revision;
use crate::error::{Faults, FieldCode};
use crate::event_types::ResolvedEvent;
use crate::ids::JobId;
use crate::job::{Job, JobSpec};
use crate::json::parse;
use crate::machine::{Refusal, Trigger, decide};
use crate::ports::{Clock, Condition, JobStore, Ports, Published};
use crate::session::sealing::Unsealable;
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
    let (request, faults) = bodies::read::<EditRequest>(&document);
    // The claims of a session never change.
    let session = match &request.input {
        Some(_) => OpenedSession::of(ports, &job).await?,
        None => Ok(None),
    };
    for _ in 0..ATTEMPTS_AT_A_CHANGE {
        if !condition.holds(Some(&revision(&job))) {
            return Err(OperationError::PreconditionFailed);
        }
        let now = ports.clock().now();
        let edited = |published: Option<&Published>| {
            let faults = check_input(&job, request.input.as_ref(), faults.clone(), &session, published);
            faults.or(edited(&job.spec, &request, now)).map_err(OperationError::Invalid)
        };
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

/// Adds the faults of a new input to those that the body has already.
fn check_input(
    job: &Job,
    input: Option<&Input>,
    mut faults: Faults,
    session: &Result<Option<OpenedSession>, Unsealable>,
    published: Option<&Published>,
) -> Faults {
    let Some(Input(input)) = input else { return faults };
    let event = published.map(|published| ResolvedEvent::of_job(&published.catalog, &job.spec));
    match (event, session) {
        (Some(Ok(event)), Ok(session)) => {
            let claims = session.as_ref().map(OpenedSession::session);
            for fault in input_faults(&event, Some(&job.spec.env), input, claims) {
                faults.add(format!("/input{}", fault.pointer), fault.code, fault.detail);
            }
        }
        (_, Err(_)) => {
            faults.add("/input", FieldCode::NotAvailable, "the job's session cannot be opened any more");
        }
        _ => faults.add("/input", FieldCode::UnknownTag, "the catalog does not define the job's event any more"),
    }
    faults
}

/// The specification after the edit, and true if the next run has to be planned anew.
fn edited(old: &JobSpec, edit: &EditRequest, now: UnixMillis) -> (JobSpec, bool) {
    let mut spec = old.clone();
    if let Some(start_at) = edit.start_at {
        spec.start_at = start_at.from(now);
    }
    if let Some(repeat) = &edit.repeat {
        spec.repeat = repeat.as_value().cloned().map(Repeat::from);
    }
    if let Some(Input(input)) = &edit.input {
        spec.input.clone_from(input);
    }
    if let Some(retries) = edit.retries {
        spec.retries = retries.0;
    }
    if let Some(retry) = &edit.retry {
        spec.retry.clone_from(retry);
    }
    if let Some(timeout) = edit.timeout {
        spec.timeout = Some(timeout.0);
    }
    (spec, edit.start_at.is_some() || edit.repeat.is_some())
}
