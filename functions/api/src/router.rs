//! The routes, made from the table of operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::MethodRouter;
use carillon_core::ports::Ports;
use http::StatusCode;

use crate::endpoint::{self, MAX_BODY_BYTES};
use crate::observe::observe;
use crate::problem::Problem;
use crate::record::Record;
use crate::service::Service;
use crate::table::operations;

/// The routes of the API over `service`.
///
/// Every answer carries `x-request-id`; every error is an `application/problem+json` document, those for unknown paths and
/// methods too. `GET` routes answer `HEAD`. There is no CORS: API keys do not belong into browsers.
pub fn router<P: Ports>(service: Service<P>) -> Router {
    let mut paths: BTreeMap<&str, MethodRouter<Service<P>>> = BTreeMap::new();
    for operation in operations::<P>() {
        let path = operation.doc.path;
        let filter = operation.doc.verb.filter();
        let operation = Arc::new(operation);
        let serve = move |State(service): State<Service<P>>, request: Request| {
            endpoint::serve(service, Arc::clone(&operation), request)
        };
        let methods = paths.remove(path).unwrap_or_else(|| MethodRouter::new().fallback(method_not_allowed));
        paths.insert(path, methods.on(filter, serve));
    }
    let router = paths.into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    router
        .fallback(no_such_path)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(service.clone(), observe::<P>))
        .with_state(service)
}

async fn no_such_path(request: Request) -> Response {
    let problem = Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path");
    problem.answer(Record::of(request.extensions()).id())
}

/// The router itself adds `Allow`, from the methods that the path has.
async fn method_not_allowed(request: Request) -> Response {
    let detail = "this path has other methods: see Allow";
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    problem.answer(Record::of(request.extensions()).id())
}
