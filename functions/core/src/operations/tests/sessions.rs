//! Sessions: verified when a job is scheduled, sealed where it is stored, filled in when it is dispatched.

use super::*;
use crate::testkit::turns::crash_when;

fn bank() -> Value {
    let mut catalog = shop();
    catalog["sessions"] = json!({
        "user-session": {"algorithm": "HS256", "envs": {"prd": {"key": "env:KEY", "issuer": "us"}, "dev": {"key": "ssm:/key"}}},
    });
    catalog
}

fn stack() -> Stack {
    let stack = Stack::new();
    stack.publish(&bank());
    stack
}

/// A job whose order's id is what `id` says, with a session whose token says `claims`.
fn body_with(id: &str, claims: &str) -> Value {
    json!({"session": {"tag": "user-session", "token": claims}, "input": {"params": {"id": id}}})
}

fn faults(outcome: Result<Job, OperationError>) -> Vec<(String, FieldCode)> {
    match outcome {
        Err(OperationError::Invalid(faults)) => faults.into_iter().map(|it| (it.pointer, it.code)).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_annotation_is_filled_in_at_dispatch_and_shown_as_it_was_sent() {
    let stack = stack();
    let job = stack.scheduled(&body_with("$Session{user-session}{order}{id}", r#"{"order": {"id": "canary-7"}}"#));
    let shown = serde_json::to_string(&*job.spec).unwrap();
    assert!(!shown.contains("canary") && shown.contains("$Session{user-session}{order}{id}"), "{shown}");
    assert_eq!(stack.execute(job.fire()).unwrap().verdict, Verdict::Acknowledge);
    let requests = stack.executor.targets.requests.lock().unwrap();
    assert_eq!(requests[0].request.http().unwrap().url.as_str(), "https://shop.example.com/orders/canary-7/close");
}

#[test]
fn what_cannot_be_verified_or_resolved_is_named_and_stores_nothing() {
    let stack = stack();
    let before = stack.stored_and_armed();
    for (extra, expected) in [
        (body_with("$Session{order}", "forged"), vec![("/session/token", FieldCode::TokenSignature)]),
        (body_with("$Session{order}", "{}"), vec![("/input/params/id", FieldCode::UnresolvedAnnotation)]),
        // The filled-in input is checked as if it had been sent.
        (body_with("$Session{order}", r#"{"order": []}"#), vec![("/input/params/id", FieldCode::WrongType)]),
        (body_with("$Session{order", r#"{"order": 1}"#), vec![("/input/params/id", FieldCode::Malformed)]),
        (
            json!({"input": {"params": {"id": "$Session{order}"}}}),
            vec![("/input/params/id", FieldCode::UnresolvedAnnotation)],
        ),
        (json!({"session": {"tag": "nobody", "token": "{}"}}), vec![("/session/tag", FieldCode::UnknownTag)]),
        (json!({"session": "nobody:{}"}), vec![("/session", FieldCode::UnknownTag)]),
        (json!({"session": "user-session:forged"}), vec![("/session", FieldCode::TokenSignature)]),
        (json!({"session": {"tag": "user-session"}}), vec![("/session/token", FieldCode::Required)]),
        (
            json!({"session": {"tag": "user-session", "token": "forged"}, "retries": -1}),
            vec![("/retries", FieldCode::OutOfRange), ("/session/token", FieldCode::TokenSignature)],
        ),
        (
            json!({"session": {"tag": "user-session", "token": "x".repeat(16_385)}}),
            vec![("/session/token", FieldCode::OutOfRange)],
        ),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|(at, code)| (at.to_owned(), code)).collect();
        assert_eq!(faults(stack.schedule(&extra)), expected, "{extra}");
    }
    let own_env = json!({"session": {"tag": "user-session", "token": "{}"}, "env": "dev"});
    assert!(faults(stack.schedule(&own_env)).contains(&("/session/tag".to_owned(), FieldCode::NotAvailable)));
    assert_eq!(stack.stored_and_armed(), before);
}

#[test]
fn a_key_that_cannot_be_had_is_a_fault_of_a_dependency() {
    let stack = stack();
    assert!(matches!(stack.schedule(&body_with("7", "down")), Err(OperationError::Port(_))));
    stack.script(PortCall::CurrentKey, Fault::Before);
    assert!(matches!(stack.schedule(&body_with("7", "{}")), Err(OperationError::Port(_))));
    assert_eq!(stack.stored_and_armed(), (0, 0));
    let job = stack.scheduled(&body_with("7", "{}"));
    stack.script(PortCall::FindSealingKey, Fault::Before);
    assert!(stack.execute(job.fire()).is_err(), "the message comes back");
    assert_eq!(stack.job(job.id).state.run.attempts, 0, "it costs no attempt");
    assert_eq!(stack.execute(job.fire()).unwrap().verdict, Verdict::Acknowledge);
}

#[test]
fn a_session_defined_a_moment_ago_is_found_behind_an_old_cache() {
    let stack = Stack::new();
    let old = stack.memory.tables().catalogs.get("shop").cloned();
    stack.publish(&bank());
    stack.memory.tables().cached_catalogs.insert("shop".to_owned(), old);
    stack.scheduled(&body_with("7", "{}"));
}

#[test]
fn keys_rotate_and_what_is_sealed_with_an_older_one_is_opened_all_the_same() {
    let stack = stack();
    let extra = body_with("$Session{id}", r#"{"id": 1}"#);
    let first = stack.scheduled(&extra);
    stack.memory.tables().sealing_keys.add("second");
    let second = stack.scheduled(&extra);
    let sealed_with = |job: &Job| job.spec.session.as_ref().unwrap().claims.key.id.clone();
    assert_eq!((sealed_with(&first), sealed_with(&second)), ("first".to_owned(), "second".to_owned()));
    for job in [&first, &second] {
        assert_eq!(stack.execute(job.fire()).unwrap().verdict, Verdict::Acknowledge);
    }
    assert_eq!(stack.dispatched(), 2);
    // A key that is gone for good fails the job, with a reason that says so.
    let third = stack.scheduled(&extra);
    stack.memory.tables().sealing_keys.clear();
    let Verdict::DeadLetter(error) = stack.execute(third.fire()).unwrap().verdict else {
        panic!("it cannot be opened")
    };
    assert_eq!((error.code.as_str(), stack.dispatched()), (codes::SESSION_UNREADABLE, 2));
}

#[test]
fn sealed_claims_that_are_moved_to_another_job_are_not_opened_there() {
    let stack = stack();
    let (theirs, ours) = (
        stack.scheduled(&body_with("7", r#"{"id": "canary"}"#)),
        stack.scheduled(&body_with("$Session{id}", r#"{"id": 2}"#)),
    );
    let spec = crate::job::JobSpec { session: theirs.spec.session.clone(), ..(*ours.spec).clone() };
    stack.memory.tables().jobs.get_mut(&ours.id).unwrap().spec = spec.into();
    let Verdict::DeadLetter(error) = stack.execute(ours.fire()).unwrap().verdict else { panic!("it cannot be opened") };
    assert_eq!((error.code.as_str(), stack.dispatched()), (codes::SESSION_UNREADABLE, 0));
}

#[test]
fn a_recurring_job_goes_on_with_the_claims_that_were_verified() {
    let stack = stack();
    let mut extra = body_with("$Session{id}", r#"{"id": "a"}"#);
    extra["repeat"] = json!({"every": 60_000, "limit": 3});
    let job = stack.scheduled(&extra);
    // Neither the definition nor the token is asked again.
    stack.publish(&shop());
    stack.drive();
    assert_eq!((stack.status(job.id), stack.dispatched()), (Status::Completed, 3));
    let requests = stack.executor.targets.requests.lock().unwrap();
    assert!(requests.iter().all(|call| call.request.http().unwrap().url.path() == "/orders/a/close"));
}

#[test]
fn an_edit_of_the_input_is_checked_against_the_same_claims() {
    let stack = stack();
    let job = stack
        .scheduled(&json!({"start_at": NOW.0 + 60_000, "session": {"tag": "user-session", "token": r#"{"id": "a"}"#}}));
    let edit = |input: Value| {
        let body = json!({"input": {"params": {"id": input}}}).to_string();
        block_on(edit(&stack.memory, &owner_of_shop(), job.id, body.as_bytes(), &Condition::Always))
    };
    assert_eq!(
        faults(edit(json!("$Session{other}"))),
        [("/input/params/id".to_owned(), FieldCode::UnresolvedAnnotation)]
    );
    let edited = edit(json!("$Session{id}")).unwrap();
    assert_eq!(edited.spec.input, json!({"params": {"id": "$Session{id}"}}));
    stack.wait(60_000);
    stack.drive();
    let requests = stack.executor.targets.requests.lock().unwrap();
    assert_eq!(requests[0].request.http().unwrap().url.path(), "/orders/a/close");
    drop(requests);
    let job = stack.scheduled(&json!({"start_at": NOW.0 + 600_000, "session": {"tag": "user-session", "token": "{}"}}));
    stack.memory.tables().sealing_keys.clear();
    let body = json!({"input": {"params": {"id": "8"}}}).to_string();
    let refused =
        block_on(super::super::edit(&stack.memory, &owner_of_shop(), job.id, body.as_bytes(), &Condition::Always));
    assert_eq!(faults(refused), [("/input".to_owned(), FieldCode::NotAvailable)]);
}

#[test]
fn a_short_input_cannot_be_filled_in_beyond_measure() {
    let stack = stack();
    let claims = json!({"a": vec![0; 5_000]}).to_string();
    let with = |count: usize| {
        let body = vec!["$Session{a}"; count];
        json!({"session": {"tag": "user-session", "token": claims}, "input": {"params": {"id": "7"}, "body": body}})
    };
    // Each of these takes 11 bytes of the body, and thousands of times that in memory.
    assert_eq!(faults(stack.schedule(&with(15_000))), [("/input/body/26".to_owned(), FieldCode::OutOfRange)]);
    let job = stack.scheduled(&with(26));
    assert_eq!(stack.execute(job.fire()).unwrap().verdict, Verdict::Acknowledge);
    let text = json!({"input": {"params": {"id": "7"}, "body": "$Session{a}".repeat(27)}}).to_string();
    let refused = block_on(edit(&stack.memory, &owner_of_shop(), job.id, text.as_bytes(), &Condition::Always));
    assert_eq!(faults(refused), [("/input/body".to_owned(), FieldCode::OutOfRange)]);
}

/// The caller that edits a job or reads its runs need not be the user of its session.
#[test]
fn a_fault_inside_of_a_claim_names_the_annotation_and_nothing_of_the_claim() {
    let stack = stack();
    let claims = r#"{"all": {"id": "7", "canary": 1}, "deep": {"id": {"canary": 1}}, "none": {}}"#;
    let with = |params: Value| json!({"start_at": NOW.0 + 60_000, "session": {"tag": "user-session", "token": claims}, "input": {"params": params}});
    for (params, expected) in [
        (json!("$Session{all}"), ("/input/params", FieldCode::UnknownField)),
        (json!("$Session{deep}"), ("/input/params", FieldCode::WrongType)),
        (json!({"id": "$Session{deep}"}), ("/input/params/id", FieldCode::WrongType)),
        // The names that a path needs are no claims.
        (json!("$Session{none}"), ("/input/params/id", FieldCode::Required)),
    ] {
        let expected = [(expected.0.to_owned(), expected.1)];
        assert_eq!(faults(stack.schedule(&with(params.clone()))), expected, "{params}");
        let job = stack.scheduled(&with(json!({"id": "7"})));
        let body = json!({"input": {"params": params}}).to_string();
        let refused = block_on(edit(&stack.memory, &owner_of_shop(), job.id, body.as_bytes(), &Condition::Always));
        assert_eq!(faults(refused), expected, "{params}");
    }
    // The same, if the catalog requires something else by the time of the run.
    let job = stack.scheduled(&json!({
        "event": "ping", "app": "shop", "session": {"tag": "user-session", "token": claims},
        "input": {"body": {"account": "$Session{deep}"}},
    }));
    let mut catalog = bank();
    catalog["apps"]["shop"]["actions"]["ping"]["body"] = json!("form");
    stack.publish(&catalog);
    let Verdict::DeadLetter(error) = stack.execute(job.fire()).unwrap().verdict else {
        panic!("it does not fit any more")
    };
    assert_eq!(error.message, "/body/account: must be a string, a number or a boolean");
    let mut catalog = bank();
    catalog["apps"]["shop"]["actions"]["ping"]["body"] = json!("json");
    stack.publish(&catalog);
    let job = stack.scheduled(&json!({
        "event": "ping", "app": "shop", "session": {"tag": "user-session", "token": claims}, "input": {"body": "$Session{deep}"},
    }));
    catalog["apps"]["shop"]["actions"]["ping"]["body"] = json!("form");
    stack.publish(&catalog);
    let Verdict::DeadLetter(error) = stack.execute(job.fire()).unwrap().verdict else {
        panic!("it does not fit any more")
    };
    assert_eq!(error.message, "/body: must be a string, a number or a boolean");
}

#[test]
fn a_preview_verifies_and_stores_nothing() {
    let stack = stack();
    let preview = |extra: &Value| block_on(preview(&stack.memory, &Texts, &owner_of_shop(), &body(extra)));
    assert_eq!(preview(&body_with("$Session{id}", r#"{"id": 1}"#)).unwrap().spec.session, None);
    assert!(matches!(preview(&body_with("7", "forged")), Err(OperationError::Invalid(_))));
    assert_eq!(stack.stored_and_armed(), (0, 0));
}

#[test]
fn a_job_without_a_session_asks_for_no_key() {
    let stack = stack();
    stack.memory.forget_calls();
    let job = stack.scheduled(&json!({}));
    stack.execute(job.fire()).unwrap();
    let calls = stack.memory.calls();
    assert!(!calls.iter().any(|call| matches!(call, PortCall::CurrentKey | PortCall::FindSealingKey)), "{calls:?}");
}

fn mint(stack: &Stack, caller: &ApiKey, at: [&str; 3], body: &Value) -> Result<Value, OperationError> {
    let minted = block_on(mint_session(&stack.memory, &Texts, caller, at, body.to_string().as_bytes()))?;
    let claims: Value = serde_json::from_str(&minted.token).unwrap();
    assert_eq!(minted.expires_at.0, claims["exp"].as_i64().unwrap() * 1_000);
    Ok(claims)
}

#[test]
fn a_token_says_what_it_was_asked_to_and_what_it_is_for() {
    let stack = stack();
    let at = ["shop", "prd", "user-session"];
    let minter = ApiKey { scopes: vec![Scope::SessionsMint], ..owner_of_shop() };
    let now = NOW.0 / 1_000;
    let claims =
        mint(&stack, &minter, at, &json!({"data": {"details": {"id": 7}, "sub": "ada"}, "expiry": 1_500})).unwrap();
    let expected = json!({"details": {"id": 7}, "sub": "ada", "iat": now, "exp": now + 2, "iss": "us", "carillon": "shop/prd/user-session"});
    assert_eq!(claims, expected);
    let claims = mint(&stack, &minter, at, &json!({"data": {}})).unwrap();
    assert_eq!(claims["exp"], now + 3_600);

    // A second that has begun is not taken off what was asked for.
    stack.wait(999);
    let claims = mint(&stack, &minter, at, &json!({"data": {}, "expiry": 1_000})).unwrap();
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(now), &json!(now + 2)));

    let bad = json!({"data": {"exp": 1, "carillon": "x", "a": 1}, "expiry": 1, "extra": 0});
    let Err(OperationError::Invalid(faults)) = mint(&stack, &minter, at, &bad) else { panic!("refused") };
    let faults: Vec<_> = faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
    let expected = [
        ("/data/carillon", FieldCode::Conflict),
        ("/data/exp", FieldCode::Conflict),
        ("/expiry", FieldCode::OutOfRange),
        ("/extra", FieldCode::UnknownField),
    ];
    assert_eq!(faults, expected);
    for at in [["shop", "prd", "nobody"], ["bank", "prd", "user-session"], ["shop", "nowhere", "user-session"]] {
        let refused = mint(&stack, &minter, at, &json!({"data": {}}));
        assert!(matches!(refused, Err(OperationError::NotFound("session"))), "{at:?}");
    }
    let refused = mint(&stack, &owner_of_shop(), at, &json!({"data": {}}));
    assert!(matches!(refused, Err(OperationError::MissingScope(Scope::SessionsMint))));
}

#[test]
fn a_crash_after_the_claim_keeps_the_claims() {
    let stack = stack();
    let mut extra = body_with("$Session{id}", r#"{"id": "a"}"#);
    extra["retries"] = json!(1);
    let job = stack.scheduled(&extra);
    let died = crash_when(execute(&stack.memory, &stack.executor, job.fire()), || stack.dispatched() > 0);
    assert!(died.is_none());
    stack.wait(60_000);
    stack.drive();
    assert_eq!((stack.status(job.id), stack.dispatched()), (Status::Completed, 2));
}
