//! What is stored: jobs, catalogs and keys, by the adapters' rules.

use std::sync::Arc;

use carillon_core::access::{ApiKey, KeyHash};
use carillon_core::ids::JobId;
use carillon_core::job::{Job, Run};
use carillon_core::machine::Transition;
use carillon_core::ports::{
    CatalogStore, Condition, History, JobQuery, JobStore, KeyStore, Listed, PortError, Published, Written,
};

use crate::actor::Actor;
use crate::mutation::Mutation;
use crate::ports::Sim;
use crate::world::World;

impl JobStore for Sim {
    async fn insert_new(&self, job: &Job) -> Result<Written, PortError> {
        let stored = self.call("insert", |world, actor, now| world.insert(job, actor, now)).await;
        self.arm_deferred(job.id).await;
        match stored {
            Err(_) if self.shared.world().mutation == Some(Mutation::StoredInName) => Ok(Written::Done),
            stored => stored,
        }
    }

    async fn get(&self, id: JobId) -> Result<Option<Job>, PortError> {
        self.call("get", |world, _, _| world.jobs.get(&id).cloned()).await
    }

    async fn commit(&self, transition: &Transition) -> Result<Written, PortError> {
        let stored = self.call("commit", |world, actor, now| world.commit(transition, actor, now)).await;
        self.arm_deferred(transition.before.id).await;
        stored
    }

    async fn list(&self, query: &JobQuery) -> Result<Listed, PortError> {
        let is_wanted = |job: &&Job| {
            (&job.spec.product, &job.spec.env) == (&query.product, &query.env)
                && query.status.is_none_or(|status| status == job.state.status)
                && query.before.is_none_or(|before| job.id < before)
        };
        let list = |world: &mut World, _: &Actor, _| {
            let jobs = world.jobs.values().rev().filter(is_wanted).take(query.limit).cloned().collect();
            Listed::full(jobs, query.limit)
        };
        self.call("list", list).await
    }

    async fn retired_runs(&self, id: JobId, before: Option<(u32, u32)>, limit: usize) -> Result<History, PortError> {
        let is_wanted = |run: &&Run| before.is_none_or(|before| (run.generation, run.run_no) < before);
        let runs = |world: &mut World, _: &Actor, _| {
            let wanted = world.retired.get(&id).into_iter().flatten().rev().filter(is_wanted);
            History::cut(wanted.take(limit + 1).cloned().collect(), limit)
        };
        self.call("runs", runs).await
    }
}

impl CatalogStore for Sim {
    async fn get(&self, product: &str) -> Result<Option<Arc<Published>>, PortError> {
        self.call("catalog", |world, _, _| world.catalogs.get(product).cloned()).await
    }

    async fn put(&self, product: &str, new: Arc<Published>, condition: &Condition) -> Result<Written, PortError> {
        let put = |world: &mut World, _: &Actor, _| {
            if !condition.holds(world.catalogs.get(product).map(|it| &it.revision)) {
                return Written::Conflict;
            }
            world.catalogs.insert(product.to_owned(), Arc::clone(&new));
            Written::Done
        };
        self.call("put_catalog", put).await
    }

    async fn delete(&self, product: &str, _: &Condition) -> Result<Written, PortError> {
        self.call("delete_catalog", |world, _, _| world.catalogs.remove(product)).await.map(|_| Written::Done)
    }
}

impl KeyStore for Sim {
    async fn find(&self, hash: &KeyHash) -> Result<Option<Arc<ApiKey>>, PortError> {
        let find = |world: &mut World, _: &Actor, _| {
            world.keys.iter().find(|(known, _)| known == hash).map(|(_, key)| Arc::clone(key))
        };
        self.call("key", find).await
    }

    async fn add(&self, hash: &KeyHash, key: &ApiKey) -> Result<(), PortError> {
        self.call("add_key", |world, _, _| world.keys.push((hash.clone(), Arc::new(key.clone())))).await
    }
}
