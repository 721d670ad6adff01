//! Previews.

use super::*;

fn previewed(stack: &Stack, extra: &Value) -> Result<Preview, OperationError> {
    block_on(preview(&stack.memory, &Texts, &owner_of_shop(), &body(extra)))
}

#[test]
fn a_preview_shows_the_runs_that_the_job_then_has_and_stores_nothing() {
    let stack = Stack::new();
    let repeat = json!({"repeat": {"every": 60_000, "limit": 3}, "retries": 2, "retry": {"jitterPercent": 0.25}});
    let shown = previewed(&stack, &repeat).unwrap();
    assert_eq!(stack.stored_and_armed(), (0, 0));
    assert_eq!((shown.runs.len(), shown.end), (3, Some(End::Limit)));
    let attempts: Vec<_> = shown.attempts.iter().map(|it| (it.attempt, it.earliest_ms, it.latest_ms)).collect();
    assert_eq!(attempts, [(1, 0, 0), (2, 750, 1_000), (3, 2_250, 3_000)]);
    let job = stack.scheduled(&repeat);
    stack.drive();
    let listed = block_on(runs(&stack.memory, &owner_of_shop(), job.id, 10, None)).unwrap();
    let ran: Vec<_> = listed.runs.iter().rev().map(|listed| (listed.run.run_no, listed.run.due_at)).collect();
    assert_eq!(ran, shown.runs.iter().map(|run| (run.run_no, run.at)).collect::<Vec<_>>());
}

#[test]
fn a_preview_says_what_ends_the_series() {
    let stack = Stack::new();
    let ends = |extra: &Value| {
        let shown = previewed(&stack, extra).unwrap();
        (shown.runs.len(), shown.end)
    };
    assert_eq!(ends(&json!({})), (1, Some(End::Once)));
    assert_eq!(ends(&json!({"repeat": {"every": 1_000}})), (10, None));
    assert_eq!(ends(&json!({"repeat": {"every": 1_000}, "count": 100})), (100, None));
    assert_eq!(ends(&json!({"repeat": {"every": 1_000, "limit": 10}})), (10, Some(End::Limit)));
    assert_eq!(ends(&json!({"repeat": {"every": 1_000, "endDate": NOW.0 + 2_500}})), (3, Some(End::EndDate)));
}

#[test]
fn a_preview_shows_the_clock_of_the_zone() {
    let stack = Stack::new();
    let shown = previewed(&stack, &json!({"repeat": {"cron": "0 9 * * 1", "tz": "Europe/Amsterdam"}, "count": 1}));
    let [run] = shown.unwrap().runs.try_into().unwrap();
    // NOW is Friday, 15 January 2027.
    assert_eq!(
        (run.at.to_string().as_str(), run.explained.local.as_str()),
        ("2027-01-18T08:00:00Z", "2027-01-18T09:00:00")
    );
    assert_eq!(run.explained.utc_offset, "+01:00");
}

#[test]
fn a_preview_warns_of_what_may_not_be_meant() {
    let stack = Stack::new();
    let warnings = |extra: &Value| previewed(&stack, extra).unwrap().warnings;
    assert_eq!(warnings(&json!({"repeat": {"every": 60_000}, "retries": 3})), Vec::<String>::new());
    for (extra, about) in [
        (json!({"repeat": {"cron": "0 0 1 1 *", "every": 60_000}}), "cron rules"),
        (json!({"repeat": {"cron": "61 * * * *", "every": 60_000}}), "every is used"),
        (json!({"repeat": {"every": 60_000, "tz": "Europe/Amsterdam"}}), "no effect"),
        (json!({"repeat": {"every": 1_000}, "timeout": 5_000}), "5000 ms"),
        (json!({"repeat": {"every": 60_000}, "retries": 9}), "retries"),
    ] {
        let warnings = warnings(&extra);
        assert!(warnings.len() == 1 && warnings[0].contains(about), "{extra}: {warnings:?}");
    }
}

#[test]
fn every_bad_field_of_a_preview_is_named() {
    let stack = Stack::new();
    let document = json!({"count": 101, "retries": -1, "repeat": {"every": 1}, "x": 1});
    match previewed(&stack, &document) {
        Err(OperationError::Invalid(faults)) => {
            let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
            assert_eq!(pointers, ["/count", "/retries", "/repeat/every", "/x"]);
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(previewed(&stack, &json!({"count": 0})), Err(OperationError::Invalid(_))));
}
