//! Lists and clears caches.

use super::{MAX_PAGE, OperationError, require};
use crate::access::{ApiKey, Scope};
use crate::cache::{CacheId, DEFAULT_EXPIRY_MS};
use crate::ports::{CachePage, CatalogStore, Clock, Ports, ResultCache};
use crate::time::UnixMillis;

/// The entries of a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheView {
    /// Lifetime of a result, ms.
    pub expiry_ms: u64,
    /// True if the catalog defines the cache.
    pub is_defined: bool,
    /// A page of its entries.
    pub page: CachePage,
    /// The instant that ages are relative to.
    pub now: UnixMillis,
}

/// Lists the entries of a cache by digest, after the digest `after`; at most `limit`, 1 to 100.
///
/// # Errors
///
/// [`OperationError`]. `NotFound` if the key does not open the environment, or there is no such product.
pub async fn cache_entries<P: Ports>(
    ports: &P,
    caller: &ApiKey,
    cache: &CacheId,
    after: Option<&str>,
    limit: usize,
) -> Result<CacheView, OperationError> {
    require(caller, Scope::JobsRead)?;
    let not_found = OperationError::NotFound("cache");
    if !caller.opens(&cache.product, &cache.env) {
        return Err(not_found);
    }
    let published = ports.catalogs().fresh(&cache.product).await?.ok_or(not_found)?;
    let now = ports.clock().now();
    let page = ports.result_cache().entries(cache, after, limit.clamp(1, MAX_PAGE), now).await?;
    let known = published.catalog.caches.get(cache.tag.as_str());
    let expiry_ms = known.map_or(DEFAULT_EXPIRY_MS, |cache| cache.expiry.0);
    Ok(CacheView { expiry_ms, is_defined: known.is_some(), page, now })
}

/// Clears a cache. A job in progress keeps its result, but later jobs do not receive it.
///
/// # Errors
///
/// [`OperationError`]. `NotFound` if the key does not open the environment, or there is no such product.
pub async fn clear_cache<P: Ports>(ports: &P, caller: &ApiKey, cache: &CacheId) -> Result<(), OperationError> {
    require(caller, Scope::JobsWrite)?;
    let not_found = OperationError::NotFound("cache");
    if !caller.opens(&cache.product, &cache.env) {
        return Err(not_found);
    }
    ports.catalogs().fresh(&cache.product).await?.ok_or(not_found)?;
    Ok(ports.result_cache().clear(cache, ports.clock().now()).await?)
}
