//! The request behind a job.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EventType;
use crate::cadence::Repeat;
use crate::retry::RetryPolicy;
use crate::session::JobSession;
use crate::time::UnixMillis;

/// What was asked for. It changes only when a caller edits the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The product whose catalog defines the event.
    pub product: String,
    /// One of the product's environments.
    pub env: String,
    /// The event's tag as it was sent.
    pub event: String,
    /// The type that the tag was found to have.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// The app, where the request named one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub app: Option<String>,
    /// The payload, as it was sent.
    pub input: Value,
    /// Attempts after the first, 0 to 100.
    pub retries: u32,
    /// How the attempts are spaced.
    pub retry: RetryPolicy,
    /// Bound on one attempt in ms, where the request named one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeout: Option<u32>,
    /// When the first run is due; what a recurring job's occurrences are counted from.
    pub start_at: UnixMillis,
    /// How the job recurs; absent when it runs once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repeat: Option<Repeat>,
    /// Whose job it is, where the request said so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<JobSession>,
    /// The cache that its results are looked up in, where the request named one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cache: Option<String>,
    /// When the job was accepted.
    pub created_at: UnixMillis,
}
