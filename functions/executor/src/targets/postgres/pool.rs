//! Connections that are kept between statements.
//!
//! They are kept by the parameters that they were made with, so a changed secret leads to new ones. At most
//! [`MAX_CONNECTIONS`] to one database are in use at a time, and further statements wait. A connection that is unused
//! for five minutes is closed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use carillon_core::ports::Clock;
use carillon_core::time::UnixMillis;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Client;

/// Connections of one database at a time.
pub(crate) const MAX_CONNECTIONS: usize = 10;
/// Time that an unused connection is kept, ms.
const IDLE_MS: i64 = 300_000;
/// Databases that connections are kept of.
const MAX_DATABASES: usize = 100;

/// The connections of all databases. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Pools(Arc<Mutex<HashMap<String, Arc<Pool>>>>);

impl Pools {
    /// Those of one database, by a digest of what leads to it.
    pub(super) fn of(&self, key: String) -> Arc<Pool> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_DATABASES && !known.contains_key(&key) {
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
    /// True if a task closes the old ones.
    is_watched: bool,
}

impl Pool {
    fn new(own: &Weak<Self>) -> Self {
        Self { own: own.clone(), places: Semaphore::new(MAX_CONNECTIONS), idle: Mutex::default() }
    }

    /// Waits until another connection may be in use.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        // Fails only for a closed semaphore, and this one is never closed.
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio_postgres::{Config, NoTls};

    use super::*;

    #[derive(Clone, Default)]
    struct Moved(Arc<AtomicI64>);

    impl Clock for Moved {
        fn now(&self) -> UnixMillis {
            UnixMillis(self.0.load(Ordering::SeqCst))
        }
    }

    impl Moved {
        /// Lets time pass, for the clock and for sleepers.
        async fn pass(&self, ms: i64) {
            self.0.fetch_add(ms, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(ms.unsigned_abs() + 1)).await;
        }
    }

    /// A client that is signed in, with the server's end.
    async fn client() -> (Client, DuplexStream) {
        let (own, mut server) = duplex(1_024);
        // It may sign in without a password, and is asked for what it wants.
        server.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").await.unwrap();
        let (client, connection) = Config::new().user("u").connect_raw(own, NoTls).await.unwrap();
        tokio::spawn(connection);
        (client, server)
    }

    /// True if the client has closed the connection.
    async fn is_over(server: &mut DuplexStream) -> bool {
        let mut read = Vec::new();
        tokio::time::timeout(Duration::from_millis(10), server.read_to_end(&mut read)).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_nobody_uses_for_five_minutes_is_closed() {
        let (clock, pools) = (Moved::default(), Pools::default());
        let pool = pools.of("a".to_owned());
        let ((old, mut old_end), (young, mut young_end)) = (client().await, client().await);
        pool.keep(old, clock.clone());
        clock.pass(IDLE_MS / 2).await;
        pool.keep(young, clock.clone());
        clock.pass(IDLE_MS / 2).await;
        assert!(is_over(&mut old_end).await && !is_over(&mut young_end).await);
        clock.pass(IDLE_MS / 2).await;
        assert!(is_over(&mut young_end).await);
        // Somebody watches again after all were gone.
        let (next, mut next_end) = client().await;
        pool.keep(next, clock.clone());
        clock.pass(IDLE_MS).await;
        assert!(is_over(&mut next_end).await && pool.take(clock.now()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_used_last_is_taken_first_if_it_is_young_and_open() {
        let (clock, pools) = (Moved::default(), Pools::default());
        let pool = pools.of("a".to_owned());
        for _ in 0..3 {
            let (client, mut end) = client().await;
            pool.keep(client, clock.clone());
            end.shutdown().await.unwrap();
            drop(end);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(pool.take(clock.now()).is_none(), "all are closed");
        let (client, _end) = client().await;
        pool.keep(client, clock.clone());
        assert!(pools.of("b".to_owned()).take(clock.now()).is_none(), "another database's");
        // A process that was frozen has slept through its timers.
        clock.0.fetch_add(IDLE_MS, Ordering::SeqCst);
        assert!(pools.of("a".to_owned()).take(clock.now()).is_none(), "it is old");
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_has_so_many_connections_in_use_and_pools_do_not_pile_up() {
        let pools = Pools::default();
        let pool = pools.of("a".to_owned());
        let mut places = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            places.push(pool.place().await.unwrap());
        }
        assert!(tokio::time::timeout(Duration::from_secs(1), pool.place()).await.is_err());
        places.pop();
        assert!(tokio::time::timeout(Duration::from_secs(1), pool.place()).await.is_ok());
        for number in 0..2 * MAX_DATABASES {
            drop(pools.of(number.to_string()));
        }
        assert!(pools.0.lock().unwrap().len() <= MAX_DATABASES);
        assert!(Arc::ptr_eq(&pool, &pools.of("a".to_owned())), "it is in use");
    }
}
