//! The queue of due fires: its messages carry the fire and its due time, never the payload.

use std::fmt;
use std::future::Future;

use serde::{Deserialize, Serialize};

use super::PortError;
use crate::ids::Fire;
use crate::job::RunError;
use crate::time::UnixMillis;

/// The longest that a queue delays a message, seconds. The limit of SQS.
pub const MAX_DELAY_SECONDS: i64 = 900;

/// The queue that brings messages of due fires to the executor, with its dead letters.
pub trait MessageQueue: Send + Sync + 'static {
    /// Sends a message that arrives after `delay_seconds`. A longer delay than [`MAX_DELAY_SECONDS`] is cut to it.
    fn send(&self, message: &Message, delay_seconds: i64) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Hides a received message for `seconds` more, after which it comes back.
    fn defer(&self, receipt_handle: &str, seconds: i64) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Moves the message of a fire without attempts left to the dead letters, with the reason. Redriven, it gets a
    /// fresh budget.
    fn dead_letter(&self, message: &Message, error: &RunError) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Moves a body that is no message to the dead letters, as it came.
    fn dead_letter_unreadable(&self, body: &str) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The body of a message.
///
/// ```
/// use carillon_core::ports::Message;
/// let body = r#"{"fire":"job_01HF7YAT00000000000000000Z_g1_r1","due_at":1800000000000}"#;
/// let message = Message::parse(body).unwrap();
/// assert_eq!(message.to_string(), body);
/// assert!(Message::parse(r#"{"fire":"job_x","due_at":0}"#).is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The fire.
    pub fire: Fire,
    /// When it is due, epoch ms.
    pub due_at: UnixMillis,
    /// True if this message is a redriven dead letter, whose job gets a fresh budget.
    #[serde(default, rename = "parked", skip_serializing_if = "std::ops::Not::not")]
    pub dead_lettered: bool,
}

impl Message {
    /// A message of a fire.
    pub fn new(fire: Fire, due_at: UnixMillis) -> Self {
        Self { fire, due_at, dead_lettered: false }
    }

    /// The message in a body, if it is one.
    pub fn parse(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok()
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}
