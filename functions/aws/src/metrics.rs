//! Metrics as log lines in CloudWatch's embedded metric format: no call, no permission, no wait.
//!
//! The dashboard, the alarms and the telemetry table of infra/README.md use the same names; a test compares them.

use std::io::Write;

use carillon_core::operations::{Execution, Verdict};
use carillon_core::time::UnixMillis;
use serde_json::{Map, Value, json};

/// The namespace of all metrics.
pub const NAMESPACE: &str = "Carillon";

/// The dimension of every metric: the deployment's name.
const SERVICE: &str = "service";

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// CloudWatch's unit.
    pub unit: &'static str,
    /// The names of its dimensions.
    pub dimensions: &'static [&'static str],
}

impl Metric {
    const fn of_service(name: &'static str, unit: &'static str) -> Self {
        Self { name, unit, dimensions: &[SERVICE] }
    }
}

/// Jobs accepted.
pub const SCHEDULED: Metric = Metric::of_service("scheduled", "Count");
/// Attempts, retries included.
pub const ATTEMPTS: Metric = Metric::of_service("attempts", "Count");
/// Time from a fire's due time to the start of its first attempt.
pub const LATENESS: Metric = Metric::of_service("lateness_ms", "Milliseconds");
/// Duration of an attempt.
pub const DISPATCH: Metric = Metric::of_service("dispatch_ms", "Milliseconds");
/// Fires without an attempt left. Each is moved to the dead-letter queue.
pub const DEAD_LETTERS: Metric = Metric::of_service("dead_letters", "Count");
/// Fires that ended, by event type and outcome (completed or failed).
pub const OUTCOMES: Metric = Metric { name: "outcomes", unit: "Count", dimensions: &[SERVICE, "type", "outcome"] };

/// All metrics.
pub const ALL: [Metric; 6] = [SCHEDULED, ATTEMPTS, LATENESS, DISPATCH, DEAD_LETTERS, OUTCOMES];

/// The metrics of an accepted job.
pub fn accepted(service: &str, now: UnixMillis) -> Value {
    line(service, now, &[], &[(SCHEDULED, 1)])
}

/// The metrics of an execution; none if it did nothing. Each attempt is counted by the execution that made it, and
/// each outcome by the one that recorded it: finding a settled fire counts nothing.
pub fn executed(service: &str, execution: &Execution, now: UnixMillis) -> Vec<Value> {
    let mut lines = Vec::new();
    if let Some(attempt) = &execution.attempt {
        let mut values = vec![(ATTEMPTS, 1), (DISPATCH, attempt.dispatch_ms)];
        if attempt.number == 1 {
            values.push((LATENESS, attempt.lateness_ms));
        }
        lines.push(line(service, now, &[], &values));
    }
    if let (Some(ended), Some(job)) = (execution.ended, &execution.job) {
        let values = [job.spec.event_type.to_string(), ended.to_string()];
        lines.push(line(service, now, &values, &[(OUTCOMES, 1)]));
    }
    if let Verdict::DeadLetter(_) = execution.verdict {
        lines.push(line(service, now, &[], &[(DEAD_LETTERS, 1)]));
    }
    lines
}

/// Writes the lines of an execution.
pub fn write_executed(service: &str, execution: &Execution, now: UnixMillis) {
    write(&executed(service, execution, now));
}

/// Writes metrics to standard output, where the Lambda service reads them.
pub fn write(lines: &[Value]) {
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.to_string());
        text.push('\n');
    }
    // A failure to write cannot be reported anywhere.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// One line of metrics with the same dimensions; `further` has the values of those after the service.
fn line(service: &str, now: UnixMillis, further: &[String], values: &[(Metric, i64)]) -> Value {
    let dimensions = values.first().map_or(&[][..], |(metric, _)| metric.dimensions);
    let described = values.iter().map(|(metric, _)| json!({"Name": metric.name, "Unit": metric.unit}));
    let mut line = Map::new();
    let series = std::iter::once(service).chain(further.iter().map(String::as_str));
    line.extend(dimensions.iter().zip(series).map(|(name, value)| ((*name).to_owned(), json!(value))));
    line.extend(values.iter().map(|(metric, value)| (metric.name.to_owned(), json!(value))));
    let metrics = json!([{
        "Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": described.collect::<Vec<_>>(),
    }]);
    line.insert("_aws".to_owned(), json!({"Timestamp": now, "CloudWatchMetrics": metrics}));
    Value::Object(line)
}

#[cfg(test)]
mod tests;
