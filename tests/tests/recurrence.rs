//! Recurring jobs of a real server, from their first run to their last: by time, through kills, by callers' changes.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use carillon_tests::client::{Client, catalog, recurring};
use carillon_tests::env::{epoch_ms, until};
use carillon_tests::process::{Launch, Server};
use carillon_tests::receiver::{Receiver, done};
use carillon_tests::series;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Timeout for something that happens at once on an idle machine.
const SOON: Duration = Duration::from_secs(30);
const HOUR: i64 = 3_600_000;

/// A server on a folder whose product `p` calls this receiver.
async fn serve(folder: &Path, receiver: &Receiver) -> (Launch, Server) {
    let launch = Launch::on(folder).allow(receiver.address);
    let server = launch.start().await;
    server.client.put("/v1/products/p", &catalog(receiver.address)).await.json(201);
    (launch, server)
}

async fn job_that_is(client: &Client, status: &str, id: &str) -> Value {
    let look = async || Some(client.job(id).await).filter(|job| job["status"] == status);
    until(format!("{id} is {status}"), SOON, look).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_series_runs_at_its_nominal_times_up_to_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::content().await;
    let (_, server) = serve(folder.path(), &receiver).await;
    let start_at = epoch_ms() + 700;
    let id = server.client.schedule(&recurring("p", start_at, &json!({"every": 1_000, "limit": 3}))).await;
    let completed = job_that_is(&server.client, "completed", &id).await;
    let runs = series::check(&server.client, &receiver, &id, 3).await;
    for (number, run) in (0..).zip(&runs) {
        let (fire, due_at) = (format!("{id}_g1_r{}", number + 1), start_at + 1_000 * number);
        assert_eq!((&run["webhook_id"], &run["nominal_at"]), (&json!(fire), &json!(due_at)), "{run}");
        let [arrived_at] = receiver.arrivals(&fire)[..] else { panic!("{fire} came in more than once") };
        assert!(
            (0..1_000).contains(&(arrived_at - due_at)),
            "{fire} arrived {} ms after its time",
            arrived_at - due_at
        );
    }
    assert_eq!((&completed["missed"], &completed["last_run"]["run_no"]), (&json!(0), &json!(2)));
    assert_eq!(receiver.ids(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn series_whose_server_is_killed_within_runs_and_between_them_complete_with_one_outcome_for_each() {
    const JOBS: usize = 10;
    const RUNS: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    // The first attempts of every second run are never answered: only the end of the server ends them.
    let (answering, mut asked) = mpsc::unbounded_channel();
    let receiver = Receiver::start(move |delivery| {
        let answering = answering.clone();
        async move {
            if delivery.id.ends_with("_r2") && delivery.nth == 1 {
                answering.send(()).expect("somebody waits for it");
                return std::future::pending().await;
            }
            done(&delivery)
        }
    });
    let receiver = receiver.await;
    let (launch, server) = serve(folder.path(), &receiver).await;
    let mut ids = BTreeSet::new();
    for _ in 0..JOBS {
        let mut body = recurring("p", 0, &json!({"every": 1_000, "limit": RUNS}));
        body["retries"] = json!(2);
        body["retry"] = json!({"initialDelay": 0, "jitter": false});
        ids.insert(server.client.schedule(&body).await);
    }
    for _ in 0..JOBS {
        asked.recv().await.expect("every series comes to its second run");
    }
    server.kill().await;
    let server = launch.start().await;
    // The second kill comes as soon as the first of the third runs has come in, wherever that finds the others.
    let is_asked = async || receiver.counts().keys().any(|fire| fire.ends_with("_r3")).then_some(());
    until("a third run comes in", SOON, is_asked).await;
    server.kill().await;
    let server = launch.start().await;

    for id in &ids {
        job_that_is(&server.client, "completed", id).await;
        let runs = series::check(&server.client, &receiver, id, RUNS).await;
        let lost = &runs[1]["failures"][0]["error"]["code"];
        assert_eq!((lost, &runs[0]["attempts"]), (&json!("EXECUTOR_LOST"), &json!(1)), "{id}");
    }
    assert_eq!(server.client.jobs("p", None).await.len(), JOBS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_needs_the_jobs_current_tag_and_gives_the_series_its_new_plan() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::content().await;
    let (_, server) = serve(folder.path(), &receiver).await;
    let client = &server.client;
    let id = client.schedule(&recurring("p", epoch_ms() + HOUR, &json!({"every": HOUR}))).await;
    let path = format!("/v1/jobs/{id}");
    let tag = async || client.get(&path).await.headers["etag"].to_str().unwrap().to_owned();
    let edit = async |tag: &str, body: &Value| {
        client.send(Method::PATCH, &path, &[("if-match", tag)], Some(body)).await.unwrap()
    };
    let stale = tag().await;
    let first = edit(&stale, &json!({"retries": 2})).await;
    assert_eq!(first.headers["etag"], *tag().await);
    assert_eq!(first.json(200)["retries"], 2);

    let plan = json!({"start_at": 0, "repeat": {"every": 1_000, "limit": 2}});
    let before = client.job(&id).await;
    assert_eq!(edit(&stale, &plan).await.json(412)["code"], "precondition_failed");
    assert_eq!(client.job(&id).await, before);
    let edited = edit(&tag().await, &plan).await.json(200);
    assert_eq!((&edited["repeat"], &edited["generation"]), (&plan["repeat"], &json!(2)));
    job_that_is(client, "completed", &id).await;
    let runs = series::check(client, &receiver, &id, 2).await;
    let fires: Vec<_> = runs.iter().map(|run| run["webhook_id"].as_str().unwrap()).collect();
    assert_eq!(fires, [format!("{id}_g2_r1"), format!("{id}_g2_r2")]);
    // A job that has ended cannot be changed, whatever tag is given.
    assert_eq!(edit(&tag().await, &plan).await.json(409)["code"], "job_completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_shows_the_runs_that_then_come_and_stores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::content().await;
    let (_, server) = serve(folder.path(), &receiver).await;
    let mut body = recurring("p", epoch_ms() + 1_500, &json!({"every": 1_000, "limit": 2}));
    body["count"] = json!(10);
    let preview = server.client.post("/v1/jobs/preview", &body).await.json(200);
    assert_eq!((&preview["recurring"], &preview["ends_by"]), (&json!(true), &json!("limit")));
    assert_eq!(server.client.jobs("p", None).await, Vec::<Value>::new());

    body.as_object_mut().unwrap().remove("count");
    let id = server.client.schedule(&body).await;
    job_that_is(&server.client, "completed", &id).await;
    let nominal = |runs: &[Value], name: &str| runs.iter().map(|run| run[name].clone()).collect::<Vec<_>>();
    let runs = series::check(&server.client, &receiver, &id, 2).await;
    assert_eq!(nominal(&runs, "nominal_at"), nominal(preview["runs"].as_array().unwrap(), "due_at"));
    assert_eq!((server.client.jobs("p", None).await.len(), receiver.ids()), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_many_runs_follow_each_other_without_gap_or_duplicate_while_runs_are_added() {
    const RUNS: u64 = 45;
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::content().await;
    let (_, server) = serve(folder.path(), &receiver).await;
    let client = &server.client;
    let id = client.schedule(&recurring("p", epoch_ms() + HOUR, &json!({"every": HOUR}))).await;
    // Runs outside the schedule, because an hour is long; the waiting one is one more.
    let run_until = async |run_no: u64| {
        let mut waiting = client.job(&id).await["run"]["run_no"].as_u64().unwrap();
        while waiting < run_no {
            client.change(&id, "run").await;
            let look = async || client.job(&id).await["run"]["run_no"].as_u64().filter(|next| *next > waiting);
            waiting = until("the run has ended", SOON, look).await;
        }
    };
    run_until(RUNS).await;
    let numbers = |page: &[Value]| page.iter().map(|run| run["run_no"].as_u64().unwrap()).collect::<Vec<_>>();
    let latest_first: Vec<_> = (1..=RUNS).rev().collect();
    for (limit, lengths) in [(1, vec![1; 45]), (10, vec![10, 10, 10, 10, 5]), (44, vec![44, 1]), (100, vec![45])] {
        let mut pages = client.pages_of_runs(&id, limit).await;
        // A page that is full may be followed by an empty one.
        let last = pages.pop_if(|page| page.is_empty());
        assert!(last.is_none() || lengths.last() == Some(&limit), "{limit}");
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), lengths, "{limit}");
        assert_eq!(numbers(&pages.concat()), latest_first, "{limit}");
    }

    let first = client.get(&format!("/v1/jobs/{id}/runs?limit=20")).await.json(200);
    run_until(RUNS + 2).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = client.get(&format!("/v1/jobs/{id}/runs?limit=100&cursor={cursor}")).await.json(200);
    let entries = [first["runs"].as_array().unwrap().as_slice(), second["runs"].as_array().unwrap()].concat();
    assert_eq!(numbers(&entries), latest_first);
    assert_eq!(client.get(&format!("/v1/jobs/{id}/runs?limit=101")).await.status, 422);
    assert_eq!(receiver.ids() as u64, RUNS + 1);
}
