//! Remembered results, named requests and sealing keys, each call with its latency and its luck.

use carillon_core::cache::{CacheKey, CacheName};
use carillon_core::idempotency::{RequestName, Reservation};
use carillon_core::ids::Owner;
use carillon_core::ports::{CachePage, Consulted, Lead, PortError, Remembered, Reservations, ResultCache, SealingKeys};
use carillon_core::session::sealing::{KeyName, SealingKey};
use carillon_core::time::UnixMillis;

use crate::ports::Sim;

impl ResultCache for Sim {
    async fn consult(&self, key: &CacheKey, lead: &Lead, now: UnixMillis) -> Result<Consulted, PortError> {
        self.call("consult", |world, _, _| world.results.consult(key, lead, now)).await
    }

    async fn fill(&self, key: &CacheKey, leader: &Owner, result: &Remembered) -> Result<(), PortError> {
        self.call("fill", |world, _, _| world.results.fill(key, leader, result)).await
    }

    async fn release(&self, key: &CacheKey, leader: &Owner) -> Result<(), PortError> {
        self.call("release", |world, _, _| world.results.release(key, leader)).await
    }

    async fn entries(
        &self,
        cache: &CacheName,
        after: Option<&str>,
        limit: usize,
        now: UnixMillis,
    ) -> Result<CachePage, PortError> {
        self.call("entries", |world, _, _| world.results.entries(cache, after, limit, now)).await
    }

    async fn clear(&self, cache: &CacheName, _: UnixMillis) -> Result<(), PortError> {
        self.call("clear", |world, _, _| world.results.clear(cache)).await
    }
}

impl Reservations for Sim {
    async fn find(&self, name: &RequestName, now: UnixMillis) -> Result<Option<Reservation>, PortError> {
        self.call("find name", |world, _, _| world.requests.find(name, now)).await
    }

    async fn reserve(&self, name: &RequestName, new: &Reservation) -> Result<Reservation, PortError> {
        self.call("reserve", |world, _, _| world.requests.reserve(name, new)).await
    }
}

impl SealingKeys for Sim {
    async fn current(&self) -> Result<SealingKey, PortError> {
        self.call("sealing key", |world, _, _| world.sealing_keys.current()).await
    }

    async fn find(&self, name: &KeyName) -> Result<Option<SealingKey>, PortError> {
        self.call("sealing key", |world, _, _| world.sealing_keys.find(name)).await
    }
}
