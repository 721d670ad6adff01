//! The operations of production, run again from their journals.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::task::{Context, Poll, Waker};

use carillon_core::access::{ApiKey, Scope};
use carillon_core::event_types::Limits;
use carillon_core::ids::{Fire, JobId};
use carillon_core::job::Job;
use carillon_core::operations::{
    Executor, OperationError, Verdict, cancel, edit, execute, pause, resume, retry, run_now, schedule,
};
use carillon_core::ports::Condition;
use carillon_core::testkit::NoSessions;
use carillon_core::time::UnixMillis;
use serde_json::json;

use crate::journal::{Journal, Replay, Request};

/// When the job is scheduled.
pub(crate) const START: UnixMillis = UnixMillis(1_800_000_000_000);
/// Between two occurrences, ms.
pub(crate) const EVERY_MS: i64 = 1_000;
/// No occurrence is due after this.
pub(crate) const END: UnixMillis = UnixMillis(START.0 + 2 * EVERY_MS);
/// Maximum number of runs.
pub(crate) const LIMIT: u32 = 2;
/// Attempts of a run after the first.
pub(crate) const RETRIES: u32 = 1;

/// Half a lease, ms.
const HALF_MS: u32 = 500;

/// A request of a caller or a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Operation {
    Schedule,
    Execute(Fire),
    Pause,
    Resume,
    Cancel,
    RunNow,
    Retry,
    /// Changes the plan of the runs that have not begun.
    Edit,
}

/// The progress of an operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Progress {
    /// It waits for a port.
    Asks(Request),
    /// A caller gets a 2xx.
    Accepted,
    /// A caller gets anything else.
    Refused,
    /// An executor knows what is to become of its message; `None` after a fault, when that has to come back.
    Concluded(Option<Verdict>),
}

type Known = HashMap<(Operation, u64, UnixMillis, u128), (Journal, Arc<Progress>)>;

/// Known results: the same journal always leads to the same place.
static KNOWN: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);

/// Runs the operation on these answers, with `now` on the clock and `bits` as the random number.
pub(crate) fn advance(
    operation: Operation,
    journal: &Journal,
    now: UnixMillis,
    bits: u128,
) -> (Journal, Arc<Progress>) {
    let key = (operation, journal.exact(), now, bits);
    if let Some(known) = KNOWN.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return known.clone();
    }
    let ports = Replay::new(journal.clone(), now, bits);
    let ended = run(operation, &ports);
    let (journal, asked) = ports.place();
    let progress = asked.map(Progress::Asks).or(ended).expect("it waits for nothing but its ports");
    let place = (journal, Arc::new(progress));
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).insert(key, place.clone());
    place
}

/// Runs an operation as far as it comes. `None` when it waits.
fn run(operation: Operation, ports: &Replay) -> Option<Progress> {
    let (caller, id) = (&*CALLER, job_id());
    let answer = |answer: Poll<Result<Job, OperationError>>| match answer {
        Poll::Pending => None,
        Poll::Ready(Ok(_)) => Some(Progress::Accepted),
        Poll::Ready(Err(_)) => Some(Progress::Refused),
    };
    match operation {
        Operation::Schedule => match poll(schedule(ports, &NoSessions, caller, &body(), None)) {
            Poll::Pending => None,
            Poll::Ready(Ok(_)) => Some(Progress::Accepted),
            Poll::Ready(Err(_)) => Some(Progress::Refused),
        },
        Operation::Pause => answer(poll(pause(ports, caller, id))),
        Operation::Resume => answer(poll(resume(ports, caller, id))),
        Operation::Cancel => answer(poll(cancel(ports, caller, id, None))),
        Operation::RunNow => answer(poll(run_now(ports, caller, id))),
        Operation::Retry => answer(poll(retry(ports, caller, id, 0))),
        Operation::Edit => answer(poll(edit(ports, caller, id, &edited(), &Condition::Always))),
        Operation::Execute(fire) => {
            let limits = Limits { default_timeout_ms: HALF_MS, max_timeout_ms: HALF_MS, lease_margin_ms: HALF_MS };
            let executor = Executor { targets: ports.clone(), limits, trace: None };
            match poll(execute(ports, &executor, fire)) {
                Poll::Pending => None,
                Poll::Ready(execution) => Some(Progress::Concluded(execution.ok().map(|it| it.verdict))),
            }
        }
    }
}

/// One poll is enough: every port answers at once, or never.
fn poll<T>(operation: impl Future<Output = T>) -> Poll<T> {
    pin!(operation).poll(&mut Context::from_waker(Waker::noop()))
}

/// The random bits that the job is scheduled with, and thus its name.
pub(crate) const NAMING_BITS: u128 = 1;

pub(crate) fn job_id() -> JobId {
    JobId::new(START, NAMING_BITS)
}

static CALLER: LazyLock<ApiKey> = LazyLock::new(|| ApiKey {
    id: "caller".into(),
    name: String::new(),
    products: vec!["*".into()],
    envs: vec!["*".into()],
    scopes: vec![Scope::JobsWrite],
    created_at: START,
});

fn body() -> Vec<u8> {
    let body = json!({
        "product_tag": "p", "env": "e", "event": "act", "start_at": START.0, "input": {}, "retries": RETRIES,
        "retry": {"initialDelay": 1_000, "backoffMultiplier": 1, "jitter": false},
        "repeat": {"every": EVERY_MS, "limit": LIMIT, "endDate": END.0},
    });
    body.to_string().into_bytes()
}

fn edited() -> Vec<u8> {
    let body = json!({"repeat": {"every": 2 * EVERY_MS, "limit": LIMIT, "endDate": END.0}});
    body.to_string().into_bytes()
}
