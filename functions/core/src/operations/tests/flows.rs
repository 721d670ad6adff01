//! Events that consist of others: features, fallbacks, quotas and subscriptions.

use super::*;
use crate::call::{AwsRequest, Request};

/// The shop with a feature of three steps, a fallback of two options, a quota, and a queue that is drained.
pub(super) fn flows() -> Value {
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

pub(super) fn stack() -> Stack {
    let stack = Stack::new();
    stack.publish(&flows());
    stack
}

pub(super) fn number(number: u32) -> Answer {
    Answer::new(Ok(json!({"number": number}).into()))
}

pub(super) fn permanent() -> Answer {
    Answer::new(Err(RunError::permanent(codes::FORBIDDEN, "no")))
}

fn feature(stack: &Stack, tag: &str, retries: u32) -> Job {
    stack.scheduled(&json!({"event": tag, "input": {"order": "7"}, "retries": retries}))
}

/// What was dispatched: the last part of each path, and the id by which its receiver knows it after the fire's own.
fn seen(stack: &Stack) -> Vec<(String, String)> {
    let requests = stack.executor.targets.requests.lock().unwrap();
    let of = |call: &Call| {
        let path = call.request.http().map_or_else(|| "aws".to_owned(), |http| http.url.path().to_owned());
        let last = path.trim_end_matches("/close").rsplit('/').next().unwrap().to_owned();
        (last, call.id.to_string().replace(&call.id.fire.to_string(), ""))
    };
    requests.iter().map(of).collect()
}

pub(super) fn paths(stack: &Stack) -> Vec<String> {
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
        let dead = |world: &mut World| {
            // Whoever takes over finds the lease ended.
            world.now = world.now.plus(3_600_000);
        };
        stack.answers((0..dies_in).map(number));
        stack.answers([Answer { meanwhile: Box::new(dead), ..number(dies_in) }]);
        // The dying one's note is lost with it.
        stack.memory.script(When::Nth(PortCall::NotePart, dies_in as usize), Fault::Before);
        stack.memory.script(When::Nth(PortCall::NotePart, dies_in as usize + 1), Fault::Before);
        stack.drive();
        assert_eq!(stack.status(job.id), Status::Completed, "{dies_in}");
        assert_eq!(paths(&stack).len(), 4, "{dies_in}: {:?}", paths(&stack));
    }
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
    let cancel = Event::Cancel { reason: None };
    let cancelled = Answer { meanwhile: Box::new(move |world| happens(world, job.id, &cancel)), ..number(1) };
    stack.answers([cancelled]);
    stack.drive();
    assert_eq!((paths(&stack), stack.status(job.id)), (vec!["7".to_owned()], Status::Cancelled));
}

#[test]
fn nothing_is_counted_and_no_health_is_said_for_a_job_that_was_called_off() {
    let stack = stack();
    let mut document = flows();
    for (tag, event, input) in [("count", "orders", json!({})), ("say", "pay", json!({"action": "reset"}))] {
        let first = json!({"event": "order.close", "input": {"params": {"id": "a"}}});
        document["features"][tag] = json!({"steps": [first, {"event": event, "input": input}]});
    }
    stack.publish(&document);
    for tag in ["count", "say"] {
        let job = stack.scheduled(&json!({"event": tag, "input": {}}));
        let cancel = Event::Cancel { reason: None };
        stack.answers([Answer { meanwhile: Box::new(move |world| happens(world, job.id, &cancel)), ..number(1) }]);
        stack.drive();
        assert_eq!(stack.status(job.id), Status::Cancelled);
    }
    let flows = &stack.memory.world().flows;
    assert!(flows.counted.is_empty() && flows.marks.is_empty(), "{flows:?}");
}

#[test]
fn a_feature_that_is_paused_stops_between_two_steps_and_goes_on_when_it_is_resumed() {
    let stack = stack();
    let job = feature(&stack, "settle", 0);
    let paused = Answer { meanwhile: Box::new(move |world| happens(world, job.id, &Event::Pause)), ..number(1) };
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
fn options_are_tried_in_order_and_one_that_failed_is_tried_last_for_a_minute() {
    let stack = stack();
    let pay = || stack.scheduled(&json!({"event": "pay", "input": {"input": {"params": {"id": "7"}}}}));
    stack.answers([transient(), transient(), number(1)]);
    let job = pay();
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
    pay();
    stack.drive();
    assert_eq!(paths(&stack)[3..], ["ping"], "the one that has just failed comes last");
    stack.wait(60_000);
    pay();
    stack.drive();
    assert_eq!(paths(&stack)[4..], ["7"]);
}

#[test]
fn a_fallback_whose_options_all_fail_says_so_and_is_retried_if_that_may_help() {
    let stack = stack();
    stack.answers([permanent(), transient()]);
    let job = stack.scheduled(&json!({"event": "pay", "input": {"input": {"params": {"id": "7"}}}, "retries": 1}));
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
        let used: Vec<u64> = stack.memory.world().flows.used.values().copied().collect();
        assert_eq!(used, [2]);
    }
}

/// A queue at the target: what it holds, and what was deleted of it.
fn queue(stack: &Stack) -> Vec<String> {
    let requests = stack.executor.targets.requests.lock().unwrap();
    let of = |call: &Call| match &call.request {
        Request::Aws(AwsRequest::ReceiveMessages { max, .. }) => format!("receive {max}"),
        Request::Aws(AwsRequest::DeleteMessage { receipt, .. }) => format!("delete {receipt}"),
        Request::Http(http) => format!("{} {}", http.url.path(), call.id),
        other => panic!("{other:?}"),
    };
    requests.iter().map(of).collect()
}

#[test]
fn a_message_is_deleted_once_its_event_has_succeeded_and_stays_otherwise() {
    let stack = stack();
    stack.memory.world().has_aws = true;
    let messages = |ids: &[u32]| {
        let message = |id: &u32| json!({"id": format!("m{id}"), "receipt": format!("r{id}"), "body": json!({"id": id.to_string()}).to_string()});
        Answer::new(Ok(json!({"messages": ids.iter().map(message).collect::<Vec<_>>()}).into()))
    };
    stack.answers([messages(&[1, 2, 3]), number(1), number(0), permanent(), number(3), number(0), messages(&[])]);
    let job = stack.scheduled(&json!({"event": "bus:drain", "input": {"max": 12}}));
    stack.drive();
    let expected = [
        "receive 10",
        "/orders/1/close msg_m1",
        "delete r1",
        "/orders/2/close msg_m2",
        "/orders/3/close msg_m3",
        "delete r3",
        "receive 9",
    ];
    assert_eq!(queue(&stack), expected);
    let error = failure(&stack, &job);
    assert_eq!(error.message, "1 of 3 messages stay in the topic, the first for this: no");
    stack.answers([messages(&[2]), number(2), number(0), messages(&[])]);
    let job = stack.scheduled(&json!({"event": "bus:drain", "input": {}}));
    stack.drive();
    assert_eq!(result(&stack, &job), json!({"received": 1, "handled": 1}));
}

/// A stack that can call AWS, with a notification of three channels.
pub(super) fn notifying() -> Stack {
    let stack = Stack::new();
    stack.memory.world().has_aws = true;
    let mut document = shop();
    document["notifications"] = json!({"order": {
        "envs": {"prd": {
            "email": {"provider": "ses", "from": "shop@example.com"}, "sms": {"provider": "sns"},
            "callback": {"url": "https://hooks.example.com/orders"},
        }},
        "messages": {"shipped": {"email": {"subject": "{{order}}", "text": "{{order}}"}, "sms": "{{order}}"}},
    }});
    stack.publish(&document);
    stack
}

fn notify(stack: &Stack, retries: u32) -> Job {
    let data = json!({"order": "7"});
    let input = json!({
        "email": {"to": "ada@example.com", "data": data}, "callback": {"body": {"order": 7}},
        "sms": {"to": ["+31612345678", "+31612345679"], "data": data},
    });
    stack.scheduled(&json!({"event": "order:shipped", "input": input, "retries": retries}))
}

/// The places of what was dispatched.
pub(super) fn places(stack: &Stack) -> Vec<String> {
    let requests = stack.executor.targets.requests.lock().unwrap();
    requests.iter().map(|call| call.id.place.clone()).collect()
}

pub(super) fn sent(id: &str) -> Answer {
    Answer::new(Ok(json!({"message_id": id}).into()))
}

#[test]
fn another_attempt_sends_the_channels_alone_that_were_not_sent() {
    let stack = notifying();
    stack.answers([sent("e"), transient(), sent("s1"), transient(), sent("s0"), number(1)]);
    let job = notify(&stack, 2);
    stack.execute(job.fire()).unwrap();
    let error = stack.job(job.id).state.run.failures[0].error.clone();
    assert_eq!(error.message, "2 of 4 were not sent; sms_0: no answer in time; callback: no answer in time");
    stack.drive();
    assert_eq!(places(&stack), ["email", "sms_0", "sms_1", "callback", "sms_0", "callback"]);
    let found = result(&stack, &job);
    assert_eq!(found["channels"]["email"], json!({"provider": "ses", "id": "e"}));
    let texts = json!([{"provider": "sns", "id": "s0"}, {"provider": "sns", "id": "s1"}]);
    assert_eq!(found["channels"]["sms"], texts);
}

#[test]
fn a_notification_is_retried_if_that_may_help_any_of_its_channels() {
    let stack = notifying();
    stack.answers([permanent(), sent("s"), sent("s"), transient()]);
    let job = notify(&stack, 1);
    stack.execute(job.fire()).unwrap();
    assert!(stack.job(job.id).state.run.failures[0].error.retryable);
    let hopeless = notifying();
    hopeless.answers([permanent()]);
    let job = notify(&hopeless, 5);
    hopeless.drive();
    assert_eq!((failure(&hopeless, &job).code.as_str(), places(&hopeless).len()), (codes::FORBIDDEN, 4));
}

#[test]
fn what_a_step_brings_is_named_by_nothing_of_it_when_the_next_one_cannot_take_it() {
    let stack = stack();
    let mut document = flows();
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
    let mut document = flows();
    let steps: Vec<_> = (0..20).map(|_| json!({"event": "ping", "app": "bank"})).collect();
    document["features"]["large"] = json!({"steps": steps});
    stack.publish(&document);
    stack.answers((0..20).map(|_| Answer::new(Ok(json!("x".repeat(250_000)).into()))));
    let job = stack.scheduled(&json!({"event": "large", "input": {}}));
    stack.drive();
    let error = failure(&stack, &job);
    assert_eq!((error.code.as_str(), error.retryable, stack.dispatched()), (codes::VALIDATION_ERROR, false, 17));
}
