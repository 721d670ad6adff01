//! The real handler over ports in memory, a queue that notes what it is asked for, and a target that answers by name.
//!
//! The time is tokio's, paused: it moves when everybody waits, and only then.

mod envelope;
mod log;
mod outcome;
mod queue;
mod time;
mod world;

use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsEvent;
use carillon_aws::metrics;
use carillon_core::event_types::Limits;
use carillon_core::job::{Job, Status};
use carillon_core::operations::schedule;
use carillon_core::ports::Clock as _;
use carillon_core::ports::Message;
use carillon_core::testkit::{Memory, NoSessions};
use lambda_runtime::{Context, Error, LambdaEvent};
use serde_json::{Value, json};

use self::queue::{Carried, Queue, Target};

use super::{Batch, handler::handle};

/// Duration of an invocation, ms.
const INVOCATION_MS: i64 = 60_000;

/// One deployment.
struct Stack {
    world: Arc<Memory>,
    queue: Arc<Queue>,
    target: Target,
    batch: Arc<Batch<Memory, Target, Queue>>,
}

impl Stack {
    fn new() -> Self {
        log::keep();
        let world = world::memory();
        let (queue, target) = (Arc::new(Queue::default()), Target::new(&world));
        let batch = Batch {
            ports: Arc::clone(&world),
            targets: target.clone(),
            queue: Arc::clone(&queue),
            limits: Limits::default(),
            service: "carillon".into(),
            metrics: metrics::write_executed,
        };
        Self { world, queue, target, batch: Arc::new(batch) }
    }

    /// Schedules a job whose target does `what`.
    async fn job(&self, what: &str, extra: &Value) -> Job {
        let mut body = json!({
            "product_tag": "shop", "env": "prd", "event": "do", "start_at": 0,
            "input": {"params": {"what": what}, "body": {"secret": "hush"}},
        });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        schedule(&*self.world, &NoSessions, &world::owner(), body.to_string().as_bytes(), None).await.unwrap().job
    }

    /// Has the handler work on these records. The names of those that have to come back, in order.
    async fn receive(&self, records: Vec<Value>) -> Vec<String> {
        self.receive_within(INVOCATION_MS, records).await.unwrap()
    }

    async fn receive_within(&self, left_ms: i64, records: Vec<Value>) -> Result<Vec<String>, Error> {
        self.receive_until(self.world.now().plus(left_ms).0.try_into().unwrap(), records).await
    }

    async fn receive_until(&self, deadline: u64, records: Vec<Value>) -> Result<Vec<String>, Error> {
        let event: SqsEvent = serde_json::from_value(json!({"Records": records})).unwrap();
        let mut context = Context::default();
        context.deadline = deadline;
        context.xray_trace_id = Some("Root=1-invocation".into());
        let response = handle(Arc::clone(&self.batch), LambdaEvent::new(event, context)).await?;
        let response = serde_json::to_value(response).unwrap();
        let failures = response["batchItemFailures"].as_array().unwrap().iter();
        let mut failures: Vec<_> =
            failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect();
        failures.sort();
        Ok(failures)
    }

    /// A record of a message that was sent just now.
    fn record(&self, id: &str, message: &Message) -> Value {
        let mut record = unreadable(id, &message.to_string());
        record["attributes"]["SentTimestamp"] = json!(self.world.now().0.to_string());
        record
    }

    fn due(&self, id: &str, job: &Job) -> Value {
        self.record(id, &Message::new(job.fire(), job.state.run.due_at))
    }

    fn status(&self, job: &Job) -> Status {
        world::job(&self.world, job.id).state.status
    }
}

/// Sets the number of receives of a record.
fn received(count: u32, mut record: Value) -> Value {
    record["attributes"]["ApproximateReceiveCount"] = json!(count.to_string());
    record
}

/// A record with any body, as the event source mapping hands it over.
fn unreadable(id: &str, body: &str) -> Value {
    json!({
        "messageId": id, "receiptHandle": format!("handle-{id}"), "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": world::NOW.0.to_string()},
        "messageAttributes": {}, "md5OfBody": "0", "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:carillon-due", "awsRegion": "eu-west-1",
    })
}
