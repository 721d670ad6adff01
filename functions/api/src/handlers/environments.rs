//! Sessions and caches of a product's environment.

use axum::response::Response;
use carillon_core::cache::CacheId;
use carillon_core::catalog::Tag;
use carillon_core::operations::{self, OperationError};
use carillon_core::ports::Ports;
use http::{HeaderValue, StatusCode, header};

use crate::operation::ApiRequest;
use crate::problem::{Answered, Problem};
use crate::wire::json;
use crate::wire::session::{CacheDocument, MintedToken};

/// `POST /v1/products/{product_tag}/envs/{env}/sessions/{tag}`.
pub(crate) async fn mint<P: Ports>(request: ApiRequest<P>) -> Answered {
    let at = names(&request, "session")?;
    let (ports, sessions) = (request.service.ports(), request.service.sessions());
    let minted = operations::mint_session(ports, sessions, &request.caller, at, &request.body).await?;
    let mut response = json(StatusCode::CREATED, &MintedToken::new(at[2], &minted))?;
    // RFC 6749, section 5.1: no cache keeps a token.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `GET /v1/products/{product_tag}/envs/{env}/caches/{tag}`.
pub(crate) async fn cache<P: Ports>(mut request: ApiRequest<P>) -> Answered {
    let limit = request.query.limit();
    let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let cursor = request.query.optional("cursor", "the next_cursor of the page before, unchanged", |text| {
        is_digest(text).then(|| text.to_owned())
    });
    std::mem::take(&mut request.query).finish()?;
    let cache = cache_name(&request)?;
    let view =
        operations::cache_entries(request.service.ports(), &request.caller, &cache, cursor.as_deref(), limit).await?;
    json(StatusCode::OK, &CacheDocument::new(&cache.tag, &view))
}

/// `DELETE /v1/products/{product_tag}/envs/{env}/caches/{tag}`.
pub(crate) async fn clear_cache<P: Ports>(request: ApiRequest<P>) -> Answered {
    let cache = cache_name(&request)?;
    operations::clear_cache(request.service.ports(), &request.caller, &cache).await?;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

fn cache_name<P>(request: &ApiRequest<P>) -> Result<CacheId, Problem> {
    let [product, env, tag] = names(request, "cache")?.map(str::to_owned);
    Ok(CacheId { product, env, tag })
}

/// Product, environment and tag. What cannot be a tag names nothing.
fn names<'a, P>(request: &'a ApiRequest<P>, what: &'static str) -> Result<[&'a str; 3], Problem> {
    match request.names.as_slice() {
        [product, env, tag] if request.names.iter().all(|name| Tag::parse(name).is_some()) => {
            request.record.product(product);
            request.record.env(env);
            Ok([product, env, tag])
        }
        _ => Err(OperationError::NotFound(what).into()),
    }
}
