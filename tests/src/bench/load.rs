//! Rates: jobs scheduled, and jobs run to completion.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use carillon_core::event_types::{DispatchRequest, Limits};
use carillon_core::ids::Fire;
use carillon_core::job::{Output, RunError};
use carillon_core::operations::{Executor, execute, schedule};
use carillon_core::ports::Targets;
use carillon_core::testkit::NoSessions;
use carillon_embedded::{Embedded, Handled, Worker};
use serde_json::json;
use tokio::sync::Notify;

use super::meter::{Cost, Meter};
use super::stack::{Stack, body};
use super::{Failure, Sizes};

/// Schedules jobs that are due at once, from bodies to acknowledgements; nothing runs them yet.
pub(super) async fn scheduling(stack: &Stack, sizes: Sizes) -> Result<Cost, Failure> {
    // What a caller has in its hands when it calls is not part of the call.
    let bodies: Arc<Vec<_>> = Arc::new((0..sizes.jobs).map(|number| body(number, 0)).collect());
    let next = Arc::new(AtomicUsize::new(0));
    let meter = Meter::start();
    let callers: Vec<_> = (0..sizes.callers)
        .map(|_| {
            let (ports, key) = (Arc::clone(&stack.ports), Arc::clone(&stack.key));
            let (bodies, next) = (Arc::clone(&bodies), Arc::clone(&next));
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
    Ok(meter.stop(sizes.jobs))
}

/// A target that is done at once.
pub(super) struct Nothing;

impl Targets for Nothing {
    async fn dispatch(&self, _: DispatchRequest) -> Result<Output, RunError> {
        Ok(Output { value: json!({"status": 200}), truncated: false })
    }

    async fn pause(&self, _: u32) {}
}

/// Runs everything that is due, through the worker, the claim and the settlement; returns once `count` jobs have ended.
pub(super) async fn running(ports: &Arc<Embedded>, count: usize, concurrency: u32) -> Result<Cost, Failure> {
    let (handler, ended) = (Counting::new(ports, count), Arc::new(Notify::new()));
    let stop = Arc::clone(&ended);
    let meter = Meter::start();
    let handle = move |fire| {
        let (handler, ended) = (handler.clone(), Arc::clone(&ended));
        async move { handler.handle(fire, &ended).await }
    };
    let worker = Worker { concurrency, ..Worker::default() };
    let left = worker.run(ports, handle, async move { stop.notified().await }).await;
    if left > 0 { Err(format!("{left} jobs did not end").into()) } else { Ok(meter.stop(count)) }
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
