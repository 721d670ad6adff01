//! Jobs: schedule, preview, look at, list, change, hold back, call off, try again.

use carillon_core::catalog::Tag;
use carillon_core::error::FieldCode;
use carillon_core::ids::JobId;
use carillon_core::job::{Job, Status};
use carillon_core::operations::{self, ListQuery, OperationError};
use carillon_core::ports::Ports;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{members, wait};
use crate::conditional::{condition, etag};
use crate::operation::{Answered, Call};
use crate::prefer::{PREFERENCE_APPLIED, wait_seconds};
use crate::problem::Problem;
use crate::wire::job::{AcceptedJob, EndedJob, JobList, JobView};
use crate::wire::json;
use crate::wire::preview::PreviewView;
use crate::wire::run::RunList;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// `POST /v1/jobs`.
pub(crate) async fn schedule<P: Ports>(call: Call<P>) -> Answered {
    let key = idempotency_key(&call.headers)?;
    let (ports, sessions) = (call.service.ports(), call.service.sessions());
    let scheduled = operations::schedule(ports, sessions, &call.caller, &call.body, key).await?;
    let job = &scheduled.job;
    call.record.job(job);
    let ended = match wait_seconds(&call.headers) {
        Some(seconds) => wait::for_first_run(&call, job, seconds).await.map(|ended| (seconds, ended)),
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

/// The key that the caller gave the request.
///
/// # Errors
/// 422 when it is malformed: whoever sends one relies on it, and to schedule the job all the same could schedule it twice.
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
pub(crate) async fn preview<P: Ports>(call: Call<P>) -> Answered {
    let preview = operations::preview(call.service.ports(), call.service.sessions(), &call.caller, &call.body).await?;
    call.record.product(&preview.spec.product);
    call.record.env(&preview.spec.env);
    json(StatusCode::OK, &PreviewView::from(&preview))
}

/// `GET /v1/jobs`.
pub(crate) async fn list<P: Ports>(mut call: Call<P>) -> Answered {
    let query = &mut call.query;
    let tag = |text: &str| Tag::parse(text).map(|tag| tag.as_str().to_owned());
    let product = query.required("product_tag", Tag::FORM, tag);
    let env = query.required("env", Tag::FORM, tag);
    let words = Status::WORDS.map(|(word, _)| word).join(", ");
    let status = query.optional("status", &format!("one of {words}"), |text| {
        Status::WORDS.iter().find(|(word, _)| *word == text).map(|(_, status)| *status)
    });
    let limit = query.limit();
    let cursor = query.cursor();
    call.query.finish()?;
    // Both are there: their absence was a fault.
    let (product, env) = (product.unwrap_or_default(), env.unwrap_or_default());
    call.record.product(&product);
    call.record.env(&env);
    let query = ListQuery { product, env, status, limit, cursor };
    let page = operations::list(call.service.ports(), &call.caller, query).await?;
    json(StatusCode::OK, &JobList::from(&page))
}

/// `GET /v1/jobs/{job_id}`.
pub(crate) async fn get<P: Ports>(call: Call<P>) -> Answered {
    let id = job_id(&call)?;
    let job = operations::get(call.service.ports(), &call.caller, id).await?;
    shown(&call, &job)
}

/// `GET /v1/jobs/{job_id}/runs`.
pub(crate) async fn runs<P: Ports>(mut call: Call<P>) -> Answered {
    let id = job_id(&call)?;
    let limit = call.query.limit();
    let cursor = call.query.cursor();
    std::mem::take(&mut call.query).finish()?;
    let page = operations::runs(call.service.ports(), &call.caller, id, limit, cursor).await?;
    json(StatusCode::OK, &RunList::new(id, &page))
}

/// `POST /v1/jobs/{job_id}/cancel`.
pub(crate) async fn cancel<P: Ports>(call: Call<P>) -> Answered {
    let id = job_id(&call)?;
    let reason = members(&call.body, |object| object.optional("reason").and_then(|field| field.text(1..=1_000)))?;
    let job = operations::cancel(call.service.ports(), &call.caller, id, reason).await?;
    shown(&call, &job)
}

/// `POST /v1/jobs/{job_id}/retry`.
pub(crate) async fn retry<P: Ports>(call: Call<P>) -> Answered {
    let id = job_id(&call)?;
    let delay_ms =
        members(&call.body, |object| object.optional("delay").and_then(|field| field.integer(0..=43_200_000)))?;
    let job = operations::retry(call.service.ports(), &call.caller, id, delay_ms.unwrap_or(0)).await?;
    shown(&call, &job)
}

/// `PATCH /v1/jobs/{job_id}`.
pub(crate) async fn edit<P: Ports>(call: Call<P>) -> Answered {
    let id = job_id(&call)?;
    let condition = condition(&call.headers)?;
    let job = operations::edit(call.service.ports(), &call.caller, id, &call.body, &condition).await?;
    shown(&call, &job)
}

/// `POST /v1/jobs/{job_id}/pause`.
pub(crate) async fn pause<P: Ports>(call: Call<P>) -> Answered {
    let job = operations::pause(call.service.ports(), &call.caller, job_id(&call)?).await?;
    shown(&call, &job)
}

/// `POST /v1/jobs/{job_id}/resume`.
pub(crate) async fn resume<P: Ports>(call: Call<P>) -> Answered {
    let job = operations::resume(call.service.ports(), &call.caller, job_id(&call)?).await?;
    shown(&call, &job)
}

/// `POST /v1/jobs/{job_id}/run`.
pub(crate) async fn run<P: Ports>(call: Call<P>) -> Answered {
    let job = operations::run_now(call.service.ports(), &call.caller, job_id(&call)?).await?;
    shown(&call, &job)
}

fn shown<P>(call: &Call<P>, job: &Job) -> Answered {
    call.record.job(job);
    let mut response = json(StatusCode::OK, &JobView::from(job))?;
    if let Some(etag) = etag(&operations::revision(job)) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// The job that the path names. A text that cannot be a job's name is the name of none.
fn job_id<P>(call: &Call<P>) -> Result<JobId, Problem> {
    let id: JobId = call.name().parse().map_err(|_| OperationError::NotFound("job"))?;
    call.record.job_id(id);
    Ok(id)
}
