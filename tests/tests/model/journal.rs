//! The ports as an operation sees them: what it was answered so far, and what it asks next.
//!
//! A future cannot be copied, but what it was answered can: an operation that is run again and given the same answers
//! stands at the same place. So its journal of answers is all that a state of the model holds of it.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use carillon_core::catalog::{Catalog, Revision, SecretStoreKind};
use carillon_core::ids::{Fire, JobId};
use carillon_core::job::{Job, Output, RunError, codes};
use carillon_core::machine::{Effect, Transition};
use carillon_core::ports::{Clock, Entropy, PortError, Published, Targets, WriteOutcome};
use carillon_core::request::{Capabilities, DispatchRequest};
use carillon_core::testkit::{
    CatalogCalls, CheckpointCalls, CounterCalls, DeadLetterCalls, FallbackCalls, Gate, IdempotencyCalls, JobCalls,
    KeyCalls, PortCall, ResultCalls, SealingKeyCalls, Tables, TimerCalls, WaitSlotCalls,
};
use carillon_core::time::UnixMillis;
use serde_json::{Value, json};

/// A job as it was stored once.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub(crate) job: Arc<Job>,
    exact: u64,
    /// Without [`REMARKS`].
    essence: u64,
}

/// Instants that are stored to be shown: nothing is ever decided on them.
const REMARKS: [&str; 4] = ["updated_at", "started_at", "ended_at", "failed_at"];

impl Snapshot {
    pub(crate) fn of(job: Job) -> Self {
        let mut state = serde_json::to_value(&job.state).expect("a state is JSON");
        let repeat = &job.spec.repeat;
        let exact = digest(&(state.to_string(), format!("{repeat:?}")));
        without_remarks(&mut state);
        let essence = digest(&(state.to_string(), format!("{repeat:?}")));
        Self { job: Arc::new(job), exact, essence }
    }
}

fn without_remarks(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !REMARKS.contains(&name.as_str()));
            members.values_mut().for_each(without_remarks);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_remarks),
        _ => {}
    }
}

fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        self.essence == other.essence
    }
}

impl Eq for Snapshot {}

impl Hash for Snapshot {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.essence.hash(hasher);
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = &self.job.state;
        let timer_missing = if state.timer_missing { ", timer missing" } else { "" };
        let run = &state.run;
        write!(f, "{} g{}_r{} after {} attempts{timer_missing}", state.status, run.generation, run.run_no, run.attempts)
    }
}

/// A request of an operation to a port. Each is one step, before or after which all others may come.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    Insert(Snapshot),
    Get,
    Commit(Box<Transition>, Snapshot),
    Arm(Fire, UnixMillis),
    Disarm(Fire),
    Dispatch(Fire),
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Job(Option<Snapshot>),
    WriteOutcome(bool),
    Done,
    /// The port failed, or the target did.
    Failed,
    Now(UnixMillis),
    Bits(u128),
}

/// The answers that an operation had, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    pub(crate) answers: Arc<[Answer]>,
    exact: u64,
    memory: Memory,
}

/// The part of its journal that an operation still needs.
///
/// A claim and a change that were overtaken begin anew: they read the job and the clock again, and what they make of them is in
/// their request. An attempt goes on from what was claimed, whatever the way there was; once it is made, it keeps what it brought
/// and the time. (That nobody tries more than eight times is left out.)
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Memory {
    /// The part that outlasts a try.
    kept: u64,
    claimed: u64,
    /// A write whose answer is to be looked up.
    in_doubt: u64,
    has_dispatched: bool,
    has_failed: bool,
    /// The current try: the revision that it builds on, and its time.
    base: Option<u64>,
    now: UnixMillis,
}

impl Journal {
    fn with(&self, answer: Answer, memory: Memory) -> Self {
        let exact = match &answer {
            Answer::Job(job) => digest(&(self.exact, job.as_ref().map(|snapshot| snapshot.exact))),
            other => digest(&(self.exact, other)),
        };
        Self { answers: self.answers.iter().cloned().chain([answer]).collect(), exact, memory }
    }

    /// Longer by the answer to a request.
    pub(crate) fn answered(&self, request: &Request, answer: Answer) -> Self {
        let mut memory = self.memory;
        match (request, &answer) {
            (Request::Get, Answer::Job(job)) => {
                memory.base = job.as_ref().map(|snapshot| snapshot.job.state.revision);
                memory.in_doubt = 0;
            }
            (Request::Commit(transition, after), answer) => {
                memory.base = Some(after.job.state.revision);
                memory.has_failed |= *answer == Answer::Failed;
                let is_lost = *answer == Answer::WriteOutcome(false) && !memory.has_failed;
                let is_claim = matches!(transition.effect, Effect::Dispatch { .. });
                memory.claimed = if is_claim && !is_lost { digest(after) } else { memory.claimed };
                memory.in_doubt =
                    if is_lost || *answer == Answer::WriteOutcome(true) { 0 } else { digest(&(after, answer)) };
            }
            (Request::Dispatch(_), answer) => {
                memory.has_dispatched = true;
                memory.kept = digest(&(memory.kept, answer));
            }
            (Request::Get | Request::Insert(_) | Request::Arm(..) | Request::Disarm(_), answer) => {
                memory.has_failed |= *answer == Answer::Failed;
            }
        }
        self.with(answer, memory)
    }

    /// Longer by what was answered at once.
    fn noted(&self, answer: Answer) -> Self {
        let mut memory = self.memory;
        match answer {
            Answer::Now(now) if !memory.has_dispatched => memory.now = now,
            _ => memory.kept = digest(&(memory.kept, &answer)),
        }
        self.with(answer, memory)
    }

    /// The name by which exactly these answers are known.
    pub(crate) fn exact(&self) -> u64 {
        self.exact
    }

    /// The name of the place that they lead to, where this is asked. What is built on a revision that is overtaken will not
    /// be stored, so it makes no difference any more what it is.
    pub(crate) fn place(&self, asked: Option<&Request>, is_overtaken: impl Fn(Option<u64>) -> bool) -> u64 {
        let Memory { kept, claimed, in_doubt, has_dispatched, has_failed, base, now } = self.memory;
        let lasting = (kept, claimed, in_doubt, has_dispatched, has_failed);
        let is_stale = is_overtaken(base);
        match asked {
            Some(Request::Commit(..)) if is_stale => digest(&(lasting, 0)),
            Some(Request::Commit(_, after) | Request::Insert(after)) => digest(&(lasting, 1, after)),
            Some(Request::Arm(fire, at)) if is_stale => digest(&(lasting, 2, fire, at)),
            Some(Request::Arm(fire, at)) => digest(&(lasting, 3, fire, at, base, now)),
            Some(Request::Disarm(fire) | Request::Dispatch(fire)) => digest(&(lasting, 4, fire)),
            Some(Request::Get) | None => digest(&(lasting, 5)),
        }
    }
}

/// The ports of one operation that is run again from its journal up to its next request.
///
/// Requests to the clock and to chance are answered at once: no other process sees them, so they are no steps. A
/// clock that is read later than the answer before it is a clock whose earlier answer came later.
#[derive(Clone)]
pub(crate) struct Replay(Arc<Mutex<Place>>);

struct Place {
    journal: Journal,
    /// Number of answers given so far.
    given: usize,
    now: UnixMillis,
    bits: u128,
    asked: Option<Request>,
}

impl Replay {
    pub(crate) fn new(journal: Journal, now: UnixMillis, bits: u128) -> Self {
        let place = Place { journal, given: 0, now, bits, asked: None };
        Self(Arc::new(Mutex::new(place)))
    }

    /// The journal, longer by what was answered at once, and what is asked now.
    pub(crate) fn place(&self) -> (Journal, Option<Request>) {
        let mut place = self.lock();
        (place.journal.clone(), place.asked.take())
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.0.lock().expect("nobody panics while holding it")
    }

    async fn ask(&self, request: Request) -> Answer {
        let known = {
            let mut place = self.lock();
            let known = place.journal.answers.get(place.given).cloned();
            place.given += 1;
            if known.is_none() {
                place.asked = Some(request);
            }
            known
        };
        match known {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    fn at_once(&self, fresh: impl FnOnce(&Place) -> Answer) -> Answer {
        let mut place = self.lock();
        let known = place.journal.answers.get(place.given).cloned();
        place.given += 1;
        known.unwrap_or_else(|| {
            let answer = fresh(&place);
            place.journal = place.journal.noted(answer.clone());
            answer
        })
    }

    async fn write(&self, request: Request) -> Result<WriteOutcome, PortError> {
        match self.ask(request).await {
            Answer::WriteOutcome(true) => Ok(WriteOutcome::Done),
            Answer::WriteOutcome(false) => Ok(WriteOutcome::Conflict),
            _ => Err(failed()),
        }
    }
}

fn failed() -> PortError {
    PortError::Unavailable("the model lets it fail".into())
}

/// No operation of the model makes the calls that are not overridden.
impl Gate for Replay {
    async fn pass<T: Send>(&self, call: PortCall, _: impl FnMut(&mut Tables) -> T + Send) -> Result<T, PortError> {
        Err(PortError::Permanent(format!("{call:?} is not in the model").into()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { secret_stores: &[SecretStoreKind::Env], aws: Err("AWS services cannot be called here") }
    }
}

impl KeyCalls for Replay {}
impl SealingKeyCalls for Replay {}
impl ResultCalls for Replay {}
impl IdempotencyCalls for Replay {}
impl CheckpointCalls for Replay {}
impl CounterCalls for Replay {}
impl FallbackCalls for Replay {}
impl DeadLetterCalls for Replay {}
impl WaitSlotCalls for Replay {}

impl JobCalls for Replay {
    async fn insert_new(&self, job: &Job) -> Result<WriteOutcome, PortError> {
        self.write(Request::Insert(Snapshot::of(job.clone()))).await
    }

    async fn get(&self, _: JobId) -> Result<Option<Job>, PortError> {
        match self.ask(Request::Get).await {
            Answer::Job(job) => Ok(job.map(|snapshot| Job::clone(&snapshot.job))),
            _ => Err(failed()),
        }
    }

    async fn commit(&self, transition: &Transition) -> Result<WriteOutcome, PortError> {
        let after = Snapshot::of(transition.after());
        self.write(Request::Commit(Box::new(transition.clone()), after)).await
    }
}

impl TimerCalls for Replay {
    async fn arm(&self, fire: Fire, at: UnixMillis) -> Result<(), PortError> {
        match self.ask(Request::Arm(fire, at)).await {
            Answer::Done => Ok(()),
            _ => Err(failed()),
        }
    }

    async fn disarm(&self, fire: Fire) {
        self.ask(Request::Disarm(fire)).await;
    }
}

impl Targets for Replay {
    async fn dispatch(&self, call: DispatchRequest) -> Result<Output, RunError> {
        match self.ask(Request::Dispatch(call.id.fire)).await {
            Answer::Done => Ok(Output::default()),
            _ => Err(RunError::transient(codes::SERVICE_UNAVAILABLE, "not now")),
        }
    }

    async fn pause(&self, _: u32) {}
}

impl Clock for Replay {
    fn now(&self) -> UnixMillis {
        match self.at_once(|place| Answer::Now(place.now)) {
            Answer::Now(now) => now,
            other => panic!("asked for the time, and was answered {other:?} before"),
        }
    }
}

impl Entropy for Replay {
    fn bits(&self) -> u128 {
        match self.at_once(|place| Answer::Bits(place.bits)) {
            Answer::Bits(bits) => bits,
            other => panic!("asked for random bits, and was answered {other:?} before"),
        }
    }

    /// Jitter is off.
    fn unit(&self) -> f64 {
        0.0
    }
}

/// The one catalog. It does not change, so to read it is no step.
static CATALOG: LazyLock<Arc<Published>> = LazyLock::new(|| {
    let document = json!({"envs": ["e"], "apps": {"app": {
        "envs": {"e": {"base_url": "https://app.example.com"}},
        "actions": {"act": {"method": "GET", "path": "/act"}},
    }}});
    let catalog = Catalog::from_document(&document).expect("a sound catalog");
    Arc::new(Published { revision: Revision::of(&document), document, catalog })
});

impl CatalogCalls for Replay {
    async fn get(&self, _: &str) -> Result<Option<Arc<Published>>, PortError> {
        Ok(Some(Arc::clone(&CATALOG)))
    }
}
