//! Fallbacks: options in order, until one succeeds.

use super::*;

fn pay(stack: &Stack, retries: u32) -> Job {
    stack.scheduled(&json!({"event": "pay", "input": {"input": {"params": {"id": "7"}}}, "retries": retries}))
}

#[test]
fn options_are_tried_in_order_and_one_that_failed_is_tried_last_for_a_minute() {
    let stack = stack();
    stack.answers([transient(), transient(), number(1)]);
    let job = pay(&stack, 0);
    stack.drive();
    assert_eq!(paths(&stack), ["7", "7", "ping"]);
    let found = result(&stack, &job);
    assert_eq!(
        (&found["option"], &found["position"], &found["output"]),
        (&json!("ping"), &json!(2), &json!({"number": 1}))
    );
    assert_eq!(
        found["failed"],
        json!([{"option": "order.close", "error": {"code": "TIMEOUT", "message": "no answer in time"}}])
    );
    pay(&stack, 0);
    stack.drive();
    assert_eq!(paths(&stack)[3..], ["ping"], "the one that has just failed comes last");
    stack.wait(60_000);
    pay(&stack, 0);
    stack.drive();
    assert_eq!(paths(&stack)[4..], ["7"]);
}

#[test]
fn a_fallback_whose_options_all_fail_says_so_and_is_retried_if_that_may_help() {
    let stack = stack();
    stack.answers([permanent(), transient()]);
    let job = pay(&stack, 1);
    stack.execute(job.fire()).unwrap();
    let error = &stack.job(job.id).state.run.failures[0].error;
    assert!(error.retryable && error.message.contains("at last ping: no answer in time"), "{error:?}");
    assert_eq!(paths(&stack), ["7", "ping"], "what is refused is not tried again");
}

#[test]
fn an_options_health_can_be_said_and_forgotten() {
    let stack = stack();
    let run = |input: Value| {
        let job = stack.scheduled(&json!({"event": "pay", "input": input}));
        stack.drive();
        result(&stack, &job)
    };
    assert_eq!(
        run(json!({"action": "update", "option": "order.close", "healthy": false})),
        json!({"option": "order.close", "healthy": false})
    );
    assert_eq!(run(json!({"input": {"params": {"id": "7"}}}))["option"], json!("ping"));
    assert_eq!(run(json!({"action": "reset"})), json!({"reset": true}));
    assert_eq!(run(json!({"input": {"params": {"id": "7"}}}))["option"], json!("order.close"));
}

/// An answer that takes as long as its request may.
fn hangs() -> Answer {
    Answer { takes_ms: 30_000, ..transient() }
}

#[test]
fn an_option_that_hangs_leaves_time_for_the_next_and_is_tried_last_then() {
    let stack = stack();
    // Twice a minute for the first and half a one for the second are more than the minute that there is.
    let mut document = progress();
    document["fallbacks"]["pay"]["options"][0]["timeout"] = json!(60_000);
    stack.publish(&document);
    stack.answers([hangs(), number(1)]);
    let job = pay(&stack, 0);
    stack.drive();
    assert_eq!(paths(&stack), ["7", "ping"]);
    assert_eq!(result(&stack, &job)["option"], json!("ping"));
    let longest: Vec<_> = {
        let requests = stack.executor.targets.requests.lock().unwrap();
        requests.iter().map(|call| call.timeout_ms).collect()
    };
    assert_eq!(longest, [30_000, 30_000]);
}

#[test]
fn an_option_that_could_not_be_tried_is_not_taken_for_one_that_failed() {
    let stack = stack();
    stack.answers([Answer { takes_ms: 60_000, ..transient() }, number(1)]);
    let job = pay(&stack, 1);
    stack.execute(job.fire()).unwrap();
    let error = stack.job(job.id).state.run.failures[0].error.clone();
    assert_eq!((error.code.as_str(), error.retryable), (codes::TIMEOUT, true));
    stack.drive();
    assert_eq!(paths(&stack), ["7", "ping"], "the one that was not reached is the first to be tried");
    assert_eq!(result(&stack, &job)["option"], json!("ping"));
}

#[test]
fn an_option_that_has_refused_is_tried_last_too() {
    let stack = stack();
    let refused = RunError::permanent(codes::VALIDATION_ERROR, "no such card");
    stack.answers([Answer::new(Err(refused)), number(1)]);
    let job = pay(&stack, 0);
    stack.drive();
    assert_eq!(result(&stack, &job)["option"], json!("ping"));
    pay(&stack, 0);
    stack.drive();
    assert_eq!(paths(&stack)[2..], ["ping"]);
}

#[test]
fn the_option_that_has_succeeded_stays_the_one_also_when_its_executor_dies() {
    let stack = stack();
    let job = pay(&stack, 3);
    let dies = move |world: &mut Tables| {
        world.now = world.now.plus(120_000);
        claimed_elsewhere(world, job.id);
    };
    stack.answers([permanent(), Answer { meanwhile: Box::new(dies), ..number(1) }]);
    stack.drive();
    assert_eq!(paths(&stack), ["7", "ping"], "the first one is well again, and is not asked");
    assert_eq!(result(&stack, &job)["output"], json!({"number": 1}));
}
