//! Jobs of a job definition: its event with its defaults.

use super::*;

fn stack() -> Stack {
    let stack = Stack::new();
    let mut catalog = shop();
    catalog["sessions"] = json!({"s": {"algorithm": "HS256", "envs": {"prd": {"key": "env:KEY"}}}});
    catalog["jobs"] = json!({
        "close-7": {"event": "order.close", "input": {"params": {"id": "7"}}, "retries": 2, "timeout": 3_000},
        "close-own": {"event": "close-7", "input": {"params": {"id": "$Session{order}"}}},
        "greet": {"event": "welcome", "type": "notification"},
    });
    stack.publish(&catalog);
    stack
}

fn definition(event: &str, input: &Value) -> Value {
    json!({"event": event, "input": input})
}

#[test]
fn it_runs_its_event_with_its_defaults_under_its_own_type() {
    let stack = stack();
    let job = stack.scheduled(&definition("close-7", &json!({})));
    assert_eq!((job.spec.event_type, job.spec.retries), (crate::job::EventType::Job, 2));
    assert_eq!(job.spec.input, json!({}), "as it was sent");
    stack.answers([transient(), transient()]);
    stack.drive();
    assert_eq!((stack.status(job.id), stack.dispatched()), (Status::Completed, 3));
    let own =
        stack.scheduled(&json!({"event": "close-7", "input": {"params": {"id": "8"}}, "retries": 0, "timeout": 1_000}));
    stack.drive();
    assert_eq!(own.spec.retries, 0);
    let requests = stack.executor.targets.requests.lock().unwrap();
    let seen: Vec<_> = requests.iter().map(|call| (call.request.http().unwrap().url.path(), call.timeout_ms)).collect();
    let default = ("/orders/7/close", 3_000);
    assert_eq!(seen, [default, default, default, ("/orders/8/close", 1_000)]);
}

#[test]
fn its_defaults_are_filled_in_by_the_jobs_session_and_checked_with_the_input() {
    let stack = stack();
    let faults = |extra: &Value| match stack.schedule(extra) {
        Err(OperationError::Invalid(faults)) => faults.into_iter().map(|it| (it.pointer, it.code)).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let unresolved = [("/input/params/id".to_owned(), FieldCode::UnresolvedAnnotation)];
    assert_eq!(faults(&definition("close-own", &json!({}))), unresolved);
    let wrong = definition("close-7", &json!({"params": {"id": [], "of": "7"}}));
    assert_eq!(faults(&wrong).len(), 2);
    assert_eq!(faults(&definition("greet", &json!({}))), [("/input".to_owned(), FieldCode::Required)]);

    let mut body = definition("close-own", &json!({}));
    body["session"] = json!({"tag": "s", "token": r#"{"order": "9"}"#});
    let job = stack.scheduled(&body);
    stack.drive();
    assert_eq!((stack.status(job.id), job.spec.retries), (Status::Completed, 2), "the nearest default that there is");
    assert_eq!(
        stack.executor.targets.requests.lock().unwrap()[0].request.http().unwrap().url.path(),
        "/orders/9/close"
    );
}

#[test]
fn a_definition_that_is_gone_fails_the_job_and_one_that_changed_is_followed_as_it_is_now() {
    let stack = stack();
    let job = stack.scheduled(&json!({"event": "close-7", "input": {}, "start_at": NOW.0 + 60_000, "retries": 0}));
    let gone =
        stack.scheduled(&json!({"event": "close-own", "input": {"params": {"id": "1"}}, "start_at": NOW.0 + 60_000}));
    let mut catalog = shop();
    catalog["jobs"] = json!({"close-7": {"event": "order.close", "input": {"params": {"id": "70"}}}});
    stack.publish(&catalog);
    stack.drive();
    assert_eq!((stack.status(job.id), stack.status(gone.id)), (Status::Completed, Status::Failed));
    assert_eq!(
        stack.executor.targets.requests.lock().unwrap()[0].request.http().unwrap().url.path(),
        "/orders/70/close"
    );
    assert!(
        matches!(&outcomes(&stack, gone.fire())[..], [Outcome::Failed(error)] if error.code == codes::EVENT_NOT_FOUND)
    );
}
