//! The log lines of requests, and texts that never appear in them.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use carillon_core::testkit::{INNERMOST, Port, Trouble};
use serde_json::{Value, json};

use super::client::{Api, FOREIGN_KEY, KEY, job};

thread_local! {
    /// The log of this thread. Each test runs on a thread of its own.
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct ThisThread;

impl Write for ThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has every thread keep what it logs. One subscriber serves all tests: a subscriber for each of them would race the others
/// for the process-wide cache of who is interested in what.
pub(super) fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let json = tracing_subscriber::fmt().json().with_max_level(tracing::Level::TRACE);
        json.with_writer(|| ThisThread).init();
    });
}

fn text() -> String {
    LINES.with_borrow(|lines| String::from_utf8(lines.clone()).unwrap())
}

/// The jobs that this thread's lines count as scheduled.
pub(super) fn scheduled() -> u64 {
    lines("INFO").iter().filter_map(|line| line["scheduled"].as_u64()).sum()
}

/// The fields of this thread's lines of this level.
fn lines(level: &str) -> Vec<Value> {
    let text = text();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["level"] == level).map(|line| line["fields"].clone()).collect()
}

#[tokio::test]
async fn a_request_has_one_line_with_what_is_known_of_it() {
    let api = Api::new();
    let reply = api.post("/v1/jobs", &job()).await.ok(202);
    let id = reply.job_id();
    let seen = lines("INFO");
    assert_eq!(
        seen,
        [json!({"message": "request", "request_id": reply.header("x-request-id").unwrap(), "method": "POST",
            "route": "/v1/jobs", "status": 202, "duration_ms": 0, "key_id": "key-of-shop", "product": "shop",
            "env": "prd", "job_id": id.to_string(), "scheduled": 1})]
    );
    api.get(&format!("/v1/jobs/{id}?x=1")).await.ok(422);
    let last = lines("INFO").pop().unwrap();
    assert_eq!((&last["route"], last.get("product")), (&json!("/v1/jobs/{job_id}"), None));
    api.get("/some/where?else").await.ok(404);
    assert_eq!(lines("INFO").pop().unwrap()["route"], "unmatched");
    assert!(lines("ERROR").is_empty());
}

#[tokio::test]
async fn a_fault_is_logged_once_with_its_cause_and_a_panic_without_its_text() {
    for trouble in [Trouble::Unavailable, Trouble::Permanent, Trouble::Panic] {
        LINES.with_borrow_mut(Vec::clear);
        let api = Api::new();
        api.world.trouble(Port::Catalogs, trouble);
        let reply = api.post("/v1/jobs", &job()).await;
        assert!(reply.status.is_server_error());
        let seen = lines("ERROR");
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(seen[0].to_string().contains(INNERMOST), trouble != Trouble::Panic, "{seen:?}");
        assert_eq!(seen[0]["request_id"], reply.header("x-request-id").unwrap());
        assert_eq!(lines("INFO").len(), 1);
    }
}

#[tokio::test]
async fn keys_bodies_queries_headers_and_raw_paths_are_never_logged() {
    let api = Api::new();
    let mut body = job();
    body["input"]["body"]["password"] = json!("hush-body");
    let headers = [("x-api-key", "hush-header"), ("prefer", "wait=hush-prefer")];
    api.send("POST", "/v1/jobs", &headers, body.to_string()).await.ok(202);
    body["retires"] = json!("hush-field");
    api.send("POST", "/v1/jobs", &headers, body.to_string()).await.ok(422);
    api.get("/v1/jobs?product_tag=shop&env=prd&cursor=hush-query").await.ok(422);
    api.get("/v1/jobs/hush-path").await.ok(404);
    api.get("/v1/products/hush%20product").await.ok(404);
    api.get("/hush-unknown").await.ok(404);
    api.with_key(None).send("GET", "/v1/jobs", &[("authorization", "Bearer car_hush-key")], "").await.ok(401);
    api.with_key(Some(FOREIGN_KEY)).post("/v1/jobs", &job()).await.ok(403);
    let text = text();
    assert_eq!(text.lines().count(), 8);
    assert!(!text.contains("hush") && !text.contains(KEY) && !text.contains(FOREIGN_KEY), "{text}");
}
