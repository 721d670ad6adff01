//! One batch: its records side by side, each by itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use carillon_aws::message::Message;
use carillon_aws::metrics;
use carillon_core::call::Limits;
use carillon_core::job::{Outcome, RunError, Status};
use carillon_core::operations::{Execution, Executor, Verdict, revive};
use carillon_core::ports::{Clock, PortError, Ports, Targets};
use carillon_core::time::UnixMillis;
use tracing::{error, warn};

use super::Carrier;
use crate::record;

/// A message that is early by no more than this waits in the process, ms. SQS delays by whole seconds.
const WAIT_IN_PROCESS_MS: i64 = 1_000;
/// A message that finds no job is kept until it is this old, ms: the job may be stored a moment after its timer is armed.
const GRACE_MS: i64 = 60_000;
/// Looks for a job that is about to be stored, ms from the one before.
const LOOKS_AGAIN_MS: [u64; 4] = [10, 20, 50, 100];
/// Less time than this is too little to begin an attempt, ms.
const LEAST_TIME_MS: i64 = 2_000;
/// Kept back from an attempt, so that its outcome can be recorded before the function ends, ms.
const SETTLING_MS: i64 = 1_000;

/// A record of the queue, taken out of its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Names the record in the answer.
    pub message_id: String,
    /// Names this receipt of it to the queue.
    pub receipt_handle: String,
    /// What it carries.
    pub body: String,
    /// When it was sent.
    pub sent_at: UnixMillis,
    /// How often it was received, this time included.
    pub receive_count: u32,
    /// The trace that it belongs to.
    pub trace: Option<String>,
}

/// What every record of a batch works with.
#[derive(Debug)]
pub struct Batch<P, T, C> {
    /// The ports.
    pub ports: Arc<P>,
    /// What reaches the outside.
    pub targets: T,
    /// The queue.
    pub carrier: Arc<C>,
    /// Bounds on attempts, before the function's own deadline.
    pub limits: Limits,
    /// The deployment's name, for the metrics.
    pub service: String,
}

/// Whether the queue may forget a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Forget,
    Return,
}

impl<P: Ports, T: Targets + Clone + 'static, C: Carrier> Batch<P, T, C> {
    /// Works on the records until `deadline`, and gives the ids of those that have to come back.
    pub async fn work(self: &Arc<Self>, deliveries: Vec<Delivery>, deadline: UnixMillis) -> Vec<String> {
        // Records of the same fire share a queue of their own: run side by side, one would only meet the other's lease.
        let mut lanes: HashMap<String, Vec<Delivery>> = HashMap::new();
        for delivery in deliveries {
            let fire = Message::parse(&delivery.body).map(|message| message.fire.to_string());
            lanes.entry(fire.unwrap_or_else(|| delivery.message_id.clone())).or_default().push(delivery);
        }
        let lanes = lanes.into_values().map(|lane| {
            let batch = Arc::clone(self);
            async move {
                let mut returned = Vec::new();
                for delivery in lane {
                    let message_id = delivery.message_id.clone();
                    let worker = Arc::clone(&batch);
                    // A task of its own: a panic ends it, and nothing else.
                    let fate = tokio::spawn(async move { worker.record(&delivery, deadline).await }).await;
                    let fate = fate.unwrap_or_else(|panic| {
                        error!(message_id, %panic, "record: panicked; the message comes back");
                        Fate::Return
                    });
                    if fate == Fate::Return {
                        returned.push(message_id);
                    }
                }
                returned
            }
        });
        futures_util::future::join_all(lanes).await.concat()
    }

    async fn record(&self, delivery: &Delivery, deadline: UnixMillis) -> Fate {
        let Some(message) = Message::parse(&delivery.body) else {
            error!(message_id = delivery.message_id, "record: not a message of ours; parked");
            return forget_if(self.carrier.park_unreadable(&delivery.body).await);
        };
        if message.parked {
            return self.revive(&message).await;
        }
        let now = self.ports.clock().now();
        let early_ms = message.due_at.since(now);
        if early_ms > WAIT_IN_PROCESS_MS {
            return forget_if(self.carrier.send(&message, early_ms.div_euclid(1_000)).await);
        }
        if early_ms > 0 {
            tokio::time::sleep(Duration::from_millis(early_ms.unsigned_abs())).await;
        }
        let left_ms = deadline.since(self.ports.clock().now());
        if left_ms < LEAST_TIME_MS {
            warn!(fire = %message.fire, left_ms, "record: too little time left; the message comes back");
            return self.hide(delivery, 0).await;
        }
        match self.attempt(&message, delivery, left_ms).await {
            Ok(execution) => self.conclude(&message, delivery, &execution).await,
            // The fault is logged; the message comes back when its visibility ends, or sooner.
            Err(_) => self.hide(delivery, 1).await,
        }
    }

    /// Executes the fire, with another look or two when its job is not stored yet.
    async fn attempt(&self, message: &Message, delivery: &Delivery, left_ms: i64) -> Result<Execution, PortError> {
        let longest = u32::try_from(left_ms - SETTLING_MS).unwrap_or(0);
        let limits = Limits { max_timeout_ms: self.limits.max_timeout_ms.min(longest), ..self.limits };
        let executor = Executor { targets: self.targets.clone(), limits, trace: delivery.trace.clone() };
        let mut execution = record::work(&*self.ports, &executor, message.fire).await?;
        for pause in LOOKS_AGAIN_MS {
            if execution.verdict != Verdict::Unknown || !self.is_young(delivery) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
            execution = record::work(&*self.ports, &executor, message.fire).await?;
        }
        metrics::write(&metrics::executed(&self.service, &execution, self.ports.clock().now()));
        Ok(execution)
    }

    fn is_young(&self, delivery: &Delivery) -> bool {
        self.ports.clock().now().since(delivery.sent_at) < GRACE_MS
    }

    async fn conclude(&self, message: &Message, delivery: &Delivery, execution: &Execution) -> Fate {
        match &execution.verdict {
            Verdict::Acknowledge => match spent_before(execution) {
                // It was received before, and its fire is spent: the parking of it may have failed then. Among the dead
                // letters a second copy does no harm, as only one can revive the fire.
                Some(error) if delivery.receive_count > 1 => forget_if(self.carrier.park(message, error).await),
                _ => Fate::Forget,
            },
            Verdict::Park(error) => forget_if(self.carrier.park(message, error).await),
            Verdict::Redeliver { at } => {
                let wait_ms = at.since(self.ports.clock().now()).max(0);
                self.hide(delivery, wait_ms.div_euclid(1_000)).await
            }
            Verdict::Unknown if self.is_young(delivery) => self.hide(delivery, 1).await,
            Verdict::Unknown => {
                warn!(fire = %message.fire, "record: no job was ever stored for this timer; dropped");
                Fate::Forget
            }
        }
    }

    /// A redriven dead letter: the job is retried under a new fire, which gets a timer of its own.
    async fn revive(&self, message: &Message) -> Fate {
        match revive(&*self.ports, message.fire).await {
            Ok(_) => Fate::Forget,
            Err(fault) => {
                let cause = std::error::Error::source(&fault).map(ToString::to_string);
                error!(fire = %message.fire, cause, "record: {fault}; the dead letter comes back");
                Fate::Return
            }
        }
    }

    /// The record comes back in so many seconds; should this fail, when the queue's own time for it ends.
    async fn hide(&self, delivery: &Delivery, seconds: i64) -> Fate {
        if let Err(fault) = self.carrier.hide(&delivery.receipt_handle, seconds).await {
            let cause = std::error::Error::source(&fault).map(ToString::to_string);
            warn!(message_id = delivery.message_id, cause, "record: {fault}; the message comes back late");
        }
        Fate::Return
    }
}

fn forget_if(done: Result<(), PortError>) -> Fate {
    match done {
        Ok(()) => Fate::Forget,
        Err(fault) => {
            let cause = std::error::Error::source(&fault).map(ToString::to_string);
            error!(cause, "record: {fault}; the message comes back");
            Fate::Return
        }
    }
}

/// The error of a fire that had been spent before this message came.
fn spent_before(execution: &Execution) -> Option<&RunError> {
    let state = &execution.job.as_ref()?.state;
    match &state.run.outcome {
        Some(Outcome::Failed(error)) if state.status == Status::Failed && execution.attempt.is_none() => Some(error),
        _ => None,
    }
}
