//! `Prefer: wait=N`, on a clock that the tests turn.

use std::time::Duration;

use carillon_core::access::Scope;
use carillon_core::ids::{JobId, Owner};
use carillon_core::job::{Output, RunError};
use carillon_core::operations::DEFAULT_WAIT_SLOTS;
use carillon_core::ports::HeldSlots;
use carillon_core::testkit::{Port, PortCall, Trouble};
use carillon_core::time::UnixMillis;
use http::Request;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::client::NOW;
use super::client::{Api, KEY, Reply, job, key};
use crate::deadline::Deadline;

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

/// The answer, if it comes within this time.
async fn within(reply: impl Future<Output = Reply>, ms: u64) -> Reply {
    tokio::time::timeout(Duration::from_millis(ms), reply).await.expect("the answer is late")
}

/// The number of calls of a port's method.
fn calls(api: &Api, of: PortCall) -> usize {
    api.world.calls().iter().filter(|call| **call == of).count()
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_before_the_request_does() {
    for (deadline_ms, waited_ms) in [(8_000, 5_000), (2_000, 0), (-1, 0), (600_000, 10_000)] {
        let api = Api::new();
        let request =
            Request::post("/v1/jobs").header("authorization", format!("Bearer {KEY}")).header("prefer", "wait=10");
        let mut request = request.body(job().to_string().into()).unwrap();
        request.extensions_mut().insert(Deadline(UnixMillis(NOW).plus(deadline_ms)));
        let mut reply = Box::pin(api.send_request(request));
        if waited_ms > 0 {
            let early = tokio::time::timeout(Duration::from_millis(waited_ms - 1), &mut reply).await;
            assert!(early.is_err(), "{deadline_ms}: answered early");
        }
        within(reply, 2).await.ok(202);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_job_that_is_not_due_within_the_wait() {
    for (start_at, waits) in [(NOW + 10_001, 0), (NOW + 10_000, 1)] {
        let api = Api::new();
        let mut later = job();
        later["start_at"] = json!(start_at);
        let headers = [("prefer", "wait=10")];
        within(api.send("POST", "/v1/jobs", &headers, later.to_string()), waits * 10_000 + 1).await.ok(202);
        assert_eq!(calls(&api, PortCall::TakeSlot), usize::try_from(waits).unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_when_all_slots_are_taken_and_a_slot_is_free_after_its_wait() {
    let api = Api::new();
    let (now, until) = (UnixMillis(NOW), UnixMillis(NOW).plus(25_000));
    for slot in 0..DEFAULT_WAIT_SLOTS {
        assert!(api.world.tables().wait_slots.take(slot, &Owner::new(1), now, until));
    }
    within(waiting(&api, "wait=10"), 1).await.ok(202);
    api.world.tables().wait_slots = HeldSlots::default();
    waiting(&api, "wait=1").await.ok(202);
    assert_eq!(calls(&api, PortCall::ReleaseSlot), 1);
    for slot in 0..DEFAULT_WAIT_SLOTS {
        assert!(api.world.tables().wait_slots.take(slot, &Owner::new(2), now, until), "{slot}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_slot_there_is_no_wait_but_the_job_is_accepted() {
    for trouble in [Trouble::Unavailable, Trouble::Permanent, Trouble::Throttled] {
        let api = Api::new();
        api.world.trouble(Port::WaitSlots, trouble);
        within(waiting(&api, "wait=10"), 1).await.ok(202);
    }
}
