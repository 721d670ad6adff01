//! The traits through which the operations reach the outside world.
//!
//! An adapter crate implements them; [`Ports`] bundles those of one stack. The contract suite in `tests/src/contract` holds
//! every store to the same behaviour.
//!
//! - [`JobStore`], [`CatalogStore`], [`ResultCache`], [`IdempotencyStore`], [`Progress`] and [`KeyStore`] store;
//! - [`WaitSlots`] bounds the callers that wait for a job;
//! - [`Timers`], [`MessageQueue`] and [`DeadLetters`] bring a fire to the executor, or back to it;
//! - [`Targets`], [`AwsServices`], [`SecretStore`] and [`Sessions`] reach services on behalf of a job;
//! - [`Clock`] and [`Entropy`] are the time and the randomness.

mod catalogs;
mod idempotency;
mod jobs;
mod keys;
mod progress;
mod queue;
mod results;
mod sessions;
mod system;
mod targets;
mod timers;
mod wait_slots;

pub use catalogs::{CatalogStore, Condition, Published};
pub use idempotency::IdempotencyStore;
pub use jobs::{History, JobQuery, JobStore, ListedJobs};
pub use keys::{KeyStore, SealingKeys};
pub use progress::{Checkpoints, Counters, FallbackHealth, Progress};
pub use queue::{MAX_DELAY_SECONDS, Message, MessageQueue};
pub use results::{CacheAnswer, CacheEntry, CachePage, CachedResult, FillLease, ResultCache};
pub use sessions::{BoxFuture, DefinedSession, Sessions, TokenRefusal};
pub use system::{Clock, Entropy};
pub use targets::{AwsServices, SecretStore, Targets};
pub use timers::{DeadLetters, Redriven, Timers};
pub use wait_slots::{HeldSlots, WaitSlots};

/// A failure of a dependency. Adapters map their own errors to these once.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// It may work in a moment.
    #[error("a dependency did not answer")]
    Unavailable(#[source] BoxError),
    /// It works, and asks for fewer requests.
    #[error("a dependency asks for fewer requests")]
    Throttled(#[source] BoxError),
    /// It will not work without a change: a missing table, a denied action, a record that cannot be read.
    #[error("a dependency refused the request")]
    Permanent(#[source] BoxError),
}

impl PortError {
    /// The chain of causes in one line, for the log only.
    pub fn causes(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }
}

/// The cause of a [`PortError`], for the log only.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The result of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a conflict means that nothing was written"]
pub enum WriteOutcome {
    /// Stored.
    Done,
    /// The condition did not hold; nothing was stored.
    Conflict,
}

/// The adapters of one stack.
pub trait Ports: Send + Sync + 'static {
    /// Jobs.
    fn jobs(&self) -> &impl JobStore;
    /// Catalogs.
    fn catalogs(&self) -> &impl CatalogStore;
    /// API keys.
    fn keys(&self) -> &impl KeyStore;
    /// Sealing keys.
    fn sealing_keys(&self) -> &impl SealingKeys;
    /// Cached results.
    fn result_cache(&self) -> &impl ResultCache;
    /// Requests with an `Idempotency-Key`.
    fn idempotency(&self) -> &impl IdempotencyStore;
    /// Checkpoints, counters and the health of fallbacks.
    fn progress(&self) -> &impl Progress;
    /// Timers.
    fn timers(&self) -> &impl Timers;
    /// Dead letters.
    fn dead_letters(&self) -> &impl DeadLetters;
    /// The slots of callers that wait for a job.
    fn wait_slots(&self) -> &impl WaitSlots;
    /// The time.
    fn clock(&self) -> &impl Clock;
    /// The randomness.
    fn entropy(&self) -> &impl Entropy;
    /// The capabilities of this stack.
    fn capabilities(&self) -> crate::request::Capabilities;
}
