//! One batch: its records side by side, each by itself, from its body to whether the queue may forget it.

use std::sync::Arc;
use std::time::Duration;

use carillon_core::event_types::Limits;
use carillon_core::job::{Job, Outcome, RunError, Status};
use carillon_core::machine::Refusal;
use carillon_core::operations::{Execution, Executor, Verdict, execute, revive};
use carillon_core::ports::{Clock, MAX_DELAY_SECONDS, Message, MessageQueue, PortError, Ports, Targets};
use carillon_core::time::UnixMillis;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::delivery::{Delivery, group_by_fire};
use super::early_delivery::{EarlyDelivery, early_delivery};
use super::time_budget::{TimeBudget, WAIT_IN_PROCESS_MS};
use crate::record;

/// A message that finds no job is kept until it is this old, ms: the job may be stored a moment after its timer is armed.
const GRACE_MS: i64 = 60_000;
/// Looks for a job that is about to be stored, ms from the one before.
const LOOKS_AGAIN_MS: [i64; 4] = [10, 20, 50, 100];
/// Two clocks of a deployment differ by less than this, ms.
const CLOCKS_DIFFER_MS: i64 = 1_000;
/// Number of receives after which a message that only waits for another job's result is sent anew. The queue drops a
/// message after at least 160 receives (infra/module/queue.tf), which must suffice for an attempt for each of a job's
/// 100 retries.
const SENT_ANEW_AFTER: u32 = 20;
/// Maximum visibility timeout after a fault, in seconds. A shorter one would use up the message's receives during an
/// outage, and move it to the dead letters for a reason that is not its own.
const MAX_PAUSE_SECONDS: i64 = 30;

/// The parts that every record of a batch uses.
#[derive(Debug)]
pub struct Batch<P, T, C> {
    /// The ports.
    pub ports: Arc<P>,
    /// The targets.
    pub targets: T,
    /// The queue.
    pub queue: Arc<C>,
    /// Bounds on attempts, before the function's own deadline.
    pub limits: Limits,
    /// The deployment's name, for the metrics.
    pub service: String,
    /// Writes the metrics of an execution.
    pub metrics: fn(&str, &Execution, UnixMillis),
}

/// The answer to the queue for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disposition {
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

    /// Works on a record in a task of its own, which a panic or the end of the time ends without the others.
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

    /// Reads a record's message, sends it on if it is early, begins it if there is time, executes its fire, and concludes.
    async fn record(&self, delivery: &Delivery, time_budget: TimeBudget) -> Disposition {
        let Some(message) = Message::parse(&delivery.body) else { return self.dead_letter_unreadable(delivery).await };
        let now = self.ports.clock().now();
        let early_ms = match early_delivery(message.due_at, now) {
            EarlyDelivery::SendOn { delay_seconds } => {
                info!(fire = %message.fire, early_ms = message.due_at.since(now), "record: early; to be sent on");
                return self.ack_if(self.queue.send(&message, delay_seconds).await, delivery).await;
            }
            EarlyDelivery::Wait { early_ms } => early_ms,
        };
        if !time_budget.is_enough_at(now.plus(early_ms)) {
            warn!(fire = %message.fire, "record: too little time left; the message comes back");
            return self.defer(delivery, 0).await;
        }
        if message.dead_lettered {
            return self.revive(&message, delivery).await;
        }
        if early_ms > 0 {
            sleep(millis(early_ms)).await;
        }
        let executed = self.execute(&message, delivery, time_budget).await;
        record::log(message.fire, &executed);
        let Ok(execution) = executed else { return self.come_back(delivery).await };
        (self.metrics)(&self.service, &execution, self.ports.clock().now());
        self.conclude(&message, delivery, &execution).await
    }

    async fn dead_letter_unreadable(&self, delivery: &Delivery) -> Disposition {
        error!(message_id = delivery.message_id, "record: not a message of this queue; sent to the dead letters");
        self.ack_if(self.queue.dead_letter_unreadable(&delivery.body).await, delivery).await
    }

    /// Executes the fire; again after a moment where that is all it takes: for its job to be stored, for its backoff or
    /// another's lease to end.
    async fn execute(
        &self,
        message: &Message,
        delivery: &Delivery,
        time_budget: TimeBudget,
    ) -> Result<Execution, PortError> {
        let limits = Limits { max_timeout_ms: self.limits.max_timeout_ms.min(time_budget.attempt_ms()), ..self.limits };
        let executor = Executor { targets: self.targets.clone(), limits, trace: delivery.trace.clone() };
        let mut looks_again = LOOKS_AGAIN_MS.into_iter();
        loop {
            let execution = execute(&*self.ports, &executor, message.fire).await?;
            let now = self.ports.clock().now();
            let pause_ms = match execution.verdict {
                Verdict::Unknown if self.is_young(delivery) => looks_again.next(),
                Verdict::Redeliver { at } if execution.attempt.is_none() => {
                    Some(at.since(now).max(1)).filter(|pause_ms| *pause_ms <= WAIT_IN_PROCESS_MS)
                }
                _ => None,
            };
            match pause_ms.filter(|pause_ms| time_budget.is_enough_at(now.plus(*pause_ms))) {
                Some(pause_ms) => sleep(millis(pause_ms)).await,
                None => return Ok(execution),
            }
        }
    }

    /// A message that does not say its age counts as young: the queue's own bound on receives ends its round.
    fn is_young(&self, delivery: &Delivery) -> bool {
        delivery.sent_at.is_none_or(|sent_at| self.ports.clock().now().since(sent_at) < GRACE_MS)
    }

    async fn conclude(&self, message: &Message, delivery: &Delivery, execution: &Execution) -> Disposition {
        match &execution.verdict {
            Verdict::Acknowledge => match spent_before(execution) {
                // The message was received before, and its fire has no attempt left: moving it to the dead letters
                // may have failed. A second copy there does no harm, because only one can revive the fire.
                Some(error) if delivery.receive_count > 1 => self.dead_letter(message, error, delivery).await,
                _ => Disposition::Ack,
            },
            Verdict::DeadLetter(error) => self.dead_letter(message, error, delivery).await,
            Verdict::Redeliver { at } => {
                let wait_seconds = at.since(self.ports.clock().now()).max(0).div_euclid(1_000);
                if only_waits(execution) && delivery.receive_count >= SENT_ANEW_AFTER {
                    let sent = self.queue.send(message, wait_seconds.min(MAX_DELAY_SECONDS)).await;
                    return self.ack_if(sent, delivery).await;
                }
                let longest = if is_ahead(message, execution) && self.is_young(delivery) { 1 } else { i64::MAX };
                self.defer(delivery, wait_seconds.min(longest)).await
            }
            Verdict::Unknown if self.is_young(delivery) => self.defer(delivery, 1).await,
            // Its line is written: no job was ever stored for this timer.
            Verdict::Unknown => Disposition::Ack,
        }
    }

    async fn dead_letter(&self, message: &Message, error: &RunError, delivery: &Delivery) -> Disposition {
        self.ack_if(self.queue.dead_letter(message, error).await, delivery).await
    }

    /// Handles a redriven dead letter: its job is retried under a new fire with a timer of its own.
    async fn revive(&self, message: &Message, delivery: &Delivery) -> Disposition {
        let fire = message.fire;
        match revive(&*self.ports, fire).await {
            Ok(Some(job)) => {
                let spec = &job.spec;
                info!(%fire, product = spec.product, env = spec.env, event = spec.event, event_type = %spec.event_type,
                    status = %job.state.status, revived_as = %job.fire(), "record: a dead letter revived its job");
                Disposition::Ack
            }
            Ok(None) => {
                info!(%fire, "record: a dead letter whose job needs it no more");
                Disposition::Ack
            }
            fault @ Err(_) => self.ack_if(fault.map(drop), delivery).await,
        }
    }

    async fn ack_if(&self, done: Result<(), PortError>, delivery: &Delivery) -> Disposition {
        let Err(fault) = done else { return Disposition::Ack };
        error!(message_id = delivery.message_id, cause = fault.causes(), "record: {fault}; the message comes back");
        self.come_back(delivery).await
    }

    /// A record that met a fault comes back, later each time.
    async fn come_back(&self, delivery: &Delivery) -> Disposition {
        let doublings = delivery.receive_count.saturating_sub(1).min(16);
        self.defer(delivery, MAX_PAUSE_SECONDS.min(1 << doublings)).await
    }

    /// Makes the record visible again after a number of seconds. If that fails, it becomes visible when its
    /// visibility timeout ends.
    async fn defer(&self, delivery: &Delivery, seconds: i64) -> Disposition {
        if let Err(fault) = self.queue.defer(&delivery.receipt_handle, seconds).await {
            warn!(
                message_id = delivery.message_id,
                cause = fault.causes(),
                "record: {fault}; the message comes back late"
            );
        }
        Disposition::Retry
    }
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}

/// True if the message may be ahead of the store: for a resumed run the timer is armed before the job is saved, so
/// its message can arrive first.
///
/// Such a message is due at the time of the request, by a clock that may be behind that of the last change;
/// `CLOCKS_DIFFER_MS` allows for the difference. The message of the run itself is due when the run is.
fn is_ahead(message: &Message, execution: &Execution) -> bool {
    let is_early = matches!(execution.refusal, Some(Refusal::Early { .. }));
    let is_after = |job: &Job| {
        let is_own = message.due_at == job.state.run.due_at;
        !is_own && message.due_at.plus(CLOCKS_DIFFER_MS) > job.state.updated_at
    };
    is_early && execution.job.as_ref().is_some_and(is_after)
}

/// True if the fire only waits for another job's result or for a concurrent change. Such waits do not count as
/// attempts.
fn only_waits(execution: &Execution) -> bool {
    execution.attempt.is_none() && execution.refusal.is_none() && execution.ended.is_none()
}

/// The error of a fire that had no attempt left before this message arrived.
fn spent_before(execution: &Execution) -> Option<&RunError> {
    let state = &execution.job.as_ref()?.state;
    match (&execution.refusal, &state.run.outcome) {
        (Some(Refusal::AlreadySettled), Some(Outcome::Failed(error))) if state.status == Status::Failed => Some(error),
        _ => None,
    }
}
