//! The service that the operations work on.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use carillon_core::operations::DEFAULT_WAIT_SLOTS;
use carillon_core::ports::{Ports, Sessions};

/// One stack's ports and sessions. Clones share them.
pub struct Service<P> {
    ports: Arc<P>,
    sessions: Arc<dyn Sessions>,
    on_scheduled: Arc<dyn Fn() + Send + Sync>,
    wait_slots: u32,
    /// The OpenAPI document, built at the first request for it, so that a cold start does not pay for it.
    document: Arc<OnceLock<Bytes>>,
}

impl<P> Clone for Service<P> {
    fn clone(&self) -> Self {
        Self {
            ports: Arc::clone(&self.ports),
            sessions: Arc::clone(&self.sessions),
            on_scheduled: Arc::clone(&self.on_scheduled),
            wait_slots: self.wait_slots,
            document: Arc::clone(&self.document),
        }
    }
}

impl<P: Ports> Service<P> {
    /// A service over these ports. `sessions` verifies and mints the tokens of sessions.
    pub fn new(ports: Arc<P>, sessions: Arc<dyn Sessions>) -> Self {
        let (on_scheduled, wait_slots) = (Arc::new(|| ()), DEFAULT_WAIT_SLOTS);
        Self { ports, sessions, on_scheduled, wait_slots, document: Arc::default() }
    }

    /// Calls `count` once for each new job; a replayed request is not one.
    #[must_use]
    pub fn counting_jobs(self, count: impl Fn() + Send + Sync + 'static) -> Self {
        Self { on_scheduled: Arc::new(count), ..self }
    }

    /// Sets the number of callers that may wait for a job at the same time. Default: [`DEFAULT_WAIT_SLOTS`].
    #[must_use]
    pub fn with_wait_slots(self, wait_slots: u32) -> Self {
        Self { wait_slots, ..self }
    }

    /// The number of callers that may wait for a job at the same time.
    pub(crate) fn wait_slots(&self) -> u32 {
        self.wait_slots
    }

    /// The ports.
    pub(crate) fn ports(&self) -> &P {
        &self.ports
    }

    /// Verifies and mints the tokens of sessions.
    pub(crate) fn sessions(&self) -> &dyn Sessions {
        &*self.sessions
    }

    /// Counts a new job.
    pub(crate) fn count_job(&self) {
        (self.on_scheduled)();
    }

    /// The OpenAPI document as JSON, built once.
    pub(crate) fn document(&self, build: fn() -> Bytes) -> Bytes {
        self.document.get_or_init(build).clone()
    }
}
