//! The count of accepted jobs, as the metric and the log have it.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use serde_json::json;

use super::client::{Api, job};
use super::log::scheduled;

/// The count of the metric, which the log agrees with.
fn counted(api: &Api) -> u64 {
    let counted = api.counted.load(Ordering::Relaxed) as u64;
    assert_eq!(scheduled(), counted, "the log says the same");
    counted
}

#[tokio::test]
async fn each_new_job_counts_once() {
    let api = Api::new();
    for expected in 1..=3 {
        api.post("/v1/jobs", &job()).await.ok(202);
        assert_eq!(counted(&api), expected);
    }
}

#[tokio::test]
async fn a_replayed_request_does_not_count() {
    let api = Api::new();
    let key = [("idempotency-key", "order 7")];
    let replies = join_all((0..5).map(|_| api.send("POST", "/v1/jobs", &key, job().to_string()))).await;
    assert!(replies.into_iter().all(|reply| reply.status == 202));
    assert_eq!(counted(&api), 1);
    api.send("POST", "/v1/jobs", &key, job().to_string()).await.ok(202);
    assert_eq!(counted(&api), 1);
    api.send("POST", "/v1/jobs", &[("idempotency-key", "order 8")], job().to_string()).await.ok(202);
    assert_eq!(counted(&api), 2);
}

#[tokio::test]
async fn a_preview_a_refusal_and_a_change_do_not_count() {
    let api = Api::new();
    api.post("/v1/jobs/preview", &job()).await.ok(200);
    let mut bad = job();
    bad["start_at"] = json!(-1);
    api.post("/v1/jobs", &bad).await.ok(422);
    assert_eq!(counted(&api), 0);
    let id = api.schedule().await;
    api.post(&format!("/v1/jobs/{id}/cancel"), &json!({})).await.ok(200);
    api.get(&format!("/v1/jobs/{id}")).await.ok(200);
    assert_eq!(counted(&api), 1);
}
