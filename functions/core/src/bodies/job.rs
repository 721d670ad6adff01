//! A job to schedule or to preview.

use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::{Instant, OrEmpty, RepeatRequest, SubmittedSession};
use crate::catalog::Tag;
use crate::error::FieldCode;
use crate::event_type::EventType;
use crate::json::{Field, Read, Required, body, fits, numbers};
use crate::retry::RetryPolicy;

/// An input is stored with at most this many bytes.
pub const MAX_INPUT_BYTES: usize = 256 * 1024;

body! {
    /// A job to schedule (the contract's IJobProcessorInput). Optional fields can be left out or passed as `{}`.
    #[schemars(deny_unknown_fields, example = example())]
    struct JobRequest {
        /// Unique identifier of the product that executes the job.
        product_tag: Required<Tag>,
        /// Environment slug, such as `dev` or `prd`.
        env: Required<Tag>,
        /// Tag of the event to schedule: an event of the product's catalog, or `database:action`, `broker:topic`,
        /// `notification:message`.
        event: Required<EventTag>,
        /// Type of the event; settles a tag that more than one type has.
        event_type as "type": Option<EventType>,
        /// Name of the application related to the job; settles an action's tag that more than one app has.
        app: Option<OrEmpty<Tag>>,
        /// The payload, in the shape that the event's type takes. `{}` when no parameters are required.
        input: Required<Input>,
        /// Number of times to retry the job. Default: 0.
        retries: Option<RetryCount>,
        /// The spacing of failed attempts, and the errors that are retried.
        retry: Option<RetryPolicy>,
        /// Bound on one attempt, ms. Default: what the catalog says of the event, or 30000.
        timeout: Option<Timeout>,
        /// When the job should start. 0, or any instant in the past, starts it immediately.
        start_at: Required<Instant>,
        /// Schedule of a recurring job.
        repeat: Option<OrEmpty<RepeatRequest>>,
        /// User session to attach to the job: its token is verified at once, and what it says takes the place of
        /// `$Session{tag}{key}` in the strings of `input` when the job runs.
        session: Option<OrEmpty<SubmittedSession>>,
        /// Cache tag to memoise identical job inputs: where it remembers the result of the same event and input, that is the
        /// result of this job, too. Its expiry is the catalog's to say; 24 hours where the catalog does not know it.
        cache: Option<OrEmpty<Tag>>,
    }

    /// A job to preview.
    struct PreviewRequest with job: JobRequest {
        /// Number of runs to show. Default: 10.
        count: Option<RunsShown>,
    }
}

fn example() -> Value {
    serde_json::json!({
        "product_tag": "my-product", "env": "prd", "event": "user.signup", "start_at": 0, "retries": 3,
        "input": {"params": {"userId": "42"}, "body": {"plan": "free"}},
    })
}

numbers! {
    /// Attempts after the first.
    #[schemars(inline)]
    RetryCount: u32 = 0..=100;
    /// Bound on one attempt, ms.
    #[schemars(inline)]
    Timeout: u32 = 1..=900_000;
    /// Runs that a preview shows.
    #[schemars(inline)]
    RunsShown: u32 = 1..=100;
}

/// An event's tag, or `owner:part`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
pub struct EventTag(
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(:[A-Za-z0-9][A-Za-z0-9._-]{0,63})?$"))] pub String,
);

impl Read for EventTag {
    fn read(field: &Field<'_>) -> Option<Self> {
        field.parsed("an event's tag, or owner:part", |text| {
            let parts: Vec<_> = text.split(':').collect();
            let is_one = parts.len() <= 2 && parts.iter().all(|part| Tag::parse(part).is_some());
            is_one.then(|| Self(text.to_owned()))
        })
    }
}

/// An object, no longer when it is stored than a request may be: `1e15` is stored as `1000000000000000.0`.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
#[schemars(inline)]
pub struct Input(#[schemars(with = "Map<String, Value>")] pub Value);

impl Read for Input {
    fn read(field: &Field<'_>) -> Option<Self> {
        field.object()?;
        if !fits(field.value(), MAX_INPUT_BYTES) {
            field.fault(
                FieldCode::OutOfRange,
                format!("must have at most {MAX_INPUT_BYTES} bytes with its numbers written out"),
            );
            return None;
        }
        Some(Self(field.value().clone()))
    }
}
