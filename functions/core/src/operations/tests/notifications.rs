//! Notifications over several attempts: tokens of Expo that are left, and results that are too large.

use super::*;

fn notifying() -> Stack {
    let stack = Stack::new();
    let mut document = shop();
    document["notifications"] = json!({"n": {"envs": {"prd": {
        "push": {"provider": "expo"}, "callback": {"url": "https://hooks.example.com/"},
        "sms": {"provider": "twilio", "from": "+15550100", "account_sid": "AC1", "auth_token": "env:TWILIO"},
    }}}});
    stack.publish(&document);
    stack
}

/// A push message to four devices.
fn push(stack: &Stack, retries: u32) -> Job {
    let push = json!({"device_token": ["a", "b", "c", "d"], "title": "t", "body": "b"});
    stack.scheduled(&json!({"event": "n", "input": {"push_notification": push}, "retries": retries}))
}

/// Expo's answer for each token: an id, or the name of an error after `!`.
fn tickets(said: &[&str]) -> Answer {
    let ticket = |said: &&str| match said.strip_prefix('!') {
        Some(error) => json!({"status": "error", "details": {"error": error}}),
        None => json!({"status": "ok", "id": said}),
    };
    let tickets: Vec<Value> = said.iter().map(ticket).collect();
    Answer::new(Ok(json!({"status": 200, "body": {"data": tickets}}).into()))
}

/// The tokens of each request.
fn asked(stack: &Stack) -> Vec<Vec<String>> {
    let requests = stack.executor.targets.requests.lock().unwrap();
    let to = |call: &DispatchRequest| {
        let said: Value = serde_json::from_slice(&call.request.http().unwrap().body).unwrap();
        assert_eq!((&said["title"], &said["body"], call.id.place.as_str()), (&json!("t"), &json!("b"), "push"));
        said["to"].as_array().unwrap().iter().map(|token| token.as_str().unwrap().to_owned()).collect()
    };
    requests.iter().map(to).collect()
}

fn completed(stack: &Stack, job: &Job) -> Output {
    match stack.job(job.id).state.run.outcome {
        Some(Outcome::Completed(output)) => output,
        other => panic!("{other:?} is no result"),
    }
}

/// The result of a push: ids, and codes of errors after `!`.
fn brought(stack: &Stack, job: &Job) -> Vec<String> {
    let result = completed(stack, job).value;
    let word = |ticket: &Value| match ticket["id"].as_str() {
        Some(id) => id.to_owned(),
        None => format!("!{}", ticket["error"]["code"].as_str().unwrap()),
    };
    result["channels"]["push"]["tickets"].as_array().unwrap().iter().map(word).collect()
}

#[test]
fn another_attempt_sends_to_the_tokens_alone_whose_error_may_pass() {
    for (answers, expected, result) in [
        (
            vec![
                tickets(&["1", "!ExpoError", "!DeviceNotRegistered", "!MessageRateExceeded"]),
                tickets(&["!ProviderError", "4"]),
                transient(),
                tickets(&["2"]),
            ],
            vec!["abcd", "bd", "b", "b"],
            vec!["1", "2", "!NOT_FOUND", "4"],
        ),
        // None was taken, and the refused ones are not sent again.
        (
            vec![
                tickets(&["!DeviceNotRegistered", "!ExpoError", "!ExpoError", "!MessageTooBig"]),
                tickets(&["2", "!MismatchSenderId"]),
            ],
            vec!["abcd", "bc"],
            vec!["!NOT_FOUND", "2", "!FORBIDDEN", "!VALIDATION_ERROR"],
        ),
        // An error of the whole leaves all of them.
        (vec![transient(), tickets(&["1", "2", "3", "4"])], vec!["abcd", "abcd"], vec!["1", "2", "3", "4"]),
    ] {
        let stack = notifying();
        stack.answers(answers);
        let job = push(&stack, 5);
        stack.drive();
        let asked: Vec<String> = asked(&stack).iter().map(|tokens| tokens.concat()).collect();
        assert_eq!(
            (asked, brought(&stack, &job)),
            (expected.iter().map(ToString::to_string).collect(), result.iter().map(ToString::to_string).collect())
        );
    }
}

#[test]
fn a_push_fails_whose_tokens_are_left_in_the_end_and_a_manual_retry_goes_on_with_them() {
    let stack = notifying();
    stack.answers([tickets(&["1", "2", "3", "!ExpoError"])]);
    let job = push(&stack, 0);
    stack.drive();
    let failed = stack.job(job.id).state.run.outcome.unwrap();
    assert!(matches!(failed, Outcome::Failed(error) if error.code == codes::SERVICE_UNAVAILABLE && error.retryable));
    block_on(retry(&stack.memory, &owner_of_shop(), job.id, 0)).unwrap();
    stack.answers([tickets(&["4"])]);
    stack.drive();
    assert_eq!((asked(&stack)[1].concat(), brought(&stack, &job).concat()), ("d".to_owned(), "1234".to_owned()));
}

#[test]
fn a_result_that_is_too_large_is_kept_without_the_callbacks_body() {
    let input = json!({"callback": {"body": {}}, "sms": {"to": ["+31612345678", "+31612345679"], "body": "b"}});
    let text = |length: usize| "x".repeat(length);
    let (small, half, most) = (100, Output::MAX_BYTES / 2, Output::MAX_BYTES - 2);
    for (sid, body, is_cut, is_empty) in
        [(small, half, false, false), (small, most, true, false), (half, small, true, true)]
    {
        let stack = notifying();
        let sms = || Answer::new(Ok(json!({"status": 201, "body": {"sid": text(sid)}}).into()));
        stack.answers([sms(), sms(), Answer::new(Ok(json!({"status": 200, "body": text(body)}).into()))]);
        let job = stack.scheduled(&json!({"event": "n", "input": input}));
        stack.drive();
        let Output { value, truncated } = completed(&stack, &job);
        assert!(value.to_string().len() <= Output::MAX_BYTES);
        let callback = &value["channels"]["callback"];
        assert_eq!((truncated, callback["truncated"] == true), (is_cut, is_cut && !is_empty), "{sid} {body}");
        assert_eq!(callback["body"].is_null(), is_cut, "{sid} {body}");
        assert_eq!((callback["status"] == 200, value["channels"].is_null()), (!is_empty, is_empty), "{sid} {body}");
    }
}
