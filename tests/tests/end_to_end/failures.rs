//! Failed attempts, dead letters, and the three ways back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use carillon_tests::client::{Client, job};
use carillon_tests::deployment::{Deployment, Letter, SOON};
use carillon_tests::env::{epoch_ms, until};
use carillon_tests::receiver::{Receiver, answer, done};
use http::StatusCode;
use serde_json::json;

use crate::{alone, among_others, impatient, lines_about, number, text};

/// A receiver that is down until told otherwise.
async fn down() -> (Receiver, Arc<AtomicBool>) {
    let is_up = Arc::<AtomicBool>::default();
    let switch = Arc::clone(&is_up);
    let receiver = Receiver::start(move |delivery| {
        let is_up = switch.load(Ordering::Relaxed);
        async move { if is_up { done(&delivery) } else { answer(StatusCode::SERVICE_UNAVAILABLE, &json!({})) } }
    });
    (receiver.await, is_up)
}

pub(crate) async fn dead_letters_of(deployment: &Deployment, id: &str) -> Vec<Letter> {
    let letters = deployment.emulator.letters(&deployment.settings.dead_letter_queue_url).await;
    letters.into_iter().filter(|letter| letter.body.contains(id)).collect()
}

/// Schedules a job that fails after `retries` + 1 attempts, and waits until it is among the dead letters.
async fn spent(deployment: &Deployment, product: &str, retries: u32) -> (String, Letter) {
    let id = deployment.client.schedule(&impatient(job(product, 1, 0), retries)).await;
    deployment.job_that_is("failed", &id).await;
    let look = async || dead_letters_of(deployment, &id).await.pop();
    let letter = until(format!("{id} is among the dead letters"), SOON, look).await;
    (id, letter)
}

/// Statuses and generations of a job's runs, latest first.
async fn runs(client: &Client, id: &str) -> Vec<(i64, String)> {
    let page = client.get(&format!("/v1/jobs/{id}/runs")).await.json(200);
    let runs = page["runs"].as_array().unwrap().iter();
    runs.map(|run| (number(&run["generation"]), text(&run["status"]).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_attempt_comes_back_under_the_same_id_and_succeeds() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::start(async |delivery| match delivery.nth {
        3.. => done(&delivery),
        _ => answer(StatusCode::SERVICE_UNAVAILABLE, &json!({})),
    });
    let receiver = receiver.await;
    let product = deployment.product("retry", receiver.address).await;
    let mut body = job(&product, 1, 0);
    body["retries"] = json!(3);
    body["retry"] = json!({"initialDelay": 1000, "backoffMultiplier": 1, "jitter": false});
    let id = deployment.client.schedule(&body).await;
    let completed = deployment.job_that_is("completed", &id).await;
    assert_eq!(receiver.counts(), [(format!("{id}_g1_r1"), 3)].into());
    let run = &completed["run"];
    assert_eq!(run["attempts"], 3);
    let failures = run["failures"].as_array().unwrap();
    let codes: Vec<_> = failures.iter().map(|failure| text(&failure["error"]["code"])).collect();
    assert_eq!(codes, ["SERVICE_UNAVAILABLE"; 2]);
    let backoff_ms = number(&failures[1]["failed_at"]) - number(&failures[0]["failed_at"]);
    assert!(backoff_ms >= 1_000, "the second attempt came {backoff_ms} ms after the first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spent_fire_lies_among_the_dead_letters_and_the_queues_own_redrive_gives_it_a_fresh_budget() {
    let (deployment, _alone) = alone().await;
    let (receiver, is_up) = down().await;
    let product = deployment.product("redrive", receiver.address).await;
    let (id, letter) = spent(&deployment, &product, 1).await;
    assert_eq!(receiver.counts(), [(format!("{id}_g1_r1"), 2)].into());
    let message = letter.message().expect("it is the fire's message");
    assert_eq!((message.fire.to_string(), message.dead_lettered), (format!("{id}_g1_r1"), true));
    assert_eq!(letter.attributes["reason"], "SERVICE_UNAVAILABLE");
    assert_eq!(letter.attributes["detail"], "the target answered 503 Service Unavailable");

    let settings = &deployment.settings;
    let (dead_letters, queue) = (&settings.dead_letter_queue_arn, &settings.queue_arn);
    let redrive = async || deployment.emulator.start_message_move_task(dead_letters, queue).await;
    // Redriven while the receiver is still down, it uses its whole budget again.
    redrive().await;
    let look = async || (receiver.counts().get(&format!("{id}_g2_r1")) == Some(&2)).then_some(());
    until("the second budget is spent", SOON, look).await;
    let look = async || dead_letters_of(&deployment, &format!("{id}_g2_r1")).await.pop();
    until("it is among the dead letters again", SOON, look).await;

    is_up.store(true, Ordering::Relaxed);
    redrive().await;
    let completed = deployment.job_that_is("completed", &id).await;
    assert_eq!((number(&completed["generation"]), number(&completed["run"]["attempts"])), (3, 1));
    let expected = [(3, "completed"), (2, "failed"), (1, "failed")].map(|(run, status)| (run, status.to_owned()));
    assert_eq!(runs(&deployment.client, &id).await, expected);
    assert!(dead_letters_of(&deployment, &id).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_a_caller_retries_runs_again_and_its_old_dead_letter_does_no_harm() {
    let (deployment, _alone) = alone().await;
    let (receiver, is_up) = down().await;
    let product = deployment.product("again", receiver.address).await;
    let (id, _) = spent(&deployment, &product, 0).await;
    is_up.store(true, Ordering::Relaxed);
    deployment.client.post(&format!("/v1/jobs/{id}/retry"), &json!({})).await.json(200);
    let completed = deployment.job_that_is("completed", &id).await;
    assert_eq!(number(&completed["generation"]), 2);

    let (settings, begin) = (&deployment.settings, epoch_ms());
    deployment.emulator.start_message_move_task(&settings.dead_letter_queue_arn, &settings.queue_arn).await;
    let look = async || lines_about(&deployment, &format!("{id}_g1_r1"), begin).await.pop();
    until("the dead letter comes", SOON, look).await;
    assert_eq!(deployment.client.job(&id).await, completed);
    assert_eq!(receiver.counts(), [(format!("{id}_g1_r1"), 1), (format!("{id}_g2_r1"), 1)].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_redrives_the_jobs_of_an_environment_up_to_a_limit_or_everything() {
    let (deployment, _alone) = alone().await;
    let (receiver, is_up) = down().await;
    let product = deployment.product("bulk", receiver.address).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(spent(&deployment, &product, 0).await.0);
    }
    is_up.store(true, Ordering::Relaxed);
    let redrive = async |body| deployment.client.post("/v1/dead-letters/redrive", &body).await;
    let of_two = redrive(json!({"product_tag": product, "env": "dev", "limit": 2})).await.json(200);
    assert_eq!(of_two, json!({"redriven": 2}));
    // The newest first, as a list shows them.
    for id in &ids[2..] {
        deployment.job_that_is("completed", id).await;
    }
    for id in &ids[..2] {
        assert_eq!(deployment.client.job(id).await["status"], "failed");
    }
    assert_eq!(redrive(json!({})).await.json(202), json!({"started": true}));
    for id in &ids {
        let completed = deployment.job_that_is("completed", id).await;
        assert_eq!(number(&completed["generation"]), 2, "{id}");
    }
    for id in &ids {
        assert!(dead_letters_of(&deployment, id).await.is_empty(), "{id}");
    }
    assert_eq!(receiver.counts().len(), 8);
}
