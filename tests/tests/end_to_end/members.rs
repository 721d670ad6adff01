//! Sessions, caches and named requests, through the real functions.

use std::collections::BTreeSet;

use carillon_tests::deployment::{Deployment, SOON};
use carillon_tests::env::{epoch_ms, until};
use carillon_tests::members::{ask_at_once, content_but_for_fails, live, members, send_at_once};
use carillon_tests::receiver::Receiver;

use crate::failures::dead_letters_of;
use crate::{among_others, privacy};

/// Publishes a product with a session and a cache, whose app stands at the receiver.
async fn product(deployment: &Deployment, name: &str, receiver: &Receiver) -> String {
    let tag = format!("{name}-{}", epoch_ms());
    let document = members(receiver.address, "MEMBER_KEY");
    deployment.client.put(&format!("/v1/products/{tag}"), &document).await.json(201);
    tag
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_token_says_reaches_the_app_and_stands_in_no_item_letter_answer_or_log() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::start(async |delivery| content_but_for_fails(&delivery)).await;
    let begin = epoch_ms();
    let product = product(&deployment, "members", &receiver).await;
    let told = live(&deployment.client, &product).await;
    let counts = receiver.counts();
    let [completed, failed, series] = &told.ids;
    for fire in [format!("{completed}_g1_r1"), format!("{failed}_g1_r1"), format!("{series}_g1_r2")] {
        assert!(counts.contains_key(&fire), "{fire}");
    }
    for answer in &told.answers {
        told.is_not_in("an answer", answer);
    }
    let look = async || dead_letters_of(&deployment, failed).await.pop();
    let letter = until(format!("{failed} is among the dead letters"), SOON, look).await;
    told.is_not_in("a dead letter", &format!("{letter:?}"));
    let look = async || {
        let lines = privacy::logs(&deployment, begin).await.join("\n");
        told.ids.iter().all(|id| lines.matches(id.as_str()).count() >= 2).then_some(lines)
    };
    told.is_not_in("the logs", &until("the logs tell of the jobs", SOON, look).await);
    let table = deployment.emulator.everything_in(&deployment.settings.table).await;
    assert!(told.ids.iter().all(|id| table.contains(id.as_str())), "the jobs stand in the table");
    told.is_not_in("the table", &table);
    assert!(!table.contains(&deployment.environment["MEMBER_KEY"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_identical_jobs_one_is_dispatched() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::start(async |delivery| {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        content_but_for_fails(&delivery)
    })
    .await;
    let product = product(&deployment, "cached", &receiver).await;
    let jobs = ask_at_once(&deployment.client, &product, "quote", 100).await;
    let recalled = jobs.iter().filter(|job| job["run"]["cached"] == true).count();
    assert_eq!((receiver.ids(), recalled), (1, 99));
    assert!(jobs.iter().all(|job| job["status"] == "completed" && job["result"] == jobs[0]["result"]));
    // Failures are not cached: each job makes its own request, one after the other.
    let failed = ask_at_once(&deployment.client, &product, "fails", 3).await;
    assert!(failed.iter().all(|job| job["status"] == "failed"));
    assert_eq!(receiver.ids(), 4);
    let path = format!("/v1/products/{product}/envs/dev/caches/answers");
    let held = async || {
        let entries = deployment.client.get(&path).await.json(200)["entries"].as_array().unwrap().len();
        (entries == 1).then_some(())
    };
    until("the cache shows its entry", SOON, held).await;
    assert_eq!(deployment.client.send(http::Method::DELETE, &path, &[], None).await.unwrap().status, 204);
    let again = ask_at_once(&deployment.client, &product, "quote", 1).await;
    assert_eq!((receiver.ids(), again[0]["run"]["cached"].is_null()), (5, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_of_fifty_requests_of_one_key_gives_one_job() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::start(async |delivery| content_but_for_fails(&delivery)).await;
    let product = product(&deployment, "named", &receiver).await;
    let answers = send_at_once(&deployment.client, &product, "order-7", 50).await;
    let ids: BTreeSet<_> = answers.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!((ids.len(), answers.iter().filter(|(_, is_replayed)| !is_replayed).count()), (1, 1));
    let id = &answers[0].0;
    deployment.job_that_is("completed", id).await;
    assert_eq!(deployment.client.jobs(&product, None).await.len(), 1);
    assert_eq!(receiver.counts(), [(format!("{id}_g1_r1"), 1)].into());
    assert_eq!(send_at_once(&deployment.client, &product, "order-7", 1).await, [(id.clone(), true)]);
}
