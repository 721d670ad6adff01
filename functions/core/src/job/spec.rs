//! The request behind a job.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EventType;
use crate::cadence::Repeat;
use crate::retry::RetryPolicy;
use crate::session::JobSession;
use crate::time::UnixMillis;

/// The request. It changes only when a caller edits the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The product whose catalog defines the event.
    pub product: String,
    /// One of the product's environments.
    pub env: String,
    /// The event's tag as it was sent.
    pub event: String,
    /// The type that the tag resolved to.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// The app, if the request named one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub app: Option<String>,
    /// The payload, as it was sent.
    pub input: Value,
    /// Attempts after the first, 0 to 100.
    pub retries: u32,
    /// The spacing of the attempts.
    pub retry: RetryPolicy,
    /// Bound on one attempt in ms, if the request named one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeout: Option<u32>,
    /// When the first run is due; the occurrences of a recurring job are counted from it.
    pub start_at: UnixMillis,
    /// The recurrence; absent when the job runs once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repeat: Option<Repeat>,
    /// The session, if the request named one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<JobSession>,
    /// The cache tag, if the request named one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cache: Option<String>,
    /// When the job was accepted.
    pub created_at: UnixMillis,
}
