//! What events that consist of others leave behind while they run: parts that are done, what was counted, which options fail.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hash::sha256_hex;
use crate::ids::JobId;
use crate::job::{Output, RunError};
use crate::time::UnixMillis;

/// A run of a job, whichever generation works on it: a manual retry goes on where the run before stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// The job.
    pub job_id: JobId,
    /// Which run of it, from 1.
    pub run_no: u32,
}

/// A part of a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckpointId {
    /// The run.
    pub run: RunId,
    /// The place within it.
    pub place: String,
}

/// A part that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The place within its run.
    pub place: String,
    /// What was asked for, and everything before it, as a digest: a part counts as done for as long as that is the same.
    pub of: String,
    /// What it brought.
    pub outcome: PartOutcome,
}

/// What a part brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartOutcome {
    /// A result.
    Completed(Output),
    /// An error that the run goes on after.
    Failed(RunError),
}

/// Where a part stands, and what has led there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartPath {
    /// The message that it is done for, where it is.
    pub message: Option<String>,
    /// The positions and channels that lead there, joined by `_`. Empty for the whole.
    pub path: String,
    /// A digest of what was asked for on the way there.
    ///
    /// It sees the input as it was sent, not as a session filled it in: what a session says is nowhere but in sealed form.
    pub of: String,
}

impl PartPath {
    /// How the keys of what is done for messages begin.
    pub const MESSAGE: &str = "msg_";

    /// The whole of a run whose job asks for this.
    pub fn whole(event: &str, input: &Value) -> Self {
        Self { message: None, path: String::new(), of: chained("", &format!("{event}\n{input}")) }
    }

    /// The whole of a run that has no parts: nothing is kept of it that a digest would tell from another.
    pub fn undivided() -> Self {
        Self { message: None, path: String::new(), of: String::new() }
    }

    /// A part of what stands here. `asked` says what it is.
    #[must_use]
    pub fn part(&self, name: &str, asked: &str) -> Self {
        let separator = if self.path.is_empty() { "" } else { "_" };
        let path = format!("{}{separator}{name}", self.path);
        Self { message: self.message.clone(), path, of: chained(&self.of, asked) }
    }

    /// What is done for a message, whatever is done for others.
    #[must_use]
    pub fn message(&self, id: &str, asked: &str) -> Self {
        Self { message: Some(id.to_owned()), path: String::new(), of: chained(&self.of, &format!("{id}\n{asked}")) }
    }

    /// How the keys of everything begin that is done under this.
    pub fn under(&self) -> String {
        if self.path.is_empty() { self.key() } else { format!("{}_", self.key()) }
    }

    /// Names it among the parts of its run.
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

/// A counter: of one quota in one of its periods.
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
    /// When it ends. The counter is of no use from then on.
    pub until: UnixMillis,
}

/// What became of an amount that was to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It is counted, now or before.
    Counted {
        /// How far the counter has come.
        used: u64,
    },
    /// It would have passed the limit, and is not counted.
    Over {
        /// How far the counter has come.
        used: u64,
    },
}

/// A fallback, as its options' health is known by.
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
