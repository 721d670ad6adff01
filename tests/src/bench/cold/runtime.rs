//! A function as the Lambda service runs it: a process, and the Runtime API that it takes events from and answers to.

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::bootstraps::Bootstrap;
use crate::bench::Failure;
use crate::env::{epoch_ms, now};

/// Timeout for an answer.
const LIMIT: Duration = Duration::from_secs(20);

/// The answer of a function.
pub(super) struct Answer {
    /// When it was given the event.
    pub(super) handed_at: Instant,
    /// When its answer was here.
    pub(super) at: Instant,
    pub(super) body: Bytes,
}

/// A function that runs. Its process is killed when it is dropped.
pub(super) struct Function {
    pub(super) started_at: Instant,
    events: mpsc::Sender<Bytes>,
    answers: mpsc::Receiver<Result<Answer, String>>,
    serving: JoinHandle<std::io::Result<()>>,
    _process: Child,
}

impl Function {
    /// Starts a function whose first event waits for it, as one does at every cold start.
    pub(super) async fn start(bootstrap: &Bootstrap) -> Result<Self, Failure> {
        let (events, incoming) = mpsc::channel(1);
        let (outgoing, answers) = mpsc::channel(1);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let api = Arc::new(Api { incoming: Mutex::new((incoming, None)), outgoing });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(respond))
            .fallback(fail)
            .with_state(api);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        events.send(bootstrap.event.clone()).await?;
        let mut command = Command::new(&bootstrap.executable);
        command.env_clear().envs(&bootstrap.environment).env("AWS_LAMBDA_RUNTIME_API", address.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let started_at = now();
        let process = command.spawn()?;
        Ok(Self { started_at, events, answers, serving, _process: process })
    }

    /// Gives it a further event.
    pub(super) async fn send(&self, event: Bytes) -> Result<(), Failure> {
        Ok(self.events.send(event).await?)
    }

    /// Waits for its next answer.
    pub(super) async fn answer(&mut self) -> Result<Answer, Failure> {
        let answer = timeout(LIMIT, self.answers.recv()).await.map_err(|_| "no answer came")?;
        Ok(answer.ok_or("the Runtime API ended")??)
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Api {
    /// The events to come, and when the last one was handed over.
    incoming: Mutex<(mpsc::Receiver<Bytes>, Option<Instant>)>,
    outgoing: mpsc::Sender<Result<Answer, String>>,
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    let (incoming, handed_at) = &mut *api.incoming.lock().await;
    let Some(event) = incoming.recv().await else { return StatusCode::GONE.into_response() };
    *handed_at = Some(now());
    let headers = [
        ("content-type", "application/json"),
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", &(epoch_ms() + 29_000).to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:123456789012:function:measured"),
        ("lambda-runtime-trace-id", "Root=1-69563950-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0"),
    ];
    (headers, event).into_response()
}

async fn respond(State(api): State<Arc<Api>>, body: Bytes) -> StatusCode {
    let at = now();
    let handed_at = api.incoming.lock().await.1.unwrap_or(at);
    drop(api.outgoing.send(Ok(Answer { handed_at, at, body })).await);
    StatusCode::ACCEPTED
}

/// Whatever else is asked for is the report of an error.
async fn fail(State(api): State<Arc<Api>>, body: Bytes) -> StatusCode {
    drop(api.outgoing.send(Err(String::from_utf8_lossy(&body).into_owned())).await);
    StatusCode::ACCEPTED
}
