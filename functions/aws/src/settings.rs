//! The settings of a function, from its environment.

use std::ops::RangeInclusive;

use carillon_core::idempotency::KEPT_HOURS;
use carillon_core::job::Run;
use carillon_core::operations::DEFAULT_WAIT_SLOTS;

/// The names of a deployment's parts, and the few numbers that tests change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The deployment's name, a dimension of every metric.
    pub service: String,
    /// The table.
    pub table: String,
    /// The queue of due fires.
    pub queue_url: String,
    /// The ARN of that queue, for the Scheduler.
    pub queue_arn: String,
    /// The dead-letter queue.
    pub dead_letter_queue_url: String,
    /// The ARN of that queue, for redrives and the Scheduler.
    pub dead_letter_queue_arn: String,
    /// The group that holds the schedules.
    pub schedule_group: String,
    /// The role that the Scheduler assumes to send messages.
    pub scheduler_role_arn: String,
    /// A fire due within this many seconds is sent to the queue at once: 0 to 900, the longest delay of SQS.
    pub delay_threshold_seconds: i64,
    /// Seconds that a schedule is set before its fire. The Scheduler may be a minute late, so at least 60.
    pub schedule_lead_seconds: i64,
    /// Days that a run stays in the history after its end: 1 to 3650.
    pub kept_days: u32,
    /// Hours that an `Idempotency-Key` is kept: 1 to 168.
    pub idempotency_hours: u32,
    /// Callers that may wait for a job at the same time: 0 to 10,000.
    pub max_waits: u32,
    /// The ARN of the KMS key that wraps the keys of sealed sessions.
    pub sealing_key_id: String,
    /// Targets beyond public addresses that the operator allows.
    pub allow_list: Vec<String>,
    /// PEM certificates that are trusted for targets, in addition to the platform's.
    pub root_certificates: Option<String>,
}

/// The settings that are missing or out of range.
#[derive(Debug, thiserror::Error)]
#[error("the function's environment is not complete: {}", .0.join(", "))]
pub struct SettingsError(Vec<String>);

impl Settings {
    /// Reads the settings; `variable` returns the value of an environment variable.
    ///
    /// # Errors
    ///
    /// Names every variable that is missing or out of range.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut faults = Vec::new();
        let mut text = |name: &str| {
            variable(name).filter(|value| !value.is_empty()).unwrap_or_else(|| {
                faults.push(format!("{name} is missing"));
                String::new()
            })
        };
        let mut settings = Self {
            service: text("CARILLON_SERVICE"),
            table: text("CARILLON_TABLE"),
            queue_url: text("CARILLON_QUEUE_URL"),
            queue_arn: text("CARILLON_QUEUE_ARN"),
            dead_letter_queue_url: text("CARILLON_DEAD_LETTER_QUEUE_URL"),
            dead_letter_queue_arn: text("CARILLON_DEAD_LETTER_QUEUE_ARN"),
            schedule_group: text("CARILLON_SCHEDULE_GROUP"),
            scheduler_role_arn: text("CARILLON_SCHEDULER_ROLE_ARN"),
            sealing_key_id: text("CARILLON_SEALING_KEY_ID"),
            delay_threshold_seconds: 0,
            schedule_lead_seconds: 0,
            kept_days: 0,
            idempotency_hours: 0,
            max_waits: 0,
            allow_list: Vec::new(),
            root_certificates: variable("CARILLON_ROOT_CERTIFICATES").filter(|pem| !pem.is_empty()),
        };
        let mut number = |name: &str, default: u32, range: RangeInclusive<u32>| {
            let read = variable(name).map_or(Ok(default), |value| value.parse());
            read.ok().filter(|number| range.contains(number)).unwrap_or_else(|| {
                faults.push(format!("{name} must be a whole number from {} to {}", range.start(), range.end()));
                default
            })
        };
        settings.delay_threshold_seconds = number("CARILLON_DELAY_THRESHOLD_SECONDS", 900, 0..=900).into();
        settings.schedule_lead_seconds = number("CARILLON_SCHEDULE_LEAD_SECONDS", 120, 0..=900).into();
        settings.kept_days = number("CARILLON_RUN_RETENTION_DAYS", Run::KEPT_DAYS, 1..=3_650);
        settings.idempotency_hours = number("CARILLON_IDEMPOTENCY_HOURS", KEPT_HOURS, 1..=168);
        settings.max_waits = number("CARILLON_MAX_WAITS", DEFAULT_WAIT_SLOTS, 0..=10_000);
        let entries = variable("CARILLON_ALLOW_LIST").unwrap_or_default();
        settings.allow_list =
            entries.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect();
        if faults.is_empty() { Ok(settings) } else { Err(SettingsError(faults)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let error = Settings::read(|name| match name {
            "CARILLON_TABLE" => Some("t".to_owned()),
            "CARILLON_DELAY_THRESHOLD_SECONDS" => Some("901".to_owned()),
            _ => None,
        });
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("CARILLON_QUEUE_URL is missing")
                && text.contains("from 0 to 900")
                && !text.contains("CARILLON_TABLE ")
        );
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let settings = Settings::read(|name| match name {
            "CARILLON_ALLOW_LIST" => Some("127.0.0.1:8080, 10.0.0.0/8".to_owned()),
            "CARILLON_ROOT_CERTIFICATES" => Some(String::new()),
            name if ["SECONDS", "DAYS", "HOURS", "WAITS"].iter().any(|unit| name.ends_with(unit)) => None,
            name => Some(name.to_lowercase()),
        })
        .unwrap();
        let numbers = (settings.delay_threshold_seconds, settings.schedule_lead_seconds);
        assert_eq!((numbers, settings.kept_days, settings.idempotency_hours), ((900, 120), 90, 24));
        assert_eq!(settings.max_waits, 100);
        assert_eq!(settings.allow_list, ["127.0.0.1:8080", "10.0.0.0/8"]);
        assert_eq!(settings.root_certificates, None);
    }
}
