//! Jobs: schedule, preview, get, list, edit, pause, resume, cancel, retry.

use carillon_core::bodies::{CancelRequest, RetryRequest};
use carillon_core::catalog::Tag;
use carillon_core::error::FieldCode;
use carillon_core::ids::JobId;
use carillon_core::job::{Job, Status};
use carillon_core::operations::{self, ListQuery, OperationError};
use carillon_core::ports::Ports;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{optional_body, wait};
use crate::conditional::{condition, etag};
use crate::operation::ApiRequest;
use crate::prefer::{PREFERENCE_APPLIED, wait_seconds};
use crate::problem::{Answered, Problem};
use crate::wire::job::{AcceptedJob, EndedJob, JobList, JobView};
use crate::wire::json;
use crate::wire::preview::PreviewView;
use crate::wire::run::RunList;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// `POST /v1/jobs`.
pub(crate) async fn schedule<P: Ports>(request: ApiRequest<P>) -> Answered {
    let key = idempotency_key(&request.headers)?;
    let (ports, sessions) = (request.service.ports(), request.service.sessions());
    let scheduled = operations::schedule(ports, sessions, &request.caller, &request.body, key).await?;
    let job = &scheduled.job;
    request.record.job(job);
    if !scheduled.is_replayed {
        request.service.count_job();
        request.record.scheduled();
    }
    let ended = match wait_seconds(&request.headers) {
        Some(seconds) => wait::for_first_run(&request, job, seconds).await.map(|ended| (seconds, ended)),
        None => None,
    };
    let mut response = match &ended {
        Some((_, (job, run))) => json(StatusCode::OK, &EndedJob::new(job, run, &scheduled.warnings))?,
        None => json(StatusCode::ACCEPTED, &AcceptedJob::from(&scheduled))?,
    };
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/jobs/{}", job.id)) {
        headers.insert(header::LOCATION, location);
    }
    if scheduled.is_replayed {
        headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    if let Some(Ok(applied)) = ended.map(|(seconds, _)| HeaderValue::from_str(&format!("wait={seconds}"))) {
        headers.insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// The caller's `Idempotency-Key`.
///
/// # Errors
///
/// 422 if it is malformed: the caller relies on it, and scheduling the job without it could schedule it twice.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let malformed = || {
        let detail = "must be one key of 1 to 255 printable ASCII characters";
        Problem::invalid_field("header:Idempotency-Key", FieldCode::Malformed, detail)
    };
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let is_sound = |key: &&str| (1..=255).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let key = key.to_str().ok().filter(is_sound).filter(|_| keys.next().is_none());
    key.map(Some).ok_or_else(malformed)
}

/// `POST /v1/jobs/preview`.
pub(crate) async fn preview<P: Ports>(request: ApiRequest<P>) -> Answered {
    let preview =
        operations::preview(request.service.ports(), request.service.sessions(), &request.caller, &request.body)
            .await?;
    request.record.product(&preview.spec.product);
    request.record.env(&preview.spec.env);
    json(StatusCode::OK, &PreviewView::from(&preview))
}

/// `GET /v1/jobs`.
pub(crate) async fn list<P: Ports>(mut request: ApiRequest<P>) -> Answered {
    let query = &mut request.query;
    let tag = |text: &str| Tag::parse(text).map(|tag| tag.as_str().to_owned());
    let product = query.required("product_tag", Tag::FORM, tag);
    let env = query.required("env", Tag::FORM, tag);
    let words = Status::WORDS.map(|(word, _)| word).join(", ");
    let status = query.optional("status", &format!("one of {words}"), |text| {
        Status::WORDS.iter().find(|(word, _)| *word == text).map(|(_, status)| *status)
    });
    let limit = query.limit();
    let cursor = query.cursor();
    request.query.finish()?;
    // Both are there: their absence was a fault.
    let (product, env) = (product.unwrap_or_default(), env.unwrap_or_default());
    request.record.product(&product);
    request.record.env(&env);
    let query = ListQuery { product, env, status, limit, cursor };
    let page = operations::list(request.service.ports(), &request.caller, query).await?;
    json(StatusCode::OK, &JobList::from(&page))
}

/// `GET /v1/jobs/{job_id}`.
pub(crate) async fn get<P: Ports>(request: ApiRequest<P>) -> Answered {
    let id = job_id(&request)?;
    let job = operations::get(request.service.ports(), &request.caller, id).await?;
    shown(&request, &job)
}

/// `GET /v1/jobs/{job_id}/runs`.
pub(crate) async fn runs<P: Ports>(mut request: ApiRequest<P>) -> Answered {
    let id = job_id(&request)?;
    let limit = request.query.limit();
    let cursor = request.query.cursor();
    std::mem::take(&mut request.query).finish()?;
    let page = operations::runs(request.service.ports(), &request.caller, id, limit, cursor).await?;
    json(StatusCode::OK, &RunList::new(id, &page))
}

/// `POST /v1/jobs/{job_id}/cancel`.
pub(crate) async fn cancel<P: Ports>(request: ApiRequest<P>) -> Answered {
    let id = job_id(&request)?;
    let CancelRequest { reason } = optional_body(&request.body)?;
    let reason = reason.map(|reason| reason.0);
    let job = operations::cancel(request.service.ports(), &request.caller, id, reason).await?;
    shown(&request, &job)
}

/// `POST /v1/jobs/{job_id}/retry`.
pub(crate) async fn retry<P: Ports>(request: ApiRequest<P>) -> Answered {
    let id = job_id(&request)?;
    let RetryRequest { delay } = optional_body(&request.body)?;
    let delay_ms = delay.map_or(0, |delay| delay.0);
    let job = operations::retry(request.service.ports(), &request.caller, id, delay_ms).await?;
    shown(&request, &job)
}

/// `PATCH /v1/jobs/{job_id}`.
pub(crate) async fn edit<P: Ports>(request: ApiRequest<P>) -> Answered {
    let id = job_id(&request)?;
    let condition = condition(&request.headers)?;
    let job = operations::edit(request.service.ports(), &request.caller, id, &request.body, &condition).await?;
    shown(&request, &job)
}

/// `POST /v1/jobs/{job_id}/pause`.
pub(crate) async fn pause<P: Ports>(request: ApiRequest<P>) -> Answered {
    let job = operations::pause(request.service.ports(), &request.caller, job_id(&request)?).await?;
    shown(&request, &job)
}

/// `POST /v1/jobs/{job_id}/resume`.
pub(crate) async fn resume<P: Ports>(request: ApiRequest<P>) -> Answered {
    let job = operations::resume(request.service.ports(), &request.caller, job_id(&request)?).await?;
    shown(&request, &job)
}

/// `POST /v1/jobs/{job_id}/run`.
pub(crate) async fn run<P: Ports>(request: ApiRequest<P>) -> Answered {
    let job = operations::run_now(request.service.ports(), &request.caller, job_id(&request)?).await?;
    shown(&request, &job)
}

fn shown<P>(request: &ApiRequest<P>, job: &Job) -> Answered {
    request.record.job(job);
    let mut response = json(StatusCode::OK, &JobView::from(job))?;
    if let Some(etag) = etag(&operations::revision(job)) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// The job that the path names. A text that cannot be a job's name is the name of none.
fn job_id<P>(request: &ApiRequest<P>) -> Result<JobId, Problem> {
    let id: JobId = request.name().parse().map_err(|_| OperationError::NotFound("job"))?;
    request.record.job_id(id);
    Ok(id)
}
