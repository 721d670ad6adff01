//! The ports in memory, with faults to order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use carillon_core::access::{ApiKey, KeyHash, Scope};
use carillon_core::catalog::{Catalog, Revision};
use carillon_core::ids::{Fire, JobId};
use carillon_core::job::Job;
use carillon_core::machine::{Transition, Trigger, decide};
use carillon_core::ports::{
    CatalogStore, Clock, Condition, DeadLetters, Entropy, History, IdempotencyStore, JobQuery, JobStore, KeyStore,
    ListedJobs, PortError, Ports, Progress, Published, Redriven, ResultCache, SealingKeys, Timers, WriteOutcome,
};
use carillon_core::request::Capabilities;
use carillon_core::testkit::Tables;
use carillon_core::time::UnixMillis;
use serde_json::json;
use tokio::time::Instant;

pub(super) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

pub(super) struct World {
    began_at: Instant,
    catalog: Arc<Published>,
    state: Mutex<State>,
    tables: Tables,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) jobs: BTreeMap<JobId, Job>,
    pub(super) armed: Vec<(Fire, UnixMillis)>,
    /// Number of the next calls of the job store that fail.
    pub(super) faults: u32,
    /// Calls of the job store so far.
    pub(super) calls: u32,
    random: u128,
}

pub(super) fn owner() -> ApiKey {
    ApiKey {
        id: "owner".into(),
        name: String::new(),
        products: vec!["shop".into()],
        envs: vec!["*".into()],
        scopes: Scope::WORDS.map(|(_, scope)| scope).to_vec(),
        created_at: NOW,
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests' time is tokio's")]
fn tokio_now() -> Instant {
    Instant::now()
}

impl World {
    pub(super) fn new() -> Self {
        let document = json!({"envs": ["prd"], "apps": {"shop": {
            "envs": {"prd": {"base_url": "https://shop.example.com"}},
            "actions": {"do": {"method": "POST", "path": "/do/:what"}},
        }}});
        let catalog = Catalog::from_document(&document).unwrap();
        let revision = Revision::of(&document);
        let catalog = Arc::new(Published { document, catalog, revision });
        Self { began_at: tokio_now(), catalog, state: Mutex::default(), tables: Tables::default() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn job(&self, id: JobId) -> Job {
        self.state().jobs[&id].clone()
    }

    /// Something happens to a job.
    pub(super) fn happens(&self, id: JobId, trigger: &Trigger) {
        let now = self.now();
        let mut state = self.state();
        let job = state.jobs.get_mut(&id).unwrap();
        job.state = decide(job, trigger, now).unwrap().state;
    }

    fn call(&self) -> Result<MutexGuard<'_, State>, PortError> {
        let mut state = self.state();
        state.calls += 1;
        match state.faults.checked_sub(1) {
            None => Ok(state),
            Some(left) => {
                state.faults = left;
                Err(PortError::Unavailable("the table does not answer".into()))
            }
        }
    }
}

impl JobStore for World {
    async fn insert_new(&self, job: &Job) -> Result<WriteOutcome, PortError> {
        self.call()?.jobs.insert(job.id, job.clone());
        Ok(WriteOutcome::Done)
    }

    async fn get(&self, id: JobId) -> Result<Option<Job>, PortError> {
        Ok(self.call()?.jobs.get(&id).cloned())
    }

    async fn commit(&self, transition: &Transition) -> Result<WriteOutcome, PortError> {
        match self.call()?.jobs.get_mut(&transition.before.id) {
            Some(job) if job.state.revision == transition.before.state.revision => {
                *job = transition.after();
                Ok(WriteOutcome::Done)
            }
            _ => Ok(WriteOutcome::Conflict),
        }
    }

    async fn list(&self, query: &JobQuery) -> Result<ListedJobs, PortError> {
        Ok(ListedJobs::full(Vec::new(), query.limit))
    }

    async fn retired_runs(&self, _: JobId, _: Option<(u32, u32)>, _: usize) -> Result<History, PortError> {
        Ok(History::cut(Vec::new(), 0))
    }
}

impl CatalogStore for World {
    async fn get(&self, _: &str) -> Result<Option<Arc<Published>>, PortError> {
        Ok(Some(Arc::clone(&self.catalog)))
    }

    async fn put(&self, _: &str, _: Arc<Published>, _: &Condition) -> Result<WriteOutcome, PortError> {
        Ok(WriteOutcome::Conflict)
    }

    async fn delete(&self, _: &str, _: &Condition) -> Result<WriteOutcome, PortError> {
        Ok(WriteOutcome::Conflict)
    }
}

impl KeyStore for World {
    async fn find(&self, _: &KeyHash) -> Result<Option<Arc<ApiKey>>, PortError> {
        Ok(None)
    }

    async fn add(&self, _: &KeyHash, _: &ApiKey) -> Result<(), PortError> {
        Ok(())
    }
}

impl Timers for World {
    async fn arm(&self, fire: Fire, at: UnixMillis) -> Result<(), PortError> {
        self.state().armed.push((fire, at));
        Ok(())
    }

    async fn disarm(&self, _: Fire) {}
}

impl DeadLetters for World {
    async fn redrive_all(&self, _: usize) -> Result<Redriven, PortError> {
        Ok(Redriven::Started)
    }
}

impl Clock for World {
    fn now(&self) -> UnixMillis {
        NOW.plus(tokio_now().duration_since(self.began_at).as_millis().try_into().unwrap())
    }
}

impl Entropy for World {
    fn bits(&self) -> u128 {
        let mut state = self.state();
        state.random += 1;
        state.random
    }
}

impl Ports for World {
    fn jobs(&self) -> &impl JobStore {
        self
    }

    fn catalogs(&self) -> &impl CatalogStore {
        self
    }

    fn keys(&self) -> &impl KeyStore {
        self
    }

    fn sealing_keys(&self) -> &impl SealingKeys {
        &self.tables.sealing_keys
    }

    fn result_cache(&self) -> &impl ResultCache {
        &self.tables.results
    }

    fn idempotency(&self) -> &impl IdempotencyStore {
        &self.tables.reservations
    }

    fn progress(&self) -> &impl Progress {
        &self.tables.progress
    }

    fn timers(&self) -> &impl Timers {
        self
    }

    fn dead_letters(&self) -> &impl DeadLetters {
        self
    }

    fn clock(&self) -> &impl Clock {
        self
    }

    fn entropy(&self) -> &impl Entropy {
        self
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { secret_stores: &[], aws: Err("AWS services cannot be called here") }
    }
}
