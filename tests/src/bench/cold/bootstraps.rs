//! The bootstraps, their environment and their events.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use carillon_aws::clients::Clients;
use carillon_aws::settings::Settings;
use carillon_aws::stack::Stack;
use carillon_core::access::KeyHash;
use carillon_core::operations::{put_catalog, schedule};
use carillon_core::ports::Message;
use carillon_core::ports::{Clock as _, Condition, KeyStore as _, Ports as _};
use carillon_core::testkit::NoSessions;
use serde_json::{Value, json};

use super::aws;
use crate::bench::Failure;
use crate::client::catalog;
use crate::process::{build as cargo_build, root};
use crate::receiver::Receiver;
use carillon_load::{KEY, all_open, body};

/// Builds them as they are deployed; gives their executables.
pub(super) fn build() -> Result<Vec<PathBuf>, Failure> {
    let build =
        |what: &str| cargo_build(&["--profile", "function"].into_iter().chain(what.split(' ')).collect::<Vec<_>>());
    let baselines = build("--package carillon-tests --bin hello --bin minimal --features cold")?;
    let functions = build("--package carillon-api --package carillon-executor")?;
    Ok([baselines, functions].concat())
}

/// An executable, and what it is measured with.
pub(super) struct Bootstrap {
    pub(super) name: &'static str,
    pub(super) executable: PathBuf,
    pub(super) environment: HashMap<&'static str, String>,
    pub(super) event: Bytes,
    /// The place of the result in the answer, and its expected value.
    expected: (&'static str, Value),
}

impl Bootstrap {
    /// True if the function did the measured work.
    pub(super) fn check(&self, answer: &[u8]) -> Result<(), Failure> {
        let document: Value = serde_json::from_slice(answer)?;
        let (pointer, expected) = &self.expected;
        if document.pointer(pointer) == Some(expected) {
            return Ok(());
        }
        Err(format!("{} answered {document}", self.name).into())
    }
}

/// The surroundings of the functions: AWS with a key, a catalog and a job, and the job's target.
pub(super) struct World {
    environment: HashMap<&'static str, String>,
    message: Message,
    _target: Receiver,
}

impl World {
    pub(super) async fn start() -> Result<Self, Failure> {
        let target = Receiver::content().await;
        let endpoint = format!("http://{}", aws::start().await?);
        let environment = environment(&endpoint, &target.address.to_string());
        let variable = |name: &str| environment.get(name).cloned();
        let stack = Stack::new(&Clients::from_environment(variable)?, &Settings::read(variable)?);
        let key = all_open(stack.clock().now());
        stack.keys().add(&KeyHash::of(KEY), &key).await?;
        put_catalog(&stack, &key, "p", catalog(target.address).to_string().as_bytes(), &Condition::Always).await?;
        let job = schedule(&stack, &NoSessions, &key, &body(1, 0), None).await?.job;
        Ok(Self { message: Message::new(job.fire(), job.spec.start_at), environment, _target: target })
    }

    /// All four, in the order of the report.
    pub(super) fn bootstraps(&self, executables: &[PathBuf]) -> Result<Vec<Bootstrap>, Failure> {
        let request = request()?;
        let record = record(&self.message)?;
        let bootstrap = |name, event: &Bytes, pointer, value: Value| -> Result<_, Failure> {
            let is_it = |path: &&PathBuf| path.file_name().is_some_and(|file| file == name);
            let executable = executables.iter().find(is_it).ok_or_else(|| format!("cargo built no {name}"))?.clone();
            let (environment, event) = (self.environment.clone(), event.clone());
            Ok(Bootstrap { name, executable, environment, event, expected: (pointer, value) })
        };
        Ok(vec![
            bootstrap("hello", &request, "/statusCode", json!(200))?,
            bootstrap("minimal", &request, "/statusCode", json!(202))?,
            bootstrap("api", &request, "/statusCode", json!(202))?,
            bootstrap("executor", &record, "/batchItemFailures", json!([]))?,
        ])
    }
}

/// The environment that the Lambda service and the deployment give a function.
fn environment(endpoint: &str, target: &str) -> HashMap<&'static str, String> {
    let said = [
        ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE"),
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_NAME", "measured"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/measured"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]0123456789abcdef"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token"),
        ("CARILLON_ALLOW_LIST", target),
        ("CARILLON_DEAD_LETTER_QUEUE_ARN", "arn:aws:sqs:eu-west-1:123456789012:carillon-dead"),
        ("CARILLON_DEAD_LETTER_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/carillon-dead"),
        ("CARILLON_QUEUE_ARN", "arn:aws:sqs:eu-west-1:123456789012:carillon-due"),
        ("CARILLON_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/carillon-due"),
        ("CARILLON_SCHEDULE_GROUP", "carillon"),
        ("CARILLON_SCHEDULER_ROLE_ARN", "arn:aws:iam::123456789012:role/carillon-scheduler"),
        ("CARILLON_SEALING_KEY_ID", "arn:aws:kms:eu-west-1:123456789012:key/carillon"),
        ("CARILLON_SERVICE", "carillon"),
        ("CARILLON_TABLE", "carillon"),
    ];
    said.map(|(name, value)| (name, value.to_owned())).into()
}

/// `POST /v1/jobs` as an HTTP API passes it on.
fn request() -> Result<Bytes, Failure> {
    let mut event = sample("api-gateway/schedule-job.json")?;
    event["headers"]["authorization"] = json!(format!("Bearer {KEY}"));
    event["body"] = json!(String::from_utf8(body(1, 0))?);
    Ok(event.to_string().into())
}

/// One record of the queue.
fn record(message: &Message) -> Result<Bytes, Failure> {
    let mut event = sample("sqs/one-due-fire.json")?;
    event["Records"][0]["body"] = json!(message.to_string());
    Ok(event.to_string().into())
}

fn sample(path: &str) -> Result<Value, Failure> {
    let path: &Path = &root().join("events").join(path);
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}
