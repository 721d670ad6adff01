//! `job`: the event of a job definition, with its defaults. Input: any object, in the shape of that event once it is laid over
//! the definition's own.
//!
//! A definition may name another one, whose defaults then count less. The result is that of the event at the end, which
//! [`ResolvedEvent`](super::ResolvedEvent) finds before anything is checked or run.

use serde_json::Value;

use super::Needs;
use super::kind::EventKind;
use crate::catalog::JobEvent;
use crate::json::Field;

/// A definition whose own event was not looked up: there is nothing to run.
impl<'c> EventKind<'c> for JobEvent<'c> {
    fn check(&self, _: Option<&str>, _: &Field<'_>) {}

    fn needs(&self, _: &str, _: Option<&Value>) -> Result<Needs<'c>, String> {
        Err("the definition leads to no event".to_owned())
    }
}
