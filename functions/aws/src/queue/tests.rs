//! The real client over answers of SQS as they come over the wire.

use carillon_core::ids::{Fire, JobId};
use carillon_core::job::codes;
use carillon_core::time::UnixMillis;
use serde_json::{Value, json};

use super::*;
use crate::scripted_http::{ScriptedHttp, settings};

fn queue(http: &ScriptedHttp) -> Queue {
    Queue::new(Client::new(&http.config()), &settings())
}

/// SQS's refusal of a second task, as it was recorded.
fn refusal() -> (u16, Value) {
    let message =
        "There is already a task running. Only one active task is allowed for a source queue arn at a given time.";
    (400, json!({"__type": "com.amazon.coral.service#InvalidParameterValueException", "message": message}))
}

fn tasks(status: &str) -> (u16, Value) {
    (200, json!({"Results": [{"Status": status, "SourceArn": "arn", "StartedTimestamp": 1}]}))
}

#[tokio::test]
async fn a_redrive_names_both_queues() {
    let http = ScriptedHttp::that_answers([(200, json!({"TaskHandle": "handle"}))]);
    let redriven = queue(&http).redrive_all(100).await.unwrap();
    assert_eq!(redriven, Redriven::Started);
    let body = json!({"SourceArn": "carillon_dead_letter_queue_arn", "DestinationArn": "carillon_queue_arn"});
    assert_eq!(http.requests(), [("StartMessageMoveTask".to_owned(), body)]);
}

#[tokio::test]
async fn a_redrive_that_meets_another_is_told_so() {
    let http = ScriptedHttp::that_answers([refusal(), tasks("RUNNING")]);
    let redriven = queue(&http).redrive_all(100).await.unwrap();
    assert_eq!(redriven, Redriven::UnderWay);
    assert_eq!(http.actions(), ["StartMessageMoveTask", "ListMessageMoveTasks"]);
}

#[tokio::test]
async fn what_else_is_refused_stays_a_refusal_with_its_reason() {
    for look in [tasks("COMPLETED"), (200, json!({})), (403, json!({"__type": "AccessDenied", "message": "look"}))] {
        let http = ScriptedHttp::that_answers([refusal(), look]);
        let refused = queue(&http).redrive_all(100).await.unwrap_err();
        assert!(matches!(refused, PortError::Permanent(_)));
        assert!(refused.causes().contains("already a task running"), "{}", refused.causes());
    }
    let throttled = (400, json!({"__type": "RequestThrottled", "message": "slow down"}));
    let http = ScriptedHttp::that_answers([throttled]);
    let refused = queue(&http).redrive_all(100).await.unwrap_err();
    assert!(matches!(refused, PortError::Throttled(_)));
    assert_eq!(http.actions(), ["StartMessageMoveTask"], "a look would be one request more");
}

#[tokio::test]
async fn a_parked_fire_carries_its_reason_and_asks_for_a_fresh_budget() {
    let fire = Fire { job_id: JobId::new(UnixMillis(1), 1), generation: 1, run_no: 1 };
    let error = RunError::permanent(codes::FORBIDDEN, "");
    let sent = || (200, json!({"MessageId": "id", "MD5OfMessageBody": "0"}));
    let http = ScriptedHttp::that_answers([sent(), sent()]);
    let queue = queue(&http);
    // The answers' checksums are made up.
    let _ = queue.dead_letter(&Message::new(fire, UnixMillis(1)), &error).await;
    let _ = queue.dead_letter_unreadable("hello").await;
    let bodies: Vec<_> = http.requests().into_iter().map(|(_, body)| body).collect();
    let reason = |body: &Value, name: &str| body["MessageAttributes"][name]["StringValue"].as_str().unwrap().to_owned();
    assert!(Message::parse(bodies[0]["MessageBody"].as_str().unwrap()).unwrap().dead_lettered);
    assert_eq!((reason(&bodies[0], "reason"), reason(&bodies[0], "detail")), ("FORBIDDEN".into(), "-".into()));
    assert_eq!((&bodies[1]["MessageBody"], reason(&bodies[1], "reason")), (&json!("hello"), "UNREADABLE".into()));
    for body in &bodies {
        assert_eq!((&body["QueueUrl"], body.get("DelaySeconds")), (&json!("carillon_dead_letter_queue_url"), None));
    }
}
