//! Requests that their callers named.

use carillon_core::job::Output;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::client::{Api, Reply, job};

async fn named(api: &Api, key: &str, body: &Value) -> Reply {
    api.send("POST", "/v1/jobs", &[("idempotency-key", key)], body.to_string()).await
}

#[tokio::test]
async fn the_first_answer_is_given_again_whatever_became_of_the_job() {
    let api = Api::new();
    let mut body = job();
    body["repeat"] = json!({"every": 60_000, "limit": 2});
    let first = named(&api, "order 7", &body).await.ok(202);
    assert_eq!(first.header("idempotency-replayed"), None);
    api.attempt(first.job_id(), Ok(Output::default())).await;
    api.world.advance(3_600_000);
    // White space in a body does not make it another request.
    let pretty = serde_json::to_string_pretty(&body).unwrap();
    let second = api.send("POST", "/v1/jobs", &[("idempotency-key", "order 7")], pretty).await.ok(202);
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!((&second.json, second.header("location")), (&first.json, first.header("location")));
    assert_eq!(api.world.tables().jobs.len(), 1);
}

#[tokio::test]
async fn another_body_under_the_same_key_is_refused() {
    let api = Api::new();
    named(&api, "k", &job()).await.ok(202);
    let mut other = job();
    other["retries"] = json!(1);
    let refused = named(&api, "k", &other).await.ok(422);
    assert_eq!(
        (refused.pointers(), &refused.json["errors"][0]["code"]),
        (vec!["header:Idempotency-Key"], &json!("conflict"))
    );
    other["env"] = json!("dev");
    named(&api, "k", &other).await.ok(202);
    assert_eq!(api.world.tables().jobs.len(), 2);
}

#[tokio::test]
async fn a_race_of_fifty_gives_one_job() {
    let api = Api::new();
    let body = job();
    let replies = join_all((0..50).map(|_| named(&api, "k", &body))).await;
    let first = replies.iter().filter(|reply| reply.header("idempotency-replayed").is_none()).count();
    assert_eq!((first, api.world.tables().jobs.len()), (1, 1));
    assert!(replies.into_iter().all(|reply| reply.ok(202).job_id() == *api.world.tables().jobs.keys().next().unwrap()));
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_and_schedules_nothing() {
    let api = Api::new();
    let long = "k".repeat(256);
    for key in ["", long.as_str(), "caf\u{e9}"] {
        assert_eq!(
            named(&api, key, &job()).await.is(422, "invalid_request").pointers(),
            ["header:Idempotency-Key"],
            "{key:?}"
        );
    }
    let two = [("idempotency-key", "a"), ("idempotency-key", "b")];
    api.send("POST", "/v1/jobs", &two, job().to_string()).await.is(422, "invalid_request");
    assert!(api.world.tables().jobs.is_empty());
    named(&api, &"k".repeat(255), &job()).await.ok(202);
}

#[tokio::test]
async fn whoever_waits_for_a_replayed_job_gets_its_result() {
    let api = Api::new();
    let first = named(&api, "k", &job()).await.ok(202);
    api.attempt(first.job_id(), Ok(Output { value: json!("done"), truncated: false })).await;
    let headers = [("idempotency-key", "k"), ("prefer", "wait=5")];
    let waited = api.send("POST", "/v1/jobs", &headers, job().to_string()).await.ok(200);
    assert_eq!((&waited.json["result"], waited.header("idempotency-replayed")), (&json!("done"), Some("true")));
}

#[tokio::test]
async fn whoever_waits_for_a_replayed_job_that_goes_on_gets_the_result_of_its_first_run() {
    let api = Api::new();
    let mut body = job();
    body["repeat"] = json!({"every": 1_000, "limit": 2});
    let id = named(&api, "k", &body).await.ok(202).job_id();
    for run in ["first", "second"] {
        api.attempt(id, Ok(Output { value: json!(run), truncated: false })).await;
        let headers = [("idempotency-key", "k"), ("prefer", "wait=5")];
        let waited = api.send("POST", "/v1/jobs", &headers, body.to_string()).await.ok(200);
        assert_eq!(waited.json["result"], json!("first"));
        api.world.advance(1_000);
    }
}
