//! Ports in memory, for tests of what stands on them. Compiled with the feature `testkit` only, which no binary has.
//!
//! Each is a plain table whose calls happen at once. Behind a mutex it is the port itself; tests that want faults, latency or
//! crashes put those around it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use crate::cache::{CacheId, CacheKey};
use crate::error::FieldCode;
use crate::idempotency::{IdempotencyKey, IdempotencyRecord, KEPT_HOURS};
use crate::ids::Owner;
use crate::ports::{
    BoxFuture, CacheAnswer, CacheEntry, CachePage, CachedResult, Checkpoints, Counters, DefinedSession, FallbackHealth,
    FillLease, IdempotencyStore, PortError, ResultCache, SealingKeys, Sessions, TokenRefusal,
};
use crate::progress::{Checkpoint, CheckpointId, Counted, CounterId, FallbackId, RunId};
use crate::session::Claims;
use crate::session::sealing::{SealingKey, SealingKeyId};
use crate::time::UnixMillis;

/// How long a request's name is kept, ms.
const KEPT_MS: i64 = KEPT_HOURS as i64 * 3_600_000;

/// What is remembered, and who is about to make what is not.
#[derive(Clone, Debug, Default)]
pub struct Results(BTreeMap<CacheKey, Result<CachedResult, FillLease>>);

impl Results {
    /// [`ResultCache::consult`].
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

    /// [`ResultCache::fill`].
    pub fn fill(&mut self, key: &CacheKey, leader: &Owner, result: &CachedResult) {
        let is_led = |entry: &&mut Result<_, FillLease>| entry.as_ref().is_err_and(|lead| lead.leader == *leader);
        if let Some(entry) = self.0.get_mut(key).filter(is_led) {
            *entry = Ok(result.clone());
        }
    }

    /// [`ResultCache::release`].
    pub fn release(&mut self, key: &CacheKey, leader: &Owner) {
        self.0.retain(|known, entry| known != key || !entry.as_ref().is_err_and(|lead| lead.leader == *leader));
    }

    /// [`ResultCache::entries`].
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

    /// [`ResultCache::clear`].
    pub fn clear(&mut self, cache: &CacheId) {
        self.0.retain(|key, _| key.cache != *cache);
    }

    /// Whether there is neither a result nor a lease.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many results are remembered.
    pub fn filled(&self) -> usize {
        self.0.values().filter(|entry| entry.is_ok()).count()
    }
}

/// The requests that have a name.
#[derive(Clone, Debug, Default)]
pub struct Requests(BTreeMap<IdempotencyKey, IdempotencyRecord>);

impl Requests {
    /// [`Reservations::find`].
    pub fn find(&self, name: &IdempotencyKey, now: UnixMillis) -> Option<IdempotencyRecord> {
        self.0.get(name).filter(|standing| now.since(standing.at) < KEPT_MS).cloned()
    }

    /// [`Reservations::reserve`].
    pub fn reserve(&mut self, name: &IdempotencyKey, new: &IdempotencyRecord) -> IdempotencyRecord {
        let standing = self.0.entry(name.clone()).or_insert_with(|| new.clone());
        if new.at.since(standing.at) >= KEPT_MS {
            *standing = new.clone();
        }
        standing.clone()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Sealing keys; the last one seals.
#[derive(Clone, Debug, Default)]
pub struct Keyring(Vec<SealingKey>);

impl Keyring {
    /// [`SealingKeys::current`]: a first one is made when there is none.
    pub fn current(&mut self) -> SealingKey {
        if self.0.is_empty() {
            self.add("first");
        }
        self.0[self.0.len() - 1].clone()
    }

    /// [`SealingKeys::find`].
    pub fn find(&self, name: &SealingKeyId) -> Option<SealingKey> {
        self.0.iter().find(|key| key.name() == name).cloned()
    }

    /// Adds a key: what is sealed from now on is sealed with it.
    pub fn add(&mut self, id: &str) {
        let number = u8::try_from(self.0.len()).unwrap_or(u8::MAX);
        let name = SealingKeyId { id: id.to_owned(), wrapped: None };
        self.0.push(SealingKey::new(name, Zeroizing::new([number; 32])));
    }

    /// Loses all keys.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// What events that consist of others leave behind.
#[derive(Clone, Debug, Default)]
pub struct ProgressTables {
    /// The parts that are done, by run and place.
    pub parts: BTreeMap<RunId, BTreeMap<String, Checkpoint>>,
    /// How far each counter has come.
    pub used: BTreeMap<CounterId, u64>,
    /// What was counted.
    pub counted: BTreeSet<CheckpointId>,
    /// The options that are marked as failing.
    pub marks: BTreeMap<FallbackId, BTreeMap<String, UnixMillis>>,
}

impl ProgressTables {
    /// [`Parts::done`].
    pub fn finished(&self, run: RunId, under: &str) -> Vec<Checkpoint> {
        let parts = self.parts.get(&run).into_iter().flat_map(BTreeMap::values);
        parts.filter(|part| part.place.starts_with(under)).cloned().collect()
    }

    /// [`Counters::add`].
    pub fn add(&mut self, counter: &CounterId, by: &CheckpointId, amount: u64, limit: u64) -> Counted {
        let used = self.used.entry(counter.clone()).or_default();
        if self.counted.contains(by) {
            return Counted::Counted { used: *used };
        }
        let after = used.saturating_add(amount);
        if after > limit {
            return Counted::Over { used: *used };
        }
        *used = after;
        self.counted.insert(by.clone());
        Counted::Counted { used: after }
    }

    /// [`Counters::reset`].
    pub fn reset(&mut self, counter: &CounterId, by: &CheckpointId) {
        if self.counted.insert(by.clone()) {
            self.used.remove(counter);
        }
    }
}

/// The tables of what a test has no interest in of its own.
#[derive(Debug, Default)]
pub struct Tables {
    /// The sealing keys.
    pub sealing_keys: Mutex<Keyring>,
    /// The remembered results.
    pub results: Mutex<Results>,
    /// The named requests.
    pub reservations: Mutex<Requests>,
    /// What events that consist of others leave behind.
    pub progress: Mutex<ProgressTables>,
}

/// Sessions of which no token is genuine.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSessions;

impl Sessions for NoSessions {
    fn verify<'a>(&'a self, _: DefinedSession<'a>, _: &'a str) -> BoxFuture<'a, Result<Claims, TokenRefusal>> {
        Box::pin(async { Err(TokenRefusal::Bad(FieldCode::TokenSignature, "no token is genuine here".to_owned())) })
    }

    fn mint<'a>(&'a self, _: DefinedSession<'a>, _: &'a Claims) -> BoxFuture<'a, Result<String, TokenRefusal>> {
        Box::pin(async { Err(TokenRefusal::Bad(FieldCode::NotAvailable, "no token is made here".to_owned())) })
    }
}

fn locked<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ResultCache for Mutex<Results> {
    async fn lookup(&self, key: &CacheKey, lead: &FillLease, now: UnixMillis) -> Result<CacheAnswer, PortError> {
        Ok(locked(self).lookup(key, lead, now))
    }

    async fn fill(&self, key: &CacheKey, leader: &Owner, result: &CachedResult) -> Result<(), PortError> {
        locked(self).fill(key, leader, result);
        Ok(())
    }

    async fn release(&self, key: &CacheKey, leader: &Owner) -> Result<(), PortError> {
        locked(self).release(key, leader);
        Ok(())
    }

    async fn entries(
        &self,
        cache: &CacheId,
        after: Option<&str>,
        limit: usize,
        now: UnixMillis,
    ) -> Result<CachePage, PortError> {
        Ok(locked(self).entries(cache, after, limit, now))
    }

    async fn clear(&self, cache: &CacheId, _: UnixMillis) -> Result<(), PortError> {
        locked(self).clear(cache);
        Ok(())
    }
}

impl IdempotencyStore for Mutex<Requests> {
    async fn find(&self, name: &IdempotencyKey, now: UnixMillis) -> Result<Option<IdempotencyRecord>, PortError> {
        Ok(locked(self).find(name, now))
    }

    async fn reserve(&self, name: &IdempotencyKey, new: &IdempotencyRecord) -> Result<IdempotencyRecord, PortError> {
        Ok(locked(self).reserve(name, new))
    }
}

impl SealingKeys for Mutex<Keyring> {
    async fn current(&self) -> Result<SealingKey, PortError> {
        Ok(locked(self).current())
    }

    async fn find(&self, name: &SealingKeyId) -> Result<Option<SealingKey>, PortError> {
        Ok(locked(self).find(name))
    }
}

impl Checkpoints for Mutex<ProgressTables> {
    async fn finished(&self, run: RunId, under: &str) -> Result<Vec<Checkpoint>, PortError> {
        Ok(locked(self).finished(run, under))
    }

    async fn save(&self, run: RunId, part: &Checkpoint, _: UnixMillis) -> Result<(), PortError> {
        locked(self).parts.entry(run).or_default().insert(part.place.clone(), part.clone());
        Ok(())
    }
}

impl Counters for Mutex<ProgressTables> {
    async fn used(&self, counter: &CounterId) -> Result<u64, PortError> {
        Ok(locked(self).used.get(counter).copied().unwrap_or_default())
    }

    async fn add(&self, counter: &CounterId, by: &CheckpointId, amount: u64, limit: u64) -> Result<Counted, PortError> {
        Ok(locked(self).add(counter, by, amount, limit))
    }

    async fn reset(&self, counter: &CounterId, by: &CheckpointId) -> Result<(), PortError> {
        locked(self).reset(counter, by);
        Ok(())
    }
}

impl FallbackHealth for Mutex<ProgressTables> {
    async fn failing(&self, fallback: &FallbackId) -> Result<BTreeMap<String, UnixMillis>, PortError> {
        Ok(locked(self).marks.get(fallback).cloned().unwrap_or_default())
    }

    async fn mark(&self, fallback: &FallbackId, option: &str, until: UnixMillis) -> Result<(), PortError> {
        locked(self).marks.entry(fallback.clone()).or_default().insert(option.to_owned(), until);
        Ok(())
    }
}
