//! One batch: its records side by side, each by itself.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use carillon_aws::message::Message;
use carillon_core::event_types::Limits;
use carillon_core::ids::Fire;
use carillon_core::ports::{Clock, Ports, Targets};
use carillon_core::time::UnixMillis;
use serde_json::Value;
use tokio::time::timeout;
use tracing::{error, info};

use super::MessageQueue;
use super::time_budget::TimeBudget;

/// A record of the queue, taken out of its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Names the record in the answer.
    pub message_id: String,
    /// Names this receipt of it to the queue.
    pub receipt_handle: String,
    /// What it carries.
    pub body: String,
    /// When it was sent, if it says so.
    pub sent_at: Option<UnixMillis>,
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
    pub queue: Arc<C>,
    /// Bounds on attempts, before the function's own deadline.
    pub limits: Limits,
    /// The deployment's name, for the metrics.
    pub service: String,
    /// What writes the metrics' lines.
    pub metrics: fn(&[Value]),
}

/// Whether the queue may forget a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    Ack,
    Retry,
}

impl<P: Ports, T: Targets + Clone + 'static, C: MessageQueue> Batch<P, T, C> {
    /// Works on the records until `deadline`, and gives the ids of those that have to come back.
    pub async fn work(self: &Arc<Self>, deliveries: Vec<Delivery>, deadline: UnixMillis) -> Vec<String> {
        let time_budget = TimeBudget::new(self.ports.clock().now(), deadline);
        let groups = group_by_fire(deliveries).into_iter().map(|group| self.work_in_turn(group, time_budget));
        futures_util::future::join_all(groups).await.concat()
    }

    async fn work_in_turn(self: &Arc<Self>, group: Vec<Delivery>, time_budget: TimeBudget) -> Vec<String> {
        let (mut returned, mut done) = (Vec::new(), Vec::new());
        for delivery in group {
            let (message_id, body) = (delivery.message_id.clone(), delivery.body.clone());
            if done.contains(&body) {
                info!(message_id, "record: a copy of a message that is done with");
                continue;
            }
            match self.work_apart(delivery, time_budget).await {
                Disposition::Ack => done.push(body),
                Disposition::Retry => returned.push(message_id),
            }
        }
        returned
    }

    /// Works on a record in a task of its own: its panic ends it and nothing else, and so does the end of the time.
    async fn work_apart(self: &Arc<Self>, delivery: Delivery, time_budget: TimeBudget) -> Disposition {
        let delivery = Arc::new(delivery);
        let (batch, own) = (Arc::clone(self), Arc::clone(&delivery));
        let task = tokio::spawn(async move { batch.record(&own, time_budget).await });
        let aborter = task.abort_handle();
        let message_id = &delivery.message_id;
        match timeout(time_budget.remaining(self.ports.clock().now()), task).await {
            Ok(Ok(disposition)) => disposition,
            Ok(Err(_)) => {
                // Its text may quote what the record holds; the place is in the line of the panic itself.
                error!(message_id, "record: panicked; the message comes back");
                self.come_back(&delivery).await
            }
            Err(_) => {
                aborter.abort();
                error!(message_id, "record: not done when the time was over; the message comes back");
                Disposition::Retry
            }
        }
    }
}

/// Records of the same fire stand in one group, in their order: side by side, one would only meet the other's lease.
fn group_by_fire(deliveries: Vec<Delivery>) -> Vec<Vec<Delivery>> {
    let mut groups: Vec<Vec<Delivery>> = Vec::new();
    let mut group_of: HashMap<Fire, usize> = HashMap::new();
    for delivery in deliveries {
        match Message::parse(&delivery.body).map(|message| group_of.entry(message.fire)) {
            Some(Entry::Occupied(group)) => groups[*group.get()].push(delivery),
            Some(Entry::Vacant(group)) => {
                group.insert(groups.len());
                groups.push(vec![delivery]);
            }
            None => groups.push(vec![delivery]),
        }
    }
    groups
}
