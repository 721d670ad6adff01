//! The cache of results.

use std::future::Future;

use super::PortError;
use crate::cache::{CacheId, CacheKey};
use crate::ids::Owner;
use crate::job::Output;
use crate::time::UnixMillis;

/// Caches results.
///
/// A lookup that finds nothing takes a lease to fill the entry. Of many jobs that want the same result at once, one
/// is dispatched, and the others wait for its result.
pub trait ResultCache: Send + Sync {
    /// Looks up `key` at `now`. If there is no entry, and no other lease on it, `lead` takes the lease.
    fn lookup(
        &self,
        key: &CacheKey,
        lead: &FillLease,
        now: UnixMillis,
    ) -> impl Future<Output = Result<CacheAnswer, PortError>> + Send;

    /// Stores the result that the holder of the lease has made, until `expires_at`. Without the lease it does
    /// nothing.
    fn fill(
        &self,
        key: &CacheKey,
        leader: &Owner,
        result: &CachedResult,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Releases the lease, so that another job may fill the entry. Without the lease it does nothing.
    fn release(&self, key: &CacheKey, leader: &Owner) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Lists the entries of a cache at `now`, by digest, after the digest `after`; at most `limit` of them.
    fn entries(
        &self,
        cache: &CacheId,
        after: Option<&str>,
        limit: usize,
        now: UnixMillis,
    ) -> impl Future<Output = Result<CachePage, PortError>> + Send;

    /// Removes the entries of a cache. A result that is being made at `now` reaches only those that wait for it
    /// already.
    fn clear(&self, cache: &CacheId, now: UnixMillis) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The exclusive right to fill an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillLease {
    /// The owner of the claim that fills it.
    pub leader: Owner,
    /// When it was taken.
    pub began_at: UnixMillis,
    /// From here on its holder must be dead.
    pub until: UnixMillis,
}

/// The answer to a lookup.
#[derive(Clone, Debug, PartialEq)]
pub enum CacheAnswer {
    /// The result is cached.
    Hit(CachedResult),
    /// Another holder fills the entry.
    Filling(FillLease),
    /// There is no entry: the caller has taken the lease.
    Miss,
}

/// A cached result.
#[derive(Clone, Debug, PartialEq)]
pub struct CachedResult {
    /// The result.
    pub output: Output,
    /// When it was made.
    pub made_at: UnixMillis,
    /// From here on it is not used any more.
    pub expires_at: UnixMillis,
}

/// A page of a cache's entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePage {
    /// The entries, by digest.
    pub entries: Vec<CacheEntry>,
    /// The cursor of the next page, if there may be one.
    pub next: Option<String>,
}

impl CachePage {
    /// Builds a page of `limit` entries from all that follow the previous page, or from one more than that.
    pub fn cut(mut entries: Vec<CacheEntry>, limit: usize) -> Self {
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| has_more).map(|entry| entry.digest.clone());
        Self { entries, next }
    }
}

/// An entry of a cache, without its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    /// The digest of its key.
    pub digest: String,
    /// The event that produced it.
    pub event: String,
    /// When it was made.
    pub made_at: UnixMillis,
    /// From here on it is not used any more.
    pub expires_at: UnixMillis,
}
