//! Parts that could not begin.

use super::*;

/// The shop's features and one more.
fn with_feature(stack: &Stack, steps: &Value) {
    let mut document = progress();
    document["features"]["own"] = json!({"steps": steps});
    stack.publish(&document);
}

fn close(id: &str) -> Value {
    json!({"event": "order.close", "input": {"params": {"id": id}}})
}

/// The options of the fallback that are marked as failing.
fn marked(stack: &Stack) -> Vec<String> {
    stack.memory.tables().progress.marks.values().flat_map(|marks| marks.keys().cloned()).collect()
}

#[test]
fn a_step_that_may_fail_has_not_failed_when_it_could_not_begin() {
    let stack = stack();
    let lenient = json!({"event": "order.close", "input": {"params": {"id": "b"}}, "allow_fail": true});
    with_feature(&stack, &json!([close("a"), lenient, close("c")]));
    let job = stack.scheduled(&json!({"event": "own", "input": {}, "retries": 1}));
    // The first is the claim's, the second comes before the step begins.
    stack.memory.script(When::Nth(PortCall::GetJob, 1), Fault::Before);
    stack.drive();
    assert_eq!(paths(&stack), ["a", "b", "c"]);
    assert_eq!((stack.status(job.id), stack.job(job.id).state.run.attempts), (Status::Completed, 2));
}

#[test]
fn an_option_that_could_not_begin_is_not_said_to_fail() {
    let stack = stack();
    let job = stack.scheduled(&json!({"event": "pay", "input": {"input": {"params": {"id": "7"}}}}));
    stack.answers([permanent()]);
    stack.memory.script(When::Nth(PortCall::GetJob, 1), Fault::Before);
    stack.execute(job.fire()).unwrap();
    assert_eq!((paths(&stack), marked(&stack)), (vec!["7".to_owned()], vec!["order.close".to_owned()]));
    assert_eq!(stack.job(job.id).state.run.failures[0].error.code, codes::INTERNAL_ERROR);
}

#[test]
fn an_option_for_which_no_time_was_left_is_not_said_to_fail() {
    let stack = stack();
    let job = stack.scheduled(&json!({"event": "pay", "timeout": 1_000, "input": {"input": {"params": {"id": "7"}}}}));
    stack.answers([Answer { takes_ms: 2_000, ..permanent() }]);
    stack.execute(job.fire()).unwrap();
    assert_eq!((paths(&stack), marked(&stack)), (vec!["7".to_owned()], vec!["order.close".to_owned()]));
    assert_eq!(stack.job(job.id).state.run.failures[0].error.code, codes::TIMEOUT);
}

#[test]
fn a_step_whose_own_time_is_over_fails_and_the_attempt_goes_on() {
    let stack = stack();
    let pay =
        json!({"event": "pay", "timeout": 1_000, "allow_fail": true, "input": {"input": {"params": {"id": "7"}}}});
    with_feature(&stack, &json!([pay, close("b")]));
    let job = stack.scheduled(&json!({"event": "own", "input": {}}));
    stack.answers([Answer { takes_ms: 2_000, ..permanent() }]);
    stack.drive();
    assert_eq!(paths(&stack), ["7", "b"]);
    let steps = &stack.job(job.id).state.run.outcome;
    let Some(Outcome::Completed(output)) = steps else { panic!("{steps:?}") };
    assert_eq!(output.value["steps"][0]["error"], json!({"code": "TIMEOUT", "message": "no time was left for it"}));
}
