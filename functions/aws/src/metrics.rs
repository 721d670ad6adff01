//! Metrics as log lines in CloudWatch's embedded metric format: no call, no permission, no wait.
//!
//! The names are a contract with the dashboard, the alarms and the README's telemetry table; a test holds them together.

use std::io::Write;

use carillon_core::job::{EventType, Status};
use carillon_core::operations::Execution;
use carillon_core::time::UnixMillis;
use serde_json::{Map, Value, json};

/// The namespace of all metrics.
pub const NAMESPACE: &str = "Carillon";

/// A metric's name and unit.
type Metric = (&'static str, &'static str);

/// Jobs accepted.
pub const SCHEDULED: Metric = ("scheduled", "Count");
/// Dispatches begun, retries included.
pub const ATTEMPTS: Metric = ("attempts", "Count");
/// From a fire's due time to the start of its first attempt.
pub const LATENESS: Metric = ("lateness_ms", "Milliseconds");
/// From the start of an attempt to its end.
pub const DISPATCH: Metric = ("dispatch_ms", "Milliseconds");
/// Fires parked in the dead-letter queue.
pub const DEAD_LETTERS: Metric = ("dead_letters", "Count");
/// Fires ended, by type and outcome.
pub const OUTCOMES: Metric = ("outcomes", "Count");

/// All of them.
pub const ALL: [Metric; 6] = [SCHEDULED, ATTEMPTS, LATENESS, DISPATCH, DEAD_LETTERS, OUTCOMES];

/// The line of an accepted job.
pub fn accepted(service: &str, now: UnixMillis) -> Value {
    line(service, now, &[], &[(SCHEDULED, 1)])
}

/// The lines of what an execution did; none when it did nothing.
pub fn executed(service: &str, execution: &Execution, now: UnixMillis) -> Vec<Value> {
    let mut lines = Vec::new();
    if let Some(attempt) = &execution.attempt {
        let mut values = vec![(ATTEMPTS, 1), (DISPATCH, attempt.dispatch_ms)];
        if attempt.number == 1 {
            values.push((LATENESS, attempt.lateness_ms));
        }
        lines.push(line(service, now, &[], &values));
    }
    let Some(job) = execution.job.as_ref().filter(|_| execution.refusal.is_none()) else { return lines };
    let recorded = execution.attempt.as_ref().is_none_or(|attempt| attempt.recorded);
    if recorded && matches!(job.state.status, Status::Completed | Status::Failed) {
        lines.push(outcome(service, now, job.spec.event_type, job.state.status));
        if job.state.status == Status::Failed {
            lines.push(line(service, now, &[], &[(DEAD_LETTERS, 1)]));
        }
    }
    lines
}

fn outcome(service: &str, now: UnixMillis, event_type: EventType, status: Status) -> Value {
    let dimensions = [("type", event_type.to_string()), ("outcome", status.to_string())];
    line(service, now, &dimensions, &[(OUTCOMES, 1)])
}

/// Writes lines to standard output, where the Lambda service takes them from.
pub fn write(lines: &[Value]) {
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.to_string());
        text.push('\n');
    }
    // There is nobody to tell that telling failed.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

fn line(service: &str, now: UnixMillis, dimensions: &[(&str, String)], values: &[(Metric, i64)]) -> Value {
    let names: Vec<&str> = std::iter::once("service").chain(dimensions.iter().map(|(name, _)| *name)).collect();
    let metrics: Vec<Value> = values.iter().map(|((name, unit), _)| json!({"Name": name, "Unit": unit})).collect();
    let mut line = Map::new();
    line.insert("service".to_owned(), json!(service));
    line.extend(dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    line.extend(values.iter().map(|((name, _), value)| ((*name).to_owned(), json!(value))));
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now,
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [names], "Metrics": metrics}],
        }),
    );
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_metrics_dimensions_and_values() {
        let line = outcome("orders", UnixMillis(7), EventType::Action, Status::Failed);
        assert_eq!(
            line,
            json!({
                "service": "orders", "type": "action", "outcome": "failed", "outcomes": 1,
                "_aws": {"Timestamp": 7, "CloudWatchMetrics": [{
                    "Namespace": "Carillon",
                    "Dimensions": [["service", "type", "outcome"]],
                    "Metrics": [{"Name": "outcomes", "Unit": "Count"}],
                }]},
            })
        );
    }
}
