//! What every request gets: an id, one log line, and an answer even when its handler panics.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use carillon_core::catalog::Tag;
use carillon_core::ids::JobId;
use carillon_core::job::Job;
use carillon_core::ports::{Clock, Entropy, Ports};
use futures_util::FutureExt as _;
use http::{Extensions, HeaderName, HeaderValue};
use ulid::Ulid;

use crate::problem::Problem;
use crate::service::Service;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What becomes known of a request on its way, for its log line.
///
/// Only names that the service itself gave or has checked get in: never a body, a query, a header or a raw path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    id: String,
    key: OnceLock<String>,
    product: OnceLock<String>,
    env: OnceLock<String>,
    job: OnceLock<JobId>,
}

impl Record {
    fn new(id: String) -> Self {
        Self(Arc::new(Known { id, ..Known::default() }))
    }

    /// The record that travels with a request.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get().cloned().unwrap_or_default()
    }

    /// The request's id.
    pub(crate) fn id(&self) -> &str {
        &self.0.id
    }

    /// Notes whose key it is.
    pub(crate) fn key(&self, id: &str) {
        let _ = self.0.key.set(id.to_owned());
    }

    /// Notes the product, if the text can be one.
    pub(crate) fn product(&self, tag: &str) {
        if Tag::parse(tag).is_some() {
            let _ = self.0.product.set(tag.to_owned());
        }
    }

    /// Notes the environment, if the text can be one.
    pub(crate) fn env(&self, tag: &str) {
        if Tag::parse(tag).is_some() {
            let _ = self.0.env.set(tag.to_owned());
        }
    }

    /// Notes which job is asked for.
    pub(crate) fn job_id(&self, id: JobId) {
        let _ = self.0.job.set(id);
    }

    /// Notes the job with all that it belongs to.
    pub(crate) fn job(&self, job: &Job) {
        self.job_id(job.id);
        self.product(&job.spec.product);
        self.env(&job.spec.env);
    }
}

/// The outermost layer.
pub(crate) async fn observe<P: Ports>(State(service): State<Service<P>>, mut request: Request, next: Next) -> Response {
    let (clock, entropy) = (service.ports().clock(), service.ports().entropy());
    let began_at = clock.now();
    let ulid = Ulid::from_parts(began_at.0.try_into().unwrap_or(0), entropy.bits());
    let record = Record::new(format!("req_{ulid}"));
    request.extensions_mut().insert(record.clone());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();

    // A panic is a bug of ours; whoever met it still gets an answer, and the process serves the others on.
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        // Its text may quote the request; the place is in what the panic itself has written.
        tracing::error!(request_id = record.id(), "a handler panicked");
        Problem::internal().answer(record.id())
    });
    if let Ok(value) = HeaderValue::from_str(record.id()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let known = &record.0;
    tracing::info!(
        request_id = record.id(),
        method = method.as_str(),
        route = route.as_ref().map_or("unmatched", MatchedPath::as_str),
        status = response.status().as_u16(),
        duration_ms = clock.now().since(began_at),
        key_id = known.key.get().map(String::as_str),
        product = known.product.get().map(String::as_str),
        env = known.env.get().map(String::as_str),
        job_id = known.job.get().map(tracing::field::display),
        "request"
    );
    response
}
