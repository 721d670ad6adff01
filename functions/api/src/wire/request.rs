//! What callers send. The core reads bodies itself, to name every bad field at once: these types are their documentation,
//! and a test holds them to that reader.
#![expect(dead_code, reason = "only the schemas of these types are used")]

use carillon_core::cadence::OnFailure;
use carillon_core::catalog::Tag;
use carillon_core::job::EventType;
use carillon_core::retry::RetryPolicy;
use schemars::JsonSchema;
use serde_json::{Map, Value};

/// A job to schedule (the contract's IJobProcessorInput). Optional fields can be left out or passed as `{}`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(example = example())]
pub(crate) struct JobRequest {
    /// Unique identifier of the product that executes the job.
    product_tag: Tag,
    /// Environment slug, such as `dev` or `prd`.
    env: Tag,
    /// Tag of the event to schedule: an event of the product's catalog, or `database:action`, `broker:topic`,
    /// `notification:message`.
    event: EventTag,
    /// Type of the event; settles a tag that more than one type has.
    #[schemars(rename = "type")]
    event_type: Option<EventType>,
    /// The payload, in the shape that the event's type takes. `{}` when no parameters are required.
    input: Map<String, Value>,
    /// Number of times to retry the job. Default: 0.
    #[schemars(range(min = 0, max = 100))]
    retries: Option<u32>,
    /// When the job should start. 0, or any instant in the past, starts it immediately.
    start_at: Instant,
    /// Name of the application related to the job; settles an action's tag that more than one app has.
    app: Option<OrEmpty<Tag>>,
    /// Cache tag to memoise identical job inputs: where it remembers the result of the same event and input, that is the
    /// result of this job, too. Its expiry is the catalog's to say; 24 hours where the catalog does not know it.
    cache: Option<OrEmpty<Tag>>,
    /// User session to attach to the job: its token is verified at once, and what it says takes the place of
    /// `$Session{tag}{key}` in the strings of `input` when the job runs.
    session: Option<OrEmpty<JobSession>>,
    /// Schedule of a recurring job.
    repeat: Option<OrEmpty<RepeatRequest>>,
    /// How failed attempts are spaced, and which errors are retried.
    retry: Option<RetryPolicy>,
    /// Bound on one attempt, ms. Default: what the catalog says of the event, or 30000.
    #[schemars(range(min = 1, max = 900_000))]
    timeout: Option<u32>,
}

fn example() -> Value {
    serde_json::json!({
        "product_tag": "my-product", "env": "prd", "event": "user.signup", "start_at": 0, "retries": 3,
        "input": {"params": {"userId": "42"}, "body": {"plan": "free"}},
    })
}

/// An event's tag, or `owner:part`.
#[derive(JsonSchema)]
struct EventTag(
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(:[A-Za-z0-9][A-Za-z0-9._-]{0,63})?$"))] String,
);

/// An instant, to the millisecond, before year 10000.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Instant {
    /// Unix time: below 1e11 in seconds, otherwise in milliseconds.
    Number(#[schemars(range(min = 0, max = 253_402_300_799_999_u64))] f64),
    /// RFC 3339 with an offset, such as `2025-12-31T23:59:59Z`.
    Text(#[schemars(extend("format" = "date-time"))] String),
}

/// The value, or `{}` for none.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum OrEmpty<T> {
    /// The value.
    Value(T),
    /// `{}`: as if the field were left out.
    Empty(Empty),
}

/// `{}`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Empty {}

/// A user session: `{tag, token}`, or both in one text `tag:token`.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum JobSession {
    /// Both by name.
    Named(NamedSession),
    /// Both in one text.
    Text(#[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}:[\s\S]+$"))] String),
}

/// A user session.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct NamedSession {
    /// Tag identifying the session type.
    tag: Tag,
    /// Token generated when the session was created, such as a signed JWT.
    #[schemars(length(min = 1, max = 16_384))]
    token: String,
}

/// Schedule of a recurring job (the contract's IJobRepeatOptions). Either `cron` or `every` must be defined; with both,
/// `every` takes over where `cron` fails.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("anyOf" = [{"required": ["cron"]}, {"required": ["every"]}]))]
#[schemars(rename = "RepeatRequest")]
struct RepeatRequest {
    /// Cron expression, such as `0 0 1 * *` for the first of every month at midnight.
    #[schemars(length(min = 1, max = 256))]
    cron: Option<String>,
    /// Interval in ms, such as 86400000 for daily.
    #[schemars(range(min = 1_000, max = 315_360_000_000_u64))]
    every: Option<u64>,
    /// Maximum number of runs. Default: unlimited.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    limit: Option<u32>,
    /// No run is due after this instant.
    #[schemars(rename = "endDate")]
    end_date: Option<Instant>,
    /// IANA time zone in which `cron` is evaluated, such as `Europe/Amsterdam`. Default: UTC.
    tz: Option<String>,
    /// Whether the job also runs once at `start_at`.
    immediately: Option<bool>,
    /// Whether a failed run stops the series. Default: `stop`.
    #[schemars(rename = "onFailure")]
    on_failure: Option<OnFailure>,
}

/// A job to preview.
#[derive(JsonSchema)]
pub(crate) struct PreviewRequest {
    /// The job, as it would be scheduled.
    #[schemars(flatten)]
    job: JobRequest,
    /// How many runs to show. Default: 10.
    #[schemars(range(min = 1, max = 100))]
    count: Option<u32>,
}

/// What is to change of a job; what is left out stays as it is.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1))]
pub(crate) struct EditRequest {
    /// When the job should start, and what a recurring job's occurrences are counted from.
    start_at: Option<Instant>,
    /// Schedule of a recurring job, whole; `{}` makes its next run its last.
    repeat: Option<OrEmpty<RepeatRequest>>,
    /// The payload, whole.
    input: Option<Map<String, Value>>,
    /// Number of times to retry a run.
    #[schemars(range(min = 0, max = 100))]
    retries: Option<u32>,
    /// How failed attempts are spaced, and which errors are retried, whole.
    retry: Option<RetryPolicy>,
    /// Bound on one attempt, ms.
    #[schemars(range(min = 1, max = 900_000))]
    timeout: Option<u32>,
}

/// Why a job is called off.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct CancelRequest {
    /// For people; kept with the job.
    #[schemars(length(min = 1, max = 1_000))]
    reason: Option<String>,
}

/// When a failed job is tried again.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct RetryRequest {
    /// Milliseconds from now. Default: 0.
    #[schemars(range(min = 0, max = 43_200_000))]
    delay: Option<u32>,
}

/// Which dead letters come back.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("dependentRequired" = {"env": ["product_tag"]}))]
pub(crate) struct RedriveRequest {
    /// Only those of this product. Default: of every product, for which the key must open all of them.
    product_tag: Option<Tag>,
    /// Only those of this environment of the product. Default: of every one that the key opens.
    env: Option<Tag>,
    /// How many at the most, the newest first. Does not apply to a redrive of every product that the queue does itself.
    /// Default: 100.
    #[schemars(range(min = 1, max = 1_000))]
    limit: Option<u32>,
}
