//! One function an operation: read the request, ask the core, tell the answer.

pub(crate) mod dead_letters;
pub(crate) mod environments;
pub(crate) mod jobs;
pub(crate) mod products;
mod wait;

use std::cell::RefCell;
use std::time::Duration;

use axum::response::Response;
use carillon_core::cadence::tz_version;
use carillon_core::error::Faults;
use carillon_core::ids::JobId;
use carillon_core::json::{Field, Object, parse};
use carillon_core::operations::OperationError;
use carillon_core::ports::{JobStore, Ports};
use carillon_core::time::UnixMillis;
use http::{HeaderValue, StatusCode, header};

use crate::operation::Answered;
use crate::problem::Problem;
use crate::service::Service;
use crate::wire::{Health, json};

/// How long the store has for a sign of life. Whoever asks after health asks again soon.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// `GET /v1/health`: reads a job that cannot exist, the cheapest question that only a working store answers.
pub(crate) async fn health<P: Ports>(service: Service<P>) -> Answered {
    let nobody = JobId::new(UnixMillis(0), 0);
    match tokio::time::timeout(HEALTH_TIMEOUT, service.ports().jobs().get(nobody)).await {
        Ok(answered) => drop(answered?),
        Err(elapsed) => return Err(Problem::unavailable().caused_by(elapsed)),
    }
    json(StatusCode::OK, &Health { status: "ok", version: env!("CARGO_PKG_VERSION"), tzdata: tz_version() })
}

/// `GET /v1/openapi.json`.
pub(crate) async fn openapi<P: Ports>(service: Service<P>) -> Answered {
    let mut response = Response::new(service.document().into());
    let application_json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, application_json);
    Ok(response)
}

/// Reads the members of an optional body, every fault at once. No body at all is `{}`.
fn members<T>(body: &[u8], read: impl FnOnce(&mut Object<'_>) -> T) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    let document = parse(body).map_err(OperationError::from)?;
    let faults = RefCell::<Faults>::default();
    let read = Field::root(&document, &faults).object().map(|mut object| {
        let read = read(&mut object);
        object.finish();
        read
    });
    // What is no object was a fault.
    let read = faults.take().or(read).map_err(Problem::invalid)?;
    read.ok_or_else(Problem::internal)
}
