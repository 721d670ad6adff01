//! Fallbacks, quotas and features on the real functions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use carillon_tests::deployment::SOON;
use carillon_tests::env::until;
use carillon_tests::receiver::{Receiver, answer, done};
use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};

use crate::targets::app;
use crate::{alone, among_others, ended, impatient, job, publish, result};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fallback_remembers_which_option_failed_from_one_job_to_the_next() {
    let (deployment, _shared) = among_others().await;
    let asked = Arc::<AtomicU32>::default();
    let asks = Arc::clone(&asked);
    let receiver = Receiver::start(move |delivery| {
        let fails = delivery.path == "/first";
        asks.fetch_add(u32::from(fails), Ordering::Relaxed);
        async move { if fails { answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({})) } else { done(&delivery) } }
    });
    let receiver = receiver.await;
    let base_url = format!("http://{}", receiver.address);
    let action = |path: &str| json!({"method": "POST", "path": path});
    let apps = json!({"shops": {
        "envs": {"dev": {"base_url": base_url}}, "actions": {"one": action("/first"), "two": action("/second")},
    }});
    let fallbacks = json!({"shop": {"options": [{"event": "one"}, {"event": "two"}]}});
    let product = publish(&deployment, json!({"apps": apps, "fallbacks": fallbacks})).await;
    for failed in [1, 0] {
        let bought = result(&deployment, &product, "shop", json!({"input": {}})).await;
        assert_eq!((&bought["option"], &bought["position"]), (&json!("two"), &json!(2)), "{bought}");
        assert_eq!(bought["output"]["body"]["path"], "/second", "{bought}");
        let failures = bought["failed"].as_array().unwrap();
        let is_first = |it: &Value| it["option"] == "one" && it["error"]["code"] == "SERVICE_UNAVAILABLE";
        assert!(failures.len() == failed && failures.iter().all(is_first), "{bought}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_jobs_at_once_use_a_quota_up_and_no_more() {
    let (deployment, _shared) = among_others().await;
    let product = publish(&deployment, json!({"quotas": {"calls": {"limit": 60, "period": "month"}}})).await;
    let ask = impatient(job(&product, "calls", &json!({})), 3);
    let ids = join_all((0..100).map(|_| deployment.client.schedule(&ask))).await;
    let mut outcomes = BTreeMap::new();
    for id in &ids {
        let is_over = |job: &Value| job["status"] == "completed" || job["status"] == "failed";
        let look = async || Some(deployment.client.job(id).await).filter(is_over);
        let job = until(format!("{id} is over"), SOON, look).await;
        let code = job["error"]["code"].as_str().unwrap_or("counted").to_owned();
        *outcomes.entry(code).or_insert(0) += 1;
    }
    assert_eq!(
        outcomes.into_iter().collect::<Vec<_>>(),
        [("QUOTA_EXCEEDED".to_owned(), 40), ("counted".to_owned(), 60)]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_that_dies_in_a_step_repeats_that_step_and_no_other() {
    let (deployment, _alone) = alone().await;
    let session = deployment.session;
    let (killed, once) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let (has_died, first) = (Arc::clone(&killed), Arc::clone(&once));
    let receiver = Receiver::start(move |delivery| {
        let dies = delivery.path == "/tasks/2" && !first.swap(true, Ordering::Relaxed);
        let has_died = Arc::clone(&has_died);
        async move {
            if dies {
                has_died.store(true, Ordering::Relaxed);
                std::future::pending::<()>().await;
            }
            done(&delivery)
        }
    });
    let receiver = receiver.await;
    let step = |number: u32| json!({"event": "work", "input": {"params": {"number": number}}});
    let features = json!({"thrice": {"steps": [step(1), step(2), step(3)]}});
    let product = publish(&deployment, json!({"apps": app(&receiver), "features": features})).await;
    let id = deployment.client.schedule(&impatient(job(&product, "thrice", &json!({})), 3)).await;
    let look = async || killed.load(Ordering::Relaxed).then_some(());
    until("the second step is under way".to_owned(), SOON, look).await;
    let kill = async || carillon_tests::deployment::executors::kill_whoever_calls(receiver.address, session);
    until("the executor is killed".to_owned(), SOON, kill).await;
    let completed = ended(&deployment.client, &id, "completed").await;
    assert_eq!(completed["run"]["attempts"], 2, "{completed}");
    let counts = receiver.counts();
    let of_steps: Vec<_> = ["_1", "_2", "_3"].map(|place| counts[&format!("{id}_g1_r1{place}")]).into();
    assert_eq!(of_steps, [1, 2, 1], "{counts:?}");
}
