//! One attempt of a run: what its event asks for, and everything that this consists of.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::kind::{self, EventKind, match_kind, with_kind};
use super::{DispatchId, DispatchRequest, Limits, Request, ResolvedEvent, followed_by, misfit};
use crate::catalog::{Catalog, EventRef};
use crate::error::Faults;
use crate::ids::{Fire, Owner};
use crate::job::{Job, Output, RunError, Status, codes};
use crate::json::Field;
use crate::ports::{BoxFuture, Checkpoints, Clock, JobStore, PortError, Ports, Targets};
use crate::progress::{Checkpoint, CheckpointId, PartOutcome, PartPath, RunId};
use crate::time::UnixMillis;

/// The first pause between two tries of a part, ms. Each is twice as long as the one before.
const FIRST_PAUSE_MS: u32 = 200;
/// The longest of them. What asks for more time than that has to wait for another attempt of the job.
const MAX_PAUSE_MS: u32 = 5_000;

/// Why an attempt ends without a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Halt {
    /// What it ran failed.
    Failed(RunError),
    /// The store did not take or give what belongs to the run: the attempt failed, and nothing that it ran did.
    StoreFailed(RunError),
    /// No time was left, and nothing more was begun.
    OutOfTime,
    /// The job was paused, and the rest waits for its resumption.
    Paused,
    /// The job was called off, or the lease is somebody else's: nothing is to be recorded.
    LeaseLost,
}

impl Halt {
    /// What the attempt fails with, if it fails.
    pub fn error(&self) -> Option<RunError> {
        match self {
            Self::Failed(error) | Self::StoreFailed(error) => Some(error.clone()),
            Self::OutOfTime => Some(RunError::transient(codes::TIMEOUT, "no time was left for it")),
            Self::Paused | Self::LeaseLost => None,
        }
    }
}

impl From<RunError> for Halt {
    fn from(error: RunError) -> Self {
        Self::Failed(error)
    }
}

/// One attempt, with everything that its parts need.
pub struct AttemptContext<'a, P, T> {
    /// The ports.
    pub ports: &'a P,
    /// What reaches the outside.
    pub targets: &'a T,
    /// The catalog by which the attempt runs.
    pub catalog: &'a Catalog,
    /// The job as it was claimed.
    pub job: &'a Job,
    /// The fire that was claimed.
    pub fire: Fire,
    /// Who claimed it.
    pub owner: &'a Owner,
    /// The trace that it belongs to.
    pub trace: Option<&'a str>,
    /// Bounds on attempts.
    pub limits: &'a Limits,
    /// When what runs at present has to be over.
    pub until: UnixMillis,
    /// Bound on the request of what is one, ms.
    pub request_ms: u32,
    /// Parts that are done.
    done: Arc<Mutex<Done>>,
    /// Whether something was begun.
    has_begun: Arc<AtomicBool>,
}

/// Parts that this attempt or an earlier one has done.
#[derive(Default)]
struct Done {
    /// By place.
    by_place: BTreeMap<String, Checkpoint>,
    /// Places of those that the store has not taken yet.
    unnoted: Vec<String>,
}

impl<'a, P: Ports, T: Targets> AttemptContext<'a, P, T> {
    /// The attempt of a job that was claimed a moment ago.
    pub fn new(
        ports: &'a P,
        targets: &'a T,
        (catalog, job, fire, owner): (&'a Catalog, &'a Job, Fire, &'a Owner),
        limits: &'a Limits,
        timeout_ms: u32,
    ) -> Self {
        let until = ports.clock().now().plus(timeout_ms.into());
        let (done, has_begun) = (Arc::default(), Arc::default());
        Self {
            ports,
            targets,
            catalog,
            job,
            fire,
            owner,
            trace: None,
            limits,
            until,
            request_ms: u32::MAX,
            done,
            has_begun,
        }
    }

    /// The same, as a part of a trace.
    #[must_use]
    pub fn traced(self, trace: Option<&'a str>) -> Self {
        Self { trace, ..self }
    }

    /// Runs the job's event with its input, filled in.
    pub async fn whole(self, followed: &ResolvedEvent<'_>, input: &Value) -> Result<Output, Halt> {
        let spec = &self.job.spec;
        let checkpointing = checkpointing_of(followed);
        let at = match checkpointing {
            kind::Checkpointing::None => PartPath::undivided(),
            kind::Checkpointing::PerRun | kind::Checkpointing::PerMessage => PartPath::whole(&spec.event, &spec.input),
        };
        let dispatch = self.resumed(&at, checkpointing).await?;
        let ended = dispatch.event(&at, followed, Filled { written: &followed.input(&spec.input), value: input }).await;
        dispatch.finish(ended).await
    }

    /// Runs an event that the catalog names with parts of its own, which go when it is done.
    pub(super) async fn apart(&self, at: &PartPath, wanted: &Named<'_>, input: &Value) -> Result<Output, Halt> {
        let dispatch = self.resumed(at, checkpointing_of(&self.follow(wanted.event)?)).await?;
        let ended = dispatch.named(at, wanted, input).await;
        dispatch.finish(ended).await
    }

    /// The same attempt with the parts alone that earlier ones have done at a place.
    async fn resumed(&self, at: &PartPath, parts: kind::Checkpointing) -> Result<Self, Halt> {
        let state = &self.job.state;
        // The first attempt of a run begins as the run does.
        let is_first = state.run.generation == 1 && state.run.started_at == Some(state.updated_at);
        let mut done = Done::default();
        if !is_first && parts == kind::Checkpointing::PerRun {
            let parts =
                self.ports.progress().finished(self.run(), &at.under()).await.map_err(|error| unrecorded(&error))?;
            // Those of messages are of no use but to them, and may be many.
            let own =
                parts.into_iter().filter(|part| at.message.is_some() || !part.place.starts_with(PartPath::MESSAGE));
            done.by_place = own.map(|part| (part.place.clone(), part)).collect();
        }
        Ok(Self { done: Arc::new(Mutex::new(done)), ..self.within(u32::MAX) })
    }

    /// What something ended with. After a failure another attempt is spared what was done.
    async fn finish(&self, ended: Result<Output, Halt>) -> Result<Output, Halt> {
        if ended.is_err() {
            // The store has refused it before: it may again.
            let _ = self.note_all().await;
        }
        ended
    }

    /// The run, whichever generation works on it.
    pub(super) fn run(&self) -> RunId {
        RunId { job_id: self.job.id, run_no: self.job.state.run.run_no }
    }

    /// The place of something as a part of the run.
    pub(super) fn part_name(&self, at: &PartPath) -> CheckpointId {
        CheckpointId { run: self.run(), place: at.key() }
    }

    /// Runs an event. It may run others, and these again others.
    fn event<'s>(
        &'s self,
        at: &'s PartPath,
        followed: &'s ResolvedEvent<'_>,
        input: Filled<'s>,
    ) -> BoxFuture<'s, Result<Output, Halt>> {
        with_kind!(&followed.target, |kind| Box::pin(kind.run(self, at, input)))
    }

    /// Sends one request, which may take as long as there is left, and no longer than `most_ms`.
    pub(super) async fn send(&self, at: &PartPath, request: Request, most_ms: u32) -> Result<Output, Halt> {
        self.begin().await?;
        match most_ms.min(self.left_ms()) {
            0 => Err(Halt::OutOfTime),
            timeout_ms => self.conclude(at, request, timeout_ms).await,
        }
    }

    /// Sends what belongs to an effect that is there already: whatever became of the job meanwhile, and of its time.
    pub(super) async fn conclude(&self, at: &PartPath, request: Request, timeout_ms: u32) -> Result<Output, Halt> {
        let id = DispatchId { fire: self.fire, message: at.message.clone(), place: at.path.clone() };
        let (attempt, trace) = (self.job.state.run.attempts, self.trace.map(str::to_owned));
        Ok(self.targets.dispatch(DispatchRequest { id, attempt, timeout_ms, trace, request }).await?)
    }

    /// Runs an event that the catalog names, as often as it may be tried.
    pub(super) async fn named(&self, at: &PartPath, wanted: &Named<'_>, input: &Value) -> Result<Output, Halt> {
        let followed = self.follow(wanted.event)?;
        let laid = followed.input(input);
        // What is in the place of an annotation may be a session's: what is wrong with it is told by where that stands.
        let written = wanted.template.map_or(Cow::Owned(json!("")), |template| followed.input(template));
        let mut pause_ms = FIRST_PAUSE_MS;
        for tries_left in (0..=wanted.retries).rev() {
            let ended = self
                .within_one_try(wanted, &followed)
                .event(at, &followed, Filled { written: &written, value: &laid })
                .await;
            let ended = self.judged(ended);
            let Err(Halt::Failed(error)) = &ended else { return ended };
            let wanted_ms = u32::try_from(error.retry_after_ms.unwrap_or(0)).unwrap_or(u32::MAX).max(pause_ms);
            let is_in_time = self.ports.clock().now().plus(wanted_ms.into()) < self.until;
            if tries_left == 0 || !self.job.spec.retry.retries(error) || wanted_ms > MAX_PAUSE_MS || !is_in_time {
                return ended;
            }
            self.targets.pause(wanted_ms).await;
            pause_ms = longer(pause_ms);
        }
        Err(RunError::permanent(codes::INTERNAL_ERROR, "no try was made").into())
    }

    /// How long one try of an event may take, ms.
    pub(super) fn one_try(&self, wanted: &Named<'_>) -> u32 {
        let own = || self.follow(wanted.event).map_or(0, |followed| self.limits.timeout_of(&followed));
        wanted.timeout_ms.unwrap_or_else(own)
    }

    /// How much time is left, ms.
    pub(super) fn left_ms(&self) -> u32 {
        u32::try_from(self.until.since(self.ports.clock().now()).max(0)).unwrap_or(u32::MAX)
    }

    /// What something ended with that had less time than this: when its own was over, it failed.
    pub(super) fn judged(&self, ended: Result<Output, Halt>) -> Result<Output, Halt> {
        match ended {
            Err(Halt::OutOfTime) if self.left_ms() > 0 => {
                Err(Halt::OutOfTime.error().map_or(Halt::OutOfTime, Halt::Failed))
            }
            ended => ended,
        }
    }

    /// What an event comes to that the catalog names.
    fn follow(&self, wanted: EventRef<'_>) -> Result<ResolvedEvent<'a>, RunError> {
        let catalog = self.catalog;
        let gone =
            || RunError::permanent(codes::EVENT_NOT_FOUND, format!("the catalog has no event {:?}", wanted.event));
        let followed = followed_by(catalog, wanted).ok_or_else(gone)?;
        if followed.target.is_in(&self.job.spec.env) { Ok(followed) } else { Err(gone()) }
    }

    /// The same attempt, of which a part may take no longer than this.
    pub(super) fn within(&self, timeout_ms: u32) -> Self {
        let until = self.ports.clock().now().plus(timeout_ms.into()).min(self.until);
        Self { until, done: Arc::clone(&self.done), has_begun: Arc::clone(&self.has_begun), ..*self }
    }

    /// The same attempt for one try of an event. The time of a request begins when it is sent: what comes before, such as the look
    /// at the job, is not its own.
    fn within_one_try(&self, wanted: &Named<'_>, followed: &ResolvedEvent<'_>) -> Self {
        let timeout_ms = self.one_try(wanted);
        match checkpointing_of(followed) {
            kind::Checkpointing::None => Self { request_ms: timeout_ms, ..self.within(u32::MAX) },
            kind::Checkpointing::PerRun | kind::Checkpointing::PerMessage => self.within(timeout_ms),
        }
    }

    /// What was brought by a part, if it was done already.
    pub(super) fn done(&self, at: &PartPath) -> Option<PartOutcome> {
        self.known().by_place.get(&at.key()).filter(|part| part.of == at.of).map(|part| part.outcome.clone())
    }

    /// Notes that a part is done: neither this attempt nor another one does it again. What the store refuses is noted later.
    pub(super) async fn note(&self, at: &PartPath, outcome: PartOutcome) {
        let part = Checkpoint { place: at.key(), of: at.of.clone(), outcome };
        {
            let mut known = self.known();
            known.unnoted.push(part.place.clone());
            known.by_place.insert(part.place.clone(), part);
        }
        let _ = self.note_all().await;
    }

    /// Notes whatever is not noted yet.
    async fn note_all(&self) -> Result<(), PortError> {
        let (progress, now) = (self.ports.progress(), self.ports.clock().now());
        loop {
            let next = {
                let known = self.known();
                known.unnoted.first().and_then(|place| known.by_place.get(place)).cloned()
            };
            let Some(part) = next else { return Ok(()) };
            progress.save(self.run(), &part, now).await?;
            self.known().unnoted.retain(|place| *place != part.place);
        }
    }

    fn known(&self) -> MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has to come before whatever has an effect: nothing begins for a job that was called off or paused meanwhile (I6), nor
    /// without the lease, nor before it is noted what was done before: a crash repeats one part at the most. The first thing
    /// of an attempt begins with the claim.
    pub(super) async fn begin(&self) -> Result<(), Halt> {
        if !self.has_begun.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        self.note_all().await.map_err(|error| unrecorded(&error))?;
        self.check_lease().await
    }

    async fn check_lease(&self) -> Result<(), Halt> {
        let job = self.ports.jobs().get(self.job.id).await.map_err(|error| unrecorded(&error))?;
        let state = job.map(|job| job.state);
        let Some(state) = state.filter(|it| it.lease.as_ref().is_some_and(|lease| lease.owner == *self.owner)) else {
            return Err(Halt::LeaseLost);
        };
        match state.status {
            Status::Running => Ok(()),
            Status::Paused => Err(Halt::Paused),
            _ => Err(Halt::LeaseLost),
        }
    }
}

/// The pauses between the tries of a part altogether, ms, where its target asks for no longer ones.
pub(super) fn pauses_ms(retries: u32) -> u32 {
    let pauses = std::iter::successors(Some(FIRST_PAUSE_MS), |pause_ms| Some(longer(*pause_ms)));
    pauses.take(usize::try_from(retries).unwrap_or(usize::MAX)).fold(0, u32::saturating_add)
}

/// The pause that follows one.
fn longer(pause_ms: u32) -> u32 {
    pause_ms.saturating_mul(2).min(MAX_PAUSE_MS)
}

/// An event that a component of the catalog names, and how it is to be run.
pub(super) struct Named<'c> {
    /// The event.
    pub(super) event: EventRef<'c>,
    /// Its input as the catalog writes it, where it does.
    pub(super) template: Option<&'c Value>,
    /// Tries after the first.
    pub(super) retries: u32,
    /// Bound on each, ms.
    pub(super) timeout_ms: Option<u32>,
}

/// An input, filled in, and as it was written before that: faults name places in the latter.
#[derive(Clone, Copy)]
pub(super) struct Filled<'a> {
    pub(super) written: &'a Value,
    pub(super) value: &'a Value,
}

impl Filled<'_> {
    /// Reads it. It was checked when the job was scheduled: what fails here is the catalog's change.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Field<'_>) -> Option<T>) -> Result<T, RunError> {
        let faults = RefCell::<Faults>::default();
        read(&Field::root(self.value, &faults)).ok_or_else(|| match faults.borrow().first() {
            Some(fault) => misfit(self.written, fault.clone()),
            None => {
                RunError::permanent(codes::VALIDATION_ERROR, "the event cannot be run as the catalog defines it now")
            }
        })
    }
}

/// What an event consists of.
fn checkpointing_of(followed: &ResolvedEvent<'_>) -> kind::Checkpointing {
    fn of<'c, K: EventKind<'c>>(_: &K) -> kind::Checkpointing {
        K::CHECKPOINTING
    }
    with_kind!(&followed.target, |kind| of(kind))
}

/// What has to be recorded within an attempt could not be: another attempt may.
fn unrecorded(_: &PortError) -> Halt {
    Halt::StoreFailed(RunError::transient(
        codes::INTERNAL_ERROR,
        "the store did not take or give what belongs to the run",
    ))
}
