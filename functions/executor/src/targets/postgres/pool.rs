//! Connections that are kept from one statement to the next.
//!
//! They are kept by what they were made of, so that a secret that changes leads to new ones. Of one database at most
//! [`MOST_CONNECTIONS`] are in use at a time, and further statements wait for one. A connection that nobody has used for five
//! minutes is closed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use carillon_core::ports::Clock;
use carillon_core::time::UnixMillis;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Client;

/// Connections of one database at a time.
pub(crate) const MOST_CONNECTIONS: usize = 10;
/// How long a connection is kept that nobody uses, ms.
const IDLE_MS: i64 = 300_000;
/// Databases that connections are kept of.
const MOST_DATABASES: usize = 100;

/// The connections of all databases. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Pools(Arc<Mutex<HashMap<String, Arc<Pool>>>>);

impl Pools {
    /// Those of one database, by a digest of what leads to it.
    pub(super) fn of(&self, key: String) -> Arc<Pool> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_DATABASES && !known.contains_key(&key) {
            known.retain(|_, pool| Arc::strong_count(pool) > 1);
        }
        Arc::clone(known.entry(key).or_insert_with(|| Arc::new_cyclic(Pool::new)))
    }
}

/// The connections of one database.
pub(super) struct Pool {
    own: Weak<Pool>,
    places: Semaphore,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The one that was used last is at the end.
    clients: Vec<(Client, UnixMillis)>,
    /// Whether somebody sees to it that the old ones go.
    is_watched: bool,
}

impl Pool {
    fn new(own: &Weak<Self>) -> Self {
        Self { own: own.clone(), places: Semaphore::new(MOST_CONNECTIONS), idle: Mutex::default() }
    }

    /// Waits until another connection may be in use.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        // It fails only for one that is closed, which nobody does.
        self.places.acquire().await.ok()
    }

    /// The connection that was used last, if it is still open.
    pub(super) fn take(&self, now: UnixMillis) -> Option<Client> {
        let mut idle = self.idle();
        idle.drop_old(now);
        idle.clients.pop().map(|(client, _)| client)
    }

    /// Keeps a connection for the next statement.
    pub(super) fn keep<C: Clock + 'static>(&self, client: Client, clock: C) {
        let mut idle = self.idle();
        idle.clients.push((client, clock.now()));
        if !idle.is_watched {
            idle.is_watched = true;
            tokio::spawn(watch(self.own.clone(), clock));
        }
    }

    /// Closes all that are kept.
    pub(super) fn forget(&self) {
        self.idle().clients.clear();
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    fn drop_old(&mut self, now: UnixMillis) {
        self.clients.retain(|(client, since)| !client.is_closed() && now.since(*since) < IDLE_MS);
    }
}

/// Closes connections as they grow old, until none is left.
async fn watch(pool: Weak<Pool>, clock: impl Clock) {
    let mut next = IDLE_MS;
    loop {
        tokio::time::sleep(Duration::from_millis(next.max(1).unsigned_abs())).await;
        let Some(pool) = pool.upgrade() else { return };
        let (mut idle, now) = (pool.idle(), clock.now());
        idle.drop_old(now);
        let Some((_, since)) = idle.clients.first() else {
            idle.is_watched = false;
            return;
        };
        next = IDLE_MS - now.since(*since);
    }
}
