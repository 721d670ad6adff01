//! Threads that end before their owner does.

use std::thread::{Builder, JoinHandle};

use super::fault::Fault;

/// A thread that is joined when this is dropped. It has to end by itself, so declare the sender to which it listens before it:
/// fields are dropped in order.
#[derive(Debug)]
pub(super) struct Thread(Option<JoinHandle<()>>);

impl Thread {
    pub(super) fn start(name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<Self, Fault> {
        let started = Builder::new().name(format!("store-{name}")).spawn(work);
        started.map(|handle| Self(Some(handle))).map_err(|source| Fault::NotStarted { name, source })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take()
            && handle.join().is_err()
        {
            tracing::error!("a thread of the store panicked");
        }
    }
}
