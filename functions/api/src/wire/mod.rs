//! The documents that go over the wire, with their schemas.

pub(crate) mod job;
pub(crate) mod preview;
pub(crate) mod run;
pub(crate) mod session;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

use crate::problem::{Answered, Problem};

/// An answer with a JSON document.
///
/// # Errors
/// 500 when the document does not serialize, which is a bug.
pub(crate) fn json(status: StatusCode, document: &impl Serialize) -> Answered {
    let bytes = serde_json::to_vec(document).map_err(|error| Problem::internal().caused_by(error))?;
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let application_json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, application_json);
    Ok(response)
}

/// The service answers, and so does its store.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Health {
    /// Always `ok`: anything else is a problem document.
    pub(crate) status: &'static str,
    /// The service's version.
    pub(crate) version: &'static str,
    /// The edition of the IANA time zone database that cron expressions are read by, such as `2026f`.
    pub(crate) tzdata: &'static str,
}

/// A catalog was published.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PublishedCatalog")]
pub(crate) struct PublishedCatalog<'a> {
    /// The product.
    pub(crate) product_tag: &'a str,
    /// Names this very content; in quotes it is the ETag.
    pub(crate) revision: String,
}

/// Spent jobs were given a fresh budget.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Redriven {
    /// Number of retried jobs. It may be below the limit, if the time of one request was over; 0 means that none is
    /// left.
    pub(crate) redriven: usize,
}

/// The queue moves its dead letters back.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RedriveStarted {
    /// Always true.
    pub(crate) started: bool,
}

/// An OpenAPI 3.1 document.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct OpenApi(serde_json::Map<String, serde_json::Value>);
