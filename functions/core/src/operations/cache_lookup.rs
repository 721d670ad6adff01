//! Looks up a cached result before a dispatch, and stores the result after it.
//!
//! A lookup that finds nothing takes the lease of the entry before the run is claimed, and the entry is filled before
//! the outcome is recorded. After a crash in between, the redelivered message finds the filled entry, so nothing is
//! dispatched twice. A failed attempt releases the lease; after a crash it expires.

use serde_json::Value;

use crate::cache::{CacheKey, DEFAULT_EXPIRY_MS};
use crate::event_types::Halt;
use crate::ids::Owner;
use crate::job::{JobSpec, Output};
use crate::ports::{CacheAnswer, CachedResult, Clock, FillLease, PortError, Ports, Published, ResultCache};
use crate::time::UnixMillis;

/// Shortest wait for another executor's result, ms.
const MIN_WAIT_MS: i64 = 100;
/// And no later.
const MAX_WAIT_MS: i64 = 20_000;

/// The cache entry of a job's result, and its expiry.
pub(super) struct CacheSlot {
    key: CacheKey,
    expiry_ms: u64,
}

impl CacheSlot {
    /// Nothing for a job that names no cache, or whose input cannot be filled in.
    pub(super) fn of(published: Option<&Published>, spec: &JobSpec, input: Option<&Value>) -> Option<Self> {
        let key = CacheKey::of(spec, input?)?;
        let known = published.and_then(|published| published.catalog.caches.get(key.cache.tag.as_str()));
        Some(Self { key, expiry_ms: known.map_or(DEFAULT_EXPIRY_MS, |cache| cache.expiry.0) })
    }

    /// Stores a result; after a failure releases the lease.
    pub(super) async fn conclude<P: Ports>(
        &self,
        ports: &P,
        leader: &Owner,
        dispatched: &Result<Output, Halt>,
    ) -> Result<(), PortError> {
        let Ok(output) = dispatched else { return ports.result_cache().release(&self.key, leader).await };
        let made_at = ports.clock().now();
        let expires_at = made_at.plus(i64::try_from(self.expiry_ms).unwrap_or(i64::MAX));
        ports
            .result_cache()
            .fill(&self.key, leader, &CachedResult { output: output.clone(), made_at, expires_at })
            .await
    }
}

/// The lease of an entry, from before the claim on: it is asked for once, whatever happens to the job meanwhile.
#[derive(Default)]
pub(super) struct CacheLookup(Option<(CacheKey, Owner)>);

impl CacheLookup {
    /// Looks up the entry, and takes the lease if there is none.
    pub(super) async fn lookup<P: Ports>(
        &mut self,
        ports: &P,
        cached: &CacheSlot,
        leader: &Owner,
        lease_ms: u32,
    ) -> Result<CacheAnswer, PortError> {
        if self.0.as_ref().is_some_and(|(key, _)| *key == cached.key) {
            return Ok(CacheAnswer::Miss);
        }
        self.give_up(ports).await;
        let now = ports.clock().now();
        let lead = FillLease { leader: leader.clone(), began_at: now, until: now.plus(i64::from(lease_ms)) };
        // From here on it may be taken, even if the answer is lost.
        self.0 = Some((cached.key.clone(), leader.clone()));
        let consulted = ports.result_cache().lookup(&cached.key, &lead, now).await?;
        if consulted != CacheAnswer::Miss {
            self.0 = None;
        }
        Ok(consulted)
    }

    /// Lets go of a lease that nothing will come of. Where that fails, its time ends it.
    pub(super) async fn give_up<P: Ports>(&mut self, ports: &P) {
        if let Some((key, leader)) = self.0.take() {
            let _ = ports.result_cache().release(&key, &leader).await;
        }
    }
}

/// The next lookup while another executor fills the entry: after half the time that it has taken so far, so that a
/// long dispatch costs few lookups.
pub(super) fn look_again_at(lead: &FillLease, now: UnixMillis) -> UnixMillis {
    let wait_ms = (now.since(lead.began_at) / 2).clamp(MIN_WAIT_MS, MAX_WAIT_MS);
    now.plus(wait_ms).min(lead.until.max(now.plus(MIN_WAIT_MS)))
}
