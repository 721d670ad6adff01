//! Events that consist of others: features, fallbacks, quotas and subscriptions.

mod fallbacks;
mod notifications;
mod parts;
mod subscriptions;

use super::*;
use crate::request::{AwsRequest, Request};

/// The shop with a feature of three steps, a fallback of two options, a quota, and a queue that is drained.
fn progress() -> Value {
    let mut document = shop();
    let step = |id: &str| json!({"event": "order.close", "input": {"params": {"id": id}}});
    document["features"] = json!({
        "settle": {"steps": [
            {"tag": "first", "event": "order.close", "input": {"params": {"id": "$Input{order}"}}},
            step("second-$Sequence{first}{number}"),
            step("third-$Sequence{2}{number}"),
        ]},
        "lenient": {
            "steps": [
                {"tag": "mail", "event": "order.close", "input": {"params": {"id": "a"}}, "allow_fail": true, "retries": 1},
                {"event": "order.close", "input": {"params": {"id": "b"}, "body": "$Sequence{mail}{number}"}},
            ],
            "output": {"mailed": "$Sequence{mail}", "closed": "$Sequence{2}{number}", "order": "$Input{order}"},
        },
        "counted": {"steps": [{"event": "orders", "input": {"amount": 2}}, step("x")]},
    });
    document["fallbacks"] = json!({"pay": {"options": [
        {"event": "order.close", "retries": 1}, {"event": "ping", "app": "bank", "input": {"query": {"q": "$Input{params}{id}"}}},
    ]}});
    document["quotas"] = json!({"orders": {"limit": 3, "period": "hour"}});
    document["brokers"] = json!({"bus": {
        "envs": {"prd": {"provider": "sqs"}},
        "topics": {"new": {"envs": {"prd": {"url": "https://sqs.example.com/1/new"}}}},
        "subscriptions": {"drain": {"topic": "new", "event": "order.close", "input": {"params": {"id": "$Message{body}{id}"}}}},
    }});
    document
}

fn stack() -> Stack {
    let stack = Stack::new();
    stack.publish(&progress());
    stack
}

fn number(number: u32) -> Answer {
    Answer::new(Ok(json!({"number": number}).into()))
}

fn permanent() -> Answer {
    Answer::new(Err(RunError::permanent(codes::FORBIDDEN, "no")))
}

fn feature(stack: &Stack, tag: &str, retries: u32) -> Job {
    stack.scheduled(&json!({"event": tag, "input": {"order": "7"}, "retries": retries}))
}

/// The dispatches: the last part of each path, and the part of the id after the fire's own.
fn seen(stack: &Stack) -> Vec<(String, String)> {
    let requests = stack.executor.targets.requests.lock().unwrap();
    let of = |call: &DispatchRequest| {
        let path = call.request.http().map_or_else(|| "aws".to_owned(), |http| http.url.path().to_owned());
        let last = path.trim_end_matches("/close").rsplit('/').next().unwrap().to_owned();
        (last, call.id.to_string().replace(&call.id.fire.to_string(), ""))
    };
    requests.iter().map(of).collect()
}

fn paths(stack: &Stack) -> Vec<String> {
    seen(stack).into_iter().map(|(path, _)| path).collect()
}

fn result(stack: &Stack, job: &Job) -> Value {
    match stack.job(job.id).state.run.outcome {
        Some(Outcome::Completed(output)) => output.value,
        other => panic!("{other:?} is no result"),
    }
}

fn failure(stack: &Stack, job: &Job) -> RunError {
    match stack.job(job.id).state.run.outcome {
        Some(Outcome::Failed(error)) => error,
        other => panic!("{other:?} is no failure"),
    }
}

#[test]
fn steps_run_in_order_and_refer_to_the_input_and_to_each_other() {
    let stack = stack();
    stack.answers([number(1), number(2), number(3)]);
    let job = feature(&stack, "settle", 0);
    stack.drive();
    let expected = [("7", "_1"), ("second-1", "_2"), ("third-2", "_3")];
    assert_eq!(seen(&stack), expected.map(|(path, id)| (path.to_owned(), id.to_owned())));
    let steps = json!([
        {"step": "first", "event": "order.close", "status": "completed"},
        {"step": "2", "event": "order.close", "status": "completed"},
        {"step": "3", "event": "order.close", "status": "completed"},
    ]);
    assert_eq!(result(&stack, &job), json!({"output": {"number": 3}, "steps": steps}));
}

#[test]
fn another_attempt_goes_on_after_the_last_step_that_ended() {
    let stack = stack();
    stack.answers([number(1), transient(), number(2), transient(), number(3)]);
    let job = feature(&stack, "settle", 5);
    stack.drive();
    assert_eq!(paths(&stack), ["7", "second-1", "second-1", "third-2", "third-2"]);
    assert_eq!((stack.status(job.id), stack.job(job.id).state.run.attempts), (Status::Completed, 3));
}

#[test]
fn a_manual_retry_goes_on_too_and_another_input_begins_anew() {
    let stack = stack();
    stack.answers([number(1), permanent()]);
    let job = feature(&stack, "settle", 0);
    stack.drive();
    let error = failure(&stack, &job);
    assert_eq!((error.code.as_str(), error.message.as_str()), (codes::FORBIDDEN, "step 2 (order.close): no"));
    block_on(retry(&stack.memory, &owner_of_shop(), job.id, 0)).unwrap();
    stack.answers([permanent()]);
    stack.drive();
    assert_eq!(paths(&stack), ["7", "second-1", "second-1"]);
    let edit = json!({"input": {"order": "8"}}).to_string();
    block_on(super::edit(&stack.memory, &owner_of_shop(), job.id, edit.as_bytes(), &Condition::Always)).unwrap();
    block_on(retry(&stack.memory, &owner_of_shop(), job.id, 0)).unwrap();
    stack.answers([number(4), number(5), number(6)]);
    stack.drive();
    assert_eq!(paths(&stack)[3..], ["8", "second-4", "third-5"]);
    assert_eq!(stack.status(job.id), Status::Completed);
}

#[test]
fn a_crash_repeats_the_step_that_it_met_and_no_other() {
    // The executor dies after each of the steps' dispatches in turn: its part is not noted, and nothing after it happens.
    for dies_in in 0..3 {
        let stack = stack();
        let job = feature(&stack, "settle", 3);
        let dead = move |world: &mut Tables| {
            // Somebody takes over, and dies too.
            world.now = world.now.plus(3_600_000);
            claimed_elsewhere(world, job.id);
        };
        stack.answers((0..dies_in).map(number));
        stack.answers([Answer { meanwhile: Box::new(dead), ..number(dies_in) }]);
        // The dying one's note is lost with it, however often it is sent.
        for call in 0..3 {
            stack.memory.script(When::Nth(PortCall::SavePart, dies_in as usize + call), Fault::Before);
        }
        stack.drive();
        assert_eq!(stack.status(job.id), Status::Completed, "{dies_in}");
        assert_eq!(paths(&stack).len(), 4, "{dies_in}: {:?}", paths(&stack));
    }
}

#[test]
fn a_step_whose_note_the_store_refuses_is_noted_later_and_not_run_again() {
    for fails_last in [false, true] {
        let stack = stack();
        stack.answers([number(1), number(2), if fails_last { transient() } else { number(3) }]);
        let job = feature(&stack, "settle", 1);
        stack.script(PortCall::SavePart, Fault::Before);
        stack.drive();
        let thrice = ["7", "second-1", "third-2", "third-2"];
        assert_eq!(paths(&stack), thrice[..3 + usize::from(fails_last)]);
        assert_eq!(
            (stack.status(job.id), stack.job(job.id).state.run.attempts),
            (Status::Completed, 1 + u32::from(fails_last))
        );
    }
}

#[test]
fn no_step_begins_while_the_one_before_it_is_not_noted() {
    let stack = stack();
    stack.answers([number(1)]);
    let job = feature(&stack, "settle", 1);
    for call in 0..2 {
        stack.memory.script(When::Nth(PortCall::SavePart, call), Fault::Before);
    }
    stack.execute(job.fire()).unwrap();
    let error = stack.job(job.id).state.run.failures[0].error.clone();
    assert_eq!((error.code.as_str(), error.retryable, paths(&stack).len()), (codes::INTERNAL_ERROR, true, 1));
    stack.drive();
    assert_eq!(
        (stack.status(job.id), paths(&stack).len()),
        (Status::Completed, 3),
        "it was noted as the attempt ended"
    );
}

#[test]
fn a_step_that_is_tried_again_goes_on_where_it_stopped() {
    let stack = stack();
    let mut document = progress();
    document["features"]["around"] = json!({"steps": [{"event": "settle", "input": {"order": "7"}, "retries": 2}]});
    stack.publish(&document);
    stack.answers([number(1), transient(), number(2), transient(), number(3)]);
    let job = stack.scheduled(&json!({"event": "around", "input": {}}));
    stack.drive();
    assert_eq!(paths(&stack), ["7", "second-1", "second-1", "third-2", "third-2"]);
    assert_eq!((stack.status(job.id), stack.job(job.id).state.run.attempts), (Status::Completed, 1));
}

#[test]
fn what_ends_the_attempt_is_no_failure_that_a_feature_goes_on_after() {
    let stack = stack();
    let mut document = progress();
    let lenient = json!({"event": "order.close", "input": {"params": {"id": "a"}}, "allow_fail": true});
    document["features"]["patient"] = json!({"steps": [lenient, lenient, lenient]});
    stack.publish(&document);
    let job = stack.scheduled(&json!({"event": "patient", "input": {}, "retries": 1}));
    stack.answers([Answer { takes_ms: 60_000, ..transient() }, number(2), number(3)]);
    stack.drive();
    let found = result(&stack, &job);
    let ended: Vec<_> = found["steps"].as_array().unwrap().iter().map(|step| step["status"].clone()).collect();
    assert_eq!(
        ended,
        ["failed", "completed", "completed"],
        "the first had its try, and no time was left for the others"
    );
    assert_eq!(stack.job(job.id).state.run.failures[0].error.message, "no time was left for it");
}

#[test]
fn a_result_that_was_cut_says_so_through_its_feature() {
    let stack = stack();
    let cut = || Answer::new(Ok(Output { value: json!({"number": 1}), truncated: true }));
    stack.answers([number(1), number(2), cut()]);
    let job = feature(&stack, "settle", 0);
    stack.drive();
    let Some(Outcome::Completed(output)) = stack.job(job.id).state.run.outcome else { panic!("it failed") };
    assert!(output.truncated && output.value["steps"][2]["truncated"] == true, "{output:?}");
    assert_eq!(output.value["output"], json!({"number": 1}));
}

#[test]
fn a_step_that_may_fail_is_tried_as_often_as_it_says_and_leaves_null() {
    let stack = stack();
    stack.answers([transient(), transient(), number(2)]);
    let job = feature(&stack, "lenient", 0);
    stack.drive();
    assert_eq!(paths(&stack), ["a", "a", "b"]);
    assert!(seen(&stack)[..2].iter().all(|(_, id)| id == "_1"), "the tries of a step are one for its receiver");
    let found = result(&stack, &job);
    assert_eq!(found["output"], json!({"mailed": null, "closed": 2, "order": "7"}));
    assert_eq!(found["steps"][0]["error"]["code"], json!(codes::TIMEOUT));
}

#[test]
fn nothing_of_a_feature_begins_once_its_job_is_called_off() {
    let stack = stack();
    let job = feature(&stack, "settle", 3);
    let cancel = Trigger::Cancel { reason: None };
    let cancelled = Answer { meanwhile: Box::new(move |world| happens(world, job.id, &cancel)), ..number(1) };
    stack.answers([cancelled]);
    stack.drive();
    assert_eq!((paths(&stack), stack.status(job.id)), (vec!["7".to_owned()], Status::Cancelled));
}

#[test]
fn nothing_is_counted_and_no_health_is_said_for_a_job_that_was_called_off() {
    let stack = stack();
    let mut document = progress();
    for (tag, event, input) in [("count", "orders", json!({})), ("say", "pay", json!({"action": "reset"}))] {
        let first = json!({"event": "order.close", "input": {"params": {"id": "a"}}});
        document["features"][tag] = json!({"steps": [first, {"event": event, "input": input}]});
    }
    stack.publish(&document);
    for tag in ["count", "say"] {
        let job = stack.scheduled(&json!({"event": tag, "input": {}}));
        let cancel = Trigger::Cancel { reason: None };
        stack.answers([Answer { meanwhile: Box::new(move |world| happens(world, job.id, &cancel)), ..number(1) }]);
        stack.drive();
        assert_eq!(stack.status(job.id), Status::Cancelled);
    }
    let progress = &stack.memory.tables().progress;
    assert!(progress.counted.is_empty() && progress.marks.is_empty(), "{progress:?}");
}

#[test]
fn a_feature_that_is_paused_stops_between_two_steps_and_goes_on_when_it_is_resumed() {
    let stack = stack();
    let job = feature(&stack, "settle", 0);
    let paused = Answer { meanwhile: Box::new(move |world| happens(world, job.id, &Trigger::Pause)), ..number(1) };
    stack.answers([paused]);
    stack.drive();
    assert_eq!((paths(&stack), stack.status(job.id)), (vec!["7".to_owned()], Status::Paused));
    block_on(resume(&stack.memory, &owner_of_shop(), job.id)).unwrap();
    stack.drive();
    assert_eq!(paths(&stack).len(), 3);
    let run = stack.job(job.id).state.run;
    assert_eq!((stack.status(job.id), run.attempts, run.generation), (Status::Completed, 1, 1));
}

#[test]
fn what_steps_refer_to_is_asked_for_when_the_job_is_scheduled() {
    let stack = stack();
    let refused = |event: &str, input: Value| match stack.schedule(&json!({"event": event, "input": input})) {
        Err(OperationError::Invalid(faults)) => {
            faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let at = |pointer: &str, code| vec![(pointer.to_owned(), code)];
    assert_eq!(refused("settle", json!({})), at("/input/order", FieldCode::Required));
    // An object is no segment of a path: the step that gets it is named.
    assert_eq!(refused("settle", json!({"order": {}})), at("/input", FieldCode::WrongType));
    assert_eq!(refused("pay", json!({"input": {"params": {}}})).len(), 2, "one for each option");
    assert_eq!(
        refused("pay", json!({"action": "update", "option": "x", "healthy": true})),
        at("/input/option", FieldCode::UnknownTag)
    );
    assert_eq!(refused("orders", json!({"action": "count", "amount": 0})).len(), 2);
    assert_eq!(refused("bus:drain", json!({"max": 0})).len(), 2, "the number, and that there is no AWS here");
}

#[test]
fn a_quota_counts_up_to_its_limit_within_its_period() {
    let stack = stack();
    let ask = |input: Value| {
        let job = stack.scheduled(&json!({"event": "orders", "input": input}));
        stack.drive();
        match stack.job(job.id).state.run.outcome.unwrap() {
            Outcome::Completed(output) => {
                Ok((output.value["used"].as_u64().unwrap(), output.value["remaining"].as_u64().unwrap()))
            }
            Outcome::Failed(error) => Err((error.code, error.retryable)),
            other => panic!("{other:?}"),
        }
    };
    let over = || Err((codes::QUOTA_EXCEEDED.to_owned(), false));
    assert_eq!(ask(json!({})), Ok((1, 2)));
    assert_eq!(ask(json!({"action": "check", "amount": 2})), Ok((1, 2)));
    assert_eq!(ask(json!({"action": "check", "amount": 3})), over());
    assert_eq!(ask(json!({"amount": 3})), over());
    assert_eq!(ask(json!({"amount": 2})), Ok((3, 0)));
    assert_eq!(ask(json!({})), over());
    assert_eq!(ask(json!({"action": "reset"})), Ok((0, 3)));
    assert_eq!(ask(json!({"amount": 3})), Ok((3, 0)));
    stack.wait(3_600_000);
    assert_eq!(ask(json!({})), Ok((1, 2)), "the next hour");
}

#[test]
fn whatever_is_attempted_again_is_counted_once() {
    for fault in [Fault::After, Fault::Twice, Fault::Before] {
        let stack = stack();
        stack.script(PortCall::Count, fault);
        stack.answers([transient(), number(1)]);
        let job = stack.scheduled(&json!({"event": "counted", "retries": 5}));
        stack.drive();
        assert_eq!(stack.status(job.id), Status::Completed);
        let used: Vec<u64> = stack.memory.tables().progress.used.values().copied().collect();
        assert_eq!(used, [2]);
    }
}

#[test]
fn what_a_step_brings_is_named_by_nothing_of_it_when_the_next_one_cannot_take_it() {
    let stack = stack();
    let mut document = progress();
    document["features"]["passing"] = json!({"steps": [
        {"tag": "ask", "event": "ping", "app": "bank"},
        {"event": "ping", "app": "bank", "input": {"query": "$Sequence{ask}{claims}"}},
    ]});
    stack.publish(&document);
    stack.answers([Answer::new(Ok(json!({"claims": {"canary": {"canary": 1}}}).into()))]);
    let job = stack.scheduled(&json!({"event": "passing", "input": {}}));
    stack.drive();
    let error = failure(&stack, &job);
    assert_eq!(error.code, codes::VALIDATION_ERROR);
    assert!(error.message.contains("/query: ") && !error.message.contains("canary"), "{}", error.message);
}

#[test]
fn steps_that_bring_more_than_an_executor_can_hold_end_their_feature() {
    let stack = stack();
    let mut document = progress();
    let steps: Vec<_> = (0..20).map(|_| json!({"event": "ping", "app": "bank"})).collect();
    document["features"]["large"] = json!({"steps": steps});
    stack.publish(&document);
    stack.answers((0..20).map(|_| Answer::new(Ok(json!("x".repeat(250_000)).into()))));
    let job = stack.scheduled(&json!({"event": "large", "input": {}}));
    stack.drive();
    let error = failure(&stack, &job);
    assert_eq!((error.code.as_str(), error.retryable, stack.dispatched()), (codes::VALIDATION_ERROR, false, 17));
}
