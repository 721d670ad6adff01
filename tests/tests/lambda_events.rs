//! The payloads of AWS in `events/`, each fed to the real handler: those of API Gateway to the router behind `lambda_http`,
//! those of SQS to the executor's batch. `events/README.md` says where their shapes come from.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use carillon_api::{Service, deadline, router};
use carillon_aws::metrics;
use carillon_core::access::{ApiKey, KeyHash, Scope};
use carillon_core::event_types::Limits;
use carillon_core::ids::Fire;
use carillon_core::job::{Job, JobSpec, Output, RunError, Status, codes};
use carillon_core::machine::first_state;
use carillon_core::operations::{put_catalog, schedule};
use carillon_core::ports::Message;
use carillon_core::ports::MessageQueue;
use carillon_core::ports::{Condition, JobStore as _, KeyStore as _, PortError, Ports as _, Targets, WriteOutcome};
use carillon_core::request::DispatchRequest;
use carillon_core::testkit::NoSessions;
use carillon_core::time::UnixMillis;
use carillon_embedded::{Embedded, ManualClock};
use carillon_executor::lambda::{Batch, handler::handle};
use carillon_tests::env::epoch_ms;
use carillon_tests::process::root;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Context, LambdaEvent, Service as _};
use serde_json::{Value, json};

/// When the samples' fires are due: 2026-01-01T09:00:00Z.
const DUE: UnixMillis = UnixMillis(1_767_258_000_000);
/// The key in the samples' headers.
const KEY: &str = "car_a-key-of-your-deployment";
/// The folders whose files AWS would send.
const FOLDERS: [&str; 3] = ["api-gateway", "sqs", "scheduler"];

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join("events").join(path)).unwrap_or_else(|error| panic!("events/{path}: {error}"))
}

/// Defines the payloads, each with its file. One that no test feeds to a handler is dead code, which the lints refuse.
macro_rules! payloads {
    ($($name:ident = $path:literal,)*) => {
        #[derive(Clone, Copy)]
        enum Payload { $($name,)* }

        impl Payload {
            const PATHS: [&str; [$($path),*].len()] = [$($path),*];

            fn path(self) -> &'static str {
                match self { $(Self::$name => $path),* }
            }
        }
    };
}

payloads! {
    ScheduleJob = "api-gateway/schedule-job.json",
    GetJob = "api-gateway/get-job.json",
    Health = "api-gateway/health.json",
    OneDueFire = "sqs/one-due-fire.json",
    TenFiresOnePoisoned = "sqs/ten-fires-one-poisoned.json",
    DeadLetteredAndRedriven = "sqs/dead-lettered-and-redriven.json",
    FromScheduler = "sqs/from-scheduler.json",
    TargetInput = "scheduler/target-input.json",
}

fn event(payload: Payload) -> Value {
    let path = payload.path();
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("events/{path}: {error}"))
}

/// The fires that a payload's messages name.
fn fires(event: &Value) -> Vec<Fire> {
    let bodies = event["Records"].as_array().expect("records").iter().map(|record| record["body"].as_str());
    bodies.filter_map(|body| Message::parse(body.expect("a body"))).map(|message| message.fire).collect()
}

/// The requests to the queue, in words.
#[derive(Debug, Default)]
struct Queue(Mutex<Vec<String>>);

impl Queue {
    fn note(&self, words: String) {
        self.0.lock().expect("no panic").push(words);
    }
}

impl MessageQueue for Queue {
    async fn send(&self, message: &Message, delay_seconds: i64) -> Result<(), PortError> {
        self.note(format!("send {} in {delay_seconds} s", message.fire));
        Ok(())
    }

    async fn defer(&self, receipt_handle: &str, seconds: i64) -> Result<(), PortError> {
        self.note(format!("defer {receipt_handle} for {seconds} s"));
        Ok(())
    }

    async fn dead_letter(&self, message: &Message, error: &RunError) -> Result<(), PortError> {
        self.note(format!("dead_letter {} for {}", message.fire, error.code));
        Ok(())
    }

    async fn dead_letter_unreadable(&self, body: &str) -> Result<(), PortError> {
        self.note(format!("dead_letter unreadable {body}"));
        Ok(())
    }
}

/// A target that answers everything alike.
#[derive(Clone)]
struct Target {
    answer: Result<Output, RunError>,
    calls: Arc<Mutex<Vec<DispatchRequest>>>,
}

impl Targets for Target {
    async fn dispatch(&self, call: DispatchRequest) -> Result<Output, RunError> {
        self.calls.lock().expect("no panic").push(call);
        self.answer.clone()
    }

    async fn pause(&self, _: u32) {}
}

/// A deployment on the embedded ports, at a time of the test's choice.
struct Deployment {
    ports: Arc<Embedded<ManualClock>>,
    key: ApiKey,
    queue: Arc<Queue>,
    calls: Arc<Mutex<Vec<DispatchRequest>>>,
}

impl Deployment {
    async fn at(now: UnixMillis) -> Self {
        let ports = Arc::new(Embedded::in_memory_at(ManualClock::new(now)).expect("a store in memory"));
        let key = ApiKey {
            id: "sample".to_owned(),
            name: String::new(),
            products: vec!["my-product".to_owned()],
            envs: vec!["*".to_owned()],
            scopes: Scope::WORDS.map(|(_, scope)| scope).to_vec(),
            created_at: now,
        };
        ports.keys().add(&KeyHash::of(KEY), &key).await.expect("the key is stored");
        let catalog = text("catalogs/my-product.json");
        let published = put_catalog(&*ports, &key, "my-product", catalog.as_bytes(), &Condition::Always).await;
        published.expect("the catalog is sound");
        Self { ports, key, queue: Arc::default(), calls: Arc::default() }
    }

    /// Stores the job of a fire, as if it had been scheduled under this id.
    async fn store(&self, fire: Fire) -> Job {
        let body = text("jobs/confirm-order.json");
        let scheduled = schedule(&*self.ports, &NoSessions, &self.key, body.as_bytes(), None)
            .await
            .expect("the sample is accepted")
            .job;
        let spec = JobSpec { start_at: DUE, ..JobSpec::clone(&scheduled.spec) };
        let state = first_state(&spec, DUE).expect("it runs once");
        let job = Job { id: fire.job_id, spec: spec.into(), state };
        assert_eq!((job.fire(), self.ports.jobs().insert_new(&job).await.expect("stored")), (fire, WriteOutcome::Done));
        job
    }

    async fn status(&self, fire: Fire) -> Status {
        self.ports.jobs().get(fire.job_id).await.expect("the store answers").expect("the job is there").state.status
    }

    /// Has the executor work on an event, its targets answering like this. Gives the function's answer.
    async fn execute(&self, event: &Value, answer: Result<Output, RunError>) -> Value {
        let batch = Batch {
            ports: Arc::clone(&self.ports),
            targets: Target { answer, calls: Arc::clone(&self.calls) },
            queue: Arc::clone(&self.queue),
            limits: Limits::default(),
            service: "sample".to_owned(),
            metrics: metrics::write_executed,
        };
        let mut context = Context::default();
        context.deadline = u64::try_from(DUE.plus(24 * 3_600_000).0).expect("after 1970");
        let event = LambdaEvent::new(serde_json::from_value(event.clone()).expect("an event of SQS"), context);
        serde_json::to_value(handle(Arc::new(batch), event).await.expect("an answer")).expect("JSON")
    }

    /// Has the API answer an event, as the function does.
    async fn answer(&self, event: &Value) -> (u64, Value) {
        self.answer_by(event, DUE.plus(30_000)).await
    }

    /// Has the API answer an event in an invocation that ends at `deadline`.
    async fn answer_by(&self, event: &Value, deadline: UnixMillis) -> (u64, Value) {
        let mut context = Context::default();
        context.deadline = u64::try_from(deadline.0).expect("after 1970");
        let request: LambdaRequest = serde_json::from_str(&event.to_string()).expect("an event of API Gateway");
        let router = router(Service::new(Arc::clone(&self.ports), Arc::new(NoSessions)));
        let mut function = Adapter::from(deadline::of_invocations(router));
        let answer = function.call(LambdaEvent::new(request, context)).await.expect("an answer");
        let answer = serde_json::to_value(answer).expect("JSON");
        assert!(answer["headers"]["x-request-id"].as_str().is_some_and(|id| id.starts_with("req_")), "{answer}");
        let body = answer["body"].as_str().expect("a body in text");
        (answer["statusCode"].as_u64().expect("a status"), serde_json::from_str(body).expect("JSON"))
    }

    fn asked_of_the_queue(&self) -> Vec<String> {
        std::mem::take(&mut *self.queue.0.lock().expect("no panic"))
    }
}

fn failed(ids: &[&str]) -> Value {
    json!({"batchItemFailures": ids.iter().map(|id| json!({"itemIdentifier": id})).collect::<Vec<_>>()})
}

#[tokio::test]
async fn a_request_to_schedule_a_job_is_accepted_as_it_comes_through_the_gateway() {
    let deployment = Deployment::at(DUE).await;
    let event = event(Payload::ScheduleJob);
    let sent: Value = serde_json::from_str(event["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!(sent, serde_json::from_str::<Value>(&text("jobs/confirm-order.json")).expect("JSON"));
    let (status, answer) = deployment.answer(&event).await;
    assert_eq!((status, &answer["status"], &answer["scheduled_at"]), (202, &json!("queued"), &json!(DUE)), "{answer}");
    let mut encoded = event;
    encoded["body"] = json!("eyJwcm9kdWN0X3RhZyI6Im15LXByb2R1Y3QifQ==");
    encoded["isBase64Encoded"] = json!(true);
    assert_eq!(deployment.answer(&encoded).await.0, 422, "a body in base64 is read, too");
}

#[tokio::test]
async fn a_caller_waits_no_longer_than_its_invocation_has_time() {
    let deployment = Deployment::at(DUE).await;
    let mut event = event(Payload::ScheduleJob);
    event["headers"]["prefer"] = json!("wait=25");
    let asked_at = epoch_ms();
    // An answer takes up to 3 s, so that one second is left to wait.
    assert_eq!(deployment.answer_by(&event, DUE.plus(4_000)).await.0, 202);
    let waited_ms = epoch_ms() - asked_at;
    assert!((1_000..20_000).contains(&waited_ms), "{waited_ms}");
}

#[tokio::test]
async fn a_request_for_a_job_is_answered_with_it() {
    let deployment = Deployment::at(DUE).await;
    let event = event(Payload::GetJob);
    let (status, answer) = deployment.answer(&event).await;
    assert_eq!((status, &answer["code"]), (404, &json!("not_found")));
    let [fire] = fires(&self::event(Payload::OneDueFire))[..] else { panic!("one fire") };
    deployment.store(fire).await;
    let (status, answer) = deployment.answer(&event).await;
    assert_eq!((status, &answer["job_id"]), (200, &json!(fire.job_id.to_string())), "{answer}");
    let mut without_key = event;
    without_key["headers"].as_object_mut().expect("headers").remove("authorization");
    assert_eq!(deployment.answer(&without_key).await.0, 401);
}

#[tokio::test]
async fn a_request_for_health_needs_no_key() {
    let (status, answer) = Deployment::at(DUE).await.answer(&event(Payload::Health)).await;
    assert_eq!((status, &answer["status"]), (200, &json!("ok")));
}

#[tokio::test]
async fn a_due_fire_is_dispatched_with_the_trace_of_its_sender() {
    let deployment = Deployment::at(DUE).await;
    let event = event(Payload::OneDueFire);
    let [fire] = fires(&event)[..] else { panic!("one fire") };
    deployment.store(fire).await;
    assert_eq!(deployment.execute(&event, Ok(Output::default())).await, failed(&[]));
    assert_eq!((deployment.status(fire).await, deployment.asked_of_the_queue()), (Status::Completed, vec![]));
    let trace = event["Records"][0]["attributes"]["AWSTraceHeader"].as_str().expect("a trace").to_owned();
    let calls = deployment.calls.lock().expect("no panic");
    assert_eq!((calls.len(), calls[0].id.fire, &calls[0].trace), (1, fire, &Some(trace)));
}

#[tokio::test]
async fn a_poisoned_record_among_ten_harms_none_of_the_others() {
    let deployment = Deployment::at(DUE).await;
    let event = event(Payload::TenFiresOnePoisoned);
    let fires = fires(&event);
    assert_eq!((fires.len(), event["Records"].as_array().map(Vec::len)), (9, Some(10)));
    for fire in &fires {
        deployment.store(*fire).await;
    }
    assert_eq!(deployment.execute(&event, Ok(Output::default())).await, failed(&[]));
    for fire in fires {
        assert_eq!(deployment.status(fire).await, Status::Completed);
    }
    let poison = event["Records"][3]["body"].as_str().expect("a body");
    assert_eq!(deployment.asked_of_the_queue(), [format!("dead_letter unreadable {poison}")]);
}

#[tokio::test]
async fn a_dead_letter_that_was_redriven_revives_its_job() {
    let deployment = Deployment::at(DUE).await;
    let letter = event(Payload::DeadLetteredAndRedriven);
    let [fire] = fires(&letter)[..] else { panic!("one fire") };
    let job = deployment.store(fire).await;
    // It lost its last attempt by a message like any other.
    let mut first = letter.clone();
    first["Records"][0]["body"] = json!(Message::new(fire, job.state.run.due_at).to_string());
    let reason = &letter["Records"][0]["messageAttributes"]["reason"]["stringValue"];
    let error = RunError::permanent(codes::FORBIDDEN, "no");
    deployment.execute(&first, Err(error)).await;
    assert_eq!(
        deployment.asked_of_the_queue(),
        [format!("dead_letter {fire} for {}", reason.as_str().expect("a reason"))]
    );
    assert_eq!(deployment.execute(&letter, Ok(Output::default())).await, failed(&[]));
    let revived = deployment.ports.jobs().get(fire.job_id).await.expect("the store answers").expect("the job");
    assert_eq!((revived.state.status, revived.fire().generation), (Status::Queued, 2));
    assert_eq!(deployment.execute(&letter, Ok(Output::default())).await, failed(&[]));
    assert_eq!(deployment.calls.lock().expect("no panic").len(), 1, "the new fire has a message of its own");
}

#[tokio::test]
async fn what_the_scheduler_sends_early_is_sent_on_to_the_second() {
    let event = event(Payload::FromScheduler);
    let sent_at = event["Records"][0]["attributes"]["SentTimestamp"].as_str().expect("an instant");
    let now = UnixMillis(sent_at.parse().expect("milliseconds")).plus(500);
    let deployment = Deployment::at(now).await;
    let [fire] = fires(&event)[..] else { panic!("one fire") };
    deployment.store(fire).await;
    assert_eq!(deployment.execute(&event, Ok(Output::default())).await, failed(&[]));
    let left = DUE.since(now) / 1_000;
    assert_eq!(deployment.asked_of_the_queue(), [format!("send {fire} in {left} s")]);
    assert!((60..120).contains(&left), "it comes two minutes before its time, or up to one later");
}

#[tokio::test]
async fn the_input_of_a_schedule_is_the_body_of_its_message() {
    let input = text(Payload::TargetInput.path());
    let message = Message::parse(&input).expect("a message");
    assert_eq!(message.to_string(), input.trim_end(), "as the timers write it");
    let mut event = event(Payload::FromScheduler);
    assert_eq!(event["Records"][0]["body"], input.trim_end());
    event["Records"][0]["body"] = json!(input);
    let deployment = Deployment::at(DUE).await;
    deployment.store(message.fire).await;
    assert_eq!(deployment.execute(&event, Ok(Output::default())).await, failed(&[]));
    assert_eq!(deployment.status(message.fire).await, Status::Completed);
}

#[test]
fn every_payload_is_fed_to_its_handler_and_has_a_provenance() {
    let readme = text("README.md");
    let mut found = BTreeSet::new();
    for folder in FOLDERS {
        for entry in std::fs::read_dir(root().join("events").join(folder)).expect("a readable folder") {
            let name = entry.expect("a readable folder").file_name().into_string().expect("a UTF-8 name");
            found.insert(format!("{folder}/{name}"));
        }
    }
    assert!(found.len() >= 8, "{found:?}");
    assert_eq!(found, Payload::PATHS.map(str::to_owned).into(), "the files, and the payloads that tests use");
    for path in found {
        assert!(readme.contains(&format!("]({path}) |")), "events/README.md does not say where {path} comes from");
    }
}
