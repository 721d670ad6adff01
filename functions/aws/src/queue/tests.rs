//! The real client over answers of SQS as they come over the wire.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use carillon_core::ids::{Fire, JobId};
use carillon_core::job::codes;
use carillon_core::time::UnixMillis;
use serde_json::{Value, json};

use super::*;

/// SQS, with answers by script and the requests that came in, each as its action and body.
#[derive(Clone, Debug, Default)]
struct Wire {
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let action = request.headers().get("x-amz-target").unwrap().trim_start_matches("AmazonSQS.").to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        self.requests.lock().unwrap().push((action, body));
        let (status, body) = self.answers.lock().unwrap().pop_front().unwrap();
        let answer = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body.to_string()));
        HttpConnectorFuture::ready(Ok(answer))
    }
}

impl Wire {
    /// A queue behind which SQS answers this.
    fn queue<const N: usize>(&self, answers: [(u16, Value); N]) -> Queue {
        self.answers.lock().unwrap().extend(answers);
        let connector = SharedHttpConnector::new(self.clone());
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("id", "key", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        let settings =
            Settings::read(|name| (!name.ends_with("SECONDS") && !name.ends_with("DAYS")).then(|| name.to_lowercase()))
                .unwrap();
        Queue::new(Client::from_conf(config), &settings)
    }

    fn requests(&self) -> Vec<(String, Value)> {
        self.requests.lock().unwrap().clone()
    }

    fn actions(&self) -> Vec<String> {
        self.requests().into_iter().map(|(action, _)| action).collect()
    }
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
    let wire = Wire::default();
    let redriven = wire.queue([(200, json!({"TaskHandle": "handle"}))]).redrive_all(100).await.unwrap();
    assert_eq!(redriven, Redriven::Started);
    let body = json!({"SourceArn": "carillon_dead_letter_queue_arn", "DestinationArn": "carillon_queue_arn"});
    assert_eq!(wire.requests(), [("StartMessageMoveTask".to_owned(), body)]);
}

#[tokio::test]
async fn a_redrive_that_meets_another_is_told_so() {
    let wire = Wire::default();
    let redriven = wire.queue([refusal(), tasks("RUNNING")]).redrive_all(100).await.unwrap();
    assert_eq!(redriven, Redriven::UnderWay);
    assert_eq!(wire.actions(), ["StartMessageMoveTask", "ListMessageMoveTasks"]);
}

#[tokio::test]
async fn what_else_is_refused_stays_a_refusal_with_its_reason() {
    for look in [tasks("COMPLETED"), (200, json!({})), (403, json!({"__type": "AccessDenied", "message": "look"}))] {
        let wire = Wire::default();
        let refused = wire.queue([refusal(), look]).redrive_all(100).await.unwrap_err();
        assert!(matches!(refused, PortError::Permanent(_)));
        assert!(refused.causes().contains("already a task running"), "{}", refused.causes());
    }
    let wire = Wire::default();
    let throttled = (400, json!({"__type": "RequestThrottled", "message": "slow down"}));
    let refused = wire.queue([throttled]).redrive_all(100).await.unwrap_err();
    assert!(matches!(refused, PortError::Throttled(_)));
    assert_eq!(wire.actions(), ["StartMessageMoveTask"], "a look would be one request more");
}

#[tokio::test]
async fn a_parked_fire_carries_its_reason_and_asks_for_a_fresh_budget() {
    let wire = Wire::default();
    let fire = Fire { job_id: JobId::new(UnixMillis(1), 1), generation: 1, run_no: 1 };
    let error = RunError::permanent(codes::FORBIDDEN, "");
    let sent = || (200, json!({"MessageId": "id", "MD5OfMessageBody": "0"}));
    let queue = wire.queue([sent(), sent()]);
    // The answers' checksums are made up.
    let _ = queue.park(&Message::new(fire, UnixMillis(1)), &error).await;
    let _ = queue.park_unreadable("hello").await;
    let bodies: Vec<_> = wire.requests().into_iter().map(|(_, body)| body).collect();
    let reason = |body: &Value, name: &str| body["MessageAttributes"][name]["StringValue"].as_str().unwrap().to_owned();
    assert!(Message::parse(bodies[0]["MessageBody"].as_str().unwrap()).unwrap().parked);
    assert_eq!((reason(&bodies[0], "reason"), reason(&bodies[0], "detail")), ("FORBIDDEN".into(), "-".into()));
    assert_eq!((&bodies[1]["MessageBody"], reason(&bodies[1], "reason")), (&json!("hello"), "UNREADABLE".into()));
    for body in &bodies {
        assert_eq!((&body["QueueUrl"], body.get("DelaySeconds")), (&json!("carillon_dead_letter_queue_url"), None));
    }
}
