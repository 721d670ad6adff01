//! Remembered results as callers meet them.

use carillon_core::job::Output;
use serde_json::{Value, json};

use super::client::{Api, FOREIGN_KEY, job};

const PATH: &str = "/v1/products/shop/envs/prd/caches/orders";

fn cached(cache: &str) -> Value {
    let mut job = job();
    job["cache"] = json!(cache);
    job
}

async fn run(api: &Api, cache: &str, result: &str) -> Value {
    let id = api.post("/v1/jobs", &cached(cache)).await.ok(202).job_id();
    api.attempt(id, Ok(Output { value: json!(result), truncated: false })).await;
    api.get(&format!("/v1/jobs/{id}")).await.ok(200).json
}

#[tokio::test]
async fn a_remembered_result_is_told_apart_from_one_that_was_made() {
    let api = Api::new();
    let made = run(&api, "orders", "made").await;
    assert_eq!(
        (&made["result"], &made["cache"], &made["run"]["attempts"]),
        (&json!("made"), &json!("orders"), &json!(1))
    );
    assert!(made["run"].get("cached").is_none());
    api.world.advance(1_500);
    let fetched = run(&api, "orders", "never made").await;
    assert_eq!((&fetched["status"], &fetched["result"]), (&json!("completed"), &json!("made")));
    let id = fetched["job_id"].as_str().unwrap();
    let runs = api.get(&format!("/v1/jobs/{id}/runs")).await.ok(200).json;
    for run in [&fetched["run"], &runs["runs"][0]] {
        assert_eq!((&run["cached"], &run["cache_age_ms"], &run["attempts"]), (&json!(true), &json!(1_500), &json!(0)));
    }
}

#[tokio::test]
async fn a_cache_shows_its_entries_and_their_ages_and_is_emptied() {
    let api = Api::new();
    run(&api, "orders", "made").await;
    api.world.advance(2_000);
    let shown = api.get(PATH).await.ok(200).json;
    assert_eq!((&shown["tag"], &shown["expiry"], &shown["defined"]), (&json!("orders"), &json!(60_000), &json!(true)));
    let [entry] = shown["entries"].as_array().unwrap().as_slice() else { panic!("{shown}") };
    assert_eq!((&entry["event"], &entry["age_ms"]), (&json!("send"), &json!(2_000)));
    assert_eq!(entry["expires_at"].as_i64().unwrap() - entry["stored_at"].as_i64().unwrap(), 60_000);
    assert_eq!(entry["key"].as_str().unwrap().len(), 64);
    let past = format!("{PATH}?cursor={}", entry["key"].as_str().unwrap());
    assert_eq!(api.get(&past).await.ok(200).json["entries"], json!([]));

    api.with_key(Some(FOREIGN_KEY)).send("DELETE", PATH, &[], "").await.is(404, "not_found");
    api.send("DELETE", PATH, &[], "").await.ok(204);
    assert_eq!(api.get(PATH).await.ok(200).json["entries"], json!([]));
    assert_eq!(run(&api, "orders", "made again").await["result"], "made again");
}

#[tokio::test]
async fn a_cache_that_the_catalog_does_not_know_is_warned_of() {
    let api = Api::new();
    let accepted = api.post("/v1/jobs", &cached("daily")).await.ok(202).json;
    let warnings = accepted["warnings"].as_array().unwrap();
    assert!(warnings.len() == 1 && warnings[0].as_str().unwrap().contains("24 hours"), "{accepted}");
    assert!(api.post("/v1/jobs", &cached("orders")).await.ok(202).json.get("warnings").is_none());
    let preview = api.post("/v1/jobs/preview", &cached("daily")).await.ok(200).json;
    assert_eq!(preview["warnings"], accepted["warnings"]);
    let shown = api.get("/v1/products/shop/envs/prd/caches/daily").await.ok(200).json;
    assert_eq!((&shown["expiry"], &shown["defined"]), (&json!(86_400_000), &json!(false)));
}

#[tokio::test]
async fn what_cannot_be_a_cursor_or_a_cache_is_refused() {
    let api = Api::new();
    assert_eq!(api.get(&format!("{PATH}?cursor=x&limit=0")).await.ok(422).pointers(), ["query:limit", "query:cursor"]);
    api.get("/v1/products/shop/envs/prd/caches/a%20b").await.is(404, "not_found");
    api.get("/v1/products/nobody/envs/prd/caches/orders").await.is(404, "not_found");
}
