//! The deployment as a whole: the real functions behind the real Terraform, over HTTP. It has to be up already;
//! `./tests/run stack` brings it up as these tests need it, and names it in `CARILLON_STACK`.
//!
//! - [`timing`]: at once, by a delay, by a schedule, and not at all.
//! - [`failures`]: failed attempts and dead letters.
//! - [`messages`]: messages that no client asked for.
//! - [`recurrence`]: recurring jobs.
//! - [`crashes`]: an executor that is killed.
//! - [`kills`]: executors and apis that are killed repeatedly, under load.
//! - [`load`]: many clients.
//! - [`members`]: sessions, cached results, requests with an `Idempotency-Key`.
//! - [`targets`]: targets on AWS.
//! - [`composites`]: fallbacks, quotas and features.
//! - [`databases`]: statements on PostgreSQL, by the RDS Data API, and on DynamoDB.
//! - [`privacy`]: other tenants and the logs.
//!
//! All of them share one queue, one dead-letter queue and one set of executors, so a test runs [`among_others`] or [`alone`].

#[path = "end_to_end/composites.rs"]
mod composites;
#[path = "end_to_end/crashes.rs"]
mod crashes;
#[path = "end_to_end/databases.rs"]
mod databases;
#[path = "end_to_end/failures.rs"]
mod failures;
#[path = "end_to_end/kills.rs"]
mod kills;
#[path = "end_to_end/load.rs"]
mod load;
#[path = "end_to_end/members.rs"]
mod members;
#[path = "end_to_end/messages.rs"]
mod messages;
#[path = "end_to_end/privacy.rs"]
mod privacy;
#[path = "end_to_end/recurrence.rs"]
mod recurrence;
#[path = "end_to_end/targets.rs"]
mod targets;
#[path = "end_to_end/timing.rs"]
mod timing;

use std::sync::Arc;

use carillon_aws::stack::Stack;
use carillon_core::ids::{Fire, JobId};
use carillon_core::job::{EventType, Job, JobSpec};
use carillon_core::machine::first_state;
use carillon_core::ports::Message;
use carillon_core::ports::{Clock as _, Entropy as _, JobStore as _, Ports as _, WriteOutcome};
use carillon_core::retry::RetryPolicy;
use carillon_core::time::UnixMillis;
use carillon_tests::client::Client;
use carillon_tests::deployment::{Deployment, SOON};
use carillon_tests::env::{epoch_ms, until};
use serde_json::{Value, json};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static IN_USE: RwLock<()> = RwLock::const_new(());

/// The deployment, for a test that neither disturbs others nor is disturbed by them.
async fn among_others() -> (Deployment, RwLockReadGuard<'static, ()>) {
    let guard = IN_USE.read().await;
    (Deployment::up().await, guard)
}

/// The deployment, for a test that moves or kills what belongs to all, or needs all of its strength.
async fn alone() -> (Deployment, RwLockWriteGuard<'static, ()>) {
    let guard = IN_USE.write().await;
    (Deployment::up().await, guard)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// A name that no other run of the tests has. The deployment opens those that begin like this.
fn fresh(what: &str) -> String {
    format!("e2e-{what}-{}", epoch_ms())
}

/// Publishes a catalog under a tag that no other run has.
async fn publish(deployment: &Deployment, mut document: Value) -> String {
    let tag = fresh("product");
    document["envs"] = json!(["dev"]);
    deployment.client.put(&format!("/v1/products/{tag}"), &document).await.json(201);
    tag
}

fn job(product: &str, event: &str, input: &Value) -> Value {
    json!({"product_tag": product, "env": "dev", "event": event, "start_at": 0, "input": input})
}

/// Runs a job to its end, and gives its result.
async fn result(deployment: &Deployment, product: &str, event: &str, input: Value) -> Value {
    let id = deployment.client.schedule(&job(product, event, &input)).await;
    ended(&deployment.client, &id, "completed").await["result"].clone()
}

/// Runs a job that fails, and gives the code of its error.
async fn error(deployment: &Deployment, product: &str, event: &str, input: Value) -> String {
    let id = deployment.client.schedule(&job(product, event, &input)).await;
    text(&ended(&deployment.client, &id, "failed").await["error"]["code"]).to_owned()
}

/// A job once it is over, which has to be in this way.
async fn ended(client: &Client, id: &str, status: &str) -> Value {
    let is_over = |job: &Value| job["status"] == "completed" || job["status"] == "failed";
    let look = async || Some(client.job(id).await).filter(is_over);
    let job = until(format!("{id} is over"), SOON, look).await;
    assert_eq!(job["status"], status, "{job}");
    job
}

/// The executor's log of a fire since an instant.
async fn lines_about(deployment: &Deployment, fire: &str, since: i64) -> Vec<Value> {
    let lines = deployment.emulator.log_of(&deployment.executor_function, since).await;
    let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["fire"] == fire).collect()
}

/// Makes a retry wait no longer than it has to.
fn impatient(mut job: Value, retries: u32) -> Value {
    job["retries"] = json!(retries);
    job["retry"] = json!({"initialDelay": 0, "jitter": false});
    job
}

/// A job of the catalog that [`Deployment::product`] publishes, due now, which no timer is armed for.
fn without_timer(ports: &Stack, product: &str, timeout: Option<u32>) -> Job {
    let now = ports.clock().now();
    let spec = JobSpec {
        product: product.to_owned(),
        env: "dev".to_owned(),
        event: "work".to_owned(),
        event_type: EventType::Action,
        app: None,
        input: json!({"params": {"number": 1}}),
        retries: 0,
        retry: RetryPolicy::default(),
        timeout,
        start_at: now,
        repeat: None,
        session: None,
        cache: None,
        created_at: now,
    };
    Job { id: JobId::new(now, ports.entropy().bits()), state: first_state(&spec, now).unwrap(), spec: Arc::new(spec) }
}

async fn store(ports: &Stack, job: &Job) {
    assert_eq!(ports.jobs().insert_new(job).await.unwrap(), WriteOutcome::Done);
}

/// The body of a message of a fire that has been due for a while.
fn message(fire: Fire) -> String {
    Message::new(fire, UnixMillis(0)).to_string()
}
