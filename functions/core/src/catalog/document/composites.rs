//! Events that run, bound or combine others: job definitions, quotas, fallbacks and features.

use serde_json::{Map, Value};

use crate::catalog::leaf::{QuotaLimit, Retries, TimeoutMs, ZoneName};
use crate::catalog::tag::Tag;
use crate::event_type::EventType;
use crate::json::document;
use crate::words::words;

document! {
    /// A named event with defaults.
    struct JobDefinition {
        /// The event's tag.
        event: String,
        /// The event's type, where the tag alone is ambiguous.
        event_type as "type": Option<EventType>,
        /// The event's app.
        app: Option<Tag>,
        /// Defaults of a job's input.
        input: Option<Map<String, Value>>,
        /// Retries of a job that gives none.
        retries: Option<Retries>,
        /// Bound on one attempt.
        timeout: Option<TimeoutMs>,
    }

    /// A counter with a limit.
    struct Quota {
        /// The most that may be used in a period.
        limit: QuotaLimit,
        /// The length of a period.
        period: Period,
        /// The zone whose days and months count; default UTC.
        tz: Option<ZoneName>,
    }

    /// Options to try in order until one succeeds.
    struct Fallback {
        /// The options; at least one.
        options: Vec<FallbackOption>,
    }

    /// One option.
    struct FallbackOption {
        /// The event's tag.
        event: String,
        /// The event's type, where the tag alone is ambiguous.
        event_type as "type": Option<EventType>,
        /// The event's app.
        app: Option<Tag>,
        /// Its input, with `$Input{}` annotations; default the job's own.
        input: Option<Map<String, Value>>,
        /// Attempts after the first; default 0.
        retries: Option<Retries>,
        /// Bound on one attempt.
        timeout: Option<TimeoutMs>,
    }

    /// Steps in order.
    struct Feature {
        /// The steps; at least one.
        steps: Vec<FeatureStep>,
        /// The result, with annotations; default the last step's.
        output: Option<Value>,
    }

    /// One step.
    struct FeatureStep {
        /// Its name in `$Sequence{tag}{key}`; default its position from 1.
        tag: Option<Tag>,
        /// The event's tag.
        event: String,
        /// The event's type, where the tag alone is ambiguous.
        event_type as "type": Option<EventType>,
        /// The event's app.
        app: Option<Tag>,
        /// Its input, with `$Input{}` and `$Sequence{}{}` annotations; default `{}`.
        input: Option<Map<String, Value>>,
        /// True if the sequence continues after this step fails.
        allow_fail: bool,
        /// Attempts after the first; default 0.
        retries: Option<Retries>,
        /// Bound on one attempt.
        timeout: Option<TimeoutMs>,
    }
}

words! {
    /// The length of a quota's period.
    enum Period {
        /// A minute.
        Minute = "minute",
        /// An hour.
        Hour = "hour",
        /// A day.
        Day = "day",
        /// A month.
        Month = "month",
    }
}
