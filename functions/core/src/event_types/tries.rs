//! Runs the event of a job, and the events that it consists of: each as often as it may be tried.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::context::{AttemptContext, Halt};
use super::filled::Filled;
use super::resolved::ResolvedEvent;
use crate::catalog::EventRef;
use crate::job::{Output, RunError, codes};
use crate::ports::{Clock, Ports, Targets};
use crate::progress::{Checkpointing, PartPath};

/// The first pause between two tries of a part, ms. Each is twice as long as the one before.
const FIRST_PAUSE_MS: u32 = 200;
/// The longest of them. What asks for more time than that has to wait for another attempt of the job.
const MAX_PAUSE_MS: u32 = 5_000;

impl<'a, P: Ports, T: Targets> AttemptContext<'a, P, T> {
    /// Runs the job's event with its input, filled in.
    pub async fn whole(self, resolved: &ResolvedEvent<'_>, input: &Value) -> Result<Output, Halt> {
        let spec = &self.job.spec;
        let checkpointing = resolved.checkpointing();
        let at = match checkpointing {
            Checkpointing::None => PartPath::undivided(),
            Checkpointing::PerRun | Checkpointing::PerMessage => PartPath::whole(&spec.event, &spec.input),
        };
        let attempt = self.resumed(&at, checkpointing).await?;
        let written = resolved.input(&spec.input);
        let ended = resolved.run(&attempt, &at, Filled { written: &written, value: input }).await;
        attempt.finish(ended).await
    }

    /// Runs an event that the catalog names, with checkpoints of its own that are dropped when it has finished.
    pub(super) async fn apart(&self, at: &PartPath, wanted: &Named<'_>, input: &Value) -> Result<Output, Halt> {
        let attempt = self.resumed(at, self.follow(wanted.event)?.checkpointing()).await?;
        let ended = attempt.named(at, wanted, input).await;
        attempt.finish(ended).await
    }

    /// Runs an event that the catalog names, as often as it may be tried.
    pub(super) async fn named(&self, at: &PartPath, wanted: &Named<'_>, input: &Value) -> Result<Output, Halt> {
        let resolved = self.follow(wanted.event)?;
        let laid = resolved.input(input);
        // The value of an annotation may be a session's: a fault in it is reported at the annotation.
        let written = wanted.template.map_or(Cow::Owned(json!("")), |template| resolved.input(template));
        let mut pause_ms = FIRST_PAUSE_MS;
        for tries_left in (0..=wanted.retries).rev() {
            let attempt = self.within_one_try(wanted, &resolved);
            let ended = resolved.run(&attempt, at, Filled { written: &written, value: &laid }).await;
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

    /// Timeout of one try of an event, ms.
    pub(super) fn one_try(&self, wanted: &Named<'_>) -> u32 {
        let own = || self.follow(wanted.event).map_or(0, |resolved| self.limits.timeout_of(&resolved));
        wanted.timeout_ms.unwrap_or_else(own)
    }

    /// The event that the catalog names.
    fn follow(&self, wanted: EventRef<'_>) -> Result<ResolvedEvent<'a>, RunError> {
        let catalog = self.catalog;
        let gone =
            || RunError::permanent(codes::EVENT_NOT_FOUND, format!("the catalog has no event {:?}", wanted.event));
        let resolved = ResolvedEvent::find(catalog, wanted).ok_or_else(gone)?;
        if resolved.target.is_in(&self.job.spec.env) { Ok(resolved) } else { Err(gone()) }
    }

    /// Limits the context to one try of `wanted`. For a single request the timeout starts when the request is sent,
    /// so reading the job first does not count against it.
    fn within_one_try(&self, wanted: &Named<'_>, resolved: &ResolvedEvent<'_>) -> Self {
        let timeout_ms = self.one_try(wanted);
        match resolved.checkpointing() {
            Checkpointing::None => Self { request_ms: timeout_ms, ..self.within(u32::MAX) },
            Checkpointing::PerRun | Checkpointing::PerMessage => self.within(timeout_ms),
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
