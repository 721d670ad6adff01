//! Subscriptions: a message goes once its event has succeeded.

use super::*;

/// A queue at the target: what it holds, and what was deleted of it.
fn queue(stack: &Stack) -> Vec<String> {
    let requests = stack.executor.targets.requests.lock().unwrap();
    let of = |call: &DispatchRequest| match &call.request {
        Request::Aws(AwsRequest::ReceiveMessages { max, .. }) => format!("receive {max}"),
        Request::Aws(AwsRequest::DeleteMessage { receipt, .. }) => format!("delete {receipt}"),
        Request::Http(http) => format!("{} {}", http.url.path(), call.id),
        other => panic!("{other:?}"),
    };
    requests.iter().map(of).collect()
}

/// Messages that are received, all of one group if it is named.
fn messages(ids: &[u32], group: Option<&str>) -> Answer {
    let message = |id: &u32| {
        let body = json!({"id": id.to_string()}).to_string();
        json!({"id": format!("m{id}"), "receipt": format!("r{id}"), "group": group, "body": body})
    };
    Answer::new(Ok(json!({"messages": ids.iter().map(message).collect::<Vec<_>>()}).into()))
}

fn drained(stack: &Stack, retries: u32) -> Job {
    stack.memory.set_aws(true);
    stack.scheduled(&json!({"event": "bus:drain", "input": {"max": 12}, "retries": retries}))
}

#[test]
fn a_message_is_deleted_once_its_event_has_succeeded_and_stays_otherwise() {
    let stack = stack();
    stack.answers([
        messages(&[1, 2, 3], None),
        number(1),
        number(0),
        permanent(),
        number(3),
        number(0),
        messages(&[], None),
    ]);
    let job = drained(&stack, 0);
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
    stack.answers([messages(&[2], None), number(2), number(0), messages(&[], None)]);
    let job = stack.scheduled(&json!({"event": "bus:drain", "input": {}}));
    stack.drive();
    assert_eq!(result(&stack, &job), json!({"received": 1, "handled": 1}));
}

#[test]
fn a_message_that_was_handled_is_deleted_whatever_became_of_its_job_meanwhile() {
    for event in [Trigger::Pause, Trigger::Cancel { reason: None }] {
        let stack = stack();
        let job = drained(&stack, 0);
        let acts = move |world: &mut Tables| happens(world, job.id, &event);
        let handled = Answer { meanwhile: Box::new(acts), takes_ms: 70_000, ..number(1) };
        stack.answers([messages(&[1, 2], None), handled]);
        stack.drive();
        assert_eq!(queue(&stack), ["receive 10", "/orders/1/close msg_m1", "delete r1"]);
    }
}

#[test]
fn behind_a_message_that_fails_the_others_of_its_group_stay_in_their_queue() {
    let stack = stack();
    let job = drained(&stack, 0);
    stack.answers([messages(&[1, 2, 3], Some("g")), number(1), number(0), permanent(), messages(&[], None)]);
    stack.drive();
    let handled = ["receive 10", "/orders/1/close msg_m1", "delete r1", "/orders/2/close msg_m2", "receive 9"];
    assert_eq!(queue(&stack), handled);
    assert!(failure(&stack, &job).message.starts_with("2 of 3 messages stay"));
}

#[test]
fn what_was_done_for_a_message_is_not_done_again_when_it_comes_back() {
    let stack = stack();
    let mut document = progress();
    document["features"]["twice"] = json!({"steps": [
        {"event": "order.close", "input": {"params": {"id": "a$Input{id}"}}},
        {"event": "order.close", "input": {"params": {"id": "b$Input{id}"}}},
    ]});
    document["brokers"]["bus"]["subscriptions"]["drain"] = json!({"topic": "new", "event": "twice"});
    stack.publish(&document);
    let job = drained(&stack, 1);
    stack.answers([messages(&[1, 2], None), number(1), transient(), number(1), number(2), number(0)]);
    stack.answers([messages(&[], None), messages(&[1], None), number(2), number(0), messages(&[], None)]);
    stack.drive();
    let paths: Vec<_> = queue(&stack).into_iter().filter(|it| it.starts_with('/')).collect();
    let handled = ["/orders/a1", "/orders/b1", "/orders/a2", "/orders/b2", "/orders/b1"];
    assert!(paths.iter().zip(handled).all(|(path, expected)| path.starts_with(expected)), "{paths:?}");
    assert_eq!((paths.len(), stack.status(job.id)), (5, Status::Completed));
}
