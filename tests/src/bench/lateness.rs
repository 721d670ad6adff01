//! Lateness: from the instant that a job is due to the instant that its target is called.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use carillon_core::event_types::Limits;
use carillon_core::ids::JobId;
use carillon_core::job::{Output, RunError};
use carillon_core::operations::{Executor, execute, schedule};
use carillon_core::ports::Targets;
use carillon_core::request::DispatchRequest;
use carillon_core::testkit::NoSessions;
use carillon_embedded::{Handled, Worker};
use carillon_load::{Stack, body};
use tokio::sync::Notify;

use super::{Failure, Sizes};
use crate::env::{epoch_ms, since_epoch};

/// From the last acknowledgement to the first due job.
pub(super) const AHEAD_MS: i64 = 2_000;

/// When each job's target was called.
type Calls = Mutex<HashMap<JobId, Duration>>;

struct Noting {
    calls: Arc<Calls>,
    /// Number of calls still to come.
    expected: usize,
    ended: Arc<Notify>,
}

impl Targets for Noting {
    async fn dispatch(&self, call: DispatchRequest) -> Result<Output, RunError> {
        let called_at = since_epoch();
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.insert(call.id.fire.job_id, called_at);
        if calls.len() == self.expected {
            self.ended.notify_one();
        }
        Ok(Output::default())
    }

    async fn pause(&self, _: u32) {}
}

/// Schedules jobs that are due evenly over some seconds, runs them, and gives each one's lateness in ms, sorted.
pub(super) async fn lateness(sizes: Sizes) -> Result<Vec<f64>, Failure> {
    let stack = Stack::open().await?;
    let first_at = epoch_ms() + AHEAD_MS;
    let mut due = HashMap::new();
    for number in 0..sizes.timed_jobs {
        let due_at = first_at + i64::try_from(number * sizes.timed_over_ms / sizes.timed_jobs)?;
        let job = schedule(&*stack.ports, &NoSessions, &stack.key, &body(number, due_at), None).await?.job;
        due.insert(job.id, Duration::from_millis(due_at.try_into()?));
    }
    if epoch_ms() > first_at {
        return Err("the machine is too busy: the first jobs were due before the last were scheduled".into());
    }
    let (calls, ended) = (Arc::<Calls>::default(), Arc::new(Notify::new()));
    let targets = Noting { calls: Arc::clone(&calls), expected: sizes.timed_jobs, ended: Arc::clone(&ended) };
    let executor = Arc::new(Executor { targets, limits: Limits::default(), trace: None });
    let ports = Arc::clone(&stack.ports);
    let handle = move |fire| {
        let (ports, executor) = (Arc::clone(&ports), Arc::clone(&executor));
        async move {
            match execute(&*ports, &executor, fire).await {
                Ok(execution) => Handled::from(&execution.verdict),
                Err(_) => Handled::Faulted,
            }
        }
    };
    let stop = async move { ended.notified().await };
    Worker::default().start(Arc::clone(&stack.ports), handle, stop)?.ended().await?;
    let calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
    let late = |(id, at): (&JobId, &Duration)| Some((at.as_secs_f64() - due.get(id)?.as_secs_f64()) * 1e3);
    let mut lateness: Vec<f64> = calls.iter().filter_map(late).collect();
    lateness.sort_by(f64::total_cmp);
    Ok(lateness)
}
