//! A queue that records its requests, and a target that answers by name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use carillon_core::job::{Output, RunError, codes};
use carillon_core::ports::Message;
use carillon_core::ports::{Clock as _, PortError, Targets};
use carillon_core::request::DispatchRequest;
use carillon_core::time::UnixMillis;
use tokio::sync::Barrier;

use carillon_core::ports::MessageQueue;
use carillon_core::testkit::Memory;

/// A request to the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    Sent(Message, i64),
    Hidden(String, i64),
    DeadLettered(Message, String),
    Unreadable(String),
}

#[derive(Default)]
pub(super) struct Queue {
    carried: Mutex<Vec<Carried>>,
    faults: Mutex<BTreeMap<&'static str, u32>>,
}

impl Queue {
    /// The requests since the last call.
    pub(super) fn take(&self) -> Vec<Carried> {
        std::mem::take(&mut self.carried.lock().unwrap())
    }

    /// The next request of this kind fails.
    pub(super) fn fails_at(&self, verb: &'static str) {
        *self.faults.lock().unwrap().entry(verb).or_default() += 1;
    }

    fn carry(&self, verb: &str, carried: Carried) -> Result<(), PortError> {
        if let Some(left) = self.faults.lock().unwrap().get_mut(verb).filter(|left| **left > 0) {
            *left -= 1;
            return Err(PortError::Throttled("the queue wants fewer requests".into()));
        }
        self.carried.lock().unwrap().push(carried);
        Ok(())
    }
}

impl MessageQueue for Queue {
    async fn send(&self, message: &Message, delay_seconds: i64) -> Result<(), PortError> {
        self.carry("send", Carried::Sent(message.clone(), delay_seconds))
    }

    async fn defer(&self, receipt_handle: &str, seconds: i64) -> Result<(), PortError> {
        self.carry("defer", Carried::Hidden(receipt_handle.to_owned(), seconds))
    }

    async fn dead_letter(&self, message: &Message, error: &RunError) -> Result<(), PortError> {
        self.carry("dead_letter", Carried::DeadLettered(message.clone(), error.code.clone()))
    }

    async fn dead_letter_unreadable(&self, body: &str) -> Result<(), PortError> {
        self.carry("dead_letter", Carried::Unreadable(body.to_owned()))
    }
}

/// A request that arrived, and when.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) call: DispatchRequest,
    pub(super) at: UnixMillis,
}

/// The target. What it does is the last part of the path.
#[derive(Clone)]
pub(super) struct Target {
    world: Arc<Memory>,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    barrier: Arc<Barrier>,
}

impl Target {
    pub(super) fn new(world: &Arc<Memory>) -> Self {
        Self { world: Arc::clone(world), arrivals: Arc::default(), barrier: Arc::new(Barrier::new(2)) }
    }

    pub(super) fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().unwrap().clone()
    }
}

impl Targets for Target {
    async fn dispatch(&self, call: DispatchRequest) -> Result<Output, RunError> {
        let (what, attempt) =
            (call.request.http().unwrap().url.path().trim_start_matches("/do/").to_owned(), call.attempt);
        self.arrivals.lock().unwrap().push(Arrival { call, at: self.world.now() });
        match what.as_str() {
            "panic" => panic!("hush"),
            "hang" => std::future::pending().await,
            "meet" => {
                self.barrier.wait().await;
            }
            "rest" => tokio::time::sleep(Duration::from_secs(5)).await,
            "hopeless" => return Err(RunError::permanent(codes::FORBIDDEN, "hush")),
            "broken" => return Err(RunError::transient(codes::TIMEOUT, "hush")),
            "flaky" if attempt == 1 => return Err(RunError::transient(codes::TIMEOUT, "hush")),
            _ => {}
        }
        Ok(Output::default())
    }

    async fn pause(&self, _: u32) {}
}
