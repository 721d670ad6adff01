mod action;
mod database;
mod hostile;
mod storage;

use std::cell::RefCell;

use http::Method;
use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::catalog::{Auth, Catalog, SecretRef, SecretStoreKind};
use crate::error::FieldCode;
use crate::job::{EventType, JobSpec, RunError, codes};
use crate::json::Field;
use crate::request::{AwsRequest, Bound, Capabilities, HttpRequest, Request};
use crate::retry::RetryPolicy;
use crate::time::UnixMillis;

const EMBEDDED: Capabilities = Capabilities { secret_stores: &[SecretStoreKind::Env], aws: Err("no AWS") };

/// A catalog of one app whose action is `call`, one HTTP topic `bus:orders` and one function `resize`.
fn catalog(base_url: &str, path: &str, change: impl FnOnce(&mut Value)) -> Catalog {
    let mut document = json!({
        "envs": ["prd"],
        "apps": {"shop": {
            "envs": {"prd": {"base_url": base_url}},
            "actions": {"call": {"method": "POST", "path": path}},
        }},
        "brokers": {"bus": {
            "envs": {"prd": {"provider": "http", "headers": {"x-broker": "b"}}},
            "topics": {"orders": {"envs": {"prd": {"url": "https://hooks.example.com/orders?tenant=1"}}}},
        }},
        "functions": {"resize": {"envs": {"prd": {"url": "https://fn.example.com/"}}}},
    });
    change(&mut document);
    Catalog::from_document(&document).unwrap()
}

fn unchanged(_: &mut Value) {}

fn spec(event: &str, event_type: EventType, input: Value) -> JobSpec {
    JobSpec {
        product: "shop".into(),
        env: "prd".into(),
        event: event.into(),
        event_type,
        app: None,
        input,
        retries: 0,
        retry: RetryPolicy::default(),
        timeout: None,
        start_at: UnixMillis(0),
        repeat: None,
        session: None,
        cache: None,
        created_at: UnixMillis(0),
    }
}

/// The request of a run.
fn asked_for(resolved: &ResolvedEvent<'_>, spec: &JobSpec) -> Result<Request, RunError> {
    resolved.still_fits(spec, &spec.input)?;
    let faults = RefCell::default();
    let request = resolved.request(&spec.env, &Field::root(&spec.input, &faults));
    request.ok_or_else(|| RunError::permanent(codes::VALIDATION_ERROR, "nothing is asked for"))
}

fn http_request(catalog: &Catalog, spec: &JobSpec) -> Result<HttpRequest, RunError> {
    let request = asked_for(&ResolvedEvent::of_job(catalog, spec)?, spec)?;
    Ok(request.http().unwrap().clone())
}

fn action(catalog: &Catalog, input: Value) -> HttpRequest {
    http_request(catalog, &spec("call", EventType::Action, input)).unwrap()
}

fn url(base_url: &str, path: &str, input: Value) -> String {
    action(&catalog(base_url, path, unchanged), input).url.to_string()
}

/// The faults of an input, as scheduling would name them.
fn faults(catalog: &Catalog, event: &str, event_type: EventType, input: &Value) -> Vec<(String, FieldCode)> {
    let faults = RefCell::default();
    let target = ResolvedEvent::of_job(catalog, &spec(event, event_type, json!({}))).unwrap();
    target.check(Some("prd"), &Field::root(input, &faults));
    faults.into_inner().into_vec().into_iter().map(|fault| (fault.pointer, fault.code)).collect()
}

fn named<const N: usize>(faults: [(&str, FieldCode); N]) -> Vec<(String, FieldCode)> {
    faults.map(|(pointer, code)| (pointer.to_owned(), code)).to_vec()
}

fn headers(request: &HttpRequest) -> Vec<(&str, &str)> {
    let mut headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    headers.sort_unstable();
    headers
}

#[test]
fn an_empty_input_asks_for_nothing_more_than_the_type_needs() {
    let catalog = catalog("https://a.example/v1", "/ping", |document| {
        document["apps"]["shop"]["envs"]["prd"]["auth"] = json!({"bearer": "env:TOKEN"});
        document["apps"]["shop"]["envs"]["prd"]["signing_secrets"] = json!(["env:NEW", "env:OLD"]);
    });
    let request = action(&catalog, json!({}));
    assert_eq!(
        (request.method, request.url.as_str(), request.body.len()),
        (Method::POST, "https://a.example/v1/ping", 0)
    );
    assert!(matches!(request.auth, Some(Auth::Bearer(secret)) if secret.name == "TOKEN"));
    assert_eq!(request.signing_secrets.0.len(), 2);
    assert_eq!(faults(&catalog, "resize", EventType::Function, &json!({})), []);
    assert_eq!(
        faults(&catalog, "bus:orders", EventType::Publish, &json!({})),
        named([("/message", FieldCode::Required)])
    );
    for input in [json!([]), json!("x"), json!(null)] {
        assert_eq!(faults(&catalog, "resize", EventType::Function, &input), named([("", FieldCode::WrongType)]));
    }
}

#[test]
fn messages_and_payloads_are_posted_as_json_to_their_address() {
    let catalog = catalog("https://a.example", "/", |document| {
        document["brokers"]["bus"]["envs"]["prd"]["auth"] = json!({"header": {"name": "x-key", "value": "env:KEY"}});
        document["functions"]["resize"]["envs"]["prd"]["signing_secrets"] = json!(["env:SIGN"]);
    });
    let request =
        http_request(&catalog, &spec("bus:orders", EventType::Publish, json!({"message": [1, "x"]}))).unwrap();
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "https://hooks.example.com/orders?tenant=1"));
    assert_eq!(headers(&request), [("content-type", "application/json"), ("x-broker", "b")]);
    assert_eq!(request.body, br#"[1,"x"]"#);
    assert!(matches!(request.auth, Some(Auth::Header(_))));
    for (input, body) in
        [(json!({}), "{}"), (json!({"payload": {"w": 1}}), r#"{"w":1}"#), (json!({"payload": null}), "null")]
    {
        let request = http_request(&catalog, &spec("resize", EventType::Function, input)).unwrap();
        assert_eq!((request.url.as_str(), request.body.as_slice()), ("https://fn.example.com/", body.as_bytes()));
        assert_eq!(request.signing_secrets.0.len(), 1);
    }
    assert_eq!(
        faults(&catalog, "resize", EventType::Function, &json!({"payloads": 1})),
        named([("/payloads", FieldCode::UnknownField)])
    );
    assert_eq!(
        faults(&catalog, "bus:orders", EventType::Publish, &json!({"mesage": 1})),
        named([("/message", FieldCode::Required), ("/mesage", FieldCode::UnknownField)])
    );
}

/// The need of an event of `prd` that the embedded stack does not meet, at most one.
fn lacking(resolved: &ResolvedEvent<'_>, input: &Value) -> Option<String> {
    let mut lacks = resolved.lacks("prd", Some(input), EMBEDDED);
    let first = lacks.pop().map(|lack| lack.reason);
    assert_eq!(lacks, []);
    first
}

#[test]
fn what_cannot_run_here_says_why() {
    let reason = |event: &str, event_type: EventType, change: &dyn Fn(&mut Value)| {
        let catalog = catalog("https://a.example", "/", change);
        lacking(&ResolvedEvent::of_job(&catalog, &spec(event, event_type, json!({}))).unwrap(), &json!({}))
    };
    let app = |auth: Value| {
        reason("call", EventType::Action, &|document| document["apps"]["shop"]["envs"]["prd"]["auth"] = auth.clone())
    };
    assert_eq!(reason("call", EventType::Action, &unchanged), None);
    assert_eq!(reason("bus:orders", EventType::Publish, &unchanged), None);
    assert_eq!(reason("resize", EventType::Function, &unchanged), None);
    for auth in [
        json!({"bearer": "env:T"}),
        json!({"basic": {"username": "u", "password": "env:P"}}),
        json!({"header": {"name": "x-key", "value": "env:K"}}),
        json!({"query": {"name": "key", "value": "env:K"}}),
    ] {
        assert_eq!(app(auth), None);
    }
    let oauth2 = |secret: &str| json!({"oauth2": {"token_url": "https://id.example/t", "client_id": "c", "client_secret": secret}});
    assert_eq!(app(oauth2("env:C")), None);
    let arn = |document: &mut Value| {
        document["functions"]["resize"]["envs"]["prd"] = json!({"arn": "arn:aws:lambda:eu-west-1:1:function:f"});
    };
    let signing = |document: &mut Value| {
        document["brokers"]["bus"]["envs"]["prd"]["signing_secrets"] = json!(["env:NEW", "secretsmanager:old"]);
    };
    let broker = |provider: &'static str| {
        reason("bus:orders", EventType::Publish, &move |document| {
            document["brokers"]["bus"]["envs"]["prd"] = json!({"provider": provider});
            document["brokers"]["bus"]["topics"]["orders"]["detail_type"] = json!("Order");
            document["brokers"]["bus"]["topics"]["orders"]["envs"]["prd"]["arn"] = json!("arn:aws:sns:eu-west-1:1:t");
        })
    };
    for (reason, word) in [
        (app(oauth2("ssm:/c")), "ssm:/c"),
        (app(json!({"bearer": "ssm:/shop/token"})), "ssm:/shop/token"),
        (reason("bus:orders", EventType::Publish, &signing), "secretsmanager:old"),
        (broker("sqs"), "Amazon SQS cannot be reached"),
        (broker("sns"), "no AWS"),
        (broker("eventbridge"), "Amazon EventBridge"),
        (reason("resize", EventType::Function, &arn), "AWS Lambda"),
    ] {
        assert!(reason.as_ref().is_some_and(|reason| reason.contains(word)), "{reason:?} does not say {word}");
    }
}

#[test]
fn a_channel_that_cannot_be_used_here_is_found_wherever_an_event_would_use_it() {
    let document = json!({
        "envs": ["prd"],
        "notifications": {"n": {
            "envs": {"prd": {"email": {"provider": "ses", "from": "a@example.com"}, "push": {"provider": "expo"}}},
            "messages": {"m": {"push": {"title": "t", "body": "b"}, "email": {"subject": "s", "text": "t"}}},
        }},
        "jobs": {"mails": {"event": "n", "input": {"email": {"to": "a@example.com"}}}},
        "features": {
            "pushed": {"steps": [{"event": "n:m", "input": {"push_notification": {"device_token": "$Input{token}"}}}]},
            "mailed": {"steps": [{"event": "pushed"}, {"event": "n:m", "input": {"email": {"to": "$Input{to}"}}}]},
            "by_definition": {"steps": [{"event": "mails"}]},
        },
        "fallbacks": {
            "own": {"options": [{"event": "n:m", "input": {"email": {"to": "$Input{to}"}}}]},
            "given": {"options": [{"event": "n:m"}]},
        },
    });
    let catalog = Catalog::from_document(&document).unwrap();
    let mail = json!({"email": {"to": "a@example.com"}});
    let push = json!({"push_notification": {"device_token": "t"}});
    for (event, event_type, input, is_lacking) in [
        ("pushed", EventType::Feature, json!({"token": "t"}), false),
        ("mailed", EventType::Feature, json!({"token": "t", "to": "a@example.com"}), true),
        ("by_definition", EventType::Feature, json!({}), true),
        ("own", EventType::Fallback, json!({"input": {"to": "a@example.com"}}), true),
        ("given", EventType::Fallback, json!({"input": push}), false),
        ("given", EventType::Fallback, json!({"input": mail}), true),
        ("given", EventType::Fallback, json!({"action": "reset"}), false),
    ] {
        let spec = spec(event, event_type, input);
        let resolved = ResolvedEvent::of_job(&catalog, &spec).unwrap();
        let reason = lacking(&resolved, &spec.input);
        let expected = is_lacking.then(|| "Amazon SES cannot be reached by this deployment: no AWS".to_owned());
        assert_eq!(reason, expected, "{event} with {}", spec.input);
        // Without its input, what the catalog writes still counts.
        assert_eq!(resolved.lacks("prd", None, EMBEDDED).len(), usize::from(is_lacking && event != "given"));
    }
}

#[test]
fn a_secret_that_cannot_be_fetched_says_what_aws_lacks_where_aws_keeps_it() {
    let without = |capabilities: Capabilities, secret: &str| capabilities.without(&SecretRef::parse(secret).unwrap());
    let nowhere = Capabilities { secret_stores: &[], ..EMBEDDED };
    for (capabilities, secret, expected) in [
        (EMBEDDED, "env:A", None),
        (EMBEDDED, "ssm:/a", Some("the secret ssm:/a cannot be fetched by this deployment: no AWS")),
        (
            EMBEDDED,
            "secretsmanager:a",
            Some("the secret secretsmanager:a cannot be fetched by this deployment: no AWS"),
        ),
        (nowhere, "env:A", Some("the secret env:A cannot be fetched by this deployment")),
    ] {
        assert_eq!(without(capabilities, secret).as_deref(), expected);
    }
}

#[test]
fn a_catalog_that_changed_makes_permanent_errors() {
    let catalog = catalog("https://a.example", "/users/:id", unchanged);
    let code = |spec: &JobSpec| {
        let error = http_request(&catalog, spec).unwrap_err();
        assert!(!error.retryable);
        error.code
    };
    assert_eq!(code(&spec("gone", EventType::Action, json!({}))), codes::EVENT_NOT_FOUND);
    assert_eq!(code(&spec("call", EventType::Function, json!({}))), codes::EVENT_NOT_FOUND);
    assert_eq!(
        code(&JobSpec { env: "dev".into(), ..spec("call", EventType::Action, json!({})) }),
        codes::EVENT_NOT_FOUND
    );
    let other_app = JobSpec { app: Some("bank".into()), ..spec("call", EventType::Action, json!({})) };
    assert_eq!(code(&other_app), codes::EVENT_NOT_FOUND);
    assert_eq!(code(&spec("call", EventType::Action, json!({}))), codes::VALIDATION_ERROR);
    assert_eq!(code(&spec("call", EventType::Action, json!("not an object"))), codes::VALIDATION_ERROR);
    let error = http_request(&catalog, &spec("call", EventType::Action, json!({"params": {"uid": "secret-value"}})))
        .unwrap_err();
    assert!(error.message.contains("/params/uid") && !error.message.contains("secret-value"), "{}", error.message);
}

#[test]
fn the_jobs_timeout_comes_before_the_catalogs_and_neither_passes_the_stacks() {
    let limits = Limits { default_timeout_ms: 30_000, max_timeout_ms: 60_000, lease_margin_ms: 0 };
    let timed = catalog("https://a.example", "/", |document| {
        document["apps"]["shop"]["actions"]["call"]["timeout"] = json!(10_000);
        document["brokers"]["bus"]["topics"]["orders"]["timeout"] = json!(11_000);
        document["functions"]["resize"]["timeout"] = json!(900_000);
    });
    let untimed = catalog("https://a.example", "/", unchanged);
    for (catalog, event, event_type, own, expected) in [
        (&timed, "call", EventType::Action, None, 10_000),
        (&timed, "call", EventType::Action, Some(5), 5),
        (&timed, "call", EventType::Action, Some(900_000), 60_000),
        (&timed, "bus:orders", EventType::Publish, None, 11_000),
        (&timed, "resize", EventType::Function, None, 60_000),
        (&untimed, "resize", EventType::Function, None, 30_000),
        (&untimed, "call", EventType::Action, Some(31_000), 31_000),
    ] {
        let spec = JobSpec { timeout: own, ..spec(event, event_type, json!({})) };
        let target = ResolvedEvent::of_job(catalog, &spec).unwrap();
        assert_eq!(limits.timeout_ms(&spec, Some(&target)), expected, "{event} {own:?}");
    }
    assert_eq!(limits.timeout_ms(&spec("gone", EventType::Action, json!({})), None), 30_000);
}

#[test]
fn what_aws_is_asked_for_is_what_the_topic_and_the_function_say() {
    let catalog = catalog("https://a.example", "/", |document| {
        let topic = |env: Value| json!({"detail_type": "Order", "envs": {"prd": env}});
        let broker = |place: Value, env: Value| json!({"envs": {"prd": place}, "topics": {"orders": topic(env)}});
        document["brokers"] = json!({
            "sqs": broker(json!({"provider": "sqs"}), json!({"url": "https://sqs.example.com/1/orders"})),
            "fifo": broker(json!({"provider": "sqs"}), json!({"url": "https://sqs.example.com/1/orders.fifo"})),
            "sns": broker(json!({"provider": "sns"}), json!({"arn": "arn:aws:sns:eu-west-1:1:orders"})),
            "bus": broker(json!({"provider": "eventbridge", "bus": "main", "source": "shop"}), json!({})),
        });
        document["functions"]["resize"]["envs"]["prd"] = json!({"arn": "arn:aws:lambda:eu-west-1:1:function:f"});
    });
    let asked = |event: &str, event_type, input: Value| {
        let spec = spec(event, event_type, input);
        match asked_for(&ResolvedEvent::of_job(&catalog, &spec).unwrap(), &spec) {
            Ok(Request::Aws(request)) => Ok(request),
            Ok(other) => panic!("{other:?} is not for AWS"),
            Err(error) => Err(error.message),
        }
    };
    let published = |event: &str, input: Value| asked(event, EventType::Publish, input);
    let url = |name: &str| Url::parse(&format!("https://sqs.example.com/1/{name}")).unwrap();
    let attributes = vec![("kind".to_owned(), "new".to_owned())];
    let message = |name: &str, body: &str, group: Option<&str>| {
        let (body, group) = (body.to_owned(), group.map(str::to_owned));
        Ok(AwsRequest::SendMessage { queue_url: url(name), body, attributes: Vec::new(), group })
    };
    assert_eq!(published("sqs:orders", json!({"message": {"n": 1}})), message("orders", r#"{"n":1}"#, None));
    assert_eq!(published("fifo:orders", json!({"message": "x", "group": "g"})), message("orders.fifo", "x", Some("g")));
    assert_eq!(
        published("sns:orders", json!({"message": "x", "attributes": {"kind": "new"}, "subject": "s"})),
        Ok(AwsRequest::PublishToTopic {
            topic_arn: "arn:aws:sns:eu-west-1:1:orders".to_owned(),
            message: "x".to_owned(),
            attributes,
            subject: Some("s".to_owned()),
            group: None,
        })
    );
    assert_eq!(
        published("bus:orders", json!({"message": {"n": 1}})),
        Ok(AwsRequest::PutEvent {
            bus: Some("main".to_owned()),
            source: "shop".to_owned(),
            detail_type: "Order".to_owned(),
            detail: json!({"n": 1}),
        })
    );
    for (event, input, pointer) in [
        ("fifo:orders", json!({"message": "x"}), "/group"),
        ("sqs:orders", json!({"message": "x", "group": "g"}), "/group"),
        ("sqs:orders", json!({"message": "x", "subject": "s"}), "/subject"),
        ("sqs:orders", json!({"message": ""}), "/message"),
        ("sqs:orders", json!({"message": "x", "attributes": {"a b": "c"}}), "/attributes/a b"),
        ("sqs:orders", json!({"message": "x".repeat(262_145)}), "/message"),
        ("bus:orders", json!({"message": "x"}), "/message"),
        ("bus:orders", json!({"message": {}, "attributes": {}}), "/attributes"),
    ] {
        let error = published(event, input).unwrap_err();
        assert!(error.starts_with(pointer), "{event}: {error}");
    }
    for (input, payload) in [(json!({}), json!({})), (json!({"payload": [1]}), json!([1]))] {
        let function_arn = "arn:aws:lambda:eu-west-1:1:function:f".to_owned();
        assert_eq!(asked("resize", EventType::Function, input), Ok(AwsRequest::Invoke { function_arn, payload }));
    }
}
