//! One attempt of a run: what its event asks for, and everything that this consists of.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::{
    Call, CallId, Followed, Limits, Request, fallback, feature, followed_by, made, misfit, notification, quota,
    subscribe,
};
use crate::catalog::{Catalog, EventRef, Target};
use crate::error::Faults;
use crate::flow::{Part, PartName, PartOutcome, Place, RunName};
use crate::ids::{Fire, Owner};
use crate::job::{Job, Output, RunError, Status, codes};
use crate::json::Field;
use crate::ports::{Clock, JobStore, Parts, PortError, Ports, Targets};
use crate::time::UnixMillis;

/// The first pause between two tries of a part, ms. Each is twice as long as the one before.
const FIRST_PAUSE_MS: u32 = 200;
/// The longest of them. What asks for more time than that has to wait for another attempt of the job.
const LONGEST_PAUSE_MS: u32 = 5_000;

/// Why an attempt ends without a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Halt {
    /// It failed.
    Failed(RunError),
    /// The store did not take or give what belongs to the run: the attempt failed, and none of its parts did.
    Hindered(RunError),
    /// Nothing more was begun, as no time was left.
    Late,
    /// The job was paused, and the rest waits for its resumption.
    Paused,
    /// The job was called off, or the lease is somebody else's: nothing is to be recorded.
    Lost,
}

impl Halt {
    /// What the attempt fails with; nothing where it does not fail.
    pub fn error(&self) -> Option<RunError> {
        match self {
            Self::Failed(error) | Self::Hindered(error) => Some(error.clone()),
            Self::Late => Some(late()),
            Self::Paused | Self::Lost => None,
        }
    }
}

impl From<RunError> for Halt {
    fn from(error: RunError) -> Self {
        Self::Failed(error)
    }
}

/// One attempt, with everything that its parts need.
pub struct Dispatch<'a, P, T> {
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
    /// When the attempt has to be over.
    pub until: UnixMillis,
    /// Parts that are done, by place: by earlier attempts, and by this one.
    done: Arc<Mutex<BTreeMap<String, Part>>>,
    /// Whether something was begun.
    has_begun: Arc<AtomicBool>,
}

impl<'a, P: Ports, T: Targets> Dispatch<'a, P, T> {
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
        Self { ports, targets, catalog, job, fire, owner, trace: None, limits, until, done, has_begun }
    }

    /// The same, as a part of a trace.
    #[must_use]
    pub fn traced(self, trace: Option<&'a str>) -> Self {
        Self { trace, ..self }
    }

    /// Runs the job's event with its input, filled in.
    pub async fn whole(mut self, followed: &Followed<'_>, input: &Value) -> Result<Output, Halt> {
        let (spec, state) = (&self.job.spec, &self.job.state);
        // The first attempt of a run begins as the run does.
        let is_first = state.run.generation == 1 && state.run.started_at == Some(state.updated_at);
        if !is_first && has_parts(&followed.target) {
            let done = self.ports.flows().done(self.run()).await.map_err(|error| unrecorded(&error))?;
            let done = done.into_iter().map(|part| (part.place.clone(), part)).collect();
            self.done = Arc::new(Mutex::new(done));
        }
        let whole = Place::whole(&spec.event, &spec.input);
        self.event(&whole, followed, (&followed.input(&spec.input), input), u32::MAX).await
    }

    /// The run, whichever generation works on it.
    pub(super) fn run(&self) -> RunName {
        RunName { job_id: self.job.id, run_no: self.job.state.run.run_no }
    }

    /// The place of something as a part of the run.
    pub(super) fn part_name(&self, at: &Place) -> PartName {
        PartName { run: self.run(), place: at.key() }
    }

    /// Runs an event; one that stands alone in no more than `most_ms`. `written` is its input before annotations were filled in:
    /// faults name places in that.
    pub(super) async fn event(
        &self,
        at: &Place,
        followed: &Followed<'_>,
        (written, input): (&Value, &Value),
        most_ms: u32,
    ) -> Result<Output, Halt> {
        let env = self.job.spec.env.as_str();
        match followed.target {
            Target::Quota(tag, quota) => {
                quota::run(self, at, (tag, quota), &read(written, input, quota::Input::read)?).await
            }
            Target::Fallback(tag, fallback) => {
                let input = read(written, input, fallback::Input::read)?;
                Box::pin(fallback::run(self, at, (tag, fallback), input)).await
            }
            Target::Feature(feature) => Box::pin(feature::run(self, at, feature, input)).await,
            Target::Subscribe(broker, subscription) => {
                let input = read(written, input, subscribe::Input::read)?;
                Box::pin(subscribe::run(self, at, (broker, subscription), &input)).await
            }
            Target::Notification(notification, message) => {
                let channels = read(written, input, |input| notification::channels(notification, message, env, input))?;
                Box::pin(notification::run(self, at, channels)).await
            }
            target => {
                let request = read(written, input, |input| made(&target, env, input))?;
                self.send(at, request, most_ms).await
            }
        }
    }

    /// Sends one request, which may take as long as the attempt has left, and no longer than `most_ms`.
    pub(super) async fn send(&self, at: &Place, request: Request, most_ms: u32) -> Result<Output, Halt> {
        self.begin().await?;
        let left_ms = self.until.since(self.ports.clock().now());
        let timeout_ms = most_ms.min(u32::try_from(left_ms.max(0)).unwrap_or(u32::MAX));
        if timeout_ms == 0 {
            return Err(Halt::Late);
        }
        let id = CallId { fire: self.fire, message: at.message.clone(), place: at.path.clone() };
        let (attempt, trace) = (self.job.state.run.attempts, self.trace.map(str::to_owned));
        Ok(self.targets.dispatch(Call { id, attempt, timeout_ms, trace, request }).await?)
    }

    /// Runs an event that the catalog names, as often as it may be tried.
    pub(super) async fn named(&self, at: &Place, wanted: &Named<'_>, input: &Value) -> Result<Output, Halt> {
        let followed = self.follow(wanted.event)?;
        let laid = followed.input(input);
        // What is in the place of an annotation may be a session's: what is wrong with it is told by where that stands.
        let written = wanted.template.map_or(Cow::Owned(json!("")), |template| followed.input(template));
        let mut pause_ms = FIRST_PAUSE_MS;
        for tries_left in (0..=wanted.retries).rev() {
            let own_ms = wanted.timeout_ms.unwrap_or_else(|| self.limits.timeout_of(&followed));
            // The time of what stands alone begins with its request: what comes before that is not its own.
            let limited = self.within(if has_parts(&followed.target) { own_ms } else { u32::MAX });
            let ended = match limited.event(at, &followed, (&written, &laid), own_ms).await {
                // Its own time is over, and not that of what it belongs to.
                Err(Halt::Late) if self.ports.clock().now() < self.until => Err(Halt::Failed(late())),
                ended => ended,
            };
            let Err(Halt::Failed(error)) = &ended else { return ended };
            let wanted_ms = u32::try_from(error.retry_after_ms.unwrap_or(0)).unwrap_or(u32::MAX).max(pause_ms);
            let is_in_time = self.ports.clock().now().plus(wanted_ms.into()) < self.until;
            if tries_left == 0 || !self.job.spec.retry.retries(error) || wanted_ms > LONGEST_PAUSE_MS || !is_in_time {
                return ended;
            }
            self.targets.pause(wanted_ms).await;
            pause_ms = pause_ms.saturating_mul(2).min(LONGEST_PAUSE_MS);
        }
        Err(RunError::permanent(codes::INTERNAL_ERROR, "no try was made").into())
    }

    /// What an event comes to that the catalog names.
    fn follow(&self, wanted: EventRef<'_>) -> Result<Followed<'a>, RunError> {
        let catalog = self.catalog;
        let gone =
            || RunError::permanent(codes::EVENT_NOT_FOUND, format!("the catalog has no event {:?}", wanted.event));
        let followed = followed_by(catalog, wanted).ok_or_else(gone)?;
        if followed.target.is_in(&self.job.spec.env) { Ok(followed) } else { Err(gone()) }
    }

    /// The same attempt, of which a part may take no longer than this.
    fn within(&self, timeout_ms: u32) -> Self {
        let until = self.ports.clock().now().plus(timeout_ms.into()).min(self.until);
        Self { until, done: Arc::clone(&self.done), has_begun: Arc::clone(&self.has_begun), ..*self }
    }

    /// What was noted of a part, if it was done already.
    pub(super) fn done(&self, at: &Place) -> Option<PartOutcome> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.get(&at.key()).filter(|part| part.of == at.of).map(|part| part.outcome.clone())
    }

    /// Notes that a part is done, so that neither another attempt does it again, nor another try of what it belongs to.
    pub(super) async fn note(&self, at: &Place, outcome: PartOutcome) -> Result<(), Halt> {
        let part = Part { place: at.key(), of: at.of.clone(), outcome };
        let (flows, now) = (self.ports.flows(), self.ports.clock().now());
        let mut noted = flows.note(self.run(), &part, now).await;
        if noted.is_err() {
            // What the target has done is worth a second try.
            noted = flows.note(self.run(), &part, now).await;
        }
        noted.map_err(|error| unrecorded(&error))?;
        self.done.lock().unwrap_or_else(PoisonError::into_inner).insert(part.place.clone(), part);
        Ok(())
    }

    /// Has to come before whatever has an effect: nothing begins for a job that was called off or paused meanwhile (I6), nor
    /// without the lease. The first thing of an attempt begins with the claim.
    pub(super) async fn begin(&self) -> Result<(), Halt> {
        if self.has_begun.swap(true, Ordering::Relaxed) { self.check_lease().await } else { Ok(()) }
    }

    async fn check_lease(&self) -> Result<(), Halt> {
        let job = self.ports.jobs().get(self.job.id).await.map_err(|error| unrecorded(&error))?;
        let state = job.map(|job| job.state);
        let Some(state) = state.filter(|it| it.lease.as_ref().is_some_and(|lease| lease.owner == *self.owner)) else {
            return Err(Halt::Lost);
        };
        match state.status {
            Status::Running => Ok(()),
            Status::Paused => Err(Halt::Paused),
            _ => Err(Halt::Lost),
        }
    }
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

fn has_parts(target: &Target<'_>) -> bool {
    matches!(target, Target::Feature(_) | Target::Fallback(..) | Target::Subscribe(..) | Target::Notification(..))
}

/// Reads the input of an event when it runs. It was checked when the job was scheduled: what fails here is the catalog's change.
fn read<T>(written: &Value, input: &Value, read: impl FnOnce(&Field<'_>) -> Option<T>) -> Result<T, RunError> {
    let faults = RefCell::<Faults>::default();
    read(&Field::root(input, &faults)).ok_or_else(|| match faults.borrow().first() {
        Some(fault) => misfit(written, fault.clone()),
        None => RunError::permanent(codes::VALIDATION_ERROR, "the event cannot be run as the catalog defines it now"),
    })
}

fn late() -> RunError {
    RunError::transient(codes::TIMEOUT, "the attempt took too long")
}

/// What has to be recorded within an attempt could not be: another attempt may.
fn unrecorded(_: &PortError) -> Halt {
    let message = "the store did not take or give what belongs to the run";
    Halt::Hindered(RunError::transient(codes::INTERNAL_ERROR, message))
}
