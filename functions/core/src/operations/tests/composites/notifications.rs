//! Notifications: a channel that was sent is not sent again.

use super::*;

/// The shop with a notification of three channels, and a feature that sends two of them.
fn notifications() -> Value {
    let mut document = shop();
    document["notifications"] = json!({"order": {
        "envs": {"prd": {
            "email": {"provider": "ses", "from": "shop@example.com"}, "sms": {"provider": "sns"},
            "callback": {"url": "https://hooks.example.com/orders"},
        }},
        "messages": {"shipped": {"email": {"subject": "{{order}}", "text": "{{order}}"}, "sms": "{{order}}"}},
    }});
    let channels = json!({"email": {"to": "ada@example.com", "subject": "s", "text": "t"}, "callback": {"body": 1}});
    document["features"] = json!({"told": {"steps": [{"event": "order", "input": channels, "retries": 2}]}});
    document
}

/// A stack that can call AWS, with these.
fn notifying() -> Stack {
    let stack = Stack::new();
    stack.memory.set_aws(true);
    stack.publish(&notifications());
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
fn places(stack: &Stack) -> Vec<String> {
    let requests = stack.executor.targets.requests.lock().unwrap();
    requests.iter().map(|call| call.id.place.clone()).collect()
}

fn sent(id: &str) -> Answer {
    Answer::new(Ok(json!({"message_id": id}).into()))
}

#[test]
fn another_attempt_sends_the_channels_alone_that_were_not_sent() {
    let stack = notifying();
    stack.answers([sent("e"), transient(), sent("s1"), transient(), sent("s0"), number(1)]);
    let job = notify(&stack, 2);
    stack.execute(job.fire()).unwrap();
    let error = stack.job(job.id).state.run.failures[0].error.clone();
    assert_eq!(error.message, "sent: email, sms_1; not sent: sms_0 (no answer in time), callback (no answer in time)");
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
fn a_step_that_is_tried_again_sends_the_channels_alone_that_were_not_sent() {
    let stack = notifying();
    stack.answers([sent("e"), transient(), transient(), number(1)]);
    let job = stack.scheduled(&json!({"event": "told", "input": {}}));
    stack.drive();
    assert_eq!(places(&stack), ["1_email", "1_callback", "1_callback", "1_callback"]);
    assert_eq!(stack.status(job.id), Status::Completed);
}
