//! The real clients with answers of each service as they arrive.

use std::sync::atomic::{AtomicUsize, Ordering};

use carillon_core::ids::Fire;
use carillon_core::request::{Bound, Email};
use serde_json::json;
use url::Url;

use super::*;
use crate::scripted_http::{ScriptedAnswer, ScriptedHttp};

const JOB: &str = "job_01HF7YAT00000000000000000Z_g1_r1";

fn id(place: &str) -> DispatchId {
    let fire: Fire = JOB.parse().unwrap();
    DispatchId { fire, message: None, place: place.to_owned() }
}

async fn perform(http: &ScriptedHttp, request: AwsRequest) -> Result<Output, RunError> {
    AwsTargets::of(&http.config()).perform(&id(""), request).await
}

/// The error of a request that AWS answers like this; its code is checked.
async fn refused_by(answer: ScriptedAnswer, request: AwsRequest) -> (String, bool) {
    let error = perform(&ScriptedHttp::that([answer]), request).await.unwrap_err();
    assert!(!error.message.contains("secret"), "{}", error.message);
    (error.code, error.retryable)
}

fn refusal(status: u16, code: &str) -> ScriptedAnswer {
    (status, json!({"__type": code, "message": "the secret payload"})).into()
}

fn permanent(code: &str) -> (String, bool) {
    (code.to_owned(), false)
}

fn transient(code: &str) -> (String, bool) {
    (code.to_owned(), true)
}

mod databases;
mod messages;
mod others;

#[test]
fn a_repetition_is_told_by_the_calls_text_or_its_digest() {
    assert_eq!(deduplication_id(&id("")), JOB);
    assert_eq!(deduplication_id(&id("steps.2")), format!("{JOB}_steps.2"));
    let fitting = "x".repeat(MAX_DEDUPLICATION_ID - JOB.len() - 1);
    assert_eq!(deduplication_id(&id(&fitting)).len(), MAX_DEDUPLICATION_ID);
    for place in [format!("{fitting}x"), "a b".to_owned(), "é".to_owned()] {
        let digest = deduplication_id(&id(&place));
        assert_eq!(digest, sha256_hex(format!("{JOB}_{place}")));
    }
}

#[tokio::test]
async fn a_call_goes_to_the_region_that_it_names() {
    let put = |region: Option<&str>| AwsRequest::PutObject {
        bucket: "files".to_owned(),
        region: region.map(str::to_owned),
        key: "k".to_owned(),
        content_type: "text/plain".to_owned(),
        content: Vec::new(),
    };
    let queue = |url: &str| AwsRequest::DeleteMessage { queue_url: Url::parse(url).unwrap(), receipt: "r".to_owned() };
    let invoke = |arn: &str| AwsRequest::Invoke { function_arn: arn.to_owned(), payload: json!({}) };
    for (request, origin) in [
        (put(None), "https://files.s3.eu-west-1.amazonaws.com"),
        (put(Some("us-east-2")), "https://files.s3.us-east-2.amazonaws.com"),
        (queue("https://sqs.ap-south-1.amazonaws.com/1/q"), "https://sqs.ap-south-1.amazonaws.com"),
        (queue("https://sqs.evil.example/1/q"), "https://sqs.eu-west-1.amazonaws.com"),
        (queue("https://127.0.0.1:4566/1/q"), "https://sqs.eu-west-1.amazonaws.com"),
        (invoke("arn:aws:lambda:eu-central-1:1:function:f"), "https://lambda.eu-central-1.amazonaws.com"),
        (invoke("arn:aws:lambda:evil.example/:1:function:f"), "https://lambda.eu-west-1.amazonaws.com"),
    ] {
        let http = ScriptedHttp::that([ScriptedAnswer::text(200, "{}")]);
        perform(&http, request).await.unwrap();
        assert_eq!(http.asked()[0].origin, origin);
    }
}

#[tokio::test]
async fn nothing_is_sent_to_what_is_no_region() {
    for region in ["", "evil.example/", "eu-west-1.evil.example", "EU", "a@b", "x#"] {
        let http = ScriptedHttp::that([]);
        let statement = AwsRequest::ExecutePartiql {
            region: Some(region.to_owned()),
            statement: "SELECT * FROM t".to_owned(),
            parameters: Vec::new(),
            max_rows: 1,
        };
        let error = perform(&http, statement).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (codes::VALIDATION_ERROR, false), "{region}");
        assert!(http.asked().is_empty());
    }
}

static MADE: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_client_is_made_once_for_each_region_and_not_before_it_is_asked_for() {
    let lazy = Lazy::new(&ScriptedHttp::that([]).config(), |config| {
        MADE.fetch_add(1, Ordering::Relaxed);
        config.region().map(ToString::to_string).unwrap_or_default()
    });
    assert_eq!(MADE.load(Ordering::Relaxed), 0);
    let regions = [None, Some("us-east-1"), None, Some("us-east-1")].map(|region| lazy.clone().client_in(region));
    assert_eq!(regions, ["eu-west-1", "us-east-1", "eu-west-1", "us-east-1"]);
    assert_eq!(MADE.load(Ordering::Relaxed), 2);
}

#[test]
fn calls_of_jobs_are_tried_once_and_bounded_by_the_dispatcher_alone() {
    let clients = Clients::new(
        aws_credential_types::Credentials::new("id", "key", None, None, "test"),
        "eu-west-1".to_owned(),
        None,
    );
    let patient = clients.patient();
    let timeouts = patient.timeout_config().unwrap();
    assert_eq!((timeouts.operation_timeout(), timeouts.operation_attempt_timeout()), (None, None));
    assert!(timeouts.connect_timeout().is_some());
    assert_eq!(patient.retry_config().unwrap().max_attempts(), 1);
    assert!(clients.brief().timeout_config().unwrap().operation_timeout().is_some());
}
