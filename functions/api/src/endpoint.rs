//! From a matched request to its operation's handler, and back.

use std::sync::Arc;

use axum::RequestExt as _;
use axum::RequestPartsExt as _;
use axum::body::Body;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{RawPathParams, Request};
use axum::response::Response;
use bytes::Bytes;
use carillon_core::catalog::MAX_DOCUMENT_BYTES;
use carillon_core::ports::Ports;
use http::StatusCode;
use http::request::Parts;

use crate::caller::caller;
use crate::documentation::{Documentation, ParameterLocation};
use crate::operation::{ApiRequest, Handler, Operation};
use crate::problem::{Answered, Problem};
use crate::query::Query;
use crate::record::Record;
use crate::service::Service;

/// A body may have this many bytes: as many as a catalog document.
pub const MAX_BODY_BYTES: usize = MAX_DOCUMENT_BYTES;

/// Serves one request of an operation.
pub(crate) async fn serve<P: Ports>(service: Service<P>, operation: Arc<Operation<P>>, request: Request) -> Response {
    let record = Record::of(request.extensions());
    let answered = answer(service, &operation, request, &record).await;
    answered.unwrap_or_else(|problem| problem.answer(record.id()))
}

/// The key comes first, and then the order of RFC 9110: whatever can be refused without the body is.
async fn answer<P: Ports>(
    service: Service<P>,
    operation: &Operation<P>,
    request: Request,
    record: &Record,
) -> Answered {
    let (mut parts, body) = request.into_parts();
    let doc = &operation.doc;
    let handler = match operation.handler {
        Handler::Open(handler) => {
            query(&parts, doc)?.finish()?;
            return handler(service).await;
        }
        Handler::Keyed(handler) => handler,
    };
    let caller = caller(service.ports(), &parts.headers).await?;
    record.key(&caller.id);
    let query = query(&parts, doc)?;
    let names = path_parameters(&mut parts).await?;
    let headers = std::mem::take(&mut parts.headers);
    let deadline = parts.extensions.get().copied();
    let body = match doc.body {
        Some(_) => read(Request::from_parts(parts, body)).await?,
        None => Bytes::new(),
    };
    handler(ApiRequest { service, caller, record: record.clone(), names, query, headers, deadline, body }).await
}

/// The query, read through already for operations that take none.
fn query(parts: &Parts, doc: &Documentation) -> Result<Query, Problem> {
    let query = Query::read(&parts.uri, &doc.parameters);
    let takes_some = doc.parameters.iter().any(|parameter| parameter.place == ParameterLocation::Query);
    if takes_some {
        return Ok(query);
    }
    query.finish()?;
    Ok(Query::default())
}

/// The path's parameters, decoded. What is no UTF-8 names nothing.
async fn path_parameters(parts: &mut Parts) -> Result<Vec<String>, Problem> {
    let not_found = |_| Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing of this name");
    let params: RawPathParams = parts.extract().await.map_err(not_found)?;
    Ok(params.iter().map(|(_, value)| value.to_owned()).collect())
}

/// Reads a body.
///
/// Its Content-Type is not looked at: there is one format, `curl -d` must work as it is, and the check that a Content-Type
/// buys elsewhere (no form of another site can send it) is not needed where every call carries a key in a header.
async fn read(request: Request<Body>) -> Result<Bytes, Problem> {
    request.extract::<Bytes, _>().await.map_err(|rejection: BytesRejection| match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
            let detail = format!("the body has more than {MAX_BODY_BYTES} bytes");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
        }
        _ => Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", "the body ended too early"),
    })
}
