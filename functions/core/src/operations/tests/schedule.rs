//! Accepting a job: what is refused, and what a fault leaves behind.

use super::*;
use crate::testkit::turns::crash_when;

fn invalid(stack: &Stack, body: &[u8]) -> Vec<(String, FieldCode)> {
    match block_on(schedule(&stack.memory, &Texts, &owner_of_shop(), body, None)) {
        Err(OperationError::Invalid(faults)) => faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect(),
        other => panic!("{other:?}"),
    }
}

fn named<const N: usize>(faults: [(&str, FieldCode); N]) -> Vec<(String, FieldCode)> {
    faults.map(|(pointer, code)| (pointer.to_owned(), code)).to_vec()
}

#[test]
fn an_accepted_job_is_armed_before_it_is_stored() {
    let stack = Stack::new();
    let now = stack.scheduled(&json!({}));
    assert_eq!((now.state.status, now.state.wake_at), (Status::Queued, Some(NOW)));
    let later = stack.scheduled(&json!({"start_at": NOW.0 + 60_000, "retries": 3}));
    assert_eq!((later.state.status, later.state.wake_at), (Status::Scheduled, Some(NOW.plus(60_000))));
    let world = stack.memory.tables();
    assert_eq!(stack.memory.calls()[..3], [PortCall::GetCatalog, PortCall::Arm, PortCall::InsertJob]);
    assert_eq!(world.armed.iter().copied().collect::<Vec<_>>(), [(NOW, now.fire()), (NOW.plus(60_000), later.fire())]);
    assert_eq!(world.jobs.len(), 2);
    assert!(now.id != later.id && later.spec.retries == 3);
}

#[test]
fn a_timer_that_cannot_be_armed_leaves_nothing_stored() {
    for (fault, armed) in [(Fault::Before, 0), (Fault::After, 1)] {
        let stack = Stack::new();
        stack.script(PortCall::Arm, fault);
        assert!(matches!(stack.schedule(&json!({})), Err(OperationError::Port(_))));
        assert_eq!(stack.stored_and_armed(), (0, armed));
        stack.drive();
        assert_eq!(stack.dispatched(), 0, "a timer without a job is dropped");
    }
}

#[test]
fn a_job_that_cannot_be_stored_is_not_acknowledged_and_its_timer_is_dropped() {
    let stack = Stack::new();
    stack.script(PortCall::InsertJob, Fault::Before);
    assert!(matches!(stack.schedule(&json!({})), Err(OperationError::Port(_))));
    assert_eq!(stack.stored_and_armed(), (0, 1));
    stack.drive();
    assert_eq!((stack.dispatched(), stack.stored_and_armed()), (0, (0, 0)));
}

#[test]
fn a_lost_answer_of_the_insert_is_looked_up_and_never_doubles_the_job() {
    for fault in [Fault::After, Fault::Twice] {
        let stack = Stack::new();
        stack.script(PortCall::InsertJob, fault);
        let job = stack.scheduled(&json!({}));
        assert_eq!(stack.memory.tables().jobs.keys().copied().collect::<Vec<_>>(), [job.id]);
        stack.drive();
        assert_eq!((stack.status(job.id), stack.dispatched()), (Status::Completed, 1));
    }
}

#[test]
fn a_lost_answer_that_cannot_be_looked_up_is_an_error_and_the_job_is_whole_all_the_same() {
    let stack = Stack::new();
    stack.script(PortCall::InsertJob, Fault::After);
    stack.script(PortCall::GetJob, Fault::Before);
    assert!(matches!(stack.schedule(&json!({})), Err(OperationError::Port(_))));
    let stored: Vec<_> = stack.memory.tables().jobs.keys().copied().collect();
    stack.drive();
    assert_eq!((stored.len(), stack.status(stored[0]), stack.dispatched()), (1, Status::Completed, 1));
}

#[test]
fn an_id_that_is_taken_by_another_job_is_not_taken_over() {
    let taken = Stack::new().scheduled(&json!({"input": {"params": {"id": "other"}}}));
    let stack = Stack::new();
    let other = taken.clone();
    stack
        .script(PortCall::InsertJob, Fault::Overtaken(Box::new(move |world| drop(world.jobs.insert(other.id, other)))));
    assert!(matches!(stack.schedule(&json!({})), Err(OperationError::Contended)));
    assert_eq!(stack.job(taken.id), taken);
}

#[test]
fn a_process_that_dies_while_scheduling_leaves_a_whole_job_or_none() {
    let mut ended = false;
    for calls in 0.. {
        let stack = Stack::new();
        let (caller, body) = (owner_of_shop(), body(&json!({})));
        let accepted =
            crash_when(schedule(&stack.memory, &Texts, &caller, &body, None), || stack.memory.calls().len() > calls);
        ended = accepted.is_some();
        stack.drive();
        let world = stack.memory.tables();
        assert!(world.jobs.values().all(|job| job.state.status == Status::Completed), "killed after {calls} calls");
        if ended {
            break;
        }
    }
    assert!(ended);
}

#[test]
fn every_fault_of_body_catalog_and_input_is_named_in_one_answer() {
    let stack = Stack::new();
    let bad = json!({
        "env": "dev", "start_at": -1, "retires": 1, "retry": {"jitterPercent": 7},
        "input": {"params": {"id": "", "uid": 1}, "quary": {}},
    });
    let expected = named([
        ("/retry/jitterPercent", FieldCode::OutOfRange),
        ("/start_at", FieldCode::OutOfRange),
        ("/retires", FieldCode::UnknownField),
        ("/env", FieldCode::UnknownTag),
        ("/input/params/id", FieldCode::Malformed),
        ("/input/params/uid", FieldCode::UnknownField),
        ("/input/quary", FieldCode::UnknownField),
    ]);
    assert_eq!(invalid(&stack, &body(&bad)), expected);
    assert_eq!(
        invalid(&stack, &body(&json!({"event": "order.clos", "env": "stg"}))),
        named([("/env", FieldCode::UnknownTag), ("/event", FieldCode::UnknownTag),])
    );
    assert_eq!(invalid(&stack, &body(&json!({"app": "shup"}))), named([("/app", FieldCode::UnknownTag)]));
    assert_eq!(stack.stored_and_armed(), (0, 0));
}

#[test]
fn a_missing_environment_is_not_mistaken_for_a_missing_product() {
    let stack = Stack::new();
    let body = json!({"product_tag": "shop", "event": "order.close", "start_at": 0, "input": {}}).to_string();
    let expected = named([("/env", FieldCode::Required), ("/input/params", FieldCode::Required)]);
    assert_eq!(invalid(&stack, body.as_bytes()), expected);
}

#[test]
fn a_product_without_a_catalog_is_named_once() {
    let stack = Stack::new();
    stack.memory.tables().catalogs.clear();
    assert_eq!(invalid(&stack, &body(&json!({}))), named([("/product_tag", FieldCode::UnknownTag)]));
}

#[test]
fn an_ambiguous_event_is_a_conflict_only_when_nothing_else_is_wrong() {
    let stack = Stack::new();
    let ping = json!({"event": "ping", "input": {}});
    match stack.schedule(&ping) {
        Err(OperationError::Ambiguous(fault)) => {
            assert_eq!((fault.pointer.as_str(), fault.code), ("/event", FieldCode::Ambiguous));
            assert_eq!(fault.detail, "may be type action of app bank, type action of app shop: say type or app");
        }
        other => panic!("{other:?}"),
    }
    let worse = json!({"event": "ping", "input": {}, "retries": -1});
    let expected = named([("/retries", FieldCode::OutOfRange), ("/event", FieldCode::Ambiguous)]);
    assert_eq!(invalid(&stack, &body(&worse)), expected);
    let settled = stack.scheduled(&json!({"event": "ping", "input": {}, "app": "bank"}));
    assert_eq!(settled.spec.app.as_deref(), Some("bank"));
}

#[test]
fn the_contracts_own_example_is_understood_and_told_what_is_not_available() {
    let stack = Stack::new();
    let catalog = json!({
        "envs": ["prd"],
        "notifications": {"send_notification": {
            "envs": {"prd": {"push": {"provider": "fcm", "service_account": "ssm:/my-product/fcm"}}},
            "messages": {"order_update": {}},
        }},
        "sessions": {"user-session": {"algorithm": "HS256", "envs": {"prd": {"key": "env:SESSION_KEY"}}}},
        "caches": {"notify-user-123": {"expiry": 60_000}},
    });
    let owner = key("my-product", "*");
    let catalog = catalog.to_string();
    block_on(put_catalog(&stack.memory, &owner, "my-product", catalog.as_bytes(), &Condition::Absent)).unwrap();
    let example = json!({
        "product_tag": "my-product", "env": "prd", "event": "send_notification", "start_at": 0,
        "input": {
            "slug": "order_update",
            "push_notification": {
                "title": {"en": "Order Shipped"}, "body": {"en": "Your order #12345 has been shipped!"},
                "data": {"trackingId": "XYZ987"}, "device_token": "abcdef123456"
            }
        },
        "session": {"tag": "user-session", "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."},
        "cache": "notify-user-123",
        "repeat": {"cron": "0 10 * * *", "tz": "Europe/Amsterdam", "limit": 30}
    });
    match block_on(schedule(&stack.memory, &Texts, &owner, example.to_string().as_bytes(), None)) {
        Err(OperationError::Invalid(faults)) => {
            let found: Vec<_> = faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
            // Its token is cut short.
            let expected =
                [("/input/push_notification", FieldCode::NotAvailable), ("/session/token", FieldCode::TokenSignature)];
            assert_eq!(found, expected);
            assert!(faults[0].detail.starts_with("the secret ssm:/my-product/fcm cannot be fetched"), "{faults:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_key_learns_nothing_of_products_that_it_does_not_open() {
    let stack = Stack::new();
    let stranger = key("bank", "*");
    let elsewhere = key("shop", "dev");
    let bad = json!({"event": "no such event", "input": 7});
    for (caller, product, extra) in [
        (&stranger, "shop", json!({})),
        (&stranger, "shop", bad.clone()),
        (&stranger, "no-such-product", bad.clone()),
        (&stranger, "", bad.clone()),
        (&elsewhere, "shop", json!({})),
        (&elsewhere, "shop", bad.clone()),
    ] {
        let mut extra = extra;
        extra["product_tag"] = json!(product);
        let refused = block_on(schedule(&stack.memory, &Texts, caller, &body(&extra), None));
        assert!(matches!(refused, Err(OperationError::NotOpened)), "{refused:?}");
    }
    let mut without_env = json!({"product_tag": "shop", "event": "x", "start_at": 0, "input": {}});
    let refused = block_on(schedule(&stack.memory, &Texts, &stranger, without_env.to_string().as_bytes(), None));
    assert!(matches!(refused, Err(OperationError::NotOpened)));
    without_env["product_tag"] = json!(7);
    let refused = block_on(schedule(&stack.memory, &Texts, &stranger, without_env.to_string().as_bytes(), None));
    assert!(matches!(refused, Err(OperationError::Invalid(_))), "what names no product says nothing of one");
    assert_eq!(stack.memory.calls(), [], "no port was asked");
}

#[test]
fn the_scope_comes_before_the_body() {
    let stack = Stack::new();
    let reader = ApiKey { scopes: vec![Scope::JobsRead], ..owner_of_shop() };
    let refused = block_on(schedule(&stack.memory, &Texts, &reader, b"{", None));
    assert!(matches!(refused, Err(OperationError::MissingScope(Scope::JobsWrite))));
    let unreadable = block_on(schedule(&stack.memory, &Texts, &owner_of_shop(), b"{", None));
    assert!(matches!(unreadable, Err(OperationError::Unreadable(ParseError::Syntax(_)))));
}

#[test]
fn an_event_that_was_published_a_moment_ago_is_found_past_the_cache() {
    let stack = Stack::new();
    stack.memory.tables().cached_catalogs.insert("shop".into(), None);
    assert_eq!(stack.scheduled(&json!({})).state.status, Status::Queued);
    stack.memory.forget_calls();
    invalid(&stack, &body(&json!({"start_at": -1, "event": "order.close"})));
    assert!(stack.memory.calls().contains(&PortCall::FreshCatalog));
    stack.memory.tables().cached_catalogs.clear();
    stack.memory.forget_calls();
    invalid(&stack, &body(&json!({"start_at": -1})));
    assert_eq!(stack.memory.calls(), [PortCall::GetCatalog], "a fault of the body alone needs no second look");
}

#[test]
fn what_a_stale_catalog_refuses_is_checked_against_the_one_that_was_published_since() {
    let stale = |change: &dyn Fn(&mut Value)| {
        let stack = Stack::new();
        let fresh = stack.memory.tables().catalogs["shop"].clone();
        let mut document = shop();
        change(&mut document);
        stack.publish(&document);
        let published = stack.memory.tables().catalogs.insert("shop".into(), fresh);
        stack.memory.tables().cached_catalogs.insert("shop".into(), published);
        stack
    };
    // The cached one knows no such path parameter, no such environment, or two events of this tag.
    let actions = "/apps/bank/actions";
    for stack in [
        stale(&|shop| shop["apps"]["shop"]["actions"]["order.close"]["path"] = json!("/orders/close")),
        stale(&|shop| shop["apps"]["shop"]["envs"] = json!({"dev": {"base_url": "https://dev.example.com"}})),
        stale(&|shop| shop.pointer_mut(actions).unwrap()["order.close"] = json!({"method": "GET", "path": "/:id"})),
    ] {
        assert_eq!(stack.scheduled(&json!({})).state.status, Status::Queued);
    }
    let stack = Stack::new();
    stack.memory.forget_calls();
    let unknown = invalid(&stack, &body(&json!({"input": {"params": {"uid": "7"}}})));
    assert_eq!((unknown.len(), &stack.memory.calls()[..]), (2, &[PortCall::GetCatalog, PortCall::FreshCatalog][..]));
}

/// An item of the table has at most 400 KB, and a request 256: what is stored is the value, written again.
#[test]
fn an_input_that_grows_when_it_is_stored_is_refused_and_not_found_too_large_by_the_store() {
    let stack = Stack::new();
    let with = |count: usize| {
        let numbers = vec!["1e15"; count].join(",");
        let whole = String::from_utf8(body(&json!({"input": {"params": {"id": "7"}, "body": "HERE"}}))).unwrap();
        whole.replace(r#""HERE""#, &format!("[{numbers}]"))
    };
    assert!(with(50_000).len() < 256 * 1024);
    assert_eq!(invalid(&stack, with(50_000).as_bytes()), named([("/input", FieldCode::OutOfRange)]));
    assert_eq!(stack.stored_and_armed(), (0, 0));
    let job = block_on(schedule(&stack.memory, &Texts, &owner_of_shop(), with(10_000).as_bytes(), None)).unwrap().job;
    let document: Value = serde_json::from_str(&with(50_000)).unwrap();
    let change = json!({"input": document["input"]}).to_string();
    let edited = block_on(edit(&stack.memory, &owner_of_shop(), job.id, change.as_bytes(), &Condition::Always));
    assert!(
        matches!(edited, Err(OperationError::Invalid(faults)) if faults[0].pointer == "/input" && faults.len() == 1)
    );
}

#[test]
fn a_channel_that_is_not_available_is_named_by_its_member() {
    let stack = Stack::new();
    stack.publish(&json!({
        "envs": ["prd"],
        "notifications": {"n": {"envs": {"prd": {
            "push": {"provider": "expo"},
            "email": {"provider": "smtp", "from": "a@example.com", "host": "smtp.example.com",
                      "username": "u", "password": "ssm:/smtp"},
        }}}},
    }));
    let push = json!({"device_token": "t", "title": "t", "body": "b"});
    let email = json!({"to": "a@example.com", "subject": "s", "text": "t"});
    let body = |input: Value| body(&json!({"event": "n", "input": input}));
    let both = body(json!({"push_notification": push, "email": email}));
    assert_eq!(invalid(&stack, &both), [("/input/email".to_owned(), FieldCode::NotAvailable)]);
    stack.scheduled(&json!({"event": "n", "input": {"push_notification": push}}));
}
