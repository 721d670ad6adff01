//! The progress of composite events: finished parts, counted amounts, and failing options.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hash::sha256_hex;
use crate::ids::JobId;
use crate::job::{Output, RunError};
use crate::time::UnixMillis;

/// A run of a job, in any generation: a manual retry continues where the previous run stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// The job.
    pub job_id: JobId,
    /// The number of the run, from 1.
    pub run_no: u32,
}

/// Identifies a part of a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckpointId {
    /// The run.
    pub run: RunId,
    /// The place of the part within the run.
    pub place: String,
}

/// A finished part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The place within its run.
    pub place: String,
    /// A digest of the part's request and of everything before it. The part counts as finished as long as the digest
    /// is the same.
    pub of: String,
    /// The outcome.
    pub outcome: PartOutcome,
}

/// The outcome of a finished part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartOutcome {
    /// A result.
    Completed(Output),
    /// An error after which the run continues.
    Failed(RunError),
}

/// The place of a part, and the requests that lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartPath {
    /// The message that the part works on, if any.
    pub message: Option<String>,
    /// Positions and channels from the root, joined by `_`. Empty for the whole run.
    pub path: String,
    /// A digest of the requests on the way here.
    ///
    /// It covers the input as it was sent, not as a session filled it in: session claims are stored only in sealed
    /// form.
    pub of: String,
}

impl PartPath {
    /// The prefix of the keys of parts that work on a message.
    pub const MESSAGE: &str = "msg_";

    /// The root of a run whose job asks for this.
    pub fn whole(event: &str, input: &Value) -> Self {
        Self { message: None, path: String::new(), of: chained("", &format!("{event}\n{input}")) }
    }

    /// The root of a run without parts. It needs no digest, because nothing of it is kept.
    pub fn undivided() -> Self {
        Self { message: None, path: String::new(), of: String::new() }
    }

    /// A part below this one. `asked` is its request.
    #[must_use]
    pub fn part(&self, name: &str, asked: &str) -> Self {
        let separator = if self.path.is_empty() { "" } else { "_" };
        let path = format!("{}{separator}{name}", self.path);
        Self { message: self.message.clone(), path, of: chained(&self.of, asked) }
    }

    /// The root of the parts that work on one message, independent of other messages.
    #[must_use]
    pub fn message(&self, id: &str, asked: &str) -> Self {
        Self { message: Some(id.to_owned()), path: String::new(), of: chained(&self.of, &format!("{id}\n{asked}")) }
    }

    /// The prefix of the keys of everything below this part.
    pub fn under(&self) -> String {
        if self.path.is_empty() { self.key() } else { format!("{}_", self.key()) }
    }

    /// The key of the part within its run.
    pub fn key(&self) -> String {
        match &self.message {
            Some(message) => format!("{}{message}_{}", Self::MESSAGE, self.path),
            None => self.path.clone(),
        }
    }
}

fn chained(before: &str, asked: &str) -> String {
    sha256_hex(format!("{before}\n{asked}"))
}

/// The counter of one quota in one of its periods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterId {
    /// The product.
    pub product: String,
    /// The environment.
    pub env: String,
    /// The quota's tag.
    pub quota: String,
    /// When the period began.
    pub from: UnixMillis,
    /// When it ends. The counter is not used from then on.
    pub until: UnixMillis,
}

/// The result of adding to a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The amount is counted, now or by an earlier request.
    Counted {
        /// The amount used.
        used: u64,
    },
    /// The amount would pass the limit, and is not counted.
    Over {
        /// The amount used.
        used: u64,
    },
}

/// Identifies a fallback, for the health of its options.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FallbackId {
    /// The product.
    pub product: String,
    /// The environment.
    pub env: String,
    /// The fallback's tag.
    pub tag: String,
}

impl fmt::Display for FallbackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.product, self.env, self.tag)
    }
}

/// The checkpoints of an event type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checkpointing {
    /// One thing: a request, or a count.
    None,
    /// Parts that are noted when they are done, so that another attempt does not do them again.
    PerRun,
    /// A stream of messages; each message has its own checkpoints.
    PerMessage,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_part_is_known_by_its_place_and_by_everything_that_led_to_it() {
        let whole = PartPath::whole("onboard", &json!({"a": 1}));
        let second = whole.part("2", "mail");
        let inner = second.part("email", "");
        assert_eq!((second.key(), inner.key()), ("2".to_owned(), "2_email".to_owned()));
        assert_eq!(second, PartPath::whole("onboard", &json!({"a": 1})).part("2", "mail"));
        let others = [
            whole.part("2", "sms"),
            PartPath::whole("onboard", &json!({"a": 2})).part("2", "mail"),
            PartPath::whole("offboard", &json!({"a": 1})).part("2", "mail"),
        ];
        assert!(others.iter().all(|other| other.of != second.of && other.key() == second.key()));
        let of_message = second.message("m-1", "ship").part("1", "x");
        assert_eq!(of_message.key(), "msg_m-1_1");
    }
}
