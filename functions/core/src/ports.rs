//! What the operations need from the world, in the domain's words.
//!
//! An adapter crate implements these; [`Ports`] bundles them for one stack. The contract suite in `tests/` holds every
//! adapter to the same behaviour.

mod progress;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::access::{ApiKey, KeyHash};
use crate::cache::{CacheId, CacheKey};
use crate::catalog::{Catalog, Revision, SecretRef, Session, SessionEnv};
use crate::error::FieldCode;
use crate::event_types::{AwsRequest, DispatchId, DispatchRequest};
use crate::idempotency::{IdempotencyKey, IdempotencyRecord};
use crate::ids::{Fire, JobId, Owner};
use crate::job::{Job, Output, Run, RunError, Status};
use crate::machine::Transition;
use crate::session::Claims;
use crate::session::sealing::{SealingKey, SealingKeyId};
use crate::time::UnixMillis;

pub use progress::{Checkpoints, Counters, FallbackHealth, Progress};

/// A fault of something that the core depends on. Adapters classify their own errors into these once.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// It may work in a moment.
    #[error("a dependency did not answer")]
    Unavailable(#[source] BoxError),
    /// It works, and wants fewer requests.
    #[error("a dependency asks for fewer requests")]
    Throttled(#[source] BoxError),
    /// It will not work without a change: a missing table, a denied action, a record that cannot be read.
    #[error("a dependency refused the request")]
    Permanent(#[source] BoxError),
}

impl PortError {
    /// Its causes down to the first, in one line: for the log only.
    pub fn causes(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }
}

/// The cause of a [`PortError`], for the log only.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What became of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a conflict means that nothing was written"]
pub enum WriteOutcome {
    /// Stored.
    Done,
    /// The condition did not hold; nothing was stored.
    Conflict,
}

/// The jobs: the truth.
pub trait JobStore: Send + Sync {
    /// Stores a new job; a conflict means that its id is taken.
    fn insert_new(&self, job: &Job) -> impl Future<Output = Result<WriteOutcome, PortError>> + Send;

    /// Reads a job, with everything that was committed before the call.
    fn get(&self, id: JobId) -> impl Future<Output = Result<Option<Job>, PortError>> + Send;

    /// Stores a transition, and the run that it retires, if the job still has the expected revision.
    fn commit(&self, transition: &Transition) -> impl Future<Output = Result<WriteOutcome, PortError>> + Send;

    /// Jobs of one product and environment, newest first, after `query.before`. It may be some seconds behind: whoever acts on a
    /// job reads it again. Costs the same on every page. Of the queued and running ones an adapter need not find those in their
    /// first attempt that were due when they were accepted, 15 days ago or longer: their messages are gone by then.
    fn list(&self, query: &JobQuery) -> impl Future<Output = Result<ListedJobs, PortError>> + Send;

    /// Retired runs of a job, latest first, before `before` (generation and run number); at most `limit` of them.
    fn retired_runs(
        &self,
        id: JobId,
        before: Option<(u32, u32)>,
        limit: usize,
    ) -> impl Future<Output = Result<History, PortError>> + Send;
}

/// A page of a job's retired runs.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// The runs, latest first.
    pub runs: Vec<Run>,
    /// Whether there may be more. A page may be short and still have a next one, as results may be large.
    pub has_more: bool,
}

impl History {
    /// A page of `limit` runs, out of what was found when one more was asked for.
    pub fn cut(mut runs: Vec<Run>, limit: usize) -> Self {
        let has_more = runs.len() > limit;
        runs.truncate(limit);
        Self { runs, has_more }
    }
}

/// Which jobs to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobQuery {
    /// The product.
    pub product: String,
    /// The environment.
    pub env: String,
    /// Only jobs of this status.
    pub status: Option<Status>,
    /// Only jobs older than this one.
    pub before: Option<JobId>,
    /// At most so many, 1 to 100.
    pub limit: usize,
}

/// A page of jobs.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedJobs {
    /// The jobs, newest first.
    pub jobs: Vec<Job>,
    /// What the next page comes before, if there may be one. A page may be short, even empty, and still have a next one:
    /// an adapter bounds what a page costs, not what it finds.
    pub next: Option<JobId>,
}

impl ListedJobs {
    /// A page that found all it could: only a full one may have a next.
    pub fn full(jobs: Vec<Job>, limit: usize) -> Self {
        let next = jobs.last().filter(|_| jobs.len() == limit).map(|job| job.id);
        Self { jobs, next }
    }
}

/// The products' catalogs.
pub trait CatalogStore: Send + Sync {
    /// Reads a product's catalog. An adapter may answer from a cache of at most 30 s.
    fn get(&self, product: &str) -> impl Future<Output = Result<Option<Arc<Published>>, PortError>> + Send;

    /// Reads a product's catalog past every cache.
    fn fresh(&self, product: &str) -> impl Future<Output = Result<Option<Arc<Published>>, PortError>> + Send {
        self.get(product)
    }

    /// Replaces a product's catalog if `condition` holds.
    fn put(
        &self,
        product: &str,
        published: Arc<Published>,
        condition: &Condition,
    ) -> impl Future<Output = Result<WriteOutcome, PortError>> + Send;

    /// Removes a product's catalog if `condition` holds.
    fn delete(
        &self,
        product: &str,
        condition: &Condition,
    ) -> impl Future<Output = Result<WriteOutcome, PortError>> + Send;
}

/// A catalog as it was published.
#[derive(Debug)]
pub struct Published {
    /// The document as it was sent, for answers.
    pub document: serde_json::Value,
    /// What it says.
    pub catalog: Catalog,
    /// Names this very content.
    pub revision: Revision,
}

/// A precondition on what is stored now (RFC 9110, If-Match and If-None-Match).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// None.
    Always,
    /// Something is stored.
    Exists,
    /// Nothing is stored.
    Absent,
    /// One of these revisions is stored.
    Is(Vec<Revision>),
}

impl Condition {
    /// Whether it holds for what is stored.
    pub fn holds(&self, stored: Option<&Revision>) -> bool {
        match self {
            Self::Always => true,
            Self::Exists => stored.is_some(),
            Self::Absent => stored.is_none(),
            Self::Is(revisions) => stored.is_some_and(|stored| revisions.contains(stored)),
        }
    }
}

/// The callers' keys. Only hashes are known.
pub trait KeyStore: Send + Sync {
    /// The key of this hash. An adapter may answer from a cache of at most 30 s: a key that is revoked may open so long.
    fn find(&self, hash: &KeyHash) -> impl Future<Output = Result<Option<Arc<ApiKey>>, PortError>> + Send;

    /// Stores a key under its hash.
    fn add(&self, hash: &KeyHash, key: &ApiKey) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The keys under which what is confidential is sealed.
pub trait SealingKeys: Send + Sync {
    /// The key that seals today.
    fn current(&self) -> impl Future<Output = Result<SealingKey, PortError>> + Send;

    /// A key by its name; `None` when it is gone for good. An adapter may answer from its memory.
    fn find(&self, name: &SealingKeyId) -> impl Future<Output = Result<Option<SealingKey>, PortError>> + Send;
}

/// The results that are remembered.
///
/// Whoever finds none becomes the one to make it, for as long as a lease lasts: so of many that want the same at once one is
/// dispatched, and the others find what it brought.
pub trait ResultCache: Send + Sync {
    /// What is remembered under `key` at `now`. Where nothing is, and nobody is about to make it, `lead` takes the lease.
    fn lookup(
        &self,
        key: &CacheKey,
        lead: &FillLease,
        now: UnixMillis,
    ) -> impl Future<Output = Result<CacheAnswer, PortError>> + Send;

    /// Remembers a result that its leader has made, until `expires_at`. Without the lease it does nothing.
    fn fill(
        &self,
        key: &CacheKey,
        leader: &Owner,
        result: &CachedResult,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Gives the lease up: somebody else may try. Without the lease it does nothing.
    fn release(&self, key: &CacheKey, leader: &Owner) -> impl Future<Output = Result<(), PortError>> + Send;

    /// What a cache holds at `now`, by digest, after the digest `after`; at most `limit` entries.
    fn entries(
        &self,
        cache: &CacheId,
        after: Option<&str>,
        limit: usize,
        now: UnixMillis,
    ) -> impl Future<Output = Result<CachePage, PortError>> + Send;

    /// Forgets what a cache holds, and what is being made for it at `now`: that is for whoever waits for it, and no longer.
    fn clear(&self, cache: &CacheId, now: UnixMillis) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Whoever is about to make a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillLease {
    /// The name of its claim.
    pub leader: Owner,
    /// When it began.
    pub began_at: UnixMillis,
    /// From here on it must be dead.
    pub until: UnixMillis,
}

/// What a cache says.
#[derive(Clone, Debug, PartialEq)]
pub enum CacheAnswer {
    /// It knows the result.
    Hit(CachedResult),
    /// Somebody else is making it.
    Filling(FillLease),
    /// It does not: the lease is taken.
    Miss,
}

/// A result that is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct CachedResult {
    /// The result.
    pub output: Output,
    /// When it was made.
    pub made_at: UnixMillis,
    /// From here on it is forgotten.
    pub expires_at: UnixMillis,
}

/// A page of a cache's entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePage {
    /// The entries, by digest.
    pub entries: Vec<CacheEntry>,
    /// What the next page comes after, if there may be one.
    pub next: Option<String>,
}

impl CachePage {
    /// A page of `limit` entries out of all that come after the page before, or of one more than that.
    pub fn cut(mut entries: Vec<CacheEntry>, limit: usize) -> Self {
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| has_more).map(|entry| entry.digest.clone());
        Self { entries, next }
    }
}

/// What is said of a result that is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    /// The digest of its key.
    pub digest: String,
    /// The event that brought it.
    pub event: String,
    /// When it was made.
    pub made_at: UnixMillis,
    /// From here on it is forgotten.
    pub expires_at: UnixMillis,
}

/// What callers named their requests (`Idempotency-Key`), so that one that is repeated is not carried out again.
pub trait IdempotencyStore: Send + Sync {
    /// What stands under a name at `now`.
    fn find(
        &self,
        name: &IdempotencyKey,
        now: UnixMillis,
    ) -> impl Future<Output = Result<Option<IdempotencyRecord>, PortError>> + Send;

    /// Stands `new` under a name, unless something does: gives what stands there afterwards. It is kept for as long as the
    /// deployment says, 24 hours otherwise, from `new.at` on.
    fn reserve(
        &self,
        name: &IdempotencyKey,
        new: &IdempotencyRecord,
    ) -> impl Future<Output = Result<IdempotencyRecord, PortError>> + Send;
}

/// What brings a fire to the executor when it is due.
pub trait Timers: Send + Sync {
    /// Makes sure that a message of `fire` reaches the executor at `at`, soon after it at the latest. Idempotent.
    ///
    /// Of two calls for one fire the earlier instant holds: whoever loses a race for a job has armed its fire for another
    /// time by then, which must not make the winner's late. A message that comes too early goes round once more.
    fn arm(&self, fire: Fire, at: UnixMillis) -> impl Future<Output = Result<(), PortError>> + Send;

    /// The same, or a fault within a second: what was done already waits behind it to be recorded.
    fn arm_promptly(&self, fire: Fire, at: UnixMillis) -> impl Future<Output = Result<(), PortError>> + Send {
        self.arm(fire, at)
    }

    /// Takes a timer back where that is cheap. A timer that fires all the same does no harm.
    fn disarm(&self, fire: Fire) -> impl Future<Output = ()> + Send;
}

/// The spent fires, which wait for somebody who wants them back.
pub trait DeadLetters: Send + Sync {
    /// Asks for the dead letters of every product: `limit` of them at the most, where this stack hands them over.
    fn redrive_all(&self, limit: usize) -> impl Future<Output = Result<Redriven, PortError>> + Send;
}

/// How the dead letters of every product come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// From here on the queue moves them back by itself, all of them. Each asks for a fresh budget when it arrives.
    Started,
    /// The queue is moving them already, since somebody else asked.
    UnderWay,
    /// Here they are, the newest of a product first: whoever asked has to give each a fresh budget.
    Fires(Vec<Fire>),
}

/// What reaches the outside on behalf of a job.
pub trait Targets: Send + Sync {
    /// Performs one dispatch within the call's timeout.
    fn dispatch(&self, call: DispatchRequest) -> impl Future<Output = Result<Output, RunError>> + Send;

    /// Waits between two tries of a part, which are made in one attempt.
    fn pause(&self, ms: u32) -> impl Future<Output = ()> + Send;
}

/// What calls AWS services on behalf of a job.
pub trait AwsServices: Send + Sync {
    /// Carries a request out. `id` names it where a service can tell a repetition.
    fn perform(&self, id: &DispatchId, request: AwsRequest) -> impl Future<Output = Result<Output, RunError>> + Send;
}

/// What fetches secrets from the services that keep them.
pub trait SecretStore: Send + Sync {
    /// The secret behind a reference as it is now. An error names the reference and never the secret: permanent where there is
    /// none ([`codes::SECRET_NOT_FOUND`]), retryable where the keeper asks for fewer requests or cannot be reached.
    ///
    /// [`codes::SECRET_NOT_FOUND`]: crate::job::codes::SECRET_NOT_FOUND
    fn fetch(&self, secret: &SecretRef) -> impl Future<Output = Result<Zeroizing<String>, RunError>> + Send;
}

/// What tells whether a session's token is genuine, and makes tokens.
///
/// Held by the API besides the [`Ports`]: it reaches outside, as [`Targets`] do.
pub trait Sessions: Send + Sync {
    /// The payload of a token, if everything about it is right.
    fn verify<'a>(&'a self, session: DefinedSession<'a>, token: &'a str)
    -> BoxFuture<'a, Result<Claims, TokenRefusal>>;

    /// A token that says `claims`, signed with the session's shared secret.
    fn mint<'a>(
        &'a self,
        session: DefinedSession<'a>,
        claims: &'a Claims,
    ) -> BoxFuture<'a, Result<String, TokenRefusal>>;
}

/// A boxed future, for ports that are used as trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A session as the catalog defines it in one environment.
#[derive(Clone, Copy, Debug)]
pub struct DefinedSession<'a> {
    /// `product/env/tag`: what a token that was minted here is for.
    pub name: &'a str,
    /// The definition.
    pub definition: &'a Session,
    /// Its key and expectations in the environment.
    pub place: &'a SessionEnv,
}

/// Why a token is not taken, or not made.
#[derive(Debug)]
pub enum TokenRefusal {
    /// Something is wrong with it. The text says what, and nothing of what it holds.
    Bad(FieldCode, String),
    /// The key cannot be had: a dependency failed.
    Port(PortError),
}

/// The time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> UnixMillis;
}

impl<C: Clock> Clock for Arc<C> {
    fn now(&self) -> UnixMillis {
        (**self).now()
    }
}

/// Randomness fit for secrets.
pub trait Entropy: Send + Sync {
    /// 128 random bits.
    fn bits(&self) -> u128;

    /// A number in 0..1.
    fn unit(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what a double holds")]
        let unit = (self.bits() & ((1 << 53) - 1)) as f64 / (1_u64 << 53) as f64;
        unit
    }
}

/// One stack's adapters.
pub trait Ports: Send + Sync + 'static {
    /// The jobs.
    fn jobs(&self) -> &impl JobStore;
    /// The catalogs.
    fn catalogs(&self) -> &impl CatalogStore;
    /// The keys.
    fn keys(&self) -> &impl KeyStore;
    /// The keys of what is sealed.
    fn sealing_keys(&self) -> &impl SealingKeys;
    /// The remembered results.
    fn result_cache(&self) -> &impl ResultCache;
    /// The named requests.
    fn idempotency(&self) -> &impl IdempotencyStore;
    /// What events need that consist of others, or count.
    fn progress(&self) -> &impl Progress;
    /// The timers.
    fn timers(&self) -> &impl Timers;
    /// The dead letters.
    fn dead_letters(&self) -> &impl DeadLetters;
    /// The time.
    fn clock(&self) -> &impl Clock;
    /// The randomness.
    fn entropy(&self) -> &impl Entropy;
    /// What this stack can run.
    fn capabilities(&self) -> crate::event_types::Capabilities;
}
