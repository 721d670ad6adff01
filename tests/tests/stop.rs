//! The end of a server, and the remains of a failed start.

use std::path::Path;
use std::time::Duration;

use carillon_tests::client::{catalog, job};
use carillon_tests::env::{epoch_ms, now, until};
use carillon_tests::process::{Launch, Server};
use carillon_tests::receiver::{Delivery, Receiver, done};
use http::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Timeout for something that happens at once on an idle machine.
const SOON: Duration = Duration::from_secs(30);

/// A server on a folder whose product `p` calls this receiver.
async fn serve(folder: &Path, receiver: &Receiver) -> (Launch, Server) {
    let launch = Launch::on(folder).allow(receiver.address);
    let server = launch.start().await;
    server.client.put("/v1/products/p", &catalog(receiver.address)).await.json(201);
    (launch, server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_terminated_finishes_what_is_under_way_and_ends_with_success() {
    let folder = tempfile::tempdir().unwrap();
    let (gate, closed) = watch::channel(false);
    let held = async move |delivery: Delivery| {
        closed.clone().wait_for(|open| *open).await.unwrap();
        done(&delivery)
    };
    let receiver = Receiver::start(move |delivery| {
        let held = held.clone();
        async move { held(delivery).await }
    })
    .await;
    let (launch, server) = serve(folder.path(), &receiver).await;
    let under_way = server.client.schedule(&job("p", 1, 0)).await;
    let later = server.client.schedule(&job("p", 2, epoch_ms() + 3_600_000)).await;
    until("the receiver has the request", SOON, async || (receiver.ids() == 1).then_some(())).await;

    server.terminate();
    let closed = async || server.client.send(Method::GET, "/v1/health", &[], None).await.is_err().then_some(());
    until("the server takes no more requests", SOON, closed).await;
    let released = now();
    gate.send_replace(true);
    let ended = server.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(released.elapsed() < Duration::from_secs(8), "it waited for something else: {:?}", released.elapsed());

    let server = launch.start().await;
    let job = server.client.job(&under_way).await;
    assert_eq!((&job["status"], &job["run"]["attempts"]), (&json!("completed"), &json!(1)), "{job}");
    assert_eq!(server.client.job(&later).await["status"], "scheduled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_never_end_their_requests_do_not_keep_a_server_from_ending() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::on(folder.path()).start().await;
    let half_a_head = "POST /v1/jobs HTTP/1.1\r\nhost: x\r\n".to_owned();
    let half_a_body = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 9\r\n\r\n{{",
        server.key
    );
    let mut held = Vec::new();
    for text in [String::new(), half_a_head, half_a_body] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        held.push(stream);
    }
    // The server has taken the connections before this one, too.
    server.client.get("/v1/health").await.json(200);
    server.terminate();
    let ended = server.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("requests that did not end were cut off"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_fails_attempts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::content().await;
    let (launch, server) = serve(folder.path(), &receiver).await;
    let due_at = epoch_ms() + 1_000;
    let id = server.client.schedule(&job("p", 1, due_at)).await;
    server.kill().await;
    until("the job is due", SOON, async || (epoch_ms() > due_at).then_some(())).await;

    launch.clone().with("--catalog", folder.path().join("missing.json")).fails().await;
    let server = launch.start().await;
    until("the job has run", SOON, async || (!server.client.has_open_jobs("p").await).then_some(())).await;
    let job = server.client.job(&id).await;
    assert_eq!((&job["status"], &job["run"]["attempts"]), (&json!("completed"), &json!(1)), "{job}");
    assert_eq!(receiver.ids(), 1);
}
