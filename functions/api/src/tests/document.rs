//! The OpenAPI document.

use std::collections::BTreeSet;

use carillon_core::testkit::Memory;
use serde_json::Value;

use super::client::{Api, DOCUMENT};
use crate::table::operations;

/// Visits every value of a document.
fn visit<'a>(value: &'a Value, see: &mut impl FnMut(&'a Value)) {
    see(value);
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| visit(element, see)),
        Value::Object(members) => members.values().for_each(|member| visit(member, see)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_served_to_anybody() {
    let api = Api::new().with_key(None);
    let reply = api.get("/v1/openapi.json").await.ok(200);
    assert_eq!(reply.json, *DOCUMENT);
    assert_eq!(api.get("/v1/openapi.json").await.bytes, reply.bytes);
}

#[test]
fn every_operation_of_the_issue_is_there_and_no_other() {
    let documented: BTreeSet<String> = DOCUMENT["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| format!("{method} {path}")))
        .collect();
    let wanted = [
        "get /v1/health",
        "get /v1/jobs",
        "get /v1/jobs/{job_id}",
        "get /v1/jobs/{job_id}/runs",
        "get /v1/openapi.json",
        "get /v1/products/{product_tag}",
        "patch /v1/jobs/{job_id}",
        "post /v1/jobs",
        "post /v1/jobs/preview",
        "post /v1/jobs/{job_id}/cancel",
        "post /v1/jobs/{job_id}/pause",
        "post /v1/jobs/{job_id}/resume",
        "post /v1/jobs/{job_id}/retry",
        "post /v1/jobs/{job_id}/run",
        "post /v1/dead-letters/redrive",
        "put /v1/products/{product_tag}",
        "delete /v1/products/{product_tag}",
        "post /v1/products/{product_tag}/envs/{env}/sessions/{tag}",
        "get /v1/products/{product_tag}/envs/{env}/caches/{tag}",
        "delete /v1/products/{product_tag}/envs/{env}/caches/{tag}",
    ];
    assert_eq!(documented, wanted.iter().map(ToString::to_string).collect());
}

#[test]
fn the_document_has_the_shape_of_openapi_3_1() {
    assert_eq!(DOCUMENT["openapi"], "3.1.0");
    for required in ["/info/title", "/info/version", "/paths", "/components/schemas", "/components/securitySchemes/key"]
    {
        assert!(DOCUMENT.pointer(required).is_some(), "{required}");
    }
    let mut ids = BTreeSet::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id), "{id} twice");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{id}");
            let parameters = operation["parameters"].as_array().unwrap();
            let mut named = BTreeSet::new();
            for parameter in parameters {
                let place = parameter["in"].as_str().unwrap();
                assert!(["path", "query", "header"].contains(&place), "{id}");
                assert!(parameter["required"] == true || place != "path", "{id}");
                assert!(parameter["schema"].is_object(), "{id}");
                assert!(named.insert((place, parameter["name"].as_str().unwrap())), "{id}: {parameter}");
            }
            let templated = path.split('/').filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'));
            let in_path: BTreeSet<_> =
                named.iter().filter(|(place, _)| *place == "path").map(|(_, name)| *name).collect();
            assert_eq!(in_path, templated.collect(), "{id}");
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.keys().any(|status| status.starts_with('2')), "{id}");
            for (status, answer) in answers {
                assert!(!answer["description"].as_str().unwrap().is_empty(), "{id} {status}");
                let is_problem = answer["content"].get("application/problem+json").is_some();
                assert_eq!(is_problem, status.as_str() >= "400", "{id} {status}");
            }
            let (has_body, method) = (operation.get("requestBody").is_some(), method.as_str());
            assert!(has_body || matches!(method, "get" | "delete" | "post"), "{id}");
            assert!(!has_body || matches!(method, "post" | "put" | "patch"), "{id}");
        }
    }
    assert_eq!(ids.len(), operations::<Memory>().len());
}

#[test]
fn every_reference_resolves_and_every_schema_is_one() {
    let mut references = 0;
    visit(&DOCUMENT, &mut |value| {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(DOCUMENT.pointer(pointer).is_some(), "{reference}");
            references += 1;
        }
    });
    assert!(references > 100, "{references}");
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::meta::is_valid(schema), "{name}");
    }
}

#[test]
fn no_optional_property_is_said_to_be_null() {
    visit(&DOCUMENT["components"], &mut |value| {
        let nullable = value.get("type").and_then(Value::as_array).is_some_and(|it| it.contains(&"null".into()));
        assert!(!nullable && value.get("type") != Some(&"null".into()), "{value}");
    });
}

#[test]
fn everything_that_a_caller_meets_is_described() {
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        let described = schema.get("description").is_some();
        assert!(described, "{name} has no description");
        assert!(!schema.to_string().contains("```"), "{name} shows code");
        assert!(
            !name.ends_with(|last: char| last.is_ascii_digit()) || name == "OAuth2",
            "two schemas want one name: {name}"
        );
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            assert!(property.get("description").is_some() || property.get("$ref").is_some(), "{name}.{field}");
        }
    }
}
