//! Everything that goes wrong.

use carillon_core::access::Scope;
use carillon_core::error::{FieldCode, FieldError};
use carillon_core::job::Status;
use carillon_core::json::ParseError;
use carillon_core::machine::Refusal;
use carillon_core::operations::OperationError;
use carillon_core::ports::PortError;
use carillon_core::testkit::{Port, Trouble};
use carillon_core::time::UnixMillis;
use http::Request;
use serde_json::{Value, json};

use super::client::{Api, job};
use crate::MAX_BODY_BYTES;
use crate::problem::Problem;

fn field(code: FieldCode) -> FieldError {
    FieldError { pointer: "/x".into(), code, detail: "d".into() }
}

#[tokio::test]
async fn every_error_of_an_operation_has_its_status_and_code() {
    use FieldCode::{Ambiguous, DuplicateKey, Malformed, NotAvailable};
    let refused = |status| OperationError::Refused(Refusal::Status { status, verb: "retried" });
    let at = UnixMillis(0);
    let table = [
        (OperationError::Unreadable(ParseError::Syntax("s".into())), 400, "invalid_json", 0),
        (OperationError::Unreadable(ParseError::Fields(vec![field(DuplicateKey)])), 400, "invalid_json", 1),
        (OperationError::Invalid(vec![field(Malformed), field(NotAvailable)]), 422, "invalid_request", 2),
        (OperationError::Invalid(vec![field(NotAvailable), field(NotAvailable)]), 422, "not_available", 2),
        (OperationError::Invalid(Vec::new()), 422, "invalid_request", 0),
        (OperationError::Ambiguous(field(Ambiguous)), 409, "ambiguous_event", 1),
        (OperationError::MissingScope(Scope::JobsRead), 403, "missing_scope", 0),
        (OperationError::NotOpened, 403, "not_permitted", 0),
        (OperationError::NotFound("job"), 404, "not_found", 0),
        (refused(Status::Scheduled), 409, "job_scheduled", 0),
        (refused(Status::Queued), 409, "job_queued", 0),
        (refused(Status::Running), 409, "job_running", 0),
        (refused(Status::Completed), 409, "job_completed", 0),
        (refused(Status::Failed), 409, "job_failed", 0),
        (refused(Status::Cancelled), 409, "job_cancelled", 0),
        (refused(Status::Paused), 409, "job_paused", 0),
        (OperationError::Refused(Refusal::Void), 409, "fire_superseded", 0),
        (OperationError::Refused(Refusal::Paused), 409, "job_paused", 0),
        (OperationError::Refused(Refusal::AlreadySettled), 409, "fire_settled", 0),
        (OperationError::Refused(Refusal::Early { due_at: at }), 409, "fire_not_due", 0),
        (OperationError::Refused(Refusal::Leased { until: at }), 409, "fire_leased", 0),
        (OperationError::Refused(Refusal::NotOwner), 409, "lease_lost", 0),
        (OperationError::PreconditionFailed, 412, "precondition_failed", 0),
        (OperationError::Contended, 503, "contended", 0),
        (OperationError::Port(PortError::Unavailable("secret".into())), 503, "unavailable", 0),
        (OperationError::Port(PortError::Throttled("secret".into())), 503, "throttled", 0),
        (OperationError::Port(PortError::Permanent("secret".into())), 500, "internal_error", 0),
    ];
    for (error, status, code, errors) in table {
        let named = format!("{error:?}");
        let response = Problem::from(error).answer("req_1");
        assert_eq!(response.status(), status, "{named}");
        assert_eq!(response.headers().contains_key("retry-after"), status == 503, "{named}");
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&document["status"], &document["code"]), (&json!(status), &json!(code)), "{named}");
        assert_eq!((&document["type"], &document["request_id"]), (&json!("about:blank"), &json!("req_1")));
        assert_eq!(document["errors"].as_array().map_or(0, Vec::len), errors, "{named}");
        assert!(!document.to_string().contains("secret"), "{document}");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_named_and_nothing_is_stored() {
    let api = Api::new();
    let post = |body: Vec<u8>| api.send("POST", "/v1/jobs", &[], body);
    for body in ["", "{", "nul", "{}x", "\"\\ud800\"", "[1,]"] {
        let reply = post(body.into()).await.is(400, "invalid_json");
        assert!(reply.pointers().is_empty());
    }
    post(b"{\"a\":\"\xff\"}".to_vec()).await.is(400, "invalid_json");
    for (body, pointer) in [(r#"{"a":{"x":1,"x":2}}"#, "/a/x"), (r#"{"a":[1e400]}"#, "/a/0"), (r#"{"a":1e300}"#, "/a")]
    {
        let reply = post(body.into()).await.is(400, "invalid_json");
        // Beyond the doubles it is a syntax error to the parser.
        assert!(reply.pointers() == [pointer] || body.contains("e400"), "{}", reply.json);
    }
    let deep = format!("{}1{}", r#"{"a":"#.repeat(70), "}".repeat(70));
    assert_eq!(post(deep.into()).await.is(400, "invalid_json").pointers().len(), 1);
    assert!(api.world.tables().jobs.is_empty());
}

#[tokio::test]
async fn every_bad_field_is_named_at_once() {
    let api = Api::new();
    let body = json!({"product_tag": "shop", "env": "stg", "event": "snd", "input": 7, "start_at": -1, "retires": 1,
        "repeat": {"limit": 0}});
    let reply = api.post("/v1/jobs", &body).await.is(422, "invalid_request");
    let mut pointers = reply.pointers();
    pointers.sort_unstable();
    let expected = ["/env", "/event", "/input", "/repeat", "/repeat/limit", "/retires", "/start_at"];
    assert_eq!(pointers, expected);
}

#[tokio::test]
async fn an_ambiguous_event_is_a_conflict_that_names_the_candidates() {
    let api = Api::new();
    let mut body = job();
    body["event"] = json!("ping");
    body["input"] = json!({});
    let reply = api.post("/v1/jobs", &body).await.is(409, "ambiguous_event");
    let detail = reply.json["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("app chat") && detail.contains("app mail"), "{detail}");
    body["app"] = json!("chat");
    api.post("/v1/jobs", &body).await.ok(202);
}

#[tokio::test]
async fn a_body_may_have_256_kilobytes_and_not_one_byte_more() {
    let api = Api::new();
    let mut body = job().to_string();
    body.push_str(&" ".repeat(MAX_BODY_BYTES - body.len()));
    api.send("POST", "/v1/jobs", &[], body.clone()).await.ok(202);
    body.push(' ');
    for (method, path) in [("POST", "/v1/jobs"), ("PUT", "/v1/products/shop")] {
        api.send(method, path, &[], body.clone()).await.is(413, "body_too_large");
    }
    let id = api.schedule().await;
    api.send("POST", &format!("/v1/jobs/{id}/cancel"), &[], body).await.is(413, "body_too_large");
    assert_eq!(api.world.tables().jobs.len(), 2);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_taken_for_a_whole_one() {
    let api = Api::new();
    let broken = futures_util::stream::iter([Ok("{}"), Err(std::io::Error::other("reset"))]);
    let reply = api.send("POST", "/v1/jobs", &[], axum::body::Body::from_stream(broken)).await;
    reply.is(400, "incomplete_body");
}

#[tokio::test]
async fn every_bad_query_parameter_is_named_at_once() {
    let api = Api::new();
    let reply = api.get("/v1/jobs?product_tag=.&status=done&limit=101&cursor=%00&lmit=3&limit=1").await;
    let mut pointers = reply.pointers();
    pointers.sort_unstable();
    let expected =
        ["query:cursor", "query:env", "query:limit", "query:limit", "query:lmit", "query:product_tag", "query:status"];
    assert_eq!(pointers, expected);
    reply.is(422, "invalid_request");
    let hint = api.get("/v1/jobs?product_tag=shop&env=prd&lmit=3").await.json["errors"][0]["detail"].to_string();
    assert!(hint.contains("limit"), "{hint}");
    for limit in ["0", "-1", "+5", "1.0", "", "ten", "99999999999999999999"] {
        let reply = api.get(&format!("/v1/jobs?product_tag=shop&env=prd&limit={limit}")).await;
        assert_eq!(reply.is(422, "invalid_request").pointers(), ["query:limit"], "{limit}");
    }
    for path in ["/v1/health?x=1", "/v1/products/shop?x=1", "/v1/openapi.json?x"] {
        assert_eq!(api.get(path).await.is(422, "invalid_request").pointers(), ["query:x"], "{path}");
    }
    let id = api.schedule().await;
    // The cursor of another list is rejected.
    let page = api.get("/v1/jobs?product_tag=shop&env=prd&limit=1").await.ok(200).json;
    let cursor = page["next_cursor"].as_str().unwrap();
    let reply = api.get(&format!("/v1/jobs/{id}/runs?cursor={cursor}")).await;
    assert_eq!(reply.is(422, "invalid_request").pointers(), ["query:cursor"]);
}

#[tokio::test]
async fn unknown_paths_and_jobs_are_not_found() {
    let api = Api::new();
    for path in ["/", "/v1", "/v1/job", "/v1/jobs/", "/v2/jobs", "/v1/jobs/x/y", "/v1/health/", "//v1/health"] {
        api.get(path).await.is(404, "not_found");
        api.with_key(None).send("POST", path, &[], "{}").await.is(404, "not_found");
    }
    for id in [
        "x",
        "job_",
        "job_not-a-ulid",
        "job_01hf7yat00000000000000000z",
        "%00",
        "%ff",
        "job_01HF7YAT00000000000000000Z",
    ] {
        api.get(&format!("/v1/jobs/{id}")).await.is(404, "not_found");
        api.get(&format!("/v1/jobs/{id}/runs")).await.is(404, "not_found");
        api.send("POST", &format!("/v1/jobs/{id}/cancel"), &[], "").await.is(404, "not_found");
    }
}

#[tokio::test]
async fn other_methods_of_a_known_path_are_named() {
    let api = Api::new();
    for (method, path, allowed) in [
        ("DELETE", "/v1/jobs", "GET,HEAD,POST"),
        ("PATCH", "/v1/products/shop", "DELETE,GET,HEAD,PUT"),
        ("GET", "/v1/jobs/x/cancel", "POST"),
        ("OPTIONS", "/v1/health", "GET,HEAD"),
        ("BREW", "/v1/openapi.json", "GET,HEAD"),
    ] {
        let reply = api.send(method, path, &[], "").await.is(405, "method_not_allowed");
        let mut allow: Vec<_> = reply.header("allow").unwrap().split(',').map(str::trim).collect();
        allow.sort_unstable();
        assert_eq!(allow.join(","), allowed, "{method} {path}");
    }
}

#[tokio::test]
async fn head_answers_as_get_does_but_for_the_body() {
    let api = Api::new();
    let id = api.schedule().await;
    let (job, none) = (format!("/v1/jobs/{id}"), "/v1/jobs/none".to_owned());
    for path in
        [&job, &none, "/v1/jobs?product_tag=shop&env=prd", "/v1/products/shop", "/v1/health", "/v1/openapi.json"]
    {
        let (get, head) = (api.get(path).await, api.send("HEAD", path, &[], "").await);
        assert_eq!(get.status, head.status, "{path}");
        let length = |reply: &super::client::Reply| reply.header("content-length").map(str::to_owned);
        assert_eq!(length(&head), Some(get.bytes.len().to_string()), "{path}");
    }
    api.send("HEAD", "/nowhere", &[], "").await.ok(404);
    api.send("HEAD", "/v1/jobs/x/cancel", &[], "").await.ok(405);
}

#[tokio::test]
async fn a_dependency_in_trouble_is_told_from_a_bug() {
    let list = "/v1/jobs?product_tag=shop&env=prd";
    for (port, path) in [(Port::Jobs, list), (Port::Jobs, "/v1/health"), (Port::Catalogs, "/v1/products/shop")] {
        for (trouble, status, code) in [
            (Trouble::Unavailable, 503, "unavailable"),
            (Trouble::Throttled, 503, "throttled"),
            (Trouble::Permanent, 500, "internal_error"),
        ] {
            let api = Api::new();
            api.world.trouble(port, trouble);
            let reply = api.get(path).await.is(status, code);
            assert_eq!(reply.header("retry-after"), (status == 503).then_some("1"));
        }
    }
}

#[tokio::test]
async fn a_job_whose_timer_cannot_be_armed_is_not_stored() {
    let api = Api::new();
    api.world.trouble(Port::Timers, Trouble::Unavailable);
    api.post("/v1/jobs", &job()).await.is(503, "unavailable");
    assert!(api.world.tables().jobs.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_not_healthy() {
    let api = Api::new();
    api.world.trouble(Port::Jobs, Trouble::Hang);
    api.get("/v1/health").await.is(503, "unavailable");
}

#[tokio::test]
async fn a_handler_that_panics_still_answers() {
    let api = Api::new();
    api.world.trouble(Port::Catalogs, Trouble::Panic);
    api.post("/v1/jobs", &job()).await.is(500, "internal_error");
    api.get("/v1/health").await.ok(200);
    let head = Request::head("/v1/products/shop").header("authorization", "Bearer car_owner");
    api.send_request(head.body(axum::body::Body::empty()).unwrap()).await.ok(500);
}
