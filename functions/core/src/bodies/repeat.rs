//! The schedule of a recurring job, as it is sent.

use serde_json::Value;

use super::Instant;
use crate::cadence::{Cron, OnFailure, Repeat};
use crate::catalog::ZoneName;
use crate::error::FieldCode;
use crate::json::{Field, document, numbers, texts};

document! {
    /// Schedule of a recurring job (the contract's IJobRepeatOptions). Either `cron` or `every` must be defined; with both,
    /// `every` takes over where `cron` fails.
    #[schemars(extend("anyOf" = [{"required": ["cron"]}, {"required": ["every"]}]))]
    struct RepeatRequest checked by check_schedule {
        /// Cron expression, such as `0 0 1 * *` for the first of every month at midnight.
        cron: Option<CronText>,
        /// Interval in ms, such as 86400000 for daily.
        every: Option<Interval>,
        /// Maximum number of runs. Default: unlimited.
        limit: Option<RunLimit>,
        /// No run is due after this instant.
        end_date as "endDate": Option<Instant>,
        /// IANA time zone in which `cron` is evaluated, such as `Europe/Amsterdam`. Default: UTC.
        #[schemars(with = "Option<String>")]
        tz: Option<ZoneName>,
        /// True if the job also runs once at `start_at`. Default: false.
        immediately: Option<bool>,
        /// The effect of a failed run on the series. Default: `stop`.
        on_failure as "onFailure": Option<OnFailure>,
    }
}

texts! {
    /// A cron expression. With `every`, which then takes over, also an invalid one or one that never fires.
    #[schemars(inline)]
    CronText = 1..=256;
}

numbers! {
    /// An interval, ms: up to 10 years.
    #[schemars(inline)]
    Interval: u64 = 1_000..=315_360_000_000_u64;
    /// The runs of a series.
    #[schemars(inline)]
    RunLimit: u32 = 1..=1_000_000_000;
}

const _: () = assert!(Cron::MAX_CHARACTERS == 256, "the bound of `CronText`, which has to be a literal");

impl From<RepeatRequest> for Repeat {
    fn from(request: RepeatRequest) -> Self {
        Self {
            cron: request.cron.map(|cron| cron.0),
            every: request.every.map(|every| every.0),
            tz: request.tz.map(|zone| zone.0),
            limit: request.limit.map(|limit| limit.0),
            end_date: request.end_date.map(Instant::at),
            immediately: request.immediately.unwrap_or_default(),
            on_failure: request.on_failure.unwrap_or_default(),
        }
    }
}

/// Notes a schedule that has neither `cron` nor `every`, and an expression that has no `every` to fall back on and never
/// fires. One of the wrong type or length is left to its own reader.
fn check_schedule(field: &Field<'_>) {
    let member = |name| field.value().get(name);
    match (member("cron"), member("every")) {
        (None, None) => field.fault(FieldCode::Required, "must have cron or every"),
        (Some(Value::String(cron)), None) if (1..=Cron::MAX_CHARACTERS).contains(&cron.chars().count()) => {
            if let Err(fault) = Cron::parse(cron) {
                field.fault_at("cron", FieldCode::Malformed, fault.to_string());
            }
        }
        _ => {}
    }
}
