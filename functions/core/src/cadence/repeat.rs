//! The requested schedule of a recurring job.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::UnixMillis;
use crate::words::words;

/// The schedule of a recurring job (the contract's IJobRepeatOptions). `cron` or `every` is required. With both, `cron` takes
/// precedence, and `every` applies if `cron` is not an expression or never fires again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Repeat {
    /// Cron expression of at most 256 characters, such as `0 0 1 * *` for the first of every month at midnight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub cron: Option<String>,
    /// Interval in ms, such as 86400000 for daily: 1000 to 315360000000 (10 years).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1_000, max = 315_360_000_000_u64))]
    pub every: Option<u64>,
    /// IANA time zone of `cron`. Default: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// Maximum number of runs. Default: unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub limit: Option<u32>,
    /// No run is due after this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_date: Option<UnixMillis>,
    /// Adds a run at `start_at`. Default: false.
    #[serde(default, skip_serializing_if = "is_default")]
    pub immediately: bool,
    /// The effect of a failed run on the series. Default: `stop`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_failure: OnFailure,
}

words! {
    /// The effect on the series of a run that failed for good.
    #[derive(Default)]
    enum OnFailure {
        /// The series ends. A retry of that run resumes it.
        #[default]
        Stop = "stop",
        /// The series continues with the next occurrence.
        Continue = "continue",
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_absent_is_omitted_and_read_back_as_absent() {
        let monthly = Repeat { cron: Some("0 0 1 * *".into()), ..Repeat::default() };
        let document = serde_json::to_value(&monthly).unwrap();
        assert_eq!(document, json!({"cron": "0 0 1 * *"}));
        assert_eq!(serde_json::from_value::<Repeat>(document).unwrap(), monthly);
    }

    #[test]
    fn the_names_are_the_contracts() {
        let full = Repeat {
            cron: Some("@daily".into()),
            every: Some(1_000),
            tz: Some("Europe/Amsterdam".into()),
            limit: Some(30),
            end_date: Some(UnixMillis(1)),
            immediately: true,
            on_failure: OnFailure::Continue,
        };
        let document = serde_json::to_value(&full).unwrap();
        let expected = json!({"cron": "@daily", "every": 1_000, "tz": "Europe/Amsterdam", "limit": 30, "endDate": 1,
                              "immediately": true, "onFailure": "continue"});
        assert_eq!(document, expected);
        assert_eq!(serde_json::from_value::<Repeat>(document).unwrap(), full);
    }
}
