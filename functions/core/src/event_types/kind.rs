//! The interface of the types of events: how one is checked and run.
//!
//! Each type implements [`EventKind`] for its event of the catalog, in a module of its own. [`ResolvedEvent`] uses it.
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
    /// What it consists of.
    const CHECKPOINTING: Checkpointing = Checkpointing::None;

    /// Checks an input against the shape of the type, noting every fault. Some of a shape may depend on the environment: without
    /// a known one that is not looked at.
    fn check(&self, env: Option<&str>, input: &Field<'_>);

    /// What it takes to run in an environment, with an input as far as it is known.
    ///
    /// # Errors
    /// Why it could not be run there at all.
    fn needs(&self, env: &str, input: Option<&Value>) -> Result<Needs<'c>, String>;

    /// What a stack lacks of that: of the event itself, or else of what the input asks for.
    fn lacks(&self, env: &str, input: Option<&Value>, capabilities: Capabilities) -> Vec<Lack> {
        let reason = self.needs(env, input).map_or_else(Some, |needs| needs.beyond(capabilities));
        reason.map(|reason| Lack { member: None, reason }).into_iter().collect()
    }

    /// How long an attempt may take, ms, where the catalog or the type says.
    fn timeout_ms(&self, _: &Limits) -> Option<u32> {
        None
    }

    /// The request that it comes to, where it is one. `None` after a fault of the input, or where the catalog says too little.
    fn request(&self, _env: &str, _input: &Field<'_>) -> Option<Request> {
        None
    }

    /// Runs it. What comes to one request is that.
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

/// What needs an environment says so where it is not defined there.
pub(super) fn in_env<T>(place: Option<T>, env: &str) -> Result<T, String> {
    place.ok_or_else(|| format!("the event is not defined in {env}"))
}
