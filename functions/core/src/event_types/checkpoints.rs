//! The parts of an event that are done: noted as they end, and known to the next attempt.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::context::{AttemptContext, Done, Halt, unrecorded};
use crate::job::Output;
use crate::ports::{Checkpoints, Clock, PortError, Ports, Targets};
use crate::progress::{Checkpoint, Checkpointing, PartOutcome, PartPath};

impl<P: Ports, T: Targets> AttemptContext<'_, P, T> {
    /// Limits the context to the finished parts at a place.
    pub(super) async fn resumed(&self, at: &PartPath, parts: Checkpointing) -> Result<Self, Halt> {
        let state = &self.job.state;
        // The first attempt of a run begins as the run does.
        let is_first = state.run.generation == 1 && state.run.started_at == Some(state.updated_at);
        let mut done = Done::default();
        if !is_first && parts == Checkpointing::PerRun {
            let parts =
                self.ports.progress().finished(self.run(), &at.under()).await.map_err(|error| unrecorded(&error))?;
            // Those of messages are of no use but to them, and may be many.
            let own =
                parts.into_iter().filter(|part| at.message.is_some() || !part.place.starts_with(PartPath::MESSAGE));
            done.by_place = own.map(|part| (part.place.clone(), part)).collect();
        }
        Ok(Self { done: Arc::new(Mutex::new(done)), ..self.within(u32::MAX) })
    }

    /// Passes the result on. On failure, saves finished parts first, so that the next attempt does not repeat them.
    pub(super) async fn finish(&self, ended: Result<Output, Halt>) -> Result<Output, Halt> {
        if ended.is_err() {
            // The store has refused it before: it may again.
            let _ = self.note_all().await;
        }
        ended
    }

    /// The outcome of a part, if it is finished.
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
    pub(super) async fn note_all(&self) -> Result<(), PortError> {
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
}
