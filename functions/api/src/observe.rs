//! Request ids, one log line for each request, and an answer even if a handler panics.

use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use carillon_core::ports::{Clock, Entropy, Ports};
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue};
use ulid::Ulid;

use crate::problem::Problem;
use crate::record::Record;
use crate::service::Service;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost layer.
pub(crate) async fn observe<P: Ports>(State(service): State<Service<P>>, mut request: Request, next: Next) -> Response {
    let (clock, entropy) = (service.ports().clock(), service.ports().entropy());
    let began_at = clock.now();
    let ulid = Ulid::from_parts(began_at.0.try_into().unwrap_or(0), entropy.bits());
    let record = Record::new(format!("req_{ulid}"));
    request.extensions_mut().insert(record.clone());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();

    // A panic is a bug, but the caller still receives an answer, and the process keeps serving.
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        // Its text may quote the request; the place is in what the panic itself has written.
        tracing::error!(request_id = record.id(), "a handler panicked");
        Problem::internal().answer(record.id())
    });
    if let Ok(value) = HeaderValue::from_str(record.id()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    record.log(&method, route, response.status(), clock.now().since(began_at));
    response
}
