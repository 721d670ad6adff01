//! Looking at remembered results, and forgetting them.

use super::{MAX_PAGE, OperationError, require};
use crate::access::{ApiKey, Scope};
use crate::cache::{CacheId, DEFAULT_EXPIRY_MS};
use crate::ports::{CachePage, CatalogStore, Clock, Ports, ResultCache};
use crate::time::UnixMillis;

/// What a cache holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheView {
    /// How long it remembers a result, ms.
    pub expiry_ms: u64,
    /// Whether the catalog knows it.
    pub is_defined: bool,
    /// A page of its entries.
    pub page: CachePage,
    /// The instant that ages are reckoned from.
    pub now: UnixMillis,
}

/// What a cache holds, by digest, after the digest `after`; at most `limit` entries, 1 to 100.
///
/// # Errors
/// [`OperationError`]. `NotFound` when the key does not open the environment, or there is no such product.
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

/// Forgets what a cache holds. A job that is being carried out keeps its result; nobody after it is given that.
///
/// # Errors
/// [`OperationError`]. `NotFound` when the key does not open the environment, or there is no such product.
pub async fn clear_cache<P: Ports>(ports: &P, caller: &ApiKey, cache: &CacheId) -> Result<(), OperationError> {
    require(caller, Scope::JobsWrite)?;
    let not_found = OperationError::NotFound("cache");
    if !caller.opens(&cache.product, &cache.env) {
        return Err(not_found);
    }
    ports.catalogs().fresh(&cache.product).await?.ok_or(not_found)?;
    Ok(ports.result_cache().clear(cache, ports.clock().now()).await?)
}
