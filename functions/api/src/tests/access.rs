//! Permissions of callers.

use carillon_core::access::Scope;
use carillon_core::job::RunError;
use carillon_core::testkit::{Memory, Port, Trouble};
use http::{Request, header};
use serde_json::json;

use super::client::{Api, FOREIGN_KEY, Reply, job, key, shop};
use crate::documentation::{Documentation, Verb};
use crate::table::operations;

fn documentation() -> Vec<Documentation> {
    operations::<Memory>().into_iter().map(|operation| operation.doc).collect()
}

/// A request of the operation that succeeds for the owner of `shop` when the job has failed.
async fn call(api: &Api, doc: &Documentation, job_id: &str) -> Reply {
    let path = doc.path.replace("{job_id}", job_id).replace("{product_tag}", "shop").replace("{env}", "prd");
    let path = path.replace("{tag}", if doc.id == "mintSession" { "user-session" } else { "orders" });
    let query = if doc.id == "listJobs" { "?product_tag=shop&env=prd" } else { "" };
    let body = match doc.id {
        "scheduleJob" | "previewJob" => job().to_string(),
        "putProduct" => shop().to_string(),
        "mintSession" => json!({"data": {}}).to_string(),
        "editJob" => json!({"retries": 3}).to_string(),
        "redriveDeadLetters" => json!({"product_tag": "shop", "env": "prd"}).to_string(),
        _ => String::new(),
    };
    let method = match doc.verb {
        Verb::Get => "GET",
        Verb::Post => "POST",
        Verb::Put => "PUT",
        Verb::Patch => "PATCH",
        Verb::Delete => "DELETE",
    };
    api.send(method, &format!("{path}{query}"), &[], body).await
}

/// A service with a job that fits the operation.
async fn prepared(doc: &Documentation) -> (Api, String) {
    let api = Api::new();
    let id = api.schedule().await;
    if doc.id == "resumeJob" {
        api.post(&format!("/v1/jobs/{id}/pause"), &json!({})).await;
    }
    if ["retryJob", "redriveDeadLetters"].contains(&doc.id) {
        api.attempt(id, Err(RunError::permanent("NOT_FOUND", "gone"))).await;
    }
    (api, id.to_string())
}

#[tokio::test]
async fn every_operation_succeeds_for_its_owner() {
    for doc in documentation() {
        let (api, id) = prepared(&doc).await;
        let reply = call(&api, &doc, &id).await;
        assert!(reply.status.is_success(), "{}: {} {}", doc.id, reply.status, reply.json);
    }
}

#[tokio::test]
async fn another_tenants_key_opens_nothing() {
    let mut refused = 0;
    for doc in documentation().into_iter().filter(|doc| !doc.is_open) {
        let (api, id) = prepared(&doc).await;
        let before = api.stored();
        let reply = call(&api.with_key(Some(FOREIGN_KEY)), &doc, &id).await;
        assert!(matches!(reply.status.as_u16(), 403 | 404), "{}: {} {}", doc.id, reply.status, reply.json);
        if doc.path.contains("{job_id}") {
            assert_eq!(reply.status, 404, "{}: whether the job exists is nobody else's business", doc.id);
            let none = call(&api, &doc, "job_01HF7YAT00000000000000000Z").await;
            assert_eq!((none.status, &none.json["detail"]), (reply.status, &reply.json["detail"]), "{}", doc.id);
        }
        let after = api.stored();
        assert_eq!(before, after, "{}", doc.id);
        refused += 1;
    }
    assert_eq!(refused, 18);
}

#[tokio::test]
async fn nothing_but_health_and_the_document_is_open() {
    for doc in documentation() {
        let (api, id) = prepared(&doc).await;
        let reply = call(&api.with_key(None), &doc, &id).await;
        if ["getHealth", "getOpenApi"].contains(&doc.id) {
            assert_eq!(reply.status, 200);
        } else {
            let reply = reply.is(401, "missing_key");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"), "{}", doc.id);
        }
    }
}

#[tokio::test]
async fn a_key_without_scopes_opens_nothing() {
    for doc in documentation().into_iter().filter(|doc| !doc.is_open) {
        let (api, id) = prepared(&doc).await;
        api.world.admit("car_bare", key("shop", &["*"], &[]));
        call(&api.with_key(Some("car_bare")), &doc, &id).await.is(403, "missing_scope");
    }
}

#[tokio::test]
async fn a_key_of_one_environment_stays_in_it() {
    let api = Api::new();
    let scopes = Scope::WORDS.map(|(_, scope)| scope);
    api.world.admit("car_dev", key("shop", &["dev"], &scopes));
    let dev = api.with_key(Some("car_dev"));
    let id = api.schedule().await;
    dev.get(&format!("/v1/jobs/{id}")).await.is(404, "not_found");
    dev.get("/v1/jobs?product_tag=shop&env=prd").await.is(403, "not_permitted");
    dev.post("/v1/jobs", &job()).await.is(403, "not_permitted");
    dev.send("PUT", "/v1/products/shop", &[], shop().to_string()).await.is(403, "not_permitted");
    dev.get("/v1/jobs?product_tag=shop&env=dev").await.ok(200);
}

#[tokio::test]
async fn keys_that_are_malformed_or_unknown_are_told_apart_from_missing_ones() {
    let api = Api::new().with_key(None);
    let path = "/v1/jobs?product_tag=shop&env=prd";
    for value in ["", "Bearer", "Bearer ", "Basic car_owner", "car_owner", "Bearer car_owner x", "Bearer nobody"] {
        let reply = api.send("GET", path, &[("authorization", value)], "").await.is(401, "unknown_key");
        assert_eq!(reply.header("www-authenticate"), Some(r#"Bearer error="invalid_token""#), "{value:?}");
    }
    let twice = [("authorization", "Bearer car_owner"), ("authorization", "Bearer car_owner")];
    api.send("GET", path, &twice, "").await.is(401, "unknown_key");
    let bytes = Request::builder().uri(path).header(header::AUTHORIZATION, &b"Bearer \xff"[..]);
    api.send_request(bytes.body(axum::body::Body::empty()).unwrap()).await.is(401, "unknown_key");
    for value in ["bearer car_owner", "BEARER   car_owner"] {
        api.send("GET", path, &[("authorization", value)], "").await.ok(200);
    }
}

#[tokio::test]
async fn a_key_store_in_trouble_is_no_bad_key() {
    for trouble in [Trouble::Unavailable, Trouble::Throttled] {
        let api = Api::new();
        api.world.trouble(Port::Keys, trouble);
        let reply = api.get("/v1/jobs?product_tag=shop&env=prd").await.ok(503);
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
}

#[tokio::test]
async fn whoever_has_no_key_is_told_so_before_anything_else() {
    let api = Api::new().with_key(None);
    let large = "x".repeat(crate::MAX_BODY_BYTES + 1);
    api.send("POST", "/v1/jobs?nonsense=1", &[], large).await.is(401, "missing_key");
}
