//! Remembered results, named requests and sealing keys, each call with its latency and its luck.

use carillon_core::cache::{CacheId, CacheKey};
use carillon_core::idempotency::{IdempotencyKey, IdempotencyRecord};
use carillon_core::ids::Owner;
use carillon_core::job::Output;
use carillon_core::ports::{CacheAnswer, CachedResult, FillLease, PortError};
use carillon_core::testkit::{IdempotencyCalls, ResultCalls, SealingKeyCalls, WaitSlotCalls};
use carillon_core::time::UnixMillis;
use serde_json::Value;

use crate::actor::Actor;
use crate::mutation::Mutation;
use crate::ports::Sim;
use crate::world::World;

impl ResultCalls for Sim {
    async fn lookup(&self, key: &CacheKey, lead: &FillLease, now: UnixMillis) -> Result<CacheAnswer, PortError> {
        let asked_at = self.shared.now();
        let consult = |world: &mut World, actor: &Actor, at: UnixMillis| {
            let answer = match world.mutation {
                Some(Mutation::ConsultIgnored) => CacheAnswer::Miss,
                Some(Mutation::ExpiryIgnored) => world.tables.results.lookup(key, lead, UnixMillis(0)),
                _ => world.tables.results.lookup(key, lead, now),
            };
            let wrong = world.oracle.recalls.consulted(key, lead, &answer, actor, (asked_at, at));
            if world.oracle.is_strict {
                world.oracle.right(wrong, "waiting");
            }
            answer
        };
        self.call("consult", consult).await
    }

    async fn fill(&self, key: &CacheKey, leader: &Owner, result: &CachedResult) -> Result<(), PortError> {
        let fill = |world: &mut World, _: &Actor, _| match world.mutation {
            Some(Mutation::FillForgotten) => world.tables.results.release(key, leader),
            _ => world.tables.results.fill(key, leader, result),
        };
        self.call("fill", fill).await
    }

    async fn release(&self, key: &CacheKey, leader: &Owner) -> Result<(), PortError> {
        let release = |world: &mut World, _: &Actor, now: UnixMillis| match world.mutation {
            Some(Mutation::LeaseKept) => {}
            Some(Mutation::FailureRemembered) => {
                let output = Output { value: Value::Null, truncated: false };
                let result = CachedResult { output, made_at: now, expires_at: now.plus(60_000) };
                world.tables.results.fill(key, leader, &result);
            }
            _ => world.tables.results.release(key, leader),
        };
        self.call("release", release).await
    }

    async fn clear(&self, cache: &CacheId, _: UnixMillis) -> Result<(), PortError> {
        let clear = |world: &mut World, _: &Actor, now: UnixMillis| {
            if world.mutation != Some(Mutation::ClearIgnored) {
                world.tables.results.clear(cache, now);
                world.oracle.recalls.cleared(cache, now);
            }
        };
        self.call("clear", clear).await
    }
}

impl IdempotencyCalls for Sim {
    async fn find(&self, name: &IdempotencyKey, now: UnixMillis) -> Result<Option<IdempotencyRecord>, PortError> {
        let find = |world: &mut World, _: &Actor, _| {
            let found = world.tables.reservations.find(name, now)?;
            match world.mutation {
                Some(Mutation::ReservationIgnored | Mutation::BodyUnchecked) => None,
                Some(Mutation::InstantForgotten) => Some(IdempotencyRecord { at: now, ..found }),
                _ => Some(found),
            }
        };
        self.call("find name", find).await
    }

    async fn reserve(&self, name: &IdempotencyKey, new: &IdempotencyRecord) -> Result<IdempotencyRecord, PortError> {
        let reserve = |world: &mut World, _: &Actor, _| {
            let stands = world.tables.reservations.reserve(name, new);
            match world.mutation {
                Some(Mutation::ReservationIgnored) => new.clone(),
                Some(Mutation::BodyUnchecked) => IdempotencyRecord { body: new.body.clone(), ..stands },
                _ => stands,
            }
        };
        self.call("reserve", reserve).await
    }
}

impl SealingKeyCalls for Sim {}
impl WaitSlotCalls for Sim {}
