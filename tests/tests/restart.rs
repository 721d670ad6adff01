//! Servers that are killed and started again, started twice, or have their keys changed: real processes on real folders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use carillon_tests::client::{Client, catalog, job};
use carillon_tests::env::{epoch_ms, until};
use carillon_tests::process::{Launch, Server};
use carillon_tests::random::Random;
use carillon_tests::receiver::{Delivery, Receiver, answer, done};
use futures_util::{StreamExt as _, stream};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;

/// Timeout for something that happens at once on an idle machine.
const SOON: Duration = Duration::from_secs(30);

const JOBS: usize = 2_000;
const CLIENTS: usize = 16;
const RETRIES: u64 = 5;
/// With every point another seed, the kills fall elsewhere.
const SEED: u64 = 20_261_124;

/// A server on a folder whose product `p` calls this receiver.
async fn serve(folder: &Path, receiver: &Receiver) -> (Launch, Server) {
    let launch = Launch::on(folder).allow(receiver.address);
    let server = launch.start().await;
    server.client.put("/v1/products/p", &catalog(receiver.address)).await.json(201);
    (launch, server)
}

/// The submission: numbers that are still to be scheduled, and the jobs that were acknowledged.
struct Submission {
    next: AtomicUsize,
    acknowledged: Mutex<BTreeMap<String, usize>>,
}

impl Submission {
    fn acknowledged(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Schedules one number after the other. When the server dies in between, it is unknown whether that job was
    /// stored: it is scheduled again at the next server.
    async fn work(&self, mut servers: watch::Receiver<Client>) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= JOBS {
                return;
            }
            let body = body(number);
            loop {
                let client = servers.borrow_and_update().clone();
                let Ok(answer) = client.send(Method::POST, "/v1/jobs", &[], Some(&body)).await else {
                    servers.changed().await.unwrap();
                    continue;
                };
                let id = answer.json(202)["job_id"].as_str().unwrap().to_owned();
                assert_eq!(self.acknowledged.lock().unwrap().insert(id, number), None, "an id was given twice");
                break;
            }
        }
    }
}

/// Two in three run at once, the others one to five seconds later.
fn body(number: usize) -> Value {
    let random = Random::of_case(SEED, number as u64).between(1_000, 5_000);
    let start_at = if number.is_multiple_of(3) { epoch_ms() + i64::try_from(random).unwrap() } else { 0 };
    let mut body = job("p", number, start_at);
    body["retries"] = json!(RETRIES);
    body["retry"] = json!({"initialDelay": 50, "maxDelay": 400});
    body
}

/// Takes a moment, so that there is always something under way; fails the first attempt of one job in five.
async fn unsteady(delivery: Delivery) -> axum::response::Response {
    let number: u64 = delivery.path.rsplit('/').next().unwrap().parse().unwrap();
    tokio::time::sleep(Duration::from_millis(2 + number % 20)).await;
    if delivery.nth == 1 && number.is_multiple_of(5) {
        return answer(StatusCode::SERVICE_UNAVAILABLE, &json!({}));
    }
    done(&delivery)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_killed_in_the_middle_of_2000_jobs_lose_none_and_record_none_twice() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(unsteady).await;
    let (launch, mut server) = serve(folder.path(), &receiver).await;
    let (servers, known) = watch::channel(server.client.clone());
    let submission = Arc::new(Submission { next: AtomicUsize::new(0), acknowledged: Mutex::default() });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (submission, known) = (Arc::clone(&submission), known.clone());
            tokio::spawn(async move { submission.work(known).await })
        })
        .collect();

    // An attempt is lost to each kill at the worst, and one to the receiver: with four kills five retries are enough.
    let mut random = Random::new(SEED);
    let kills = [
        (random.between(200, 900), 0),
        (random.between(1_000, 1_700), 0),
        (0, random.between(1_200, 1_500)),
        (JOBS, random.between(1_600, 1_900)),
    ];
    for (acknowledged, seen) in kills {
        let point = format!("{acknowledged} jobs acknowledged and {seen} seen by the receiver");
        let reached = async || (submission.acknowledged() >= acknowledged && receiver.ids() >= seen).then_some(());
        until(point, SOON, reached).await;
        server.kill().await;
        server = launch.start().await;
        servers.send_replace(server.client.clone());
    }
    for client in clients {
        client.await.unwrap();
    }
    let client = server.client.clone();
    until("every job has ended", SOON, async || (!client.has_open_jobs("p").await).then_some(())).await;

    let acknowledged = submission.acknowledged.lock().unwrap().clone();
    let jobs = check(&client, &acknowledged, &receiver).await;
    server.kill().await;
    let server = launch.start().await;
    settled_jobs_stay(&server.client, &jobs, &receiver).await;
}

/// Holds what the API says of every job against the acknowledgements and against what the receiver saw.
async fn check(client: &Client, acknowledged: &BTreeMap<String, usize>, receiver: &Receiver) -> Vec<Value> {
    let jobs = client.jobs("p", None).await;
    let stored: BTreeSet<_> = jobs.iter().map(|job| job["job_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(stored.len(), jobs.len(), "a job is listed twice");
    assert_eq!(acknowledged.len(), JOBS);
    let lost: Vec<_> = acknowledged.keys().filter(|id| !stored.contains(*id)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");

    let counts = receiver.counts();
    let runs =
        stream::iter(&stored).map(|id| async move { client.get(&format!("/v1/jobs/{id}/runs")).await.json(200) });
    let pages: Vec<Value> = runs.buffer_unordered(CLIENTS).collect().await;
    let mut fires = BTreeSet::new();
    for page in &pages {
        let [run] = page["runs"].as_array().unwrap().as_slice() else { panic!("not exactly one run: {page}") };
        let fire = run["webhook_id"].as_str().unwrap();
        let (attempts, deliveries) = (run["attempts"].as_u64().unwrap(), counts.get(fire).copied().unwrap_or(0));
        assert_eq!(run["status"], "completed", "{run}");
        assert_eq!(run["result"]["body"]["id"], fire, "{run}");
        assert!(deliveries >= 1, "recorded as completed, and the receiver never saw it: {run}");
        assert!(u64::from(deliveries) <= attempts && attempts <= RETRIES + 1, "{deliveries} deliveries: {run}");
        for failure in run["failures"].as_array().unwrap() {
            let code = failure["error"]["code"].as_str().unwrap();
            assert!(["EXECUTOR_LOST", "SERVICE_UNAVAILABLE"].contains(&code), "{run}");
        }
        fires.insert(fire.to_owned());
    }
    let strangers: Vec<_> = counts.keys().filter(|id| !fires.contains(*id)).collect();
    assert!(strangers.is_empty(), "delivered, and in no store: {strangers:?}");
    let lost = pages.iter().map(|page| page.to_string().matches("EXECUTOR_LOST").count()).sum::<usize>();
    let unacknowledged = stored.len() - acknowledged.len();
    println!("{unacknowledged} jobs stored without an acknowledgement, {lost} attempts lost to the kills");
    jobs
}

/// After another start, a new job runs and the old ones stay as they are: a fire that came back would come back before it.
async fn settled_jobs_stay(client: &Client, before: &[Value], receiver: &Receiver) {
    let counts = receiver.counts();
    let last = client.schedule(&job("p", JOBS + 1, 0)).await;
    until("the last job has ended", SOON, async || (!client.has_open_jobs("p").await).then_some(())).await;
    let after = client.jobs("p", None).await;
    assert_eq!(after[0]["job_id"], last);
    assert!(after[1..] == *before, "a settled job was changed by a restart");
    let mut counted = receiver.counts();
    counted.retain(|id, _| !id.starts_with(&last));
    assert!(counted == counts, "a settled job was delivered again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_that_came_due_while_the_server_was_down_run_right_after_its_restart() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::content().await;
    let (launch, server) = serve(folder.path(), &receiver).await;
    let due_at = epoch_ms() + 1_500;
    for number in 0..20 {
        server.client.schedule(&job("p", number, due_at)).await;
    }
    server.kill().await;
    until("the jobs are due", SOON, async || (epoch_ms() > due_at).then_some(())).await;
    assert_eq!(receiver.ids(), 0, "the jobs were not to run before the server was killed");

    let restarted_at = epoch_ms();
    let server = launch.start().await;
    until("every job has run", SOON, async || (!server.client.has_open_jobs("p").await).then_some(())).await;
    for job in server.client.jobs("p", None).await {
        assert_eq!((&job["status"], &job["run"]["attempts"]), (&json!("completed"), &json!(1)), "{job}");
        let started_at = job["run"]["started_at"].as_i64().unwrap();
        assert!((0..10_000).contains(&(started_at - restarted_at)), "{} ms: {job}", started_at - restarted_at);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_a_folder_refuses_to_start_and_names_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::on(folder.path());
    let server = launch.start().await;
    let second = launch.fails().await;
    let name = folder.path().to_str().unwrap();
    assert!(second.stderr.contains("another Carillon server is running on"), "{}", second.stderr);
    assert!(second.stderr.contains(name) && !second.stderr.contains("panicked"), "{}", second.stderr);
    assert_eq!(second.stdout, "");

    server.client.get("/v1/health").await.json(200);
    server.kill().await;
    launch.start().await.client.get("/v1/health").await.json(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_made_confined_listed_and_revoked_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let receiver = Receiver::content().await;
    let (_, server) = serve(folder.path(), &receiver).await;
    let foreign = server.client.schedule(&job("p", 1, 0)).await;

    let keys = async |arguments: &[&str]| {
        let ended = carillon_tests::process::run(&[&["keys"], arguments, &["--data", data]].concat()).await;
        assert!(ended.status.success(), "{}", ended.stderr);
        ended
    };
    let made = keys(&["create", "--name", "for q", "--products", "q", "--scopes", "jobs:read,jobs:write"]).await;
    let key = made.stdout.trim();
    assert!(key.starts_with("car_") && key.len() == 47, "{}", made.stdout);
    assert!(!made.stderr.contains(key), "the key stands in the log");

    let confined = server.client.with_key(key);
    server.client.put("/v1/products/q", &catalog(receiver.address)).await.json(201);
    let own = confined.schedule(&job("q", 1, 0)).await;
    assert_eq!(confined.job(&own).await["product_tag"], "q");
    assert_eq!(confined.post("/v1/jobs", &job("p", 2, 0)).await.json(403)["code"], "not_permitted");
    assert_eq!(confined.get("/v1/jobs?product_tag=p&env=dev").await.json(403)["code"], "not_permitted");
    assert_eq!(confined.get(&format!("/v1/jobs/{foreign}")).await.json(404)["code"], "not_found");
    let put = confined.put("/v1/products/q", &catalog(receiver.address)).await;
    assert_eq!(put.json(403)["code"], "missing_scope");

    let listed = keys(&["list"]).await.stdout;
    let line = listed.lines().find(|line| line.contains("for q")).expect("the new key is listed");
    assert!(line.contains("products=q") && line.contains("scopes=jobs:read,jobs:write"), "{line}");
    assert!(!listed.contains(key) && !listed.contains(&server.key), "a key is listed with its text");
    let id = line.split('\t').next().unwrap();
    keys(&["revoke", id]).await;
    assert_eq!(confined.get(&format!("/v1/jobs/{own}")).await.json(401)["code"], "unknown_key");
    server.client.job(&own).await;

    let unknown = carillon_tests::process::run(&["keys", "revoke", id, "--data", data]).await;
    assert!(!unknown.status.success() && unknown.stderr.contains(id), "{}", unknown.stderr);
}
