//! Catalogs: publish, read, remove.

use axum::response::Response;
use carillon_core::catalog::Revision;
use carillon_core::operations::{self, OperationError};
use carillon_core::ports::Ports;
use http::{StatusCode, header};

use crate::conditional::{condition, etag, is_known, is_refused};
use crate::operation::ApiRequest;
use crate::problem::Answered;
use crate::wire::{PublishedCatalog, json};

/// `PUT /v1/products/{product_tag}`.
///
/// The ETag is that of the document as `GET` gives it. RFC 9110 (9.3.4) wants it left out when the content was changed on
/// its way into the store; the white space and the order of names are, but what a client does with the tag is to send it
/// in If-Match, and there it means the same.
pub(crate) async fn put<P: Ports>(request: ApiRequest<P>) -> Answered {
    request.record.product(request.name());
    let condition = condition(&request.headers)?;
    let ports = request.service.ports();
    let (published, is_new) =
        operations::put_catalog(ports, &request.caller, request.name(), &request.body, &condition).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let revision = published.revision.to_string();
    let response = json(status, &PublishedCatalog { product_tag: request.name(), revision })?;
    Ok(tagged(response, &published.revision))
}

/// `GET /v1/products/{product_tag}`.
pub(crate) async fn get<P: Ports>(request: ApiRequest<P>) -> Answered {
    request.record.product(request.name());
    let published = operations::get_catalog(request.service.ports(), &request.caller, request.name()).await?;
    if is_refused(&request.headers, &published.revision)? {
        return Err(OperationError::PreconditionFailed.into());
    }
    if is_known(&request.headers, &published.revision) {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(tagged(response, &published.revision));
    }
    Ok(tagged(json(StatusCode::OK, &published.document)?, &published.revision))
}

/// `DELETE /v1/products/{product_tag}`.
pub(crate) async fn delete<P: Ports>(request: ApiRequest<P>) -> Answered {
    request.record.product(request.name());
    let condition = condition(&request.headers)?;
    operations::delete_catalog(request.service.ports(), &request.caller, request.name(), &condition).await?;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

fn tagged(mut response: Response, revision: &Revision) -> Response {
    if let Some(etag) = etag(revision) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}
