//! The schemas of bodies, held to the readers that they document.

use std::collections::BTreeSet;

use carillon_core::bodies::{self, EditRequest, JobRequest};
use carillon_core::catalog::Catalog;
use carillon_core::error::FieldCode;
use serde_json::{Value, json};

use super::client::{Api, DOCUMENT, job, shop, validator};

/// The example of the contract, word for word.
pub(super) fn contract_example() -> Value {
    json!({
        "product_tag": "my-product",
        "env": "prd",
        "event": "send_notification",
        "start_at": 0,
        "input": {
            "slug": "order_update",
            "push_notification": {
                "title": {"en": "Order Shipped"},
                "body": {"en": "Your order #12345 has been shipped!"},
                "data": {"trackingId": "XYZ987"},
                "device_token": "abcdef123456"
            }
        },
        "session": {"tag": "user-session", "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."},
        "cache": "notify-user-123",
        "repeat": {"cron": "0 10 * * *", "tz": "Europe/Amsterdam", "limit": 30}
    })
}

fn component(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn properties(name: &str) -> BTreeSet<String> {
    let schema = &DOCUMENT["components"]["schemas"][name];
    schema["properties"].as_object().unwrap_or_else(|| panic!("{name}: {schema}")).keys().cloned().collect()
}

fn faults(body: &Value) -> Vec<(String, FieldCode)> {
    let (_, faults) = bodies::read::<JobRequest>(body);
    faults.into_vec().into_iter().map(|fault| (fault.pointer, fault.code)).collect()
}

/// The body with `value` at `pointer`, whose parent is made if need be.
fn with(pointer: &str, value: Value) -> Value {
    let mut body = job();
    match pointer[1..].split_once('/') {
        Some((parent, name)) => body[parent] = json!({name: value}),
        None => body[&pointer[1..]] = value,
    }
    body
}

#[test]
fn what_the_contract_calls_required_is_required_but_for_retries() {
    let required = &DOCUMENT["components"]["schemas"]["JobRequest"]["required"];
    // The contract's own example has no retries.
    assert_eq!(*required, json!(["product_tag", "env", "event", "input", "start_at"]));
}

#[test]
fn the_contracts_example_is_valid() {
    let schema = validator(&component("JobRequest"));
    assert!(schema.is_valid(&contract_example()));
    let example = &DOCUMENT["components"]["schemas"]["JobRequest"]["examples"][0];
    assert!(schema.is_valid(example) && faults(example).is_empty());
    for form in [
        json!({"every": 86_400_000}),
        json!({"cron": "0 0 1 * *"}),
        json!({"every": 604_800_000, "limit": 10}),
        json!({"every": 86_400_000, "endDate": "2025-12-31T23:59:59Z"}),
        json!({"cron": "0 9 * * 1", "tz": "Europe/Amsterdam"}),
    ] {
        let body = with("/repeat", form);
        assert!(schema.is_valid(&body) && faults(&body).is_empty(), "{body}");
    }
}

/// Values of every kind, for every field.
fn values() -> Vec<Value> {
    let long = "x".repeat(20_000);
    vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(3.0),
        json!(1.5),
        json!(-1),
        json!(101),
        json!(1_000),
        json!(43_200_001),
        json!(900_001),
        json!(253_402_300_800_000_u64),
        json!(u64::MAX),
        json!(""),
        json!("x"),
        json!("a:b"),
        json!("a:b:c"),
        json!(".x"),
        json!("action"),
        json!("stop"),
        json!("continue"),
        json!("a b"),
        json!("2025-12-31T23:59:59Z"),
        json!("Europe/Amsterdam"),
        json!(long),
        json!([]),
        json!(["x"]),
        json!([1]),
        json!({}),
        json!({"x": 1}),
        json!({"tag": "t", "token": "x"}),
        json!({"tag": "t"}),
        json!({"cron": "* * * * *"}),
        json!({"limit": 1}),
        json!({"every": 1_000}),
        json!({"every": 999}),
        json!({"jitter": false}),
        json!({"jitter": 1}),
    ]
}

#[test]
fn what_the_reader_takes_is_valid_and_what_is_valid_is_taken() {
    // Rules that the schema cannot express: forms of instants, cron expressions, zones, ranges and lengths inside
    // `retry`.
    let looser = ["/start_at", "/repeat/endDate", "/repeat/cron", "/repeat/tz", "/retry"];
    let schema = validator(&component("JobRequest"));
    let fields = properties("JobRequest").into_iter().map(|name| format!("/{name}"));
    let nested = [("retry", "RetryPolicy"), ("session", "NamedSession")];
    let nested =
        nested.iter().flat_map(|(parent, of)| properties(of).into_iter().map(move |it| format!("/{parent}/{it}")));
    let repeat = properties("RepeatRequest").into_iter().map(|name| format!("/repeat/{name}"));
    let mut compared = 0;
    for pointer in fields.chain(nested).chain(repeat) {
        for value in values() {
            let body = with(&pointer, value);
            let (taken, valid) = (faults(&body).is_empty(), schema.is_valid(&body));
            assert!(valid || !taken, "{pointer} is taken, and not valid: {body}");
            let may_differ = looser.iter().any(|looser| pointer.starts_with(looser));
            assert!(taken || !valid || may_differ, "{pointer} is valid, and not taken: {body}");
            compared += 1;
        }
    }
    assert!(compared > 900, "{compared}");
}

#[test]
fn edits_are_read_as_documented() {
    let looser = ["/start_at", "/repeat", "/retry"];
    let schema = validator(&component("EditRequest"));
    for name in properties("EditRequest").iter().map(String::as_str).chain(["env", "x"]) {
        for value in values() {
            let body = json!({name: value});
            let (_, faults) = bodies::read::<EditRequest>(&body);
            let (taken, valid) = (faults.is_empty(), schema.is_valid(&body));
            assert!(valid || !taken, "taken, and not valid: {body}");
            assert!(taken || !valid || looser.contains(&format!("/{name}").as_str()), "valid, and not taken: {body}");
        }
    }
    assert!(!schema.is_valid(&json!({})));
}

#[tokio::test]
async fn the_bodies_of_cancel_and_retry_are_read_as_documented() {
    let api = Api::new();
    for (operation, component_name) in [("cancel", "CancelRequest"), ("retry", "RetryRequest")] {
        let schema = validator(&component(component_name));
        let names = properties(component_name);
        for name in names.iter().map(String::as_str).chain(["delay", "reason", "x"]) {
            for value in values() {
                let id = api.schedule().await;
                let body = json!({name: value});
                let reply = api.post(&format!("/v1/jobs/{id}/{operation}"), &body).await;
                let taken = reply.status != 422;
                assert_eq!(taken, schema.is_valid(&body), "{operation} {body}: {}", reply.json);
            }
        }
    }
}

#[test]
fn the_catalogs_schema_lets_optional_parts_be_absent() {
    let schema = validator(&component("Catalog"));
    for document in [json!({"envs": ["dev"]}), shop()] {
        assert!(Catalog::from_document(&document).is_ok());
        let faults: Vec<_> = schema.iter_errors(&document).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}");
    }
    for document in [
        json!({"envs": ["dev"], "x": 1}),
        json!({"envs": ["dev"], "caches": {"c": {}}}),
        json!({"envs": ["dev"], "caches": null}),
    ] {
        assert!(Catalog::from_document(&document).is_err() && !schema.is_valid(&document), "{document}");
    }
}
