//! Scheduling and everything after it.

use carillon_core::job::{Output, RunError};
use serde_json::{Value, json};

use super::client::NOW;
use super::client::{Api, job};

fn done() -> Output {
    Output { value: json!({"status": 200}), truncated: false }
}

fn broken() -> RunError {
    RunError::permanent("NOT_FOUND", "gone")
}

fn with(extra: &Value) -> Value {
    let mut job = job();
    job.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    job
}

#[tokio::test]
async fn a_job_is_accepted_armed_and_stored() {
    let api = Api::new();
    let reply = api.post("/v1/jobs", &job()).await.ok(202);
    let id = reply.job_id();
    assert_eq!(reply.header("location"), Some(format!("/v1/jobs/{id}").as_str()));
    assert_eq!(
        reply.json,
        json!({"job_id": id.to_string(), "status": "queued", "scheduled_at": NOW, "recurring": false})
    );
    let later = api.post("/v1/jobs", &with(&json!({"start_at": NOW + 5_000}))).await.ok(202);
    assert_eq!((&later.json["status"], &later.json["scheduled_at"]), (&json!("scheduled"), &json!(NOW + 5_000)));
    let state = api.world.tables();
    assert_eq!((state.jobs.len(), state.armed.len()), (2, 2));
}

#[tokio::test]
async fn a_body_needs_no_content_type_and_none_is_refused() {
    let api = Api::new();
    for content_type in ["application/json", "application/x-www-form-urlencoded", "text/plain"] {
        api.send("POST", "/v1/jobs", &[("content-type", content_type)], job().to_string()).await.ok(202);
    }
}

#[tokio::test]
async fn a_job_is_shown_as_it_was_sent_and_as_it_went() {
    let api = Api::new();
    let extra = json!({"app": "mail", "retries": 2, "timeout": 5_000, "type": "action"});
    let id = api.post("/v1/jobs", &with(&extra)).await.ok(202).job_id();
    api.world.advance(40);
    api.attempt(id, Err(RunError::transient("TIMEOUT", "no answer in time"))).await;
    let waiting = api.get(&format!("/v1/jobs/{id}")).await.ok(200).json;
    assert_eq!(waiting["status"], "queued");
    let next_attempt_at = waiting["next_attempt_at"].as_i64().unwrap();
    assert!((NOW + 540..=NOW + 1_040).contains(&next_attempt_at));
    api.world.advance(2_000);
    api.attempt(id, Ok(done())).await;
    let ended = api.get(&format!("/v1/jobs/{id}")).await.ok(200).json;
    let failure = json!({"attempt": 1, "failed_at": NOW + 40,
        "error": {"code": "TIMEOUT", "message": "no answer in time", "retryable": true}});
    let retry = json!({"initialDelay": 1_000, "maxDelay": 300_000, "backoffMultiplier": 2.0, "jitter": true,
        "jitterPercent": 0.5});
    assert_eq!(
        ended,
        json!({
            "job_id": id.to_string(), "product_tag": "shop", "env": "prd", "event": "send", "type": "action",
            "app": "mail", "input": {"body": {"to": "someone"}}, "retries": 2, "retry": retry, "timeout": 5_000,
            "start_at": NOW, "status": "completed", "recurring": false, "generation": 1,
            "run": {"run_no": 1, "due_at": NOW, "attempts": 2, "started_at": NOW + 40, "ended_at": NOW + 2_040,
                    "lateness_ms": 40, "failures": [failure]},
            "result": {"status": 200}, "created_at": NOW, "updated_at": NOW + 2_040,
        })
    );
}

#[tokio::test]
async fn a_result_that_was_cut_says_so_and_null_is_a_result() {
    let api = Api::new();
    let id = api.schedule().await;
    api.attempt(id, Ok(Output { value: Value::Null, truncated: true })).await;
    let shown = api.get(&format!("/v1/jobs/{id}")).await.ok(200).json;
    assert_eq!(shown.get("result"), Some(&Value::Null));
    assert_eq!(shown["result_truncated"], true);
}

#[tokio::test]
async fn a_running_job_has_no_next_attempt() {
    use carillon_core::{ids::Owner, machine, ports::JobStore as _};
    let api = Api::new();
    let id = api.schedule().await;
    let job = api.world.tables().jobs[&id].clone();
    let event = machine::Trigger::Claim { fire: job.fire(), owner: Owner::new(1), lease_ms: 1_000 };
    let transition = machine::decide(&job, &event, carillon_core::time::UnixMillis(NOW)).unwrap();
    let _ = api.world.commit(&transition).await.unwrap();
    let shown = api.get(&format!("/v1/jobs/{id}")).await.ok(200).json;
    assert_eq!((&shown["status"], shown.get("next_attempt_at")), (&json!("running"), None));
}

#[tokio::test]
async fn a_job_is_cancelled_once_with_or_without_a_reason() {
    let api = Api::new();
    let (first, second) = (api.schedule().await, api.schedule().await);
    let path = format!("/v1/jobs/{first}/cancel");
    let cancelled = api.post(&path, &json!({"reason": "sold out"})).await.ok(200).json;
    assert_eq!((&cancelled["status"], &cancelled["cancel_reason"]), (&json!("cancelled"), &json!("sold out")));
    api.send("POST", &path, &[], "").await.is(409, "job_cancelled");
    let cancelled = api.send("POST", &format!("/v1/jobs/{second}/cancel"), &[], "").await.ok(200).json;
    assert_eq!((&cancelled["status"], cancelled.get("cancel_reason")), (&json!("cancelled"), None));
    assert!(api.world.tables().armed.is_empty());
}

#[tokio::test]
async fn a_failed_job_is_retried_and_its_runs_are_kept() {
    let api = Api::new();
    let id = api.schedule().await;
    let path = format!("/v1/jobs/{id}/retry");
    api.send("POST", &path, &[], "").await.is(409, "job_queued");
    api.attempt(id, Err(broken())).await;
    let failed = api.get(&format!("/v1/jobs/{id}")).await.ok(200).json;
    assert_eq!((&failed["status"], &failed["error"]["code"]), (&json!("failed"), &json!("NOT_FOUND")));
    let waiting = api.post(&path, &json!({"delay": 60_000})).await.ok(200).json;
    assert_eq!((&waiting["status"], &waiting["generation"]), (&json!("scheduled"), &json!(2)));
    assert_eq!(waiting["next_attempt_at"], NOW + 60_000);

    api.world.advance(60_000);
    api.attempt(id, Err(broken())).await;
    api.send("POST", &path, &[], "").await.ok(200);
    let first = api.get(&format!("/v1/jobs/{id}/runs?limit=2")).await.ok(200).json;
    let told = |page: &Value| -> Vec<(i64, String)> {
        let runs = page["runs"].as_array().unwrap().iter();
        runs.map(|run| (run["generation"].as_i64().unwrap(), run["status"].as_str().unwrap().to_owned())).collect()
    };
    assert_eq!(told(&first), [(3, "queued".into()), (2, "failed".into())]);
    assert_eq!(first["runs"][1]["webhook_id"], format!("{id}_g2_r1"));
    assert_eq!(first["runs"][1]["error"]["code"], "NOT_FOUND");
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = api.get(&format!("/v1/jobs/{id}/runs?limit=2&cursor={cursor}")).await.ok(200).json;
    assert_eq!(told(&second), [(1, "failed".into())]);
    assert_eq!(second.get("next_cursor"), None);
}

#[tokio::test]
async fn a_list_has_pages_and_summaries() {
    let api = Api::new();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(api.schedule().await.to_string());
        api.world.advance(1);
    }
    api.attempt(ids[1].parse().unwrap(), Ok(done())).await;
    ids.reverse();
    let (mut seen, mut path) = (Vec::new(), "/v1/jobs?product_tag=shop&env=prd&limit=2".to_owned());
    loop {
        let page = api.get(&path).await.ok(200).json;
        for job in page["jobs"].as_array().unwrap() {
            assert!(job.get("input").is_none() && job.get("result").is_none(), "{job}");
            seen.push(job["job_id"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/jobs?product_tag=shop&env=prd&limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ids);
    let completed = api.get("/v1/jobs?product_tag=shop&env=prd&status=completed").await.ok(200).json;
    assert_eq!(completed["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(completed["jobs"][0]["status"], "completed");
}

#[tokio::test]
async fn of_the_contracts_own_example_only_its_token_that_is_cut_short_is_refused() {
    let api = Api::new();
    api.world.admit(
        "car_my-product",
        super::client::key("my-product", &["prd"], &[carillon_core::access::Scope::JobsWrite]),
    );
    api.world.publish("my-product", super::client::shop()).unwrap();
    let reply = api.with_key(Some("car_my-product")).post("/v1/jobs", &super::schemas::contract_example()).await;
    let reply = reply.ok(422);
    let errors: Vec<_> =
        reply.json["errors"].as_array().unwrap().iter().map(|it| (&it["pointer"], &it["code"])).collect();
    assert_eq!(errors, [(&json!("/session/token"), &json!("token_malformed"))]);
    assert!(api.world.tables().jobs.is_empty() && api.world.tables().armed.is_empty());
}

#[tokio::test]
async fn health_needs_no_key_and_says_the_versions() {
    let api = Api::new().with_key(None);
    let reply = api.get("/v1/health").await.ok(200);
    let tzdata = carillon_core::cadence::tz_version();
    assert_eq!(reply.json, json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "tzdata": tzdata}));
}
