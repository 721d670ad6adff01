//! All ports of a deployment.

use std::time::SystemTime;

use carillon_core::catalog::SecretStoreKind;
use carillon_core::ports::{
    CatalogStore, Clock, DeadLetters, Entropy, IdempotencyStore, JobStore, KeyStore, Ports, Progress, ResultCache,
    SealingKeys, Timers, WaitSlots,
};
use carillon_core::request::Capabilities;
use carillon_core::time::UnixMillis;

use crate::clients::Clients;
use crate::queue::Queue;
use crate::sealing::KmsSealingKeys;
use crate::settings::Settings;
use crate::table::Table;
use crate::timers::AwsTimers;

/// The ports on AWS.
#[derive(Debug)]
pub struct Stack<C = SystemClock, E = OsEntropy> {
    table: Table<C>,
    timers: AwsTimers<C>,
    queue: Queue,
    sealing_keys: KmsSealingKeys<C>,
    clock: C,
    entropy: E,
}

impl Stack {
    /// The ports of a deployment.
    pub fn new(clients: &Clients, settings: &Settings) -> Self {
        Self::with(clients, settings, SystemClock, OsEntropy)
    }
}

impl<C: Clock + Clone, E> Stack<C, E> {
    /// The ports of a deployment, by another clock and with other randomness.
    pub fn with(clients: &Clients, settings: &Settings, clock: C, entropy: E) -> Self {
        let queue = Queue::new(clients.sqs.clone(), settings);
        let timers = AwsTimers::new(clients.scheduler.clone(), queue.clone(), clock.clone(), settings.clone());
        let table = Table::new(clients.dynamodb.clone(), settings, clock.clone());
        let sealing_keys = KmsSealingKeys::new(clients.kms.clone(), settings, clock.clone());
        Self { table, timers, queue, sealing_keys, clock, entropy }
    }

    /// The queue, for the executor.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }
}

impl<C: Clock + 'static, E: Entropy + 'static> Ports for Stack<C, E> {
    fn jobs(&self) -> &impl JobStore {
        &self.table
    }

    fn catalogs(&self) -> &impl CatalogStore {
        &self.table
    }

    fn keys(&self) -> &impl KeyStore {
        &self.table
    }

    fn sealing_keys(&self) -> &impl SealingKeys {
        &self.sealing_keys
    }

    fn result_cache(&self) -> &impl ResultCache {
        &self.table
    }

    fn idempotency(&self) -> &impl IdempotencyStore {
        &self.table
    }

    fn progress(&self) -> &impl Progress {
        &self.table
    }

    fn timers(&self) -> &impl Timers {
        &self.timers
    }

    fn dead_letters(&self) -> &impl DeadLetters {
        &self.queue
    }

    fn wait_slots(&self) -> &impl WaitSlots {
        &self.table
    }

    fn clock(&self) -> &impl Clock {
        &self.clock
    }

    fn entropy(&self) -> &impl Entropy {
        &self.entropy
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            secret_stores: &[SecretStoreKind::Env, SecretStoreKind::Ssm, SecretStoreKind::SecretsManager],
            aws: Ok(()),
        }
    }
}

/// The function's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port")]
    fn now(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the Entropy port")]
    fn bits(&self) -> u128 {
        let mut bytes = [0; 16];
        // Without randomness no id is safe, and there is nothing better to be done: the process ends with its reason.
        if let Err(error) = getrandom::fill(&mut bytes) {
            panic!("the operating system gives no randomness: {error}");
        }
        u128::from_ne_bytes(bytes)
    }
}
