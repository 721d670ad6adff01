//! The bodies of requests: one definition of each gives its type, its JSON Schema and its reader.
//!
//! - `job`: a job to schedule or to preview, the contract's `IJobProcessorInput`.
//! - `repeat` and `session`: the parts of it that have rules of their own, and the claims of a token to mint.
//! - `change`: an edit, a cancellation, a retry, a redrive.
//!
//! A body is read as far as it is sound, and every fault of it is noted: [`read`] gives both, so that an operation can check the
//! rest of the request before it answers with all faults at once.

mod change;
mod instant;
mod job;
mod repeat;
mod session;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

use schemars::JsonSchema;
use serde_json::Value;

pub use change::{CancelRequest, Delay, EditRequest, Reason, RedriveLimit, RedriveRequest, RetryRequest};
pub use instant::Instant;
pub use job::{EventTag, Input, JobRequest, MAX_INPUT_BYTES, PreviewRequest, RetryCount, RunsShown, Timeout};
pub use repeat::{CronText, Interval, RepeatRequest, RunLimit};
pub use session::{Lifetime, MintRequest, NamedSession, SubmittedSession, Token, TokenClaims};

use crate::error::Faults;
use crate::json::{Field, Read};

/// Reads a document as a body, as far as it is sound, with everything that is wrong with the rest.
pub fn read<T: Read + Default>(document: &Value) -> (T, Faults) {
    let faults = RefCell::default();
    let body = T::read(&Field::root(document, &faults));
    (body.unwrap_or_default(), faults.into_inner())
}

/// The value, or `{}` for none.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged, inline)]
pub enum OrEmpty<T> {
    /// The value.
    Value(T),
    /// `{}`: as if the field were left out.
    Empty(Empty),
}

/// `{}`.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Empty {}

impl<T> OrEmpty<T> {
    /// The value, if there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Empty(_) => None,
        }
    }

    /// A reference to the value, if there is one.
    pub fn as_value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Empty(_) => None,
        }
    }
}

impl<T: Read> Read for OrEmpty<T> {
    fn read(field: &Field<'_>) -> Option<Self> {
        if field.is_empty_object() { Some(Self::Empty(Empty {})) } else { T::read(field).map(Self::Value) }
    }
}
