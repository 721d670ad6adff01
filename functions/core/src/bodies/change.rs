//! Changes of jobs.

use super::{Input, Instant, OrEmpty, RepeatRequest, RetryCount, Timeout};
use crate::catalog::Tag;
use crate::error::FieldCode;
use crate::json::{Field, body, numbers, texts};
use crate::retry::RetryPolicy;

body! {
    /// The members of a job to change; the others stay as they are.
    #[schemars(deny_unknown_fields, extend("minProperties" = 1))]
    struct EditRequest checked by check_edit {
        /// When the job should start, and what a recurring job's occurrences are counted from.
        start_at: Option<Instant>,
        /// Schedule of a recurring job, whole; `{}` makes its next run its last.
        repeat: Option<OrEmpty<RepeatRequest>>,
        /// The payload, whole.
        input: Option<Input>,
        /// Number of times to retry a run.
        retries: Option<RetryCount>,
        /// The spacing of failed attempts, and the errors that are retried; replaced whole.
        retry: Option<RetryPolicy>,
        /// Bound on one attempt, ms.
        timeout: Option<Timeout>,
    }

    /// Why a job is cancelled.
    #[schemars(deny_unknown_fields)]
    struct CancelRequest {
        /// For people; kept with the job.
        reason: Option<Reason>,
    }

    /// When a failed job is tried again.
    #[schemars(deny_unknown_fields)]
    struct RetryRequest {
        /// Milliseconds from now. Default: 0.
        delay: Option<Delay>,
    }

    /// The dead letters to redrive.
    #[schemars(deny_unknown_fields, extend("dependentRequired" = {"env": ["product_tag"]}))]
    struct RedriveRequest checked by check_redrive {
        /// Maximum number of jobs, the newest first. Ignored for a redrive of every product that the queue does
        /// itself. Default: 100.
        limit: Option<RedriveLimit>,
        /// Only those of this product. Default: of every product, for which the key must open all of them.
        product_tag: Option<Tag>,
        /// Only those of this environment of the product. Default: of every one that the key opens.
        env: Option<Tag>,
    }
}

texts! {
    /// A reason, for people.
    #[schemars(inline)]
    Reason = 1..=1_000;
}

numbers! {
    /// A delay, ms: up to 12 hours.
    #[schemars(inline)]
    Delay: u32 = 0..=43_200_000;
    /// Jobs that a redrive retries.
    #[schemars(inline)]
    RedriveLimit: u32 = 1..=1_000;
}

/// Notes an edit that names nothing.
fn check_edit(field: &Field<'_>) {
    if field.is_empty_object() {
        field.fault(FieldCode::Required, "must name what is to change");
    }
}

/// Notes an environment without its product.
fn check_redrive(field: &Field<'_>) {
    if field.value().get("env").is_some() && field.value().get("product_tag").is_none() {
        field.fault_at("product_tag", FieldCode::Required, "is required, as an environment is a product's");
    }
}
