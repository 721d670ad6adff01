//! The bundle of all ports.

use std::path::Path;
use std::sync::Arc;

use carillon_core::catalog::SecretStoreKind;
use carillon_core::ids::Fire;
use carillon_core::ports::{
    CatalogStore, Clock, DeadLetters, Entropy, IdempotencyStore, JobStore, KeyStore, PortError, Ports, Progress,
    ResultCache, SealingKeys, Timers, WaitSlots,
};
use carillon_core::request::Capabilities;
use carillon_core::time::UnixMillis;

use crate::clock::{SystemClock, Wait};
use crate::due_queue::DueQueue;
use crate::entropy::OsEntropy;
use crate::folder::FolderLock;
use crate::process_slots::ProcessSlots;
use crate::sealing::SealingKeyFile;
use crate::store::{DAY_MS, Durability, HOUR_MS, OpenError, Store};

/// Maximum number of due timers in memory, about 150 bytes each. The rest of a backlog waits in the store.
const DUE_QUEUE_CAPACITY: usize = 200_000;

/// The ports in one process. `C` is the clock; tests use one that they control.
#[derive(Debug)]
pub struct Embedded<C = SystemClock> {
    // Declared before the lock, so that everything is written and closed before the next server can take it.
    store: Store,
    timers: RowTimers,
    due_queue: Arc<DueQueue>,
    clock: C,
    entropy: OsEntropy,
    sealing_keys: SealingKeyFile,
    capabilities: Capabilities,
    wait_slots: ProcessSlots,
    _folder: Option<FolderLock>,
}

impl Embedded {
    /// Opens the store of a folder for this process alone. Creates it if there is none.
    ///
    /// # Errors
    /// [`OpenError`] if another server has the folder, a newer program wrote it, or it is unusable.
    pub fn open(folder: &Path, durability: Durability) -> Result<Self, OpenError> {
        Self::open_at(folder, durability, SystemClock)
    }

    /// Opens a store in memory, for tests.
    ///
    /// # Errors
    /// [`OpenError::Store`] when SQLite has no memory.
    pub fn in_memory() -> Result<Self, OpenError> {
        Self::in_memory_at(SystemClock)
    }
}

impl<C: Wait> Embedded<C> {
    /// [`Embedded::open`] with this clock.
    ///
    /// # Errors
    /// Those of [`Embedded::open`].
    pub fn open_at(folder: &Path, durability: Durability, clock: C) -> Result<Self, OpenError> {
        let lock = FolderLock::take(folder)?;
        let due_queue = Arc::new(DueQueue::new(DUE_QUEUE_CAPACITY));
        // While this process has the lock there is no other executor, so the holders of all leases are dead.
        let store = Store::open(folder, durability, Arc::clone(&due_queue), Some(clock.now()))?;
        let sealing_keys = SealingKeyFile::of(Some(folder));
        Ok(Self::new(store, due_queue, clock, sealing_keys, Some(lock)))
    }

    /// [`Embedded::in_memory`] with this clock.
    ///
    /// # Errors
    /// Those of [`Embedded::in_memory`].
    pub fn in_memory_at(clock: C) -> Result<Self, OpenError> {
        Self::in_memory_holding(DUE_QUEUE_CAPACITY, clock)
    }

    pub(crate) fn in_memory_holding(capacity: usize, clock: C) -> Result<Self, OpenError> {
        let due_queue = Arc::new(DueQueue::new(capacity));
        let store = Store::in_memory(Arc::clone(&due_queue))?;
        Ok(Self::new(store, due_queue, clock, SealingKeyFile::of(None), None))
    }

    fn new(
        store: Store,
        due_queue: Arc<DueQueue>,
        clock: C,
        sealing_keys: SealingKeyFile,
        folder: Option<FolderLock>,
    ) -> Self {
        let capabilities =
            Capabilities { secret_stores: &[SecretStoreKind::Env], aws: Err("AWS services cannot be called here") };
        let (timers, entropy) = (RowTimers, OsEntropy);
        Self {
            store,
            timers,
            due_queue,
            clock,
            entropy,
            sealing_keys,
            capabilities,
            wait_slots: ProcessSlots::default(),
            _folder: folder,
        }
    }

    /// Sets the capabilities. Default: secrets of the environment, and no AWS.
    #[must_use]
    pub fn that_can(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Sets the days that a run stays in the history after its end. Default: [`Run::KEPT_DAYS`].
    ///
    /// [`Run::KEPT_DAYS`]: carillon_core::job::Run::KEPT_DAYS
    #[must_use]
    pub fn keeping_runs_for(mut self, days: u32) -> Self {
        self.store.kept_ms = i64::from(days) * DAY_MS;
        self
    }

    /// Sets the hours that idempotency keys are kept. Default: [`KEPT_HOURS`].
    ///
    /// [`KEPT_HOURS`]: carillon_core::idempotency::KEPT_HOURS
    #[must_use]
    pub fn keeping_requests_for(mut self, hours: u32) -> Self {
        self.store.requests_kept_ms = i64::from(hours) * HOUR_MS;
        self
    }

    /// Returns the store, for operations beyond the ports.
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn due_queue(&self) -> &Arc<DueQueue> {
        &self.due_queue
    }

    pub(crate) fn wait(&self) -> &C {
        &self.clock
    }
}

impl<C: Wait> Ports for Embedded<C> {
    fn jobs(&self) -> &impl JobStore {
        &self.store
    }

    fn catalogs(&self) -> &impl CatalogStore {
        &self.store
    }

    fn keys(&self) -> &impl KeyStore {
        &self.store
    }

    fn sealing_keys(&self) -> &impl SealingKeys {
        &self.sealing_keys
    }

    fn result_cache(&self) -> &impl ResultCache {
        &self.store
    }

    fn idempotency(&self) -> &impl IdempotencyStore {
        &self.store
    }

    fn progress(&self) -> &impl Progress {
        &self.store
    }

    fn timers(&self) -> &impl Timers {
        &self.timers
    }

    fn dead_letters(&self) -> &impl DeadLetters {
        &self.store
    }

    fn wait_slots(&self) -> &impl WaitSlots {
        &self.wait_slots
    }

    fn clock(&self) -> &impl Clock {
        &self.clock
    }

    fn entropy(&self) -> &impl Entropy {
        &self.entropy
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }
}

/// Timers that need no arming, because a stored job is its own timer: its row has the instant at which it is due, and the worker
/// follows the rows. So a job always has its timer, at whatever moment the process dies (invariant I1).
#[derive(Clone, Copy, Debug, Default)]
pub struct RowTimers;

impl Timers for RowTimers {
    async fn arm(&self, _: Fire, _: UnixMillis) -> Result<(), PortError> {
        Ok(())
    }

    async fn disarm(&self, _: Fire) {}
}

#[cfg(test)]
mod tests;
