//! `Prefer: wait=N`, on a clock that the tests turn.

use std::time::Duration;

use carillon_core::access::Scope;
use carillon_core::ids::JobId;
use carillon_core::job::{Output, RunError};
use carillon_core::testkit::{Port, Trouble};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::client::NOW;
use super::client::{Api, Reply, job, key};

async fn waiting(api: &Api, prefer: &str) -> Reply {
    api.send("POST", "/v1/jobs", &[("prefer", prefer)], job().to_string()).await
}

/// Ends the only job, `after_ms` milliseconds from now.
async fn end_later(api: &Api, after_ms: u64, result: Result<Output, RunError>) {
    sleep(Duration::from_millis(after_ms)).await;
    api.world.advance(i64::try_from(after_ms).unwrap());
    let id = *api.world.tables().jobs.keys().next().unwrap();
    api.attempt(id, result).await;
}

fn output(value: Value) -> Output {
    Output { value, truncated: false }
}

#[tokio::test(start_paused = true)]
async fn the_result_comes_with_the_answer() {
    let api = Api::new();
    let (reply, ()) =
        tokio::join!(waiting(&api, "respond-async, wait=10"), end_later(&api, 700, Ok(output(json!({"n": 1})))));
    let reply = reply.ok(200);
    assert_eq!(reply.header("preference-applied"), Some("wait=10"));
    let id = reply.job_id();
    assert_eq!(reply.header("location"), Some(format!("/v1/jobs/{id}").as_str()));
    assert_eq!(
        reply.json,
        json!({"job_id": id.to_string(), "status": "completed", "recurring": false, "scheduled_at": NOW,
            "started_at": NOW + 700, "ended_at": NOW + 700, "lateness_ms": 700, "attempts": 1, "result": {"n": 1}})
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_job_is_no_failure_of_the_request() {
    let api = Api::new();
    let failed = Err(RunError::permanent("FORBIDDEN", "no"));
    let (reply, ()) = tokio::join!(waiting(&api, "wait=10"), end_later(&api, 30, failed));
    let reply = reply.ok(200);
    assert_eq!((&reply.json["status"], &reply.json["error"]["code"]), (&json!("failed"), &json!("FORBIDDEN")));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_called_off_meanwhile_is_shown_so() {
    let api = Api::new();
    let cancel = async {
        sleep(Duration::from_millis(100)).await;
        let id: JobId = *api.world.tables().jobs.keys().next().unwrap();
        api.post(&format!("/v1/jobs/{id}/cancel"), &json!({"reason": "enough"})).await.ok(200);
    };
    let (reply, ()) = tokio::join!(waiting(&api, "wait=10"), cancel);
    let reply = reply.ok(200);
    assert_eq!((&reply.json["status"], &reply.json["cancel_reason"]), (&json!("cancelled"), &json!("enough")));
}

#[tokio::test(start_paused = true)]
async fn when_the_time_is_up_the_job_is_still_accepted() {
    for (prefer, seconds) in [("wait=2", 2), ("wait=0", 0), ("wait=90", 25)] {
        let api = Api::new();
        let timely = async {
            sleep(Duration::from_millis(seconds * 1_000 + 1)).await;
            "late"
        };
        let reply = tokio::select! {
            biased;
            reply = waiting(&api, prefer) => reply.ok(202),
            late = timely => panic!("{prefer} is {late}"),
        };
        assert_eq!(reply.header("preference-applied"), None);
        assert_eq!(reply.json["status"], "queued");
    }
}

#[tokio::test(start_paused = true)]
async fn what_ends_in_the_last_moment_counts() {
    let api = Api::new();
    let (reply, ()) = tokio::join!(waiting(&api, "wait=1"), end_later(&api, 999, Ok(output(json!(1)))));
    assert_eq!(reply.ok(200).json["result"], 1);
}

#[tokio::test(start_paused = true)]
async fn preferences_that_cannot_be_read_are_passed_over() {
    for prefer in ["wait=soon", "wait", "return=minimal", "", "wait=-1"] {
        let api = Api::new();
        waiting(&api, prefer).await.ok(202);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_while_somebody_waits_does_not_undo_the_acceptance() {
    for trouble in [Trouble::Unavailable, Trouble::Permanent, Trouble::Throttled] {
        let api = Api::new();
        let fail = async {
            sleep(Duration::from_millis(100)).await;
            api.world.trouble(Port::Jobs, trouble);
        };
        let (reply, ()) = tokio::join!(waiting(&api, "wait=10"), fail);
        reply.ok(202);
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_may_not_read_jobs_gets_no_result() {
    let api = Api::new();
    api.world.admit("car_writer", key("shop", &["*"], &[Scope::JobsWrite]));
    let writer = api.with_key(Some("car_writer"));
    let (reply, ()) = tokio::join!(waiting(&writer, "wait=10"), end_later(&api, 50, Ok(output(json!("secret")))));
    assert_eq!(reply.ok(202).header("preference-applied"), None);
}
