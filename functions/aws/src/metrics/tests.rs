use std::collections::BTreeMap;
use std::sync::Arc;

use carillon_core::ids::{JobId, Owner};
use carillon_core::job::{EventType, Job, JobSpec, Output, RunError, RunStatus, codes};
use carillon_core::machine::{Refusal, Trigger, decide, first_state};
use carillon_core::operations::Attempt;
use carillon_core::retry::RetryPolicy;

use super::*;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn job() -> Job {
    let spec = JobSpec {
        product: "shop".into(),
        env: "prd".into(),
        event: "order.close".into(),
        event_type: EventType::Action,
        app: None,
        input: json!({"body": "hush"}),
        retries: 0,
        retry: RetryPolicy::default(),
        timeout: None,
        start_at: NOW,
        repeat: None,
        session: None,
        cache: None,
        created_at: NOW,
    };
    Job { id: JobId::new(NOW, 1), state: first_state(&spec, NOW).unwrap(), spec: Arc::new(spec) }
}

/// The job after an attempt.
fn ended(result: Result<Output, RunError>) -> Job {
    let owner = Owner::new(1);
    let claim = Trigger::Claim { fire: job().fire(), owner: owner.clone(), lease_ms: 1_000 };
    let end = match result {
        Ok(output) => Trigger::Succeed { owner, output },
        Err(error) => Trigger::Fail { owner, error, random: 0.0 },
    };
    [claim, end].iter().fold(job(), |job, event| decide(&job, event, NOW).unwrap().after())
}

fn error() -> RunError {
    RunError::permanent(codes::FORBIDDEN, "hush")
}

fn attempt(number: u32, recorded: bool) -> Attempt {
    Attempt { number, began_at: NOW, lateness_ms: 40, dispatch_ms: 120, error: None, recorded }
}

fn of(verdict: Verdict, job: Job) -> Execution {
    Execution::idle(verdict, Some(job), None)
}

/// The sums of an execution's metrics, with the values of the dimensions after the service.
fn counted(execution: &Execution) -> BTreeMap<String, i64> {
    let mut counted = BTreeMap::new();
    for line in executed("orders", execution, NOW) {
        let described = &line["_aws"]["CloudWatchMetrics"][0];
        let dimensions: Vec<_> =
            described["Dimensions"][0].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        assert_eq!((dimensions[0], &line["service"]), ("service", &json!("orders")));
        for metric in described["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            let known = ALL.iter().find(|known| known.name == name).unwrap();
            assert_eq!((known.unit, known.dimensions), (metric["Unit"].as_str().unwrap(), dimensions.as_slice()));
            let series = dimensions[1..].iter().map(|name| line[*name].as_str().unwrap());
            let series = std::iter::once(name).chain(series).collect::<Vec<_>>().join(" ");
            assert!(counted.insert(series, line[name].as_i64().unwrap()).is_none(), "{name} twice");
        }
        assert!(!line.to_string().contains("hush"), "{line}");
    }
    counted
}

fn sums<const N: usize>(sums: [(&str, i64); N]) -> BTreeMap<String, i64> {
    sums.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[test]
fn an_attempt_that_settles_its_run_counts_the_attempt_and_the_outcome() {
    let done = Execution {
        attempt: Some(attempt(1, true)),
        ended: Some(RunStatus::Completed),
        ..of(Verdict::Acknowledge, ended(Ok(Output::default())))
    };
    let completed = [("attempts", 1), ("dispatch_ms", 120), ("lateness_ms", 40), ("outcomes action completed", 1)];
    assert_eq!(counted(&done), sums(completed));
    let spent = Execution {
        attempt: Some(attempt(2, true)),
        ended: Some(RunStatus::Failed),
        ..of(Verdict::DeadLetter(error()), ended(Err(error())))
    };
    let failed = [("attempts", 1), ("dispatch_ms", 120), ("outcomes action failed", 1), ("dead_letters", 1)];
    assert_eq!(counted(&spent), sums(failed));
}

#[test]
fn an_executor_that_was_lost_in_the_last_attempt_counts_as_a_spent_fire() {
    let verdict = Verdict::DeadLetter(error());
    let lost = Execution { ended: Some(RunStatus::Failed), ..of(verdict, ended(Err(error()))) };
    assert_eq!(counted(&lost), sums([("outcomes action failed", 1), ("dead_letters", 1)]));
}

#[test]
fn a_message_that_finds_its_fire_settled_counts_nothing() {
    for result in [Ok(Output::default()), Err(error())] {
        let settled = of(Verdict::Acknowledge, ended(result));
        assert_eq!(counted(&Execution { refusal: Some(Refusal::AlreadySettled), ..settled }), sums([]));
    }
}

#[test]
fn a_fire_of_a_retry_that_is_not_stored_yet_does_not_count_the_failed_run_again() {
    assert_eq!(counted(&of(Verdict::Unknown, ended(Err(error())))), sums([]));
}

#[test]
fn an_attempt_whose_outcome_was_not_recorded_counts_as_an_attempt_alone() {
    for verdict in [Verdict::Acknowledge, Verdict::Redeliver { at: NOW }] {
        // Cancelled, or completed by another executor meanwhile.
        let lost = Execution { attempt: Some(attempt(2, false)), ..of(verdict, ended(Ok(Output::default()))) };
        assert_eq!(counted(&lost), sums([("attempts", 1), ("dispatch_ms", 120)]));
    }
}

#[test]
fn a_failed_attempt_with_attempts_left_is_no_outcome() {
    let again = Execution { attempt: Some(attempt(1, true)), ..of(Verdict::Redeliver { at: NOW }, job()) };
    assert_eq!(counted(&again), sums([("attempts", 1), ("dispatch_ms", 120), ("lateness_ms", 40)]));
}

#[test]
fn a_line_names_its_metrics_dimensions_and_values() {
    let line = line("orders", UnixMillis(7), &["action".to_owned(), "failed".to_owned()], &[(OUTCOMES, 1)]);
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
    let accepted = accepted("orders", UnixMillis(7));
    assert_eq!((&accepted["service"], &accepted["scheduled"]), (&json!("orders"), &json!(1)));
}
