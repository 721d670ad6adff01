//! Messages that no client asked for.

use std::time::Duration;

use carillon_core::ids::Fire;
use carillon_core::ports::Message;
use carillon_core::time::UnixMillis;
use carillon_tests::deployment::SOON;
use carillon_tests::env::{epoch_ms, until};
use carillon_tests::receiver::{Receiver, done};
use serde_json::json;

use crate::{alone, among_others, lines_about, message, number, store, without_timer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_of_a_message_that_come_at_once_give_one_dispatch() {
    const DUPLICATES: usize = 30;
    let (deployment, _shared) = among_others().await;
    // It takes a while, so that the duplicates meet each other.
    let receiver = Receiver::start(async |delivery| {
        tokio::time::sleep(Duration::from_millis(700)).await;
        done(&delivery)
    });
    let receiver = receiver.await;
    let product = deployment.product("race", receiver.address).await;
    let ports = deployment.ports();
    let job = without_timer(&ports, &product, Some(1_500));
    store(&ports, &job).await;
    // Each says another due time, so that none passes for a copy of another one in its batch.
    let bodies: Vec<_> =
        (0..).take(DUPLICATES).map(|due| Message::new(job.fire(), UnixMillis(due)).to_string()).collect();
    let sent = bodies.chunks(10).map(|batch| deployment.emulator.send(&deployment.settings.queue_url, batch));
    futures_util::future::join_all(sent).await;

    let completed = deployment.job_that_is("completed", &job.id.to_string()).await;
    assert_eq!(number(&completed["run"]["attempts"]), 1);
    // Those that met another's lease come back after it, and find the outcome.
    let look = async || {
        let lines = lines_about(&deployment, &job.fire().to_string(), job.spec.created_at.0).await;
        let done = lines.iter().filter(|line| line["verdict"] == "acknowledge").count();
        (done >= DUPLICATES).then_some(lines)
    };
    let lines = until("every duplicate is dealt with", SOON, look).await;
    assert_eq!(lines.iter().filter(|line| line["attempt"].is_number()).count(), 1);
    assert!(lines.iter().any(|line| line["verdict"] == "redeliver"), "no two executors met: nothing was shown");
    assert_eq!(receiver.counts(), [(job.fire().to_string(), 1)].into());
    assert_eq!(deployment.client.job(&job.id.to_string()).await, completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poisoned_record_is_dead_lettered_and_the_rest_of_its_batch_runs() {
    let (deployment, _alone) = alone().await;
    let receiver = Receiver::content().await;
    let product = deployment.product("poison", receiver.address).await;
    let ports = deployment.ports();
    let poison = format!("{{\"fire\": \"of {product}\"}}");
    let (mut bodies, mut ids) = (vec![poison.clone()], Vec::new());
    for _ in 0..9 {
        let job = without_timer(&ports, &product, None);
        store(&ports, &job).await;
        bodies.push(message(job.fire()));
        ids.push(job.id.to_string());
    }
    deployment.emulator.send(&deployment.settings.queue_url, &bodies).await;
    for id in &ids {
        let completed = deployment.job_that_is("completed", id).await;
        assert_eq!(number(&completed["run"]["attempts"]), 1);
    }
    let settings = &deployment.settings;
    let look = async || {
        let letters = deployment.emulator.letters(&settings.dead_letter_queue_url).await;
        letters.into_iter().find(|letter| letter.body == poison)
    };
    let dead_lettered = until("the poisoned record is among the dead letters", SOON, look).await;
    assert_eq!(dead_lettered.attributes["reason"], "UNREADABLE");
    assert_eq!(receiver.ids(), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_whose_job_is_stored_a_moment_later_runs_it() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::content().await;
    let product = deployment.product("late", receiver.address).await;
    let ports = deployment.ports();
    let job = without_timer(&ports, &product, None);
    deployment.emulator.send(&deployment.settings.queue_url, &[message(job.fire())]).await;
    let look = async || lines_about(&deployment, &job.fire().to_string(), job.spec.created_at.0).await.pop();
    assert_eq!(until("the message finds no job", SOON, look).await["verdict"], "unknown");
    store(&ports, &job).await;
    deployment.job_that_is("completed", &job.id.to_string()).await;
    assert_eq!(receiver.counts(), [(job.fire().to_string(), 1)].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_no_job_is_kept_for_its_grace_and_then_dropped() {
    let (deployment, _shared) = among_others().await;
    let fires = [(); 2].map(|()| without_timer(&deployment.ports(), "nobody", None).fire());
    // As the queue delivers them: one was sent just now, the other two minutes ago.
    let record = |id: &str, fire: Fire, age_ms: i64| {
        json!({
            "messageId": id, "receiptHandle": "unknown", "body": message(fire), "eventSource": "aws:sqs",
            "attributes": {"SentTimestamp": (epoch_ms() - age_ms).to_string(), "ApproximateReceiveCount": "2"},
        })
    };
    let event = json!({"Records": [record("young", fires[0], 0), record("old", fires[1], 120_000)]});
    let answer = deployment.emulator.invoke(&deployment.executor_function, &event).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "young"}]}));
    for fire in fires {
        assert_eq!(deployment.client.get(&format!("/v1/jobs/{}", fire.job_id)).await.status, 404);
    }
}
