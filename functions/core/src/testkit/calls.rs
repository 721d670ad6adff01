//! The ports over [`Tables`], each call through a [`Gate`].
//!
//! A port has one trait here whose methods, all provided, pass the gate; whatever has that trait has the port. So a new method of
//! a port is added in one place for all stacks that store in memory, and a test overrides the methods that it watches.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use super::script::PortCall;
use super::tables::Tables;
use crate::access::{ApiKey, KeyHash};
use crate::cache::{CacheId, CacheKey};
use crate::idempotency::{IdempotencyKey, IdempotencyRecord};
use crate::ids::{Fire, JobId, Owner};
use crate::job::Job;
use crate::machine::Transition;
use crate::ports::{
    CacheAnswer, CachePage, CachedResult, CatalogStore, Checkpoints, Clock, Condition, Counters, DeadLetters, Entropy,
    FallbackHealth, FillLease, History, IdempotencyStore, JobQuery, JobStore, KeyStore, ListedJobs, PortError, Ports,
    Progress, Published, Redriven, ResultCache, SealingKeys, Timers, WaitSlots, WriteOutcome,
};
use crate::progress::{Checkpoint, CheckpointId, Counted, CounterId, FallbackId, RunId};
use crate::request::Capabilities;
use crate::session::sealing::{SealingKey, SealingKeyId};
use crate::time::UnixMillis;

/// The way of every call to the tables.
pub trait Gate: Send + Sync {
    /// Lets a call through, or has it fail. It may be carried out twice, as if its client had repeated it.
    fn pass<T: Send>(
        &self,
        call: PortCall,
        act: impl FnMut(&mut Tables) -> T + Send,
    ) -> impl Future<Output = Result<T, PortError>> + Send;

    /// [`Ports::capabilities`].
    fn capabilities(&self) -> Capabilities;
}

/// Defines the trait of one port's calls, and has the port follow from it.
macro_rules! calls {
    ($calls:ident is $port:ident { $(
        fn $method:ident(&self $(, $argument:ident: $type:ty)*) -> $answer:ty = $call:ident($act:expr);
    )* }) => {
        #[doc = concat!("The calls of [`", stringify!($port), "`].")]
        pub trait $calls: Gate { $(
            #[doc = concat!("[`", stringify!($port), "::", stringify!($method), "`].")]
            fn $method(&self $(, $argument: $type)*) -> impl Future<Output = Result<$answer, PortError>> + Send {
                self.pass(PortCall::$call, $act)
            }
        )* }

        impl<T: $calls> $port for T { $(
            async fn $method(&self $(, $argument: $type)*) -> Result<$answer, PortError> {
                $calls::$method(self $(, $argument)*).await
            }
        )* }
    };
}

calls!(JobCalls is JobStore {
    fn insert_new(&self, job: &Job) -> WriteOutcome = InsertJob(|tables| tables.insert_job(job));
    fn get(&self, id: JobId) -> Option<Job> = GetJob(move |tables| tables.jobs.get(&id).cloned());
    fn commit(&self, transition: &Transition) -> WriteOutcome = Commit(|tables| tables.commit(transition));
    fn list(&self, query: &JobQuery) -> ListedJobs = ListJobs(|tables| tables.list_jobs(query));
    fn retired_runs(&self, id: JobId, before: Option<(u32, u32)>, limit: usize) -> History =
        RetiredRuns(move |tables| tables.retired_runs(id, before, limit));
});

calls!(CatalogCalls is CatalogStore {
    fn get(&self, product: &str) -> Option<Arc<Published>> = GetCatalog(|tables| tables.catalog(product));
    fn fresh(&self, product: &str) -> Option<Arc<Published>> = FreshCatalog(|tables| tables.fresh_catalog(product));
    fn put(&self, product: &str, published: Arc<Published>, condition: &Condition) -> WriteOutcome =
        PutCatalog(move |tables| tables.put_catalog(product, &published, condition));
    fn delete(&self, product: &str, condition: &Condition) -> WriteOutcome =
        DeleteCatalog(|tables| tables.delete_catalog(product, condition));
});

calls!(KeyCalls is KeyStore {
    fn find(&self, hash: &KeyHash) -> Option<Arc<ApiKey>> = FindKey(|tables| tables.find_key(hash));
    fn add(&self, hash: &KeyHash, key: &ApiKey) -> () = AddKey(|tables| tables.add_key(hash, key));
});

calls!(SealingKeyCalls is SealingKeys {
    fn current(&self) -> SealingKey = CurrentKey(|tables| tables.sealing_keys.current());
    fn find(&self, name: &SealingKeyId) -> Option<SealingKey> = FindSealingKey(|tables| tables.sealing_keys.find(name));
});

calls!(ResultCalls is ResultCache {
    fn lookup(&self, key: &CacheKey, lead: &FillLease, now: UnixMillis) -> CacheAnswer =
        LookupResult(move |tables| tables.results.lookup(key, lead, now));
    fn fill(&self, key: &CacheKey, leader: &Owner, result: &CachedResult) -> () =
        FillResult(|tables| tables.results.fill(key, leader, result));
    fn release(&self, key: &CacheKey, leader: &Owner) -> () = ReleaseResult(|tables| tables.results.release(key, leader));
    fn entries(&self, cache: &CacheId, after: Option<&str>, limit: usize, now: UnixMillis) -> CachePage =
        CacheEntries(move |tables| tables.results.entries(cache, after, limit, now));
    fn clear(&self, cache: &CacheId, now: UnixMillis) -> () = ClearCache(move |tables| tables.results.clear(cache, now));
});

calls!(IdempotencyCalls is IdempotencyStore {
    fn find(&self, name: &IdempotencyKey, now: UnixMillis) -> Option<IdempotencyRecord> =
        FindRequest(move |tables| tables.reservations.find(name, now));
    fn reserve(&self, name: &IdempotencyKey, new: &IdempotencyRecord) -> IdempotencyRecord =
        ReserveRequest(|tables| tables.reservations.reserve(name, new));
});

calls!(CheckpointCalls is Checkpoints {
    fn finished(&self, run: RunId, under: &str) -> Vec<Checkpoint> =
        FinishedParts(move |tables| tables.progress.finished(run, under));
    fn save(&self, run: RunId, part: &Checkpoint, now: UnixMillis) -> () =
        SavePart(move |tables| tables.progress.save(run, part, now));
});

calls!(CounterCalls is Counters {
    fn used(&self, counter: &CounterId) -> u64 = CounterUsed(|tables| tables.progress.used(counter));
    fn add(&self, counter: &CounterId, by: &CheckpointId, amount: u64, limit: u64) -> Counted =
        Count(move |tables| tables.progress.add(counter, by, amount, limit));
    fn reset(&self, counter: &CounterId, by: &CheckpointId) -> () =
        ResetCounter(|tables| tables.progress.reset(counter, by));
});

calls!(FallbackCalls is FallbackHealth {
    fn failing(&self, fallback: &FallbackId) -> BTreeMap<String, UnixMillis> =
        Failing(|tables| tables.progress.failing(fallback));
    fn mark(&self, fallback: &FallbackId, option: &str, until: UnixMillis) -> () =
        MarkOption(move |tables| tables.progress.mark(fallback, option, until));
});

calls!(DeadLetterCalls is DeadLetters {
    fn redrive_all(&self, limit: usize) -> Redriven = RedriveAll(move |tables| tables.redrive_all(limit));
});

calls!(WaitSlotCalls is WaitSlots {
    fn take(&self, slot: u32, owner: &Owner, now: UnixMillis, until: UnixMillis) -> bool =
        TakeSlot(move |tables| tables.wait_slots.take(slot, owner, now, until));
    fn release(&self, slot: u32, owner: &Owner) -> () = ReleaseSlot(move |tables| tables.wait_slots.release(slot, owner));
});

/// The calls of [`Timers`].
pub trait TimerCalls: Gate {
    /// [`Timers::arm`].
    fn arm(&self, fire: Fire, at: UnixMillis) -> impl Future<Output = Result<(), PortError>> + Send {
        self.pass(PortCall::Arm, move |tables| tables.arm(fire, at))
    }

    /// [`Timers::disarm`].
    fn disarm(&self, fire: Fire) -> impl Future<Output = ()> + Send {
        // A timer that fires all the same does no harm, so a fault here is nobody's concern.
        async move { self.pass(PortCall::Disarm, move |tables| tables.disarm(fire)).await.unwrap_or_default() }
    }
}

impl<T: TimerCalls> Timers for T {
    async fn arm(&self, fire: Fire, at: UnixMillis) -> Result<(), PortError> {
        TimerCalls::arm(self, fire, at).await
    }

    async fn disarm(&self, fire: Fire) {
        TimerCalls::disarm(self, fire).await;
    }
}

impl<T> Ports for T
where
    T: JobCalls + CatalogCalls + KeyCalls + SealingKeyCalls + ResultCalls + IdempotencyCalls,
    T: CheckpointCalls
        + CounterCalls
        + FallbackCalls
        + TimerCalls
        + DeadLetterCalls
        + WaitSlotCalls
        + Clock
        + Entropy
        + 'static,
{
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

    fn wait_slots(&self) -> &impl WaitSlots {
        self
    }

    fn clock(&self) -> &impl Clock {
        self
    }

    fn entropy(&self) -> &impl Entropy {
        self
    }

    fn capabilities(&self) -> Capabilities {
        Gate::capabilities(self)
    }
}
