//! One stack's ports in memory, with faults to order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use carillon_core::access::{ApiKey, KeyHash};
use carillon_core::catalog::{Catalog, Revision, SecretStoreKind};
use carillon_core::event_types::Limits;
use carillon_core::ids::{Fire, JobId};
use carillon_core::job::{Job, Output, Run, RunError, Status};
use carillon_core::machine::Transition;
use carillon_core::operations::{Executor, execute};
use carillon_core::ports::{
    CatalogStore, Clock, Condition, DeadLetters, Entropy, History, IdempotencyStore, JobQuery, JobStore, KeyStore,
    ListedJobs, PortError, Ports, Progress, Published, Redriven, ResultCache, SealingKeys, Targets, Timers,
    WriteOutcome,
};
use carillon_core::request::{Capabilities, DispatchRequest};
use carillon_core::testkit::Tables;
use carillon_core::time::UnixMillis;
use serde_json::Value;

pub(super) const NOW: i64 = 1_800_000_000_000;

/// What a port does instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    Unavailable,
    Throttled,
    Permanent,
    Hang,
    Panic,
    /// It does its work, and takes so many seconds for it.
    Slow(i64),
}

/// A port that can be in trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Port {
    Jobs,
    Catalogs,
    Keys,
    Timers,
    DeadLetters,
}

/// Stands in the cause of every ordered fault, and must never reach a client.
pub(super) const INNERMOST: &str = "table carillon-prd at 10.0.0.7 said no";

#[derive(Default)]
pub(super) struct World {
    state: Mutex<State>,
    now: AtomicI64,
    random: AtomicU64,
    tables: Tables,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) jobs: BTreeMap<JobId, Job>,
    pub(super) retired: Vec<(JobId, Run)>,
    pub(super) catalogs: BTreeMap<String, Arc<Published>>,
    keys: BTreeMap<String, Arc<ApiKey>>,
    pub(super) armed: Vec<(Fire, UnixMillis)>,
    pub(super) troubles: BTreeMap<Port, Trouble>,
    /// What the queue does about its dead letters; a world without a queue hands them over.
    pub(super) redriven: Option<Redriven>,
}

impl World {
    pub(super) fn new() -> Self {
        let world = Self::default();
        world.now.store(NOW, Ordering::SeqCst);
        world
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that is stored, to be compared.
    pub(super) fn stored(&self) -> String {
        let state = self.state();
        let revisions: Vec<_> = state.catalogs.iter().map(|(product, it)| (product, &it.revision)).collect();
        format!("{:?} {:?} {revisions:?}", state.jobs, state.retired)
    }

    pub(super) fn advance(&self, millis: i64) {
        self.now.fetch_add(millis, Ordering::SeqCst);
    }

    pub(super) fn admit(&self, text: &str, key: ApiKey) {
        self.state().keys.insert(KeyHash::of(text).to_string(), Arc::new(key));
    }

    pub(super) fn publish(&self, product: &str, document: Value) {
        let catalog = Catalog::from_document(&document).unwrap();
        let revision = Revision::of(&document);
        let published = Arc::new(Published { document, catalog, revision });
        self.state().catalogs.insert(product.to_owned(), published);
    }

    pub(super) fn trouble(&self, port: Port, trouble: Trouble) {
        self.state().troubles.insert(port, trouble);
    }

    /// Makes one attempt of the job's present fire.
    pub(super) async fn attempt(&self, id: JobId, result: Result<Output, RunError>) {
        let fire = self.state().jobs[&id].fire();
        let executor = Executor { targets: Scripted(result), limits: Limits::default(), trace: None };
        execute(self, &executor, fire).await.unwrap();
    }

    async fn meet(&self, port: Port) -> Result<(), PortError> {
        let trouble = self.state().troubles.get(&port).copied();
        match trouble {
            None => Ok(()),
            Some(Trouble::Unavailable) => Err(PortError::Unavailable(INNERMOST.into())),
            Some(Trouble::Throttled) => Err(PortError::Throttled(INNERMOST.into())),
            Some(Trouble::Permanent) => Err(PortError::Permanent(INNERMOST.into())),
            Some(Trouble::Hang) => std::future::pending().await,
            Some(Trouble::Slow(seconds)) => {
                self.advance(seconds * 1_000);
                Ok(())
            }
            Some(Trouble::Panic) => panic!("{INNERMOST}"),
        }
    }
}

struct Scripted(Result<Output, RunError>);

impl Targets for Scripted {
    async fn dispatch(&self, _: DispatchRequest) -> Result<Output, RunError> {
        self.0.clone()
    }

    async fn pause(&self, _: u32) {}
}

impl JobStore for World {
    async fn insert_new(&self, job: &Job) -> Result<WriteOutcome, PortError> {
        self.meet(Port::Jobs).await?;
        let mut state = self.state();
        if state.jobs.contains_key(&job.id) {
            return Ok(WriteOutcome::Conflict);
        }
        state.jobs.insert(job.id, job.clone());
        Ok(WriteOutcome::Done)
    }

    async fn get(&self, id: JobId) -> Result<Option<Job>, PortError> {
        self.meet(Port::Jobs).await?;
        Ok(self.state().jobs.get(&id).cloned())
    }

    async fn commit(&self, transition: &Transition) -> Result<WriteOutcome, PortError> {
        self.meet(Port::Jobs).await?;
        let mut state = self.state();
        match state.jobs.get_mut(&transition.before.id) {
            Some(job) if job.state.revision == transition.before.state.revision => *job = transition.after(),
            _ => return Ok(WriteOutcome::Conflict),
        }
        state.retired.extend(transition.retired.clone().map(|run| (transition.before.id, run)));
        Ok(WriteOutcome::Done)
    }

    async fn list(&self, query: &JobQuery) -> Result<ListedJobs, PortError> {
        self.meet(Port::Jobs).await?;
        let state = self.state();
        let wanted = |job: &&Job| {
            job.spec.product == query.product
                && job.spec.env == query.env
                && query.status.is_none_or(|status| job.state.status == status)
                && query.before.is_none_or(|before| job.id < before)
        };
        let jobs = state.jobs.values().rev().filter(wanted).take(query.limit).cloned().collect();
        Ok(ListedJobs::full(jobs, query.limit))
    }

    async fn retired_runs(&self, id: JobId, before: Option<(u32, u32)>, limit: usize) -> Result<History, PortError> {
        self.meet(Port::Jobs).await?;
        let state = self.state();
        let earlier = |run: &&Run| before.is_none_or(|before| (run.generation, run.run_no) < before);
        let runs = state.retired.iter().rev().filter(|(of, _)| *of == id).map(|(_, run)| run);
        Ok(History::cut(runs.filter(earlier).take(limit + 1).cloned().collect(), limit))
    }
}

impl CatalogStore for World {
    async fn get(&self, product: &str) -> Result<Option<Arc<Published>>, PortError> {
        self.meet(Port::Catalogs).await?;
        Ok(self.state().catalogs.get(product).cloned())
    }

    async fn put(
        &self,
        product: &str,
        published: Arc<Published>,
        condition: &Condition,
    ) -> Result<WriteOutcome, PortError> {
        self.meet(Port::Catalogs).await?;
        let mut state = self.state();
        if !condition.holds(state.catalogs.get(product).map(|it| &it.revision)) {
            return Ok(WriteOutcome::Conflict);
        }
        state.catalogs.insert(product.to_owned(), published);
        Ok(WriteOutcome::Done)
    }

    async fn delete(&self, product: &str, condition: &Condition) -> Result<WriteOutcome, PortError> {
        self.meet(Port::Catalogs).await?;
        let mut state = self.state();
        if !condition.holds(state.catalogs.get(product).map(|it| &it.revision)) {
            return Ok(WriteOutcome::Conflict);
        }
        state.catalogs.remove(product);
        Ok(WriteOutcome::Done)
    }
}

impl KeyStore for World {
    async fn find(&self, hash: &KeyHash) -> Result<Option<Arc<ApiKey>>, PortError> {
        self.meet(Port::Keys).await?;
        Ok(self.state().keys.get(&hash.to_string()).cloned())
    }

    async fn add(&self, hash: &KeyHash, key: &ApiKey) -> Result<(), PortError> {
        self.state().keys.insert(hash.to_string(), Arc::new(key.clone()));
        Ok(())
    }
}

impl Timers for World {
    async fn arm(&self, fire: Fire, at: UnixMillis) -> Result<(), PortError> {
        self.meet(Port::Timers).await?;
        self.state().armed.push((fire, at));
        Ok(())
    }

    async fn disarm(&self, fire: Fire) {
        self.state().armed.retain(|(armed, _)| *armed != fire);
    }
}

impl DeadLetters for World {
    async fn redrive_all(&self, limit: usize) -> Result<Redriven, PortError> {
        self.meet(Port::DeadLetters).await?;
        let state = self.state();
        let spent = state.jobs.values().rev().filter(|job| job.state.status == Status::Failed);
        Ok(state.redriven.clone().unwrap_or_else(|| Redriven::Fires(spent.map(Job::fire).take(limit).collect())))
    }
}

impl Clock for World {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.now.load(Ordering::SeqCst))
    }
}

impl Entropy for World {
    fn bits(&self) -> u128 {
        u128::from(self.random.fetch_add(1, Ordering::SeqCst))
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
        Capabilities { secret_stores: &[SecretStoreKind::Env], aws: Err("AWS services cannot be called here") }
    }
}
