//! An executor that is killed in the middle of an attempt, or right after it.

use std::time::Duration;

use carillon_tests::client::{job, recurring};
use carillon_tests::deployment::{SOON, executors};
use carillon_tests::env::until;
use carillon_tests::receiver::{Receiver, done};
use carillon_tests::series;
use serde_json::json;
use tokio::sync::mpsc;

use crate::{alone, impatient, number, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_that_is_killed_costs_one_attempt_and_the_job_completes() {
    let (deployment, others_wait) = alone().await;
    // The first attempt of the first job is never answered; only the end of the executor ends it.
    let receiver = Receiver::start(async |delivery| match (delivery.path.as_str(), delivery.nth) {
        ("/tasks/1", 1) => std::future::pending().await,
        _ => done(&delivery),
    });
    let receiver = receiver.await;
    let product = deployment.product("crash", receiver.address).await;
    let mut body = impatient(job(&product, 1, 0), 1);
    body["timeout"] = json!(3_000);
    let id = deployment.client.schedule(&body).await;
    let look = async || executors::kill_whoever_calls(receiver.address, deployment.session);
    until("an executor calls the receiver", Duration::from_secs(3), look).await;
    // The emulator does not poll the queue for a second after a function has crashed.
    let next = deployment.client.schedule(&job(&product, 2, 0)).await;
    let look = async || (receiver.ids() == 2).then_some(());
    until("the queue is polled again", SOON, look).await;
    let _others_go_on = others_wait.downgrade();

    let completed = deployment.job_that_is("completed", &id).await;
    assert_eq!(completed["run"]["attempts"], 2);
    assert_eq!(completed["run"]["failures"][0]["error"]["code"], "EXECUTOR_LOST");
    let count = |id: &str| receiver.counts()[&format!("{id}_g1_r1")];
    assert_eq!((count(&id), count(&next)), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executors_that_are_killed_in_a_run_or_right_after_its_answer_cost_a_series_no_run() {
    const RUNS: usize = 3;
    let (deployment, others_wait) = alone().await;
    // The second run of one series is not answered at first. When the first of another series is, all that have called die
    // where that finds them: one in the attempt, one about to record an outcome or done with it.
    let (answering, mut answered) = mpsc::channel(1);
    let receiver = Receiver::start(move |delivery| {
        let answering = answering.clone();
        async move {
            match (delivery.path.as_str(), delivery.id.rsplit('_').next(), delivery.nth) {
                ("/tasks/1", Some("r2"), 1) => std::future::pending().await,
                ("/tasks/2", Some("r1"), 1) => answering.send(()).await.expect("somebody waits for it"),
                _ => {}
            }
            done(&delivery)
        }
    });
    let receiver = receiver.await;
    let product = deployment.product("series-crash", receiver.address).await;
    let series = |number: i32| {
        let mut body = impatient(recurring(&product, 0, &json!({"every": 1_000, "limit": RUNS})), 1);
        body["input"]["params"]["number"] = json!(number);
        body["timeout"] = json!(3_000);
        body
    };
    let unanswered = deployment.client.schedule(&series(1)).await;
    let is_called = async || receiver.counts().contains_key(&format!("{unanswered}_g1_r2")).then_some(());
    until("the second run is under way", SOON, is_called).await;
    let just_answered = deployment.client.schedule(&series(2)).await;
    answered.recv().await.expect("the first run of the other comes");
    executors::kill_whoever_calls(receiver.address, deployment.session).expect("two executors call the receiver");
    let next = deployment.client.schedule(&job(&product, 3, 0)).await;
    deployment.job_that_is("completed", &next).await;
    let _others_go_on = others_wait.downgrade();

    for (id, hit, begun) in [(&unanswered, 1, 2..=2), (&just_answered, 0, 1..=2)] {
        deployment.job_that_is("completed", id).await;
        let mut runs = series::check(&deployment.client, &receiver, id, RUNS).await;
        let run = runs.remove(hit);
        assert!(begun.contains(&number(&run["attempts"])), "{run}");
        let failures = run["failures"].as_array().expect("a list");
        assert!(failures.iter().all(|failure| text(&failure["error"]["code"]) == "EXECUTOR_LOST"), "{failures:?}");
        assert!(runs.iter().all(|run| number(&run["attempts"]) == 1), "{runs:?}");
    }
}
