//! When a job is dispatched: at once, by a delayed message, by a schedule, and never.

use std::sync::{Arc, Mutex};

use carillon_core::ports::{Clock as _, Ports as _, Timers as _};
use carillon_tests::client::job;
use carillon_tests::deployment::SOON;
use carillon_tests::env::{epoch_ms, until};
use carillon_tests::receiver::{Receiver, done};
use http::Method;
use serde_json::{Value, json};

use crate::{among_others, lines_about, number, text, without_timer};

/// A receiver that notes when each request came in, by its path.
async fn timekeeper() -> (Receiver, Arc<Mutex<Vec<(String, i64)>>>) {
    let arrivals = Arc::<Mutex<Vec<_>>>::default();
    let noted = Arc::clone(&arrivals);
    let receiver = Receiver::start(move |delivery| {
        noted.lock().unwrap().push((delivery.path.clone(), epoch_ms()));
        async move { done(&delivery) }
    });
    (receiver.await, arrivals)
}

/// Schedules a few jobs, each a bit later than the one before, and holds their arrival against their time.
async fn each_arrives_within_a_second_of_its_time(first_in_ms: i64, is_scheduled: bool) {
    const JOBS: usize = 4;
    let (deployment, _shared) = among_others().await;
    let (receiver, arrivals) = timekeeper().await;
    let client = &deployment.client;
    let product = deployment.product("time", receiver.address).await;
    // A first one, so that no function has still to start.
    let warm = client.schedule(&job(&product, JOBS, 0)).await;
    deployment.job_that_is("completed", &warm).await;

    let begin = epoch_ms();
    let due: Vec<i64> = (0..).take(JOBS).map(|number| begin + first_in_ms + 270 * number).collect();
    let mut ids = Vec::new();
    for (number, due) in due.iter().enumerate() {
        ids.push(client.schedule(&job(&product, number, *due)).await);
    }
    let fires: Vec<_> = ids.iter().map(|id| format!("{id}_g1_r1")).collect();
    let group = &deployment.settings.schedule_group;
    let standing = deployment.emulator.schedules(group).await;
    assert_eq!(fires.iter().filter(|fire| standing.contains(fire)).count(), if is_scheduled { JOBS } else { 0 });

    for id in &ids {
        deployment.job_that_is("completed", id).await;
    }
    let arrivals = arrivals.lock().unwrap().clone();
    for (number, due) in due.iter().enumerate() {
        let path = format!("/tasks/{number}");
        let of_this: Vec<_> = arrivals.iter().filter(|(arrived, _)| *arrived == path).map(|(_, at)| at - due).collect();
        let [late_ms] = of_this[..] else { panic!("{path} arrived {of_this:?} ms after its time") };
        assert!((0..1_000).contains(&late_ms), "{path} arrived {late_ms} ms after its time");
    }
    let standing = deployment.emulator.schedules(group).await;
    assert!(!fires.iter().any(|fire| standing.contains(fire)), "a schedule outlived its fire");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_due_at_once_is_dispatched_and_its_result_is_kept() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::content().await;
    let product = deployment.product("once", receiver.address).await;
    let id = deployment.client.schedule(&job(&product, 7, 0)).await;
    let completed = deployment.job_that_is("completed", &id).await;
    let fire = format!("{id}_g1_r1");
    assert_eq!(completed["result"]["body"], json!({"id": fire, "nth": 1, "path": "/tasks/7"}));
    assert_eq!(completed["run"]["attempts"], 1);
    assert_eq!(receiver.counts(), [(fire, 1)].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_prefers_to_wait_gets_the_result() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::content().await;
    let product = deployment.product("wait", receiver.address).await;
    let headers = [("prefer", "wait=20")];
    let answer = deployment.client.send(Method::POST, "/v1/jobs", &headers, Some(&job(&product, 1, 0))).await.unwrap();
    let ended = answer.json(200);
    assert_eq!((text(&ended["status"]), &ended["result"]["status"]), ("completed", &json!(200)));
    assert_eq!(answer.headers["preference-applied"], "wait=20");

    // A caller that does not wait long enough is told that the job will run.
    let later = job(&product, 2, epoch_ms() + 3_000);
    let answer = deployment.client.send(Method::POST, "/v1/jobs", &[("prefer", "wait=1")], Some(&later)).await.unwrap();
    let accepted = answer.json(202);
    deployment.job_that_is("completed", text(&accepted["job_id"])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_due_soon_waits_in_the_queue_and_is_dispatched_within_a_second_of_its_time() {
    each_arrives_within_a_second_of_its_time(2_000, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_due_later_waits_in_a_schedule_and_is_dispatched_within_a_second_of_its_time() {
    each_arrives_within_a_second_of_its_time(6_500, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_that_is_armed_twice_stands_once_until_it_is_taken_back() {
    let (deployment, _shared) = among_others().await;
    let ports = deployment.ports();
    let fire = without_timer(&ports, "nobody", None).fire();
    let at = ports.clock().now().plus(3_600_000);
    let standing = async || {
        let standing = deployment.emulator.schedules(&deployment.settings.schedule_group).await;
        standing.iter().filter(|name| **name == fire.to_string()).count()
    };
    for _ in 0..2 {
        ports.timers().arm(fire, at).await.unwrap();
        assert_eq!(standing().await, 1);
    }
    for _ in 0..2 {
        ports.timers().disarm(fire).await;
        assert_eq!(standing().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_cancelled_before_its_time_is_never_dispatched() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::content().await;
    let client = &deployment.client;
    let product = deployment.product("cancel", receiver.address).await;
    let begin = epoch_ms();
    // One waits in the queue, one in a schedule; the third is due after both and is not cancelled.
    let delayed = client.schedule(&job(&product, 1, begin + 2_500)).await;
    let scheduled = client.schedule(&job(&product, 2, begin + 7_000)).await;
    let witness = client.schedule(&job(&product, 3, begin + 7_500)).await;
    let group = &deployment.settings.schedule_group;
    let stands = async |id: &str| deployment.emulator.schedules(group).await.contains(&format!("{id}_g1_r1"));
    assert!(stands(&scheduled).await);
    for id in [&delayed, &scheduled] {
        let path = format!("/v1/jobs/{id}/cancel");
        let cancelled: Value = client.post(&path, &json!({"reason": "not needed"})).await.json(200);
        assert_eq!((text(&cancelled["status"]), text(&cancelled["cancel_reason"])), ("cancelled", "not needed"));
    }
    assert!(!stands(&scheduled).await);
    deployment.job_that_is("completed", &witness).await;
    // The message that the queue had already comes, and is not worked on.
    let fire = format!("{delayed}_g1_r1");
    let look = async || lines_about(&deployment, &fire, begin).await.pop();
    let line = until("the cancelled job's message comes", SOON, look).await;
    assert_eq!((text(&line["verdict"]), &line["attempt"]), ("acknowledge", &Value::Null));
    assert_eq!(receiver.counts(), [(format!("{witness}_g1_r1"), 1)].into());
    for id in [&delayed, &scheduled] {
        let job = client.job(id).await;
        assert_eq!((text(&job["status"]), number(&job["run"]["attempts"])), ("cancelled", 0));
    }
}
