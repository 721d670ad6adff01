//! An executor that is killed in the middle of an attempt.

use std::time::Duration;

use carillon_tests::client::job;
use carillon_tests::deployment::{SOON, executors};
use carillon_tests::outside::until;
use carillon_tests::receiver::{Receiver, done};
use serde_json::json;

use crate::{alone, impatient};

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
    // The emulator polls the queue no more for a second after a function has crashed: then the others may go on.
    let next = deployment.client.schedule(&job(&product, 2, 0)).await;
    let look = async || (receiver.ids() == 2).then_some(());
    until("the queue is polled again", SOON, look).await;
    drop(others_wait);

    let completed = deployment.job_that_is("completed", &id).await;
    assert_eq!(completed["run"]["attempts"], 2);
    assert_eq!(completed["run"]["failures"][0]["error"]["code"], "EXECUTOR_LOST");
    let count = |id: &str| receiver.counts()[&format!("{id}_g1_r1")];
    assert_eq!((count(&id), count(&next)), (2, 1));
}
