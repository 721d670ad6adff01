//! The cache of results.

use std::future::Future;

use super::PortError;
use crate::cache::{CacheId, CacheKey};
use crate::ids::Owner;
use crate::job::Output;
use crate::time::UnixMillis;

/// The results that are remembered.
///
/// Whoever finds none becomes the one to make it, for as long as a lease lasts: so of many that want the same at once one is
/// dispatched, and the others find what it brought.
pub trait ResultCache: Send + Sync {
    /// What is remembered under `key` at `now`. Where nothing is, and nobody is about to make it, `lead` takes the lease.
    fn lookup(
        &self,
        key: &CacheKey,
        lead: &FillLease,
        now: UnixMillis,
    ) -> impl Future<Output = Result<CacheAnswer, PortError>> + Send;

    /// Remembers a result that its leader has made, until `expires_at`. Without the lease it does nothing.
    fn fill(
        &self,
        key: &CacheKey,
        leader: &Owner,
        result: &CachedResult,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Gives the lease up: somebody else may try. Without the lease it does nothing.
    fn release(&self, key: &CacheKey, leader: &Owner) -> impl Future<Output = Result<(), PortError>> + Send;

    /// What a cache holds at `now`, by digest, after the digest `after`; at most `limit` entries.
    fn entries(
        &self,
        cache: &CacheId,
        after: Option<&str>,
        limit: usize,
        now: UnixMillis,
    ) -> impl Future<Output = Result<CachePage, PortError>> + Send;

    /// Forgets what a cache holds, and what is being made for it at `now`: that is for whoever waits for it, and no longer.
    fn clear(&self, cache: &CacheId, now: UnixMillis) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Whoever is about to make a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillLease {
    /// The name of its claim.
    pub leader: Owner,
    /// When it began.
    pub began_at: UnixMillis,
    /// From here on it must be dead.
    pub until: UnixMillis,
}

/// What a cache says.
#[derive(Clone, Debug, PartialEq)]
pub enum CacheAnswer {
    /// It knows the result.
    Hit(CachedResult),
    /// Somebody else is making it.
    Filling(FillLease),
    /// It does not: the lease is taken.
    Miss,
}

/// A result that is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct CachedResult {
    /// The result.
    pub output: Output,
    /// When it was made.
    pub made_at: UnixMillis,
    /// From here on it is forgotten.
    pub expires_at: UnixMillis,
}

/// A page of a cache's entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePage {
    /// The entries, by digest.
    pub entries: Vec<CacheEntry>,
    /// What the next page comes after, if there may be one.
    pub next: Option<String>,
}

impl CachePage {
    /// A page of `limit` entries out of all that come after the page before, or of one more than that.
    pub fn cut(mut entries: Vec<CacheEntry>, limit: usize) -> Self {
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| has_more).map(|entry| entry.digest.clone());
        Self { entries, next }
    }
}

/// What is said of a result that is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    /// The digest of its key.
    pub digest: String,
    /// The event that brought it.
    pub event: String,
    /// When it was made.
    pub made_at: UnixMillis,
    /// From here on it is forgotten.
    pub expires_at: UnixMillis,
}
