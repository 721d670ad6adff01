//! Sessions, caches and named requests of a real server on a folder.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use carillon_tests::client::job;
use carillon_tests::env::until;
use carillon_tests::members::{ask_at_once, content_but_for_fails, live, members, send_at_once};
use carillon_tests::process::{Launch, Server, run};
use carillon_tests::receiver::{Receiver, answer, done};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;

const SOON: Duration = Duration::from_secs(30);
const SECRET: &str = "a-shared-secret-of-the-sessions-of-members";

async fn serve(folder: &Path, receiver: &Receiver) -> (Launch, Server) {
    let launch = Launch::on(folder).allow(receiver.address).variable("MEMBER_KEY", SECRET);
    let server = launch.start().await;
    server.client.put("/v1/products/p", &members(receiver.address, "MEMBER_KEY")).await.json(201);
    (launch, server)
}

/// Everything that the folder holds.
fn stored(folder: &Path) -> String {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    String::from_utf8_lossy(&files.collect::<Vec<_>>().concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_token_says_reaches_the_app_and_stands_in_no_file_answer_or_log() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(async |delivery| content_but_for_fails(&delivery)).await;
    let (_, server) = serve(folder.path(), &receiver).await;
    let told = live(&server.client, "p").await;
    let counts = receiver.counts();
    let [completed, failed, series] = &told.ids;
    for fire in [format!("{completed}_g1_r1"), format!("{failed}_g1_r1"), format!("{series}_g1_r2")] {
        assert_eq!(counts.get(&fire), Some(&1), "{fire}");
    }
    for answer in &told.answers {
        told.is_not_in("an answer", answer);
    }
    let held = stored(folder.path());
    assert!(held.contains(completed.as_str()) || held.contains("$Session{"), "the jobs stand in the store");
    told.is_not_in("the store", &held);
    assert!(!held.contains(SECRET));
    server.terminate();
    let ended = server.ended().await;
    for text in [&ended.stdout, &ended.stderr] {
        told.is_not_in("the log", text);
        assert!(!text.contains(SECRET));
    }
    assert!(ended.stderr.contains(completed.as_str()), "the log tells of the jobs");
    told.is_not_in("the store", &stored(folder.path()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealing_key_is_added_beside_a_running_server_and_old_jobs_run_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let receiver = Receiver::content().await;
    let (launch, server) = serve(folder.path(), &receiver).await;
    let minted = server.client.post("/v1/products/p/envs/dev/sessions/member", &json!({"data": {"task": "t"}})).await;
    let later = |number: usize| {
        let mut body = job("p", number, carillon_tests::env::epoch_ms() + 3_600_000);
        body["session"] = json!({"tag": "member", "token": minted.json(201)["token"]});
        body["input"]["params"]["number"] = json!("$Session{task}");
        body
    };
    let old = server.client.schedule(&later(1)).await;
    let rotated = run(&["keys", "rotate-sealing", "--data", data]).await;
    assert!(rotated.status.success() && rotated.stdout.starts_with("seal_"), "{} {}", rotated.stdout, rotated.stderr);
    let new = server.client.schedule(&later(2)).await;
    let keys = std::fs::read_to_string(folder.path().join("sealing-keys")).unwrap();
    assert_eq!(keys.lines().count(), 2);
    let held = stored(folder.path());
    for line in keys.lines() {
        let id = line.split(' ').next().unwrap();
        assert!(held.matches(id).count() >= 2, "{id} has sealed something");
    }
    server.kill().await;
    let server = launch.start().await;
    for id in [&old, &new] {
        server.client.change(id, "run").await;
        let look = async || (server.client.job(id).await["status"] == "completed").then_some(());
        until(format!("{id} is completed"), SOON, look).await;
    }
    assert_eq!(receiver.ids(), 2);
}

fn recalled(jobs: &[Value]) -> usize {
    jobs.iter().filter(|job| job["run"]["cached"] == true).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_identical_jobs_one_is_dispatched() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(async |delivery| {
        tokio::time::sleep(Duration::from_millis(300)).await;
        content_but_for_fails(&delivery)
    })
    .await;
    let (_, server) = serve(folder.path(), &receiver).await;
    let jobs = ask_at_once(&server.client, "p", "quote", 100).await;
    assert_eq!((receiver.ids(), recalled(&jobs)), (1, 99));
    assert!(jobs.iter().all(|job| job["result"] == jobs[0]["result"] && job["status"] == "completed"));
    let again = ask_at_once(&server.client, "p", "quote", 1).await;
    assert_eq!((receiver.ids(), recalled(&again)), (1, 1));
    // Failures are not cached: each job makes its own request, one after the other.
    let failed = ask_at_once(&server.client, "p", "fails", 5).await;
    assert_eq!((receiver.ids(), recalled(&failed)), (6, 0));
    let path = "/v1/products/p/envs/dev/caches/answers";
    assert_eq!(server.client.get(path).await.json(200)["entries"].as_array().unwrap().len(), 1);
    server.client.send(http::Method::DELETE, path, &[], None).await.unwrap();
    ask_at_once(&server.client, "p", "quote", 1).await;
    assert_eq!(receiver.ids(), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_executor_dies_its_lease_frees_those_who_wait() {
    let folder = tempfile::tempdir().unwrap();
    let (opened, open) = watch::channel(false);
    let receiver = Receiver::start(move |delivery| {
        let mut open = open.clone();
        async move {
            open.wait_for(|open| *open).await.unwrap();
            done(&delivery)
        }
    })
    .await;
    let (launch, server) = serve(folder.path(), &receiver).await;
    let mut body = job("p", 1, 0);
    body["cache"] = json!("answers");
    // The lease is that of the attempt and its margin of 10 s.
    (body["timeout"], body["retries"]) = (json!(1_000), json!(1));
    let first = server.client.schedule(&body).await;
    until("the first is dispatched", SOON, async || (receiver.ids() == 1).then_some(())).await;
    let second = server.client.schedule(&body).await;
    server.kill().await;
    opened.send_replace(true);
    let server = launch.start().await;
    for id in [&first, &second] {
        let look = async || Some(server.client.job(id).await).filter(|job| job["status"] == "completed");
        until(format!("{id} is completed"), SOON, look).await;
    }
    let deliveries: u32 = receiver.counts().values().sum();
    assert_eq!(deliveries, 2, "the one that was lost, and one more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_of_fifty_requests_of_one_key_gives_one_job() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::content().await;
    let (launch, server) = serve(folder.path(), &receiver).await;
    let answers = send_at_once(&server.client, "p", "order-7", 50).await;
    let ids: BTreeSet<_> = answers.iter().map(|(id, _)| id).collect();
    assert_eq!((ids.len(), answers.iter().filter(|(_, is_replayed)| !is_replayed).count()), (1, 1));
    until("the job has ended", SOON, async || (!server.client.has_open_jobs("p").await).then_some(())).await;
    server.kill().await;
    let server = launch.start().await;
    let again = send_at_once(&server.client, "p", "order-7", 1).await;
    assert_eq!(again, [(answers[0].0.clone(), true)]);
    let (headers, other) = ([("idempotency-key", "order-7")], job("p", 8, 0));
    let changed = server.client.send(http::Method::POST, "/v1/jobs", &headers, Some(&other)).await.unwrap();
    assert_eq!(changed.status, 422, "{}", changed.text);
    assert_eq!((server.client.jobs("p", None).await.len(), receiver.ids()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contracts_own_example_runs_whole_once_its_token_is_genuine() {
    let folder = tempfile::tempdir().unwrap();
    let tickets = json!({"data": [{"status": "ok", "id": "ticket-1"}]});
    let receiver = Receiver::start(move |_| std::future::ready(answer(StatusCode::OK, &tickets))).await;
    let server = Launch::on(folder.path()).allow(receiver.address).variable("MEMBER_KEY", SECRET).start().await;
    let mut catalog: Value = serde_json::from_str(include_str!("../../events/catalogs/my-product.json")).unwrap();
    catalog["sessions"]["user-session"]["envs"]["prd"]["key"] = json!("env:MEMBER_KEY");
    let push = &mut catalog["notifications"]["send_notification"]["envs"]["prd"]["push"];
    push["url"] = json!(format!("http://{}/push", receiver.address));
    server.client.put("/v1/products/my-product", &catalog).await.json(201);
    let sessions = "/v1/products/my-product/envs/prd/sessions/user-session";
    let minted = server.client.post(sessions, &json!({"data": {"id": 7}})).await.json(201);
    let mut example: Value = serde_json::from_str(include_str!("../../events/jobs/contract-example.json")).unwrap();
    example["session"]["token"] = minted["token"].clone();
    let id = server.client.schedule(&example).await;
    server.client.change(&id, "run").await;
    let look = async || Some(server.client.job(&id).await).filter(|job| !job["last_run"].is_null());
    let job = until("the first run is over".to_owned(), SOON, look).await;
    assert_eq!((&job["last_run"]["status"], &job["status"]), (&json!("completed"), &json!("scheduled")), "{job}");
    let runs = server.client.get(&format!("/v1/jobs/{id}/runs")).await.json(200);
    let sent = runs["runs"].as_array().unwrap().iter().find_map(|run| run["result"]["channels"].get("push"));
    assert_eq!(sent, Some(&json!({"provider": "expo", "tickets": [{"id": "ticket-1"}]})), "{runs}");
}
