//! The two paths: jobs are scheduled, and jobs are run to completion.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use carillon_core::event_types::Limits;
use carillon_core::ids::Fire;
use carillon_core::job::{Output, RunError};
use carillon_core::operations::{Executor, execute, schedule};
use carillon_core::ports::Targets;
use carillon_core::request::DispatchRequest;
use carillon_core::testkit::NoSessions;
use carillon_embedded::{Embedded, Handled, Worker};
use serde_json::json;
use tokio::sync::Notify;

use super::Failure;
use super::stack::{Stack, body};

/// Callers that schedule at the same time, each waiting for its answer.
pub const CALLERS: usize = 512;
/// Fires that the worker hands over at the same time.
pub const CONCURRENCY: u32 = 256;

/// The bodies of a number of jobs that are due at once. Building them is not measured.
pub fn bodies(count: usize) -> Arc<Vec<Vec<u8>>> {
    Arc::new((0..count).map(|number| body(number, 0)).collect())
}

/// Schedules jobs, from bodies to acknowledgements: each caller waits for its answer before it sends the next. Nothing runs
/// the jobs yet.
///
/// # Errors
/// When one is refused.
pub async fn scheduling(stack: &Stack, bodies: &Arc<Vec<Vec<u8>>>, callers: usize) -> Result<(), Failure> {
    let next = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (ports, key) = (Arc::clone(&stack.ports), Arc::clone(&stack.key));
            let (bodies, next) = (Arc::clone(bodies), Arc::clone(&next));
            tokio::spawn(async move {
                while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    schedule(&*ports, &NoSessions, &key, body, None).await?;
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    Ok(())
}

/// A target that is done at once.
pub struct Nothing;

impl Targets for Nothing {
    async fn dispatch(&self, _: DispatchRequest) -> Result<Output, RunError> {
        Ok(Output { value: json!({"status": 200}), truncated: false })
    }

    async fn pause(&self, _: u32) {}
}

/// Runs everything that is due, through the worker, the claim and the settlement; returns once `count` jobs have ended.
///
/// # Errors
/// When a job has not ended by the time that the worker stops.
pub async fn running(ports: &Arc<Embedded>, count: usize, concurrency: u32) -> Result<(), Failure> {
    let (handler, ended) = (Counting::new(ports, count), Arc::new(Notify::new()));
    let stop = Arc::clone(&ended);
    let handle = move |fire| {
        let (handler, ended) = (handler.clone(), Arc::clone(&ended));
        async move { handler.handle(fire, &ended).await }
    };
    let worker = Worker { concurrency, ..Worker::default() };
    let left = worker.start(Arc::clone(ports), handle, async move { stop.notified().await })?.ended().await?;
    if left > 0 { Err(format!("{left} jobs did not end").into()) } else { Ok(()) }
}

/// Executes fires and counts them down.
#[derive(Clone)]
struct Counting {
    ports: Arc<Embedded>,
    executor: Arc<Executor<Nothing>>,
    left: Arc<AtomicUsize>,
}

impl Counting {
    fn new(ports: &Arc<Embedded>, count: usize) -> Self {
        let executor = Executor { targets: Nothing, limits: Limits::default(), trace: None };
        Self { ports: Arc::clone(ports), executor: Arc::new(executor), left: Arc::new(AtomicUsize::new(count)) }
    }

    async fn handle(&self, fire: Fire, ended: &Notify) -> Handled {
        let Ok(execution) = execute(&*self.ports, &self.executor, fire).await else { return Handled::Faulted };
        if execution.attempt.is_some_and(|attempt| attempt.recorded) && self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            ended.notify_one();
        }
        Handled::from(&execution.verdict)
    }
}
