//! One function an operation: read the request, ask the core, tell the answer.

pub(crate) mod dead_letters;
pub(crate) mod environments;
pub(crate) mod jobs;
pub(crate) mod products;
mod wait;

use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use carillon_core::bodies;
use carillon_core::cadence::tz_version;
use carillon_core::ids::JobId;
use carillon_core::json::{Read, parse};
use carillon_core::operations::OperationError;
use carillon_core::ports::{JobStore, Ports};
use carillon_core::time::UnixMillis;
use http::{HeaderValue, StatusCode, header};

use crate::problem::{Answered, Problem};
use crate::service::Service;
use crate::wire::{Health, json};

/// Timeout of the store in a health check. Health checks are repeated soon.
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
pub(crate) async fn openapi<P: Ports>(service: Service<P>, document: fn() -> Bytes) -> Answered {
    let mut response = Response::new(service.document(document).into());
    let application_json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, application_json);
    Ok(response)
}

/// Reads an optional body, every fault at once. No body at all is `{}`.
fn optional_body<T: Read + Default>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    let document = parse(bytes).map_err(OperationError::from)?;
    let (body, faults) = bodies::read(&document);
    faults.or(body).map_err(Problem::invalid)
}
