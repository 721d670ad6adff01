//! All ports in memory: a clock that moves only when it is told to, seeded randomness, and faults by script.
//!
//! Every call of a port yields once, so that whoever polls several operations decides in which order their calls happen
//! ([`turns`]). The same seed, script and turns give the same history.

pub(crate) mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::access::{ApiKey, KeyHash};
use crate::cache::{CacheId, CacheKey};
use crate::catalog::SecretStoreKind;
use crate::idempotency::{IdempotencyKey, IdempotencyRecord};
use crate::ids::{Fire, JobId, Owner};
use crate::job::{Job, Outcome, Run, Status};
use crate::machine::Transition;
use crate::ports::{
    CacheAnswer, CachePage, CachedResult, CatalogStore, Checkpoints, Clock, Condition, Counters, DeadLetters, Entropy,
    FallbackHealth, FillLease, History, IdempotencyStore, JobQuery, JobStore, KeyStore, ListedJobs, PortError, Ports,
    Progress, Published, Redriven, ResultCache, SealingKeys, Timers, WriteOutcome,
};
use crate::progress::{Checkpoint, CheckpointId, Counted, CounterId, FallbackId, RunId};
use crate::request::Capabilities;
use crate::session::sealing::{SealingKey, SealingKeyId};
use crate::testkit::{Keyring, ProgressTables, Requests, Results};
use crate::time::UnixMillis;

/// A call of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PortCall {
    InsertJob,
    GetJob,
    Commit,
    ListJobs,
    RetiredRuns,
    GetCatalog,
    FreshCatalog,
    PutCatalog,
    DeleteCatalog,
    FindKey,
    AddKey,
    CurrentKey,
    FindSealingKey,
    LookupResult,
    Fill,
    Release,
    CacheEntries,
    ClearCache,
    FindReservation,
    Reserve,
    DoneParts,
    NotePart,
    CounterUsed,
    Count,
    ResetCounter,
    Failing,
    MarkOption,
    Arm,
    Disarm,
    RedriveAll,
}

/// What goes wrong with one call.
pub(crate) enum Fault {
    /// It fails, and nothing was done.
    Before,
    /// It is done, and fails: the answer is lost.
    After,
    /// It is done twice, as by a client that repeats it: a conditional write then finds its own result in its place.
    Twice,
    /// Somebody else acts first.
    Overtaken(Box<dyn FnOnce(&mut World) + Send>),
}

/// Which call a fault is for, counted from when it was scripted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// This call of this port, from 0.
    Nth(PortCall, usize),
    /// This call of any port, from 0.
    Any(usize),
}

/// Everything that is stored, armed, or has happened.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) now: UnixMillis,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    pub(crate) retired: BTreeMap<JobId, Vec<Run>>,
    pub(crate) catalogs: BTreeMap<String, Arc<Published>>,
    /// What readers get that ask for no fresh catalog, where that differs.
    pub(crate) cached_catalogs: BTreeMap<String, Option<Arc<Published>>>,
    /// Messages on their way to the executor.
    pub(crate) armed: BTreeSet<(UnixMillis, Fire)>,
    /// Every outcome that was ever recorded.
    pub(crate) outcomes: Vec<(Fire, Outcome)>,
    /// Every call so far.
    pub(crate) calls: Vec<PortCall>,
    pub(crate) sealing_keys: Keyring,
    pub(crate) results: Results,
    pub(crate) reservations: Requests,
    pub(crate) progress: ProgressTables,
    /// Whether the stack can call AWS.
    pub(crate) has_aws: bool,
    keys: Vec<(KeyHash, Arc<ApiKey>)>,
    seed: u64,
    script: Vec<(When, Fault)>,
}

impl World {
    /// Stores a transition if the job has its expected revision.
    pub(crate) fn commit(&mut self, transition: &Transition) -> WriteOutcome {
        let Some(job) = self.jobs.get_mut(&transition.before.id) else { return WriteOutcome::Conflict };
        if job.state.revision != transition.before.state.revision {
            return WriteOutcome::Conflict;
        }
        assert_eq!(*job, transition.before, "it says what it leaves");
        *job = transition.after();
        let run = transition.retired.as_ref().unwrap_or(&job.state.run);
        let fire = Fire { job_id: job.id, generation: run.generation, run_no: run.run_no };
        self.outcomes.extend(transition.outcome().map(|outcome| (fire, outcome.clone())));
        self.retired.entry(job.id).or_default().extend(transition.retired.clone());
        WriteOutcome::Done
    }

    /// Takes the fault that is scripted for this call, and counts the others down.
    fn fault_of(&mut self, call: PortCall) -> Option<Fault> {
        self.calls.push(call);
        let mut due = None;
        for (index, (when, _)) in self.script.iter_mut().enumerate() {
            let (When::Any(left) | When::Nth(_, left)) = when;
            match left.checked_sub(1) {
                _ if matches!(when, When::Nth(wanted, _) if *wanted != call) => {}
                Some(fewer) => *when = if let When::Nth(..) = when { When::Nth(call, fewer) } else { When::Any(fewer) },
                None => due = due.or(Some(index)),
            }
        }
        due.map(|index| self.script.remove(index).1)
    }
}

/// The ports.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<World>>);

impl Memory {
    pub(crate) fn new(now: UnixMillis, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(World { now, seed, ..World::default() })))
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Has one call go wrong.
    pub(crate) fn script(&self, when: When, fault: Fault) {
        self.world().script.push((when, fault));
    }

    /// Whether every scripted fault has happened.
    pub(crate) fn is_script_done(&self) -> bool {
        self.world().script.is_empty()
    }

    async fn call<T>(&self, call: PortCall, mut act: impl FnMut(&mut World) -> T) -> Result<T, PortError> {
        let lost = || Err(PortError::Unavailable("scripted".into()));
        turns::yield_once().await;
        let mut world = self.world();
        match world.fault_of(call) {
            None => Ok(act(&mut world)),
            Some(Fault::Before) => lost(),
            Some(Fault::After) => {
                act(&mut world);
                lost()
            }
            Some(Fault::Twice) => {
                act(&mut world);
                Ok(act(&mut world))
            }
            Some(Fault::Overtaken(other)) => {
                other(&mut world);
                Ok(act(&mut world))
            }
        }
    }
}

impl JobStore for Memory {
    async fn insert_new(&self, job: &Job) -> Result<WriteOutcome, PortError> {
        let insert = |world: &mut World| {
            if let Some(stored) = world.jobs.get(&job.id) {
                // As the adapters do it: a repetition finds its own job in its place, or one that is just like it.
                return if stored == job { WriteOutcome::Done } else { WriteOutcome::Conflict };
            }
            world.jobs.insert(job.id, job.clone());
            WriteOutcome::Done
        };
        self.call(PortCall::InsertJob, insert).await
    }

    async fn get(&self, id: JobId) -> Result<Option<Job>, PortError> {
        self.call(PortCall::GetJob, |world| world.jobs.get(&id).cloned()).await
    }

    async fn commit(&self, transition: &Transition) -> Result<WriteOutcome, PortError> {
        self.call(PortCall::Commit, |world| world.commit(transition)).await
    }

    async fn list(&self, query: &JobQuery) -> Result<ListedJobs, PortError> {
        let is_wanted = |job: &&Job| {
            (&job.spec.product, &job.spec.env) == (&query.product, &query.env)
                && query.status.is_none_or(|status| status == job.state.status)
                && query.before.is_none_or(|before| job.id < before)
        };
        let list = |world: &mut World| {
            let jobs = world.jobs.values().rev().filter(is_wanted).take(query.limit).cloned().collect();
            ListedJobs::full(jobs, query.limit)
        };
        self.call(PortCall::ListJobs, list).await
    }

    async fn retired_runs(&self, id: JobId, before: Option<(u32, u32)>, limit: usize) -> Result<History, PortError> {
        let is_wanted = |run: &&Run| before.is_none_or(|before| (run.generation, run.run_no) < before);
        let runs = |world: &mut World| {
            let wanted = world.retired.get(&id).into_iter().flatten().rev().filter(is_wanted);
            History::cut(wanted.take(limit + 1).cloned().collect(), limit)
        };
        self.call(PortCall::RetiredRuns, runs).await
    }
}

impl CatalogStore for Memory {
    async fn get(&self, product: &str) -> Result<Option<Arc<Published>>, PortError> {
        let read = |world: &mut World| {
            let cached = world.cached_catalogs.get(product).cloned();
            cached.unwrap_or_else(|| world.catalogs.get(product).cloned())
        };
        self.call(PortCall::GetCatalog, read).await
    }

    async fn fresh(&self, product: &str) -> Result<Option<Arc<Published>>, PortError> {
        self.call(PortCall::FreshCatalog, |world| world.catalogs.get(product).cloned()).await
    }

    async fn put(&self, product: &str, new: Arc<Published>, condition: &Condition) -> Result<WriteOutcome, PortError> {
        let put = |world: &mut World| {
            if !condition.holds(world.catalogs.get(product).map(|it| &it.revision)) {
                return WriteOutcome::Conflict;
            }
            world.catalogs.insert(product.to_owned(), Arc::clone(&new));
            WriteOutcome::Done
        };
        self.call(PortCall::PutCatalog, put).await
    }

    async fn delete(&self, product: &str, condition: &Condition) -> Result<WriteOutcome, PortError> {
        let delete = |world: &mut World| {
            if !condition.holds(world.catalogs.get(product).map(|it| &it.revision)) {
                return WriteOutcome::Conflict;
            }
            world.catalogs.remove(product);
            WriteOutcome::Done
        };
        self.call(PortCall::DeleteCatalog, delete).await
    }
}

impl KeyStore for Memory {
    async fn find(&self, hash: &KeyHash) -> Result<Option<Arc<ApiKey>>, PortError> {
        let find =
            |world: &mut World| world.keys.iter().find(|(known, _)| known == hash).map(|(_, key)| Arc::clone(key));
        self.call(PortCall::FindKey, find).await
    }

    async fn add(&self, hash: &KeyHash, key: &ApiKey) -> Result<(), PortError> {
        self.call(PortCall::AddKey, |world| world.keys.push((hash.clone(), Arc::new(key.clone())))).await
    }
}

impl SealingKeys for Memory {
    async fn current(&self) -> Result<SealingKey, PortError> {
        self.call(PortCall::CurrentKey, |world| world.sealing_keys.current()).await
    }

    async fn find(&self, name: &SealingKeyId) -> Result<Option<SealingKey>, PortError> {
        self.call(PortCall::FindSealingKey, |world| world.sealing_keys.find(name)).await
    }
}

impl ResultCache for Memory {
    async fn lookup(&self, key: &CacheKey, lead: &FillLease, now: UnixMillis) -> Result<CacheAnswer, PortError> {
        self.call(PortCall::LookupResult, |world| world.results.lookup(key, lead, now)).await
    }

    async fn fill(&self, key: &CacheKey, leader: &Owner, result: &CachedResult) -> Result<(), PortError> {
        self.call(PortCall::Fill, |world| world.results.fill(key, leader, result)).await
    }

    async fn release(&self, key: &CacheKey, leader: &Owner) -> Result<(), PortError> {
        self.call(PortCall::Release, |world| world.results.release(key, leader)).await
    }

    async fn entries(
        &self,
        cache: &CacheId,
        after: Option<&str>,
        limit: usize,
        now: UnixMillis,
    ) -> Result<CachePage, PortError> {
        self.call(PortCall::CacheEntries, |world| world.results.entries(cache, after, limit, now)).await
    }

    async fn clear(&self, cache: &CacheId, _: UnixMillis) -> Result<(), PortError> {
        self.call(PortCall::ClearCache, |world| world.results.clear(cache)).await
    }
}

impl IdempotencyStore for Memory {
    async fn find(&self, name: &IdempotencyKey, now: UnixMillis) -> Result<Option<IdempotencyRecord>, PortError> {
        self.call(PortCall::FindReservation, |world| world.reservations.find(name, now)).await
    }

    async fn reserve(&self, name: &IdempotencyKey, new: &IdempotencyRecord) -> Result<IdempotencyRecord, PortError> {
        self.call(PortCall::Reserve, |world| world.reservations.reserve(name, new)).await
    }
}

impl Checkpoints for Memory {
    async fn finished(&self, run: RunId, under: &str) -> Result<Vec<Checkpoint>, PortError> {
        self.call(PortCall::DoneParts, |world| world.progress.finished(run, under)).await
    }

    async fn save(&self, run: RunId, part: &Checkpoint, _: UnixMillis) -> Result<(), PortError> {
        let note = |world: &mut World| {
            world.progress.parts.entry(run).or_default().insert(part.place.clone(), part.clone());
        };
        self.call(PortCall::NotePart, note).await
    }
}

impl Counters for Memory {
    async fn used(&self, counter: &CounterId) -> Result<u64, PortError> {
        self.call(PortCall::CounterUsed, |world| world.progress.used.get(counter).copied().unwrap_or_default()).await
    }

    async fn add(&self, counter: &CounterId, by: &CheckpointId, amount: u64, limit: u64) -> Result<Counted, PortError> {
        self.call(PortCall::Count, |world| world.progress.add(counter, by, amount, limit)).await
    }

    async fn reset(&self, counter: &CounterId, by: &CheckpointId) -> Result<(), PortError> {
        self.call(PortCall::ResetCounter, |world| world.progress.reset(counter, by)).await
    }
}

impl FallbackHealth for Memory {
    async fn failing(&self, fallback: &FallbackId) -> Result<BTreeMap<String, UnixMillis>, PortError> {
        self.call(PortCall::Failing, |world| world.progress.marks.get(fallback).cloned().unwrap_or_default()).await
    }

    async fn mark(&self, fallback: &FallbackId, option: &str, until: UnixMillis) -> Result<(), PortError> {
        let mark = |world: &mut World| {
            world.progress.marks.entry(fallback.clone()).or_default().insert(option.to_owned(), until);
        };
        self.call(PortCall::MarkOption, mark).await
    }
}

impl Timers for Memory {
    async fn arm(&self, fire: Fire, at: UnixMillis) -> Result<(), PortError> {
        self.call(PortCall::Arm, |world| {
            world.armed.insert((at, fire));
        })
        .await
    }

    async fn disarm(&self, fire: Fire) {
        // Whatever goes wrong here is nobody's concern: a timer that fires all the same does no harm.
        self.call(PortCall::Disarm, |world| world.armed.retain(|(_, armed)| *armed != fire)).await.unwrap_or_default();
    }
}

impl DeadLetters for Memory {
    async fn redrive_all(&self, limit: usize) -> Result<Redriven, PortError> {
        let spent = |world: &mut World| {
            let failed = world.jobs.values().rev().filter(|job| job.state.status == Status::Failed);
            failed.map(Job::fire).take(limit).collect()
        };
        self.call(PortCall::RedriveAll, spent).await.map(Redriven::Fires)
    }
}

impl Clock for Memory {
    fn now(&self) -> UnixMillis {
        self.world().now
    }
}

impl Entropy for Memory {
    /// Two steps of SplitMix64.
    fn bits(&self) -> u128 {
        let mut world = self.world();
        let mut step = || {
            world.seed = world.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (world.seed ^ (world.seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        };
        u128::from(step()) << 64 | u128::from(step())
    }
}

impl Ports for Memory {
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
        self
    }
    fn result_cache(&self) -> &impl ResultCache {
        self
    }
    fn idempotency(&self) -> &impl IdempotencyStore {
        self
    }
    fn progress(&self) -> &impl Progress {
        self
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
        let aws = if self.world().has_aws { Ok(()) } else { Err("AWS services cannot be called here") };
        Capabilities { secret_stores: &[SecretStoreKind::Env], aws }
    }
}
