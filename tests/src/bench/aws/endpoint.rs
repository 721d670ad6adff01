//! DynamoDB, SQS and EventBridge Scheduler in one process, as far as the adapters' real clients ask for them over HTTP. Every
//! request is counted by what it asks for.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use carillon_core::ports::Clock as _;
use carillon_core::time::UnixMillis;
use http::{HeaderMap, StatusCode, Uri, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::account::MovedClock;
use super::counts::Counts;
use super::table::{Refusal, Table, Units};
use crate::bench::Failure;

/// The path of the queue of due fires; that of the dead letters is another.
pub(super) const QUEUE: &str = "/due";

/// Messages that will reach the executor, or already wait for it.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) at: UnixMillis,
    pub(super) body: String,
    /// A schedule sends the message when its time comes.
    pub(super) is_schedule: bool,
    pub(super) receipt_handle: String,
    pub(super) receive_count: u32,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) counts: Counts,
    pub(super) waiting: Vec<Waiting>,
    /// Messages that the executor works on.
    pub(super) received: Vec<Waiting>,
    table: Table,
    handles: u32,
}

/// The services.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
    clock: MovedClock,
}

impl Endpoint {
    /// Serves on a free port until the runtime ends.
    pub(super) async fn start(clock: MovedClock) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let endpoint = Self { address: listener.local_addr()?, state: Arc::default(), clock };
        let own = endpoint.clone();
        let answer = async move |uri: Uri, headers: HeaderMap, body: Bytes| own.answer(&uri, &headers, &body);
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        Ok(endpoint)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        let (status, answer) = match target.split_once('.') {
            Some(("DynamoDB_20120810", action)) => self.state().dynamodb(action, &request),
            Some(("AmazonSQS", action)) => self.state().sqs(action, &request, self.clock.now()),
            _ if uri.path().starts_with("/schedules/") => self.state().create_schedule(&request),
            _ => unknown(uri.path()),
        };
        (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], answer.to_string()).into_response()
    }
}

impl State {
    fn dynamodb(&mut self, action: &str, request: &Value) -> (StatusCode, Value) {
        if action == "GetItem" {
            let read = self.table.get(request).map(|(item, units)| (json!(item), units));
            return match read {
                Ok((item, units)) => {
                    self.counts.dynamodb(units);
                    (StatusCode::OK, if item.is_null() { json!({}) } else { json!({"Item": item}) })
                }
                Err(refusal) => refused(refusal),
            };
        }
        if action == "BatchGetItem" {
            let Some((name, wanted)) = request["RequestItems"].as_object().and_then(|tables| tables.iter().next())
            else {
                return unknown("a batch of no table");
            };
            let read = self.table.batch_get(wanted).map(|(items, units)| (json!({"Responses": {name: items}}), units));
            return match read {
                Ok((answer, units)) => {
                    self.counts.dynamodb(units);
                    (StatusCode::OK, answer)
                }
                Err(refusal) => refused(refusal),
            };
        }
        let (writes, factor) = match action {
            "PutItem" => (vec![("Put", request)], 1),
            "UpdateItem" => (vec![("Update", request)], 1),
            "TransactWriteItems" => {
                let items = request["TransactItems"].as_array().into_iter().flatten().filter_map(Value::as_object);
                (items.flatten().map(|(verb, write)| (verb.as_str(), write)).collect(), 2)
            }
            action => return unknown(action),
        };
        let (units, done): (Units, _) = self.table.write(&writes, factor);
        self.counts.dynamodb(units);
        match done {
            Ok(()) => (StatusCode::OK, json!({})),
            Err(Refusal::Condition(_)) if action == "TransactWriteItems" => {
                unknown("a transaction whose condition fails")
            }
            Err(refusal) => refused(refusal),
        }
    }

    fn sqs(&mut self, action: &str, request: &Value, now: UnixMillis) -> (StatusCode, Value) {
        let is_due = request["QueueUrl"].as_str().is_some_and(|url| url.ends_with(QUEUE));
        let after = |name: &str| now.plus(request[name].as_i64().unwrap_or(0) * 1_000);
        match action {
            "SendMessage" => {
                self.counts.send();
                let body = request["MessageBody"].as_str().unwrap_or_default().to_owned();
                if is_due {
                    self.wait(after("DelaySeconds"), body, false);
                }
                (StatusCode::OK, json!({"MessageId": format!("m{}", self.handles)}))
            }
            "ChangeMessageVisibility" => {
                self.counts.hide();
                let hidden = |message: &&mut Waiting| message.receipt_handle == request["ReceiptHandle"];
                if let Some(message) = self.received.iter_mut().find(hidden) {
                    message.at = after("VisibilityTimeout");
                }
                (StatusCode::OK, json!({}))
            }
            action => unknown(action),
        }
    }

    fn create_schedule(&mut self, request: &Value) -> (StatusCode, Value) {
        self.counts.create_schedule();
        let at = request["ScheduleExpression"].as_str().and_then(|at| at.strip_prefix("at(")?.strip_suffix(')'));
        match (at.and_then(|at| UnixMillis::from_rfc3339(&format!("{at}Z"))), request["Target"]["Input"].as_str()) {
            (Some(at), Some(input)) => {
                self.wait(at, input.to_owned(), true);
                (StatusCode::OK, json!({"ScheduleArn": "arn"}))
            }
            _ => unknown("a schedule"),
        }
    }

    /// Something will be due.
    pub(super) fn wait(&mut self, at: UnixMillis, body: String, is_schedule: bool) {
        self.handles += 1;
        let receipt_handle = format!("h{}", self.handles);
        self.waiting.push(Waiting { at, body, is_schedule, receipt_handle, receive_count: 0 });
    }
}

/// An unexpected request ends the measurement: the clients return an error.
fn unknown(what: &str) -> (StatusCode, Value) {
    (StatusCode::BAD_REQUEST, json!({"__type": "ValidationException", "message": format!("not known here: {what}")}))
}

fn refused(refusal: Refusal) -> (StatusCode, Value) {
    match refusal {
        Refusal::Unknown(what) => unknown(&what),
        Refusal::Condition(item) => {
            let name = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
            (
                StatusCode::BAD_REQUEST,
                json!({"__type": name, "message": "The conditional request failed", "Item": item}),
            )
        }
    }
}
