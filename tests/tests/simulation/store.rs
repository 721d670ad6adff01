//! The store of jobs, catalogs and keys, by the adapters' rules.

use std::sync::Arc;

use carillon_core::access::{ApiKey, KeyHash};
use carillon_core::ids::JobId;
use carillon_core::job::Job;
use carillon_core::machine::Transition;
use carillon_core::ports::{Clock as _, Condition, JobQuery, ListedJobs, PortError, Published, WriteOutcome};
use carillon_core::testkit::{CatalogCalls, JobCalls, KeyCalls, is_wanted};
use carillon_core::time::UnixMillis;

use crate::actor::Actor;
use crate::mutation::Mutation;
use crate::ports::{Sim, key_of};
use crate::world::World;

/// Maximum lag of the index of jobs, ms.
pub(crate) const MAX_BEHIND_MS: i64 = 10_000;
/// The key of how much.
const INDEX: u64 = 0x494e_4458;

impl JobCalls for Sim {
    async fn insert_new(&self, job: &Job) -> Result<WriteOutcome, PortError> {
        let stored = self.call("insert", |world, actor, now| world.insert(job, actor, now)).await;
        self.arm_deferred(job.id).await;
        match stored {
            Err(_) if self.shared.world().mutation == Some(Mutation::StoredInName) => Ok(WriteOutcome::Done),
            stored => stored,
        }
    }

    async fn get(&self, id: JobId) -> Result<Option<Job>, PortError> {
        let get = |world: &mut World, actor: &Actor, _| {
            let World { tables, oracle, mutation, .. } = &mut *world;
            let stored = tables.jobs.get(&id);
            oracle.composites.looked(stored, actor.id);
            let other = match mutation {
                Some(Mutation::ListedTrusted) => actor.listed(id),
                Some(Mutation::BeginUnchecked) => oracle.composites.claimed_as(actor.id, id).cloned(),
                _ => None,
            };
            other.or_else(|| stored.cloned())
        };
        self.call("get", get).await
    }

    async fn commit(&self, transition: &Transition) -> Result<WriteOutcome, PortError> {
        let stored = self.call("commit", |world, actor, now| world.commit(transition, actor, now)).await;
        self.arm_deferred(transition.before.id).await;
        stored
    }

    /// The index may be behind: a job is missing, or shown as it was before its last change.
    async fn list(&self, query: &JobQuery) -> Result<ListedJobs, PortError> {
        let dice = self.shared.dice;
        let list = |world: &mut World, actor: &Actor, now: UnixMillis| {
            let mut stale = 0;
            let mut found = Vec::new();
            for (id, job) in world.tables.jobs.iter().rev() {
                let key = key_of(job.fire());
                let behind_ms = [0, 1_000, MAX_BEHIND_MS][dice.roll(key ^ INDEX, now.0.unsigned_abs()).below(3)];
                let is_lost = world.mutation == Some(Mutation::ListLosesJobs) && key.is_multiple_of(8);
                let shown = match world.before.get(id) {
                    _ if is_lost => None,
                    Some((changed_at, before)) if now.since(*changed_at) < behind_ms => {
                        stale += 1;
                        before.as_ref()
                    }
                    _ => Some(job),
                };
                found.extend(shown.filter(|job| is_wanted(query, job)).cloned());
                if found.len() == query.limit {
                    break;
                }
            }
            if stale > 0 {
                world.count("stale list entry");
            }
            if world.mutation == Some(Mutation::ListedTrusted) {
                let listed = found.iter().map(|job: &Job| (job.id, job.clone())).collect();
                *actor.listed.lock().expect("nobody panics with it in hand") = listed;
            }
            ListedJobs::full(found, query.limit)
        };
        self.call("list", list).await
    }
}

impl CatalogCalls for Sim {
    async fn get(&self, product: &str) -> Result<Option<Arc<Published>>, PortError> {
        let (actor, now) = (self.actor(), self.now());
        let known = {
            let mut world = self.shared.world();
            let mutation = world.mutation;
            let known = world.memories.entry(actor.instance).or_default().catalog(product, now, mutation);
            let is_stale =
                |known| !world.tables.catalogs.get(product).is_some_and(|current| Arc::ptr_eq(current, known));
            if known.as_ref().is_some_and(is_stale) {
                world.count("stale catalog");
            }
            known
        };
        if known.is_some() { Ok(known) } else { self.read(product).await }
    }

    async fn fresh(&self, product: &str) -> Result<Option<Arc<Published>>, PortError> {
        let mutation = self.shared.world().mutation;
        if mutation == Some(Mutation::FreshFromCache) {
            return CatalogCalls::get(self, product).await;
        }
        self.read(product).await
    }

    async fn put(&self, product: &str, new: Arc<Published>, condition: &Condition) -> Result<WriteOutcome, PortError> {
        let put = |world: &mut World, actor: &Actor, now| {
            let stored = world.tables.catalogs.get(product).map(|it| &it.revision);
            if !condition.holds(stored) {
                // As in the adapter: a repetition finds its own document in its place.
                let is_own = stored == Some(&new.revision) && *condition != Condition::Absent;
                return if is_own { WriteOutcome::Done } else { WriteOutcome::Conflict };
            }
            world.publish(product, Some(Arc::clone(&new)), actor, now);
            WriteOutcome::Done
        };
        self.call("put_catalog", put).await
    }

    async fn delete(&self, product: &str, condition: &Condition) -> Result<WriteOutcome, PortError> {
        let delete = |world: &mut World, actor: &Actor, now| {
            if !condition.holds(world.tables.catalogs.get(product).map(|it| &it.revision)) {
                return WriteOutcome::Conflict;
            }
            world.publish(product, None, actor, now);
            WriteOutcome::Done
        };
        self.call("delete_catalog", delete).await
    }
}

impl Sim {
    /// Reads a catalog without the cache, and caches it.
    async fn read(&self, product: &str) -> Result<Option<Arc<Published>>, PortError> {
        let skew_ms = self.actor().skew_ms;
        let read = |world: &mut World, actor: &Actor, now: UnixMillis| {
            let published = world.tables.catalogs.get(product).cloned();
            let memory = world.memories.entry(actor.instance).or_default();
            memory.set_catalog(product, published.as_ref(), now.plus(skew_ms));
            published
        };
        self.call("catalog", read).await
    }
}

impl KeyCalls for Sim {
    async fn find(&self, hash: &KeyHash) -> Result<Option<Arc<ApiKey>>, PortError> {
        let (actor, now) = (self.actor(), self.now());
        let known = {
            let mut world = self.shared.world();
            let mutation = world.mutation;
            let known = world.memories.entry(actor.instance).or_default().key(hash, now, mutation);
            if known.is_some() && world.key(hash, self.shared.now()).is_none() {
                world.count("stale key");
            }
            known
        };
        if known.is_some() {
            return Ok(known);
        }
        let skew_ms = actor.skew_ms;
        let find = |world: &mut World, actor: &Actor, now: UnixMillis| {
            let key = world.key(hash, now);
            world.memories.entry(actor.instance).or_default().set_key(hash, key.as_ref(), now.plus(skew_ms));
            key
        };
        self.call("key", find).await
    }
}
