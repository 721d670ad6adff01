//! The interface of event types: checking an input, and running an event.
//!
//! Each type implements [`EventKind`] for its event of the catalog, in a module of its own. [`ResolvedEvent`] uses
//! it.
//!
//! [`ResolvedEvent`]: super::ResolvedEvent

use std::future::Future;

use serde_json::Value;

use super::context::{AttemptContext, Halt};
use super::filled::Filled;
use super::limits::Limits;
use super::needs::{Lack, Needs};
use crate::job::Output;
use crate::json::Field;
use crate::ports::{Ports, Targets};
use crate::progress::{Checkpointing, PartPath};
use crate::request::{Capabilities, Request};

/// An event of one type, as a catalog defines it.
pub(super) trait EventKind<'c>: Sync {
    /// The checkpoints that it saves.
    const CHECKPOINTING: Checkpointing = Checkpointing::None;

    /// Checks an input against the shape of the type, noting every fault. Some of a shape may depend on the environment: without
    /// a known one that is not looked at.
    fn check(&self, env: Option<&str>, input: &Field<'_>);

    /// The needs of the event in an environment, with as much of the input as is known.
    ///
    /// # Errors
    ///
    /// Why it cannot be run there at all.
    fn needs(&self, env: &str, input: Option<&Value>) -> Result<Needs<'c>, String>;

    /// The needs that a stack lacks: of the event itself, or else of what the input asks for.
    fn lacks(&self, env: &str, input: Option<&Value>, capabilities: Capabilities) -> Vec<Lack> {
        let reason = self.needs(env, input).map_or_else(Some, |needs| needs.beyond(capabilities));
        reason.map(|reason| Lack { member: None, reason }).into_iter().collect()
    }

    /// Timeout of an attempt, ms, if the catalog or the type gives one.
    fn timeout_ms(&self, _: &Limits) -> Option<u32> {
        None
    }

    /// The request of an event that is a single request. `None` after a fault of the input, or if the catalog is
    /// incomplete.
    fn request(&self, _env: &str, _input: &Field<'_>) -> Option<Request> {
        None
    }

    /// Runs the event. By default it sends its one request.
    fn run<P: Ports, T: Targets>(
        &self,
        attempt: &AttemptContext<'_, P, T>,
        at: &PartPath,
        input: Filled<'_>,
    ) -> impl Future<Output = Result<Output, Halt>> + Send {
        async move {
            let request = input.read(|input| self.request(&attempt.job.spec.env, input))?;
            attempt.send(at, request, attempt.request_ms).await
        }
    }
}

/// The entry of an environment, or the reason that there is none.
pub(super) fn in_env<T>(place: Option<T>, env: &str) -> Result<T, String> {
    place.ok_or_else(|| format!("the event is not defined in {env}"))
}
