//! Remembered results.

use std::collections::BTreeMap;

use crate::cache::{CacheId, CacheKey};
use crate::ids::Owner;
use crate::ports::{CacheAnswer, CacheEntry, CachePage, CachedResult, FillLease};
use crate::time::UnixMillis;

/// Cached results, and the leases to fill others.
#[derive(Clone, Debug, Default)]
pub struct Results(BTreeMap<CacheKey, Result<CachedResult, FillLease>>);

impl Results {
    /// [`ResultCache::lookup`](crate::ports::ResultCache::lookup).
    pub fn lookup(&mut self, key: &CacheKey, lead: &FillLease, now: UnixMillis) -> CacheAnswer {
        match self.0.get(key) {
            Some(Ok(result)) if result.expires_at > now => CacheAnswer::Hit(result.clone()),
            Some(Err(other)) if other.until > now && other.leader != lead.leader => CacheAnswer::Filling(other.clone()),
            _ => {
                self.0.insert(key.clone(), Err(lead.clone()));
                CacheAnswer::Miss
            }
        }
    }

    /// [`ResultCache::fill`](crate::ports::ResultCache::fill).
    pub fn fill(&mut self, key: &CacheKey, leader: &Owner, result: &CachedResult) {
        let is_led = |entry: &&mut Result<_, FillLease>| entry.as_ref().is_err_and(|lead| lead.leader == *leader);
        if let Some(entry) = self.0.get_mut(key).filter(is_led) {
            *entry = Ok(result.clone());
        }
    }

    /// [`ResultCache::release`](crate::ports::ResultCache::release).
    pub fn release(&mut self, key: &CacheKey, leader: &Owner) {
        self.0.retain(|known, entry| known != key || !entry.as_ref().is_err_and(|lead| lead.leader == *leader));
    }

    /// [`ResultCache::entries`](crate::ports::ResultCache::entries).
    pub fn entries(&self, cache: &CacheId, after: Option<&str>, limit: usize, now: UnixMillis) -> CachePage {
        let filled = self.0.iter().filter_map(|(key, entry)| Some((key, entry.as_ref().ok()?)));
        let wanted = filled.filter(|(key, result)| key.cache == *cache && result.expires_at > now);
        let entry = |(key, result): (&CacheKey, &CachedResult)| CacheEntry {
            digest: key.digest.clone(),
            event: key.event.clone(),
            made_at: result.made_at,
            expires_at: result.expires_at,
        };
        let entries = wanted.map(entry).filter(|entry| after.is_none_or(|after| entry.digest.as_str() > after));
        CachePage::cut(entries.collect(), limit)
    }

    /// [`ResultCache::clear`](crate::ports::ResultCache::clear).
    pub fn clear(&mut self, cache: &CacheId, _: UnixMillis) {
        self.0.retain(|key, _| key.cache != *cache);
    }

    /// True if there is neither a result nor a lease.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of cached results.
    pub fn filled(&self) -> usize {
        self.0.values().filter(|entry| entry.is_ok()).count()
    }
}
