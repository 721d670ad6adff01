//! The adapters of a deployment, at an endpoint in this process and by a clock that can be moved on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use carillon_aws::clients::Clients;
use carillon_aws::queue::Queue;
use carillon_aws::sealing::KmsSealingKeys;
use carillon_aws::settings::Settings;
use carillon_aws::stack::OsEntropy;
use carillon_aws::table::Table;
use carillon_aws::timers::AwsTimers;
use carillon_core::ports::{
    CatalogStore, Clock, DeadLetters, Entropy, IdempotencyStore, JobStore, KeyStore, Ports, Progress, ResultCache,
    SealingKeys, Timers,
};
use carillon_core::request::Capabilities;
use carillon_core::time::UnixMillis;

use super::endpoint::QUEUE;
use crate::bench::Failure;
use crate::env::epoch_ms;

/// The clock, so much ahead. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct MovedClock(Arc<AtomicI64>);

impl MovedClock {
    /// Moves on to an instant, unless that has passed.
    pub(super) fn reach(&self, at: UnixMillis) {
        self.0.fetch_add(at.since(self.now()).max(0), Ordering::Relaxed);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(epoch_ms() + self.0.load(Ordering::Relaxed))
    }
}

/// The settings of a function in which every number has its default.
pub(super) fn settings() -> Result<Settings, Failure> {
    let value = |name: &str| match name {
        "CARILLON_QUEUE_URL" => Some(format!("http://sqs{QUEUE}")),
        name => {
            let is_number = ["SECONDS", "DAYS", "HOURS"].iter().any(|unit| name.ends_with(unit));
            (!is_number).then(|| name.to_lowercase())
        }
    };
    Ok(Settings::read(value)?)
}

/// Random names, and the mean of whatever is spread at random: each backoff is the average one.
struct MeanEntropy;

impl Entropy for MeanEntropy {
    fn bits(&self) -> u128 {
        OsEntropy.bits()
    }

    fn unit(&self) -> f64 {
        0.5
    }
}

/// The ports.
pub(super) struct Account {
    pub(super) clock: MovedClock,
    table: Table<MovedClock>,
    timers: AwsTimers<MovedClock>,
    queue: Queue,
    sealing_keys: KmsSealingKeys<MovedClock>,
}

impl Account {
    pub(super) fn new(endpoint: &str, clock: MovedClock) -> Result<Self, Failure> {
        let settings = settings()?;
        let clients = Clients::from_environment(|name| match name {
            "AWS_ENDPOINT_URL" => Some(endpoint.to_owned()),
            "AWS_REGION" => Some("us-east-1".to_owned()),
            "AWS_SESSION_TOKEN" => None,
            name => Some(name.to_lowercase()),
        })?;
        let table = Table::new(clients.dynamodb, &settings, clock.clone());
        let sealing_keys = KmsSealingKeys::new(clients.kms, &settings, clock.clone());
        let queue = Queue::new(clients.sqs, &settings);
        let timers = AwsTimers::new(clients.scheduler, queue.clone(), clock.clone(), settings);
        Ok(Self { clock, table, timers, queue, sealing_keys })
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }
}

impl Ports for Account {
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

    fn clock(&self) -> &impl Clock {
        &self.clock
    }

    fn entropy(&self) -> &impl Entropy {
        &MeanEntropy
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { secret_stores: &[], aws: Err("AWS services cannot be called here") }
    }
}
