//! Recurring jobs: when their runs come, what ends them, and what callers and failures do to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use carillon_core::ids::Fire;
use carillon_core::ports::Message;
use carillon_core::time::UnixMillis;
use carillon_tests::client::{job, recurring};
use carillon_tests::deployment::{Deployment, SOON};
use carillon_tests::env::{epoch_ms, until};
use carillon_tests::receiver::{Receiver, answer, done};
use carillon_tests::series;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::failures::dead_letters_of;
use crate::{among_others, impatient, lines_about, number, text};

/// A product, and functions that have started.
async fn warm(deployment: &Deployment, name: &str, receiver: &Receiver) -> String {
    let product = deployment.product(name, receiver.address).await;
    let first = deployment.client.schedule(&job(&product, 9, 0)).await;
    deployment.job_that_is("completed", &first).await;
    product
}

/// Follows a series to its end: each of its runs came in once, within a second of the instant at which it was due.
async fn each_run_is_within_a_second_of_its_time(deployment: &Deployment, receiver: &Receiver, id: &str, due: &[i64]) {
    deployment.job_that_is("completed", id).await;
    let runs = series::check(&deployment.client, receiver, id, due.len()).await;
    for ((number, run), due) in (1..).zip(&runs).zip(due) {
        let fire = format!("{id}_g1_r{number}");
        assert_eq!((&run["webhook_id"], &run["nominal_at"]), (&json!(fire), &json!(due)), "{run}");
        let [arrived_at] = receiver.arrivals(&fire)[..] else { panic!("{fire} came in more than once") };
        let late_ms = arrived_at - due;
        assert!((0..1_000).contains(&late_ms), "{fire} arrived {late_ms} ms after its time");
    }
}

/// Waits until the run `run_no` of a job is the one that it waits for.
async fn job_that_waits_for(deployment: &Deployment, id: &str, run_no: i64) -> Value {
    let waits = |job: &Value| job["run"]["run_no"] == run_no && ["scheduled", "queued"].contains(&text(&job["status"]));
    let look = async || Some(deployment.client.job(id).await).filter(waits);
    until(format!("{id} waits for run {run_no}"), SOON, look).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_series_of_intervals_runs_at_its_nominal_times_up_to_its_limit() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::content().await;
    let product = warm(&deployment, "every", &receiver).await;
    let start_at = epoch_ms() + 1_500;
    let repeat = json!({"every": 2_000, "limit": 3});
    let accepted = deployment.client.post("/v1/jobs", &recurring(&product, start_at, &repeat)).await.json(202);
    assert_eq!((&accepted["recurring"], &accepted["next_run_at"]), (&json!(true), &json!(start_at)));
    let id = text(&accepted["job_id"]);
    let due = [start_at, start_at + 2_000, start_at + 4_000];
    each_run_is_within_a_second_of_its_time(&deployment, &receiver, id, &due).await;
    let completed = deployment.client.job(id).await;
    assert_eq!((number(&completed["run"]["run_no"]), number(&completed["last_run"]["run_no"])), (3, 2));
    assert_eq!((number(&completed["missed"]), &completed["next_run_at"]), (0, &Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cron_expression_with_seconds_runs_on_the_second() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::content().await;
    let product = warm(&deployment, "cron", &receiver).await;
    let start_at = epoch_ms() + 1_000;
    let repeat = json!({"cron": "*/2 * * * * *", "tz": "Europe/Amsterdam", "limit": 3});
    let id = deployment.client.schedule(&recurring(&product, start_at, &repeat)).await;
    let first = (start_at + 1_999) / 2_000 * 2_000;
    let due = [first, first + 2_000, first + 4_000];
    each_run_is_within_a_second_of_its_time(&deployment, &receiver, &id, &due).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_series_ends_with_the_run_that_is_due_at_its_end_date() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::content().await;
    let product = warm(&deployment, "end-date", &receiver).await;
    let start_at = epoch_ms() + 1_000;
    let repeat = json!({"every": 1_500, "endDate": start_at + 3_000});
    let id = deployment.client.schedule(&recurring(&product, start_at, &repeat)).await;
    let due = [start_at, start_at + 1_500, start_at + 3_000];
    each_run_is_within_a_second_of_its_time(&deployment, &receiver, &id, &due).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_occurrence_is_far_off_waits_in_a_schedule() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::content().await;
    let product = warm(&deployment, "far", &receiver).await;
    let start_at = epoch_ms() + 500;
    let repeat = json!({"every": 7_500, "limit": 2});
    let id = deployment.client.schedule(&recurring(&product, start_at, &repeat)).await;
    job_that_waits_for(&deployment, &id, 2).await;
    let group = &deployment.settings.schedule_group;
    let stands = async |fire: &str| deployment.emulator.schedules(group).await.contains(&format!("{id}_{fire}"));
    assert!(stands("g1_r2").await, "the second run has no schedule");
    each_run_is_within_a_second_of_its_time(&deployment, &receiver, &id, &[start_at, start_at + 7_500]).await;
    assert!(!stands("g1_r2").await, "the schedule outlived its fire");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_fails_stops_its_series_until_it_is_retried() {
    let (deployment, _shared) = among_others().await;
    let is_mended = Arc::<AtomicBool>::default();
    let switch = Arc::clone(&is_mended);
    let receiver = Receiver::start(move |delivery| {
        let fails = delivery.id.ends_with("_r2") && !switch.load(Ordering::Relaxed);
        async move { if fails { answer(StatusCode::SERVICE_UNAVAILABLE, &json!({})) } else { done(&delivery) } }
    });
    let receiver = receiver.await;
    let product = deployment.product("stop", receiver.address).await;
    let repeat = json!({"every": 1_000, "limit": 3});
    let id = deployment.client.schedule(&impatient(recurring(&product, epoch_ms(), &repeat), 1)).await;
    let failed = deployment.job_that_is("failed", &id).await;
    assert_eq!((number(&failed["run"]["run_no"]), number(&failed["run"]["attempts"])), (2, 2));
    assert_eq!((text(&failed["error"]["code"]), &failed["next_run_at"]), ("SERVICE_UNAVAILABLE", &Value::Null));
    let look = async || dead_letters_of(&deployment, &id).await.pop();
    let letter = until(format!("{id} is among the dead letters"), SOON, look).await;
    assert_eq!(letter.message().expect("it is the fire's message").fire.to_string(), format!("{id}_g1_r2"));

    is_mended.store(true, Ordering::Relaxed);
    deployment.client.change(&id, "retry").await;
    let completed = deployment.job_that_is("completed", &id).await;
    let fires = ["g1_r1", "g1_r2", "g2_r2", "g2_r3"].map(|fire| format!("{id}_{fire}"));
    assert_eq!(receiver.counts(), fires.clone().into_iter().zip([1, 2, 1, 1]).collect());
    let entries = deployment.client.pages_of_runs(&id, 100).await.concat();
    let runs: Vec<_> = entries.iter().rev().filter(|entry| entry["webhook_id"].is_string()).collect();
    let said: Vec<_> = runs.iter().map(|run| (text(&run["webhook_id"]), text(&run["status"]))).collect();
    let expected = fires.iter().map(String::as_str).zip(["completed", "failed", "completed", "completed"]);
    assert_eq!(said, expected.collect::<Vec<_>>());
    // The retried run is for the same occurrence; those that passed before the next run are counted.
    let nominal = |run: &Value| number(&run["nominal_at"]);
    assert_eq!(nominal(runs[1]), nominal(runs[2]));
    assert_eq!(number(&completed["missed"]), (nominal(runs[3]) - nominal(runs[2])) / 1_000 - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_series_that_is_cancelled_has_no_further_run() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::content().await;
    let product = warm(&deployment, "off", &receiver).await;
    let begin = epoch_ms();
    let id = deployment.client.schedule(&recurring(&product, begin, &json!({"every": 2_500}))).await;
    job_that_waits_for(&deployment, &id, 2).await;
    let cancelled = deployment.client.change(&id, "cancel").await;
    assert_eq!((text(&cancelled["status"]), number(&cancelled["run"]["attempts"])), ("cancelled", 0));
    // Only the second run could arm the third; its message, which the queue has already, is not worked on.
    let look = async || lines_about(&deployment, &format!("{id}_g1_r2"), begin).await.pop();
    let line = until("the cancelled run's message comes", SOON, look).await;
    assert_eq!((text(&line["verdict"]), &line["attempt"]), ("acknowledge", &Value::Null));
    let runs = deployment.client.pages_of_runs(&id, 100).await.concat();
    let said: Vec<_> = runs.iter().map(|run| (number(&run["run_no"]), text(&run["status"]))).collect();
    assert_eq!(said, [(2, "cancelled"), (1, "completed")]);
    assert!(!receiver.counts().contains_key(&format!("{id}_g1_r2")));
    assert_eq!(deployment.client.job(&id).await, cancelled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_in_a_pause_is_skipped_and_counted_and_the_series_goes_on_in_step() {
    const EVERY: i64 = 1_500;
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::content().await;
    let product = warm(&deployment, "pause", &receiver).await;
    let id = deployment.client.schedule(&recurring(&product, 0, &json!({"every": EVERY, "limit": 3}))).await;
    let begin = number(&job_that_waits_for(&deployment, &id, 2).await["start_at"]);
    let paused = deployment.client.change(&id, "pause").await;
    assert_eq!((text(&paused["status"]), number(&paused["run"]["attempts"])), ("paused", 0));
    // The second run's message still arrives, and is not worked on.
    let look = async || lines_about(&deployment, &format!("{id}_g1_r2"), begin).await.pop();
    let line = until("the message comes", SOON, look).await;
    assert_eq!((text(&line["verdict"]), &line["attempt"]), ("acknowledge", &Value::Null));
    let has_passed = async || (epoch_ms() > begin + 2 * EVERY).then_some(());
    until("the third occurrence has passed", SOON, has_passed).await;
    assert_eq!(deployment.client.job(&id).await, paused);

    let resumed = deployment.client.change(&id, "resume").await;
    let goes_on_at = number(&resumed["next_run_at"]);
    let missed = (goes_on_at - begin) / EVERY - 1;
    assert!(goes_on_at >= begin + 3 * EVERY && number(&resumed["missed"]) == missed, "{resumed}");
    deployment.job_that_is("completed", &id).await;
    let runs = series::check(&deployment.client, &receiver, &id, 3).await;
    let fires: Vec<_> = runs.iter().map(|run| text(&run["webhook_id"])).collect();
    assert_eq!(fires, ["g1_r1", "g2_r2", "g2_r3"].map(|fire| format!("{id}_{fire}")));
    let entries = deployment.client.pages_of_runs(&id, 100).await.concat();
    let skipped = json!({"status": "skipped", "skip_reason": "paused", "due_at": begin + EVERY, "count": missed});
    assert!(entries.contains(&skipped), "{entries:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_beside_the_cadence_counts_and_leaves_the_next_occurrence_where_it_was() {
    const HOUR: i64 = 3_600_000;
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::content().await;
    let product = deployment.product("beside", receiver.address).await;
    let start_at = epoch_ms() + HOUR;
    let id = deployment.client.schedule(&recurring(&product, start_at, &json!({"every": HOUR, "limit": 2}))).await;
    let group = &deployment.settings.schedule_group;
    let standing = async || {
        let standing = deployment.emulator.schedules(group).await.into_iter();
        standing.filter_map(|name| name.strip_prefix(&format!("{id}_")).map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(standing().await, ["g1_r1"]);
    deployment.client.change(&id, "run").await;
    let waiting = job_that_waits_for(&deployment, &id, 2).await;
    assert_eq!((number(&waiting["next_run_at"]), number(&waiting["missed"])), (start_at, 0));
    assert_eq!(receiver.counts(), [(format!("{id}_g2_r1"), 1)].into());
    assert!(standing().await.contains(&"g2_r2".to_owned()));
    let page = deployment.client.pages_of_runs(&id, 100).await.concat();
    assert_eq!((&page[1]["nominal_at"], text(&page[1]["status"])), (&Value::Null, "completed"));
    deployment.client.change(&id, "cancel").await;
    assert!(!standing().await.contains(&"g2_r2".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_of_the_messages_of_a_series_early_or_late_add_no_dispatch() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::content().await;
    let product = deployment.product("copies", receiver.address).await;
    let repeat = json!({"every": 1_000, "limit": 3});
    let id = deployment.client.schedule(&recurring(&product, epoch_ms(), &repeat)).await;
    // Each says another due time, so that none passes for a copy of another one in its batch.
    let copies: Vec<_> = (0..9)
        .map(|number| {
            let fire = Fire { job_id: id.parse().unwrap(), generation: 1, run_no: 1 + number % 3 };
            Message::new(fire, UnixMillis(number.into())).to_string()
        })
        .collect();
    deployment.emulator.send(&deployment.settings.queue_url, &copies).await;
    deployment.job_that_is("completed", &id).await;
    deployment.emulator.send(&deployment.settings.queue_url, &copies).await;
    let begin = number(&deployment.client.job(&id).await["created_at"]);
    for run_no in 1..=3 {
        let fire = format!("{id}_g1_r{run_no}");
        let look = async || {
            let lines = lines_about(&deployment, &fire, begin).await;
            let done = lines.iter().filter(|line| line["verdict"] == "acknowledge").count();
            // Its own message, and three copies twice.
            (done >= 7).then_some(lines)
        };
        let lines = until(format!("every copy of {fire} is dealt with"), SOON, look).await;
        assert_eq!(lines.iter().filter(|line| line["attempt"].is_number()).count(), 1, "{fire}");
    }
    let fires = [1, 2, 3].map(|run_no| (format!("{id}_g1_r{run_no}"), 1));
    assert_eq!(receiver.counts(), fires.into());
    series::check(&deployment.client, &receiver, &id, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_prefers_to_wait_gets_the_result_of_the_first_run() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::content().await;
    let product = deployment.product("first", receiver.address).await;
    let body = recurring(&product, 0, &json!({"every": 3_600_000, "limit": 5}));
    let answer = deployment.client.send(Method::POST, "/v1/jobs", &[("prefer", "wait=20")], Some(&body)).await.unwrap();
    let ended = answer.json(200);
    let id = text(&ended["job_id"]);
    assert_eq!((text(&ended["status"]), number(&ended["attempts"])), ("completed", 1));
    assert_eq!(ended["result"]["body"]["id"], format!("{id}_g1_r1"));
    let next_run_at = number(&ended["scheduled_at"]) + 3_600_000;
    assert_eq!((&ended["recurring"], number(&ended["next_run_at"])), (&json!(true), next_run_at));
    let job = deployment.client.change(id, "cancel").await;
    assert_eq!((text(&job["status"]), number(&job["run"]["run_no"])), ("cancelled", 2));
}
