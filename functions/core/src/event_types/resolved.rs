//! The event of a job, and the one place that knows every type: here an event is checked and run by its
//! [`EventKind`].

use std::borrow::Cow;
use std::cell::RefCell;

use serde_json::{Map, Value};

use super::context::{AttemptContext, Halt};
use super::filled::{Filled, misfit};
use super::kind::EventKind;
use super::limits::Limits;
use super::needs::{Lack, Needs};
use crate::catalog::{Catalog, EventRef, JobDefinition, JobEvent, Target};
use crate::error::Faults;
use crate::event_type::for_each_event_type;
use crate::job::{JobSpec, Output, RunError, codes};
use crate::json::Field;
use crate::ports::{BoxFuture, Ports, Targets};
use crate::progress::{Checkpointing, PartPath};
use crate::request::Capabilities;
#[cfg(test)]
use crate::request::Request;

/// Uses the [`EventKind`] of a target, whichever its type.
macro_rules! with_kind {
    ($target:expr, |$event:ident| $use:expr) => {
        for_each_event_type!(match_kind $target, $event, $use)
    };
}

macro_rules! match_kind {
    ([$target:expr, $kind:ident, $use:expr] $($(#[$meta:meta])* $variant:ident = $word:literal: $event:ident,)*) => {
        match $target { $(Target::$variant($kind) => $use,)* }
    };
}

/// The event at the end of a chain of job definitions, and these, the first one first. Most jobs name their event themselves.
#[derive(Clone, Debug)]
pub struct ResolvedEvent<'c> {
    /// The event.
    pub target: Target<'c>,
    definitions: Vec<&'c JobDefinition>,
}

impl<'c> ResolvedEvent<'c> {
    /// Follows a target to its end; `None` when a definition names an event that the catalog has not got. Catalogs are checked
    /// for that, and for circles, when they are published.
    pub fn of(catalog: &'c Catalog, mut target: Target<'c>) -> Option<Self> {
        let mut definitions = Vec::new();
        while let Target::Job(JobEvent { definition, .. }) = target {
            // At most as many steps as there are definitions, so that a circle ends.
            if definitions.len() > catalog.jobs.len() {
                return None;
            }
            definitions.push(definition);
            target = catalog.resolve(definition.event_ref()).ok()?;
        }
        Some(Self { target, definitions })
    }

    /// Finds an event that the catalog names, and follows it to its end.
    pub(super) fn find(catalog: &'c Catalog, event: EventRef<'_>) -> Option<Self> {
        Self::of(catalog, catalog.resolve(event).ok()?)
    }

    /// Finds the event of a job in the catalog as it is now.
    ///
    /// # Errors
    /// A permanent error when the catalog no longer defines the event.
    pub fn of_job(catalog: &'c Catalog, spec: &JobSpec) -> Result<Self, RunError> {
        let wanted = EventRef { event: &spec.event, event_type: Some(spec.event_type), app: spec.app.as_deref() };
        let gone = |detail| RunError::permanent(codes::EVENT_NOT_FOUND, detail);
        let event = Self::find(catalog, wanted).ok_or_else(|| gone("the catalog no longer defines this event"))?;
        let is_in = event.target.is_in(&spec.env);
        if is_in { Ok(event) } else { Err(gone("the event is no longer defined in this environment")) }
    }

    /// Checks an input against the shape of its type, noting every fault. Some of a shape may depend on the environment: without
    /// a known one that is not looked at.
    pub fn check(&self, env: Option<&str>, input: &Field<'_>) {
        with_kind!(&self.target, |event| event.check(env, input));
    }

    /// Checks that an input that is filled in still fits the event as the catalog defines it now.
    ///
    /// # Errors
    /// A permanent error that names the first thing that does not.
    pub fn still_fits(&self, spec: &JobSpec, input: &Value) -> Result<(), RunError> {
        let faults = RefCell::<Faults>::default();
        self.check(Some(&spec.env), &Field::root(input, &faults));
        match faults.borrow().first() {
            Some(fault) => Err(misfit(&self.input(&spec.input), fault.clone())),
            None => Ok(()),
        }
    }

    /// The needs of the event that this stack does not meet: of the event itself, or else of what the input asks for.
    /// Without an input only the needs of every input are checked.
    pub fn lacks(&self, env: &str, input: Option<&Value>, capabilities: Capabilities) -> Vec<Lack> {
        with_kind!(&self.target, |event| event.lacks(env, input, capabilities))
    }

    /// A job's input laid over the defaults: objects member by member, everything else whole.
    pub fn input<'a>(&self, own: &'a Value) -> Cow<'a, Value> {
        let defaults = self.definitions.iter().filter_map(|definition| definition.input.as_ref());
        defaults.fold(Cow::Borrowed(own), |input, defaults| {
            let mut laid = Value::Object(defaults.clone());
            lay_over(&mut laid, input.into_owned());
            Cow::Owned(laid)
        })
    }

    /// Attempts after the first, where a definition says so.
    pub fn retries(&self) -> Option<u32> {
        self.definitions.iter().find_map(|definition| definition.retries).map(|retries| retries.0)
    }

    /// Bound on one attempt, ms, where a definition says so.
    pub(super) fn timeout_ms(&self) -> Option<u32> {
        self.definitions.iter().find_map(|definition| definition.timeout).map(|timeout| timeout.0)
    }

    /// Bound on one attempt, ms, where the type or the catalog says so for the event itself.
    pub(super) fn timeout_of_type(&self, limits: &Limits) -> Option<u32> {
        with_kind!(&self.target, |event| event.timeout_ms(limits))
    }

    /// The checkpoints that the event saves.
    pub(super) fn checkpointing(&self) -> Checkpointing {
        fn of<'c, K: EventKind<'c>>(_: &K) -> Checkpointing {
            K::CHECKPOINTING
        }
        with_kind!(&self.target, |event| of(event))
    }

    /// Runs the event. It may run others, and these again others.
    pub(super) fn run<'s, P: Ports, T: Targets>(
        &'s self,
        attempt: &'s AttemptContext<'_, P, T>,
        at: &'s PartPath,
        input: Filled<'s>,
    ) -> BoxFuture<'s, Result<Output, Halt>> {
        with_kind!(&self.target, |event| Box::pin(event.run(attempt, at, input)))
    }

    fn needs(&self, env: &str, input: Option<&Value>) -> Result<Needs<'c>, String> {
        with_kind!(&self.target, |event| event.needs(env, input))
    }

    /// The request of an event that is a single request.
    #[cfg(test)]
    pub(super) fn request(&self, env: &str, input: &Field<'_>) -> Option<Request> {
        with_kind!(&self.target, |event| event.request(env, input))
    }
}

impl<'c> Needs<'c> {
    /// The needs of several events that the catalog names, each with as much of its input as is known.
    ///
    /// # Errors
    ///
    /// Why one of them cannot be run.
    pub(super) fn of_all<'v>(
        catalog: &'c Catalog,
        events: impl IntoIterator<Item = (EventRef<'c>, Option<Cow<'v, Value>>)>,
        env: &str,
    ) -> Result<Self, String> {
        events.into_iter().try_fold(Self::default(), |all, (event, input)| {
            let found = ResolvedEvent::find(catalog, event).filter(|found| found.target.is_in(env));
            let one = found.ok_or_else(|| format!("its event {:?} is not defined in {env}", event.event))?;
            let input = input.as_deref().map(|input| one.input(input));
            Ok(all.and(one.needs(env, input.as_deref())?))
        })
    }
}

fn lay_over(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => lay_members(below, above),
        (below, above) => *below = above,
    }
}

fn lay_members(below: &mut Map<String, Value>, above: Map<String, Value>) {
    for (name, value) in above {
        match below.get_mut(&name) {
            Some(known) => lay_over(known, value),
            None => drop(below.insert(name, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::EventRef;

    fn catalog() -> Catalog {
        Catalog::from_document(&json!({
            "envs": ["prd"],
            "apps": {"shop": {
                "envs": {"prd": {"base_url": "https://shop.example.com"}},
                "actions": {"close": {"method": "POST", "path": "/orders/:id/close"}},
            }},
            "jobs": {
                "nightly": {"event": "careful", "input": {"params": {"id": "7"}, "body": {"by": "night"}}, "retries": 5},
                "careful": {"event": "close", "app": "shop", "retries": 1, "timeout": 9_000,
                            "input": {"headers": {"x-careful": "yes"}, "body": {"by": "hand", "tags": [1, 2]}}},
                "plain": {"event": "close"},
            },
        }))
        .unwrap()
    }

    fn resolved<'c>(catalog: &'c Catalog, event: &str) -> ResolvedEvent<'c> {
        let target = catalog.resolve(EventRef { event, event_type: None, app: None }).unwrap();
        ResolvedEvent::of(catalog, target).unwrap()
    }

    #[test]
    fn a_definition_is_followed_to_its_event_and_the_nearer_default_wins() {
        let catalog = catalog();
        let nightly = resolved(&catalog, "nightly");
        assert!(matches!(nightly.target, Target::Action(..)));
        assert_eq!((nightly.retries(), nightly.timeout_ms()), (Some(5), Some(9_000)));
        let expected =
            json!({"params": {"id": "7"}, "headers": {"x-careful": "yes"}, "body": {"by": "night", "tags": [1, 2]}});
        assert_eq!(*nightly.input(&json!({})), expected);
        let own = json!({"params": {"id": "8"}, "body": {"tags": [3], "by": null}});
        let expected =
            json!({"params": {"id": "8"}, "headers": {"x-careful": "yes"}, "body": {"by": null, "tags": [3]}});
        assert_eq!(*nightly.input(&own), expected);
    }

    #[test]
    fn without_a_definition_or_its_defaults_the_input_is_the_jobs_own() {
        let catalog = catalog();
        for event in ["close", "plain"] {
            let (own, resolved) = (json!({"params": {"id": "8"}}), resolved(&catalog, event));
            assert!(matches!(resolved.input(&own), Cow::Borrowed(_)), "{event}");
            assert_eq!((resolved.retries(), resolved.timeout_ms()), (None, None), "{event}");
        }
    }
}
