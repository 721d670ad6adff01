//! What travels through the queue: the fire and its due time, never the payload.

use carillon_core::ids::Fire;
use carillon_core::time::UnixMillis;
use serde::{Deserialize, Serialize};

/// The body of a message.
///
/// ```
/// use carillon_aws::message::Message;
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
    /// Whether the fire was spent, and this message lay among the dead letters: coming back, it asks for a fresh budget.
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

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| std::fmt::Error)?)
    }
}
