//! The adapters of a deployment, at an endpoint in this process and by a clock that can be moved on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use carillon_aws::clients::Clients;
use carillon_aws::settings::Settings;
use carillon_aws::stack::{OsEntropy, Stack};
use carillon_core::ports::{Clock, Entropy};
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
            let is_number = ["SECONDS", "DAYS", "HOURS", "WAITS"].iter().any(|unit| name.ends_with(unit));
            (!is_number).then(|| name.to_lowercase())
        }
    };
    Ok(Settings::read(value)?)
}

/// Random names, and the mean of whatever is spread at random: each backoff is the average one.
#[derive(Debug)]
pub(super) struct MeanEntropy;

impl Entropy for MeanEntropy {
    fn bits(&self) -> u128 {
        OsEntropy.bits()
    }

    fn unit(&self) -> f64 {
        0.5
    }
}

/// The ports.
pub(super) type Account = Stack<MovedClock, MeanEntropy>;

/// The ports of a deployment at this endpoint.
pub(super) fn account(endpoint: &str, clock: MovedClock) -> Result<Account, Failure> {
    let clients = Clients::from_environment(|name| match name {
        "AWS_ENDPOINT_URL" => Some(endpoint.to_owned()),
        "AWS_REGION" => Some("us-east-1".to_owned()),
        "AWS_SESSION_TOKEN" => None,
        name => Some(name.to_lowercase()),
    })?;
    Ok(Stack::with(&clients, &settings()?, clock, MeanEntropy))
}
