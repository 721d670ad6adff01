//! `job`: the event of a job definition, with its defaults. Input: any object, in the shape of that event once it is laid over
//! the definition's own.
//!
//! A definition may name another one, whose defaults then count less. The result is that of the event at the end.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Needs;
use super::kind::EventKind;
use crate::catalog::{Catalog, JobDefinition, JobEvent, Target};
use crate::json::Field;

/// A definition whose own event was not looked up: there is nothing to run.
impl<'c> EventKind<'c> for JobEvent<'c> {
    fn check(&self, _: Option<&str>, _: &Field<'_>) {}

    fn needs(&self, _: &str, _: Option<&Value>) -> Result<Needs<'c>, String> {
        Err("the definition leads to no event".to_owned())
    }
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
            // As many steps as there are definitions: a circle ends here too.
            if definitions.len() > catalog.jobs.len() {
                return None;
            }
            definitions.push(definition);
            target = catalog.resolve(definition.event_ref()).ok()?;
        }
        Some(Self { target, definitions })
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

    fn followed<'c>(catalog: &'c Catalog, event: &str) -> ResolvedEvent<'c> {
        let target = catalog.resolve(EventRef { event, event_type: None, app: None }).unwrap();
        ResolvedEvent::of(catalog, target).unwrap()
    }

    #[test]
    fn a_definition_is_followed_to_its_event_and_the_nearer_default_wins() {
        let catalog = catalog();
        let nightly = followed(&catalog, "nightly");
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
            let (own, followed) = (json!({"params": {"id": "8"}}), followed(&catalog, event));
            assert!(matches!(followed.input(&own), Cow::Borrowed(_)), "{event}");
            assert_eq!((followed.retries(), followed.timeout_ms()), (None, None), "{event}");
        }
    }
}
