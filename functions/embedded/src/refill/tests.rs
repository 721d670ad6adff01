use std::sync::Arc;

use carillon_core::ids::{Fire, Owner};
use carillon_core::job::RunError;
use carillon_core::machine::Trigger;
use futures_util::FutureExt;

use super::{PAGE, WINDOW_MS, refill};
use crate::clock::ManualClock;
use crate::embedded::Embedded;
use crate::samples::{NOW, claim, commit, in_memory, insert, job, job_of};

/// Takes the fires that are due after this time.
fn taken(embedded: &Embedded<ManualClock>, after_ms: i64) -> Vec<Fire> {
    std::iter::from_fn(|| embedded.due_queue().take_fire(NOW.plus(after_ms)).ok()).collect()
}

async fn refilled(embedded: &Embedded<ManualClock>, horizon_ms: i64) {
    refill(embedded.store(), embedded.due_queue(), NOW.plus(horizon_ms)).await.unwrap();
}

#[tokio::test]
async fn the_window_moves_on_with_the_clock() {
    let embedded = in_memory(&ManualClock::new(NOW));
    let jobs: Vec<_> =
        [0, 59_999, WINDOW_MS, WINDOW_MS + 1, 3_600_000].into_iter().zip(1..).map(|(at, n)| job(n, at)).collect();
    for job in &jobs {
        insert(&embedded, job).await;
    }
    assert_eq!(taken(&embedded, i64::MAX / 2), [], "nothing is held before the first refill");
    refilled(&embedded, WINDOW_MS).await;
    assert_eq!(taken(&embedded, i64::MAX / 2), jobs[..3].iter().map(carillon_core::job::Job::fire).collect::<Vec<_>>());
    refilled(&embedded, 2 * WINDOW_MS).await;
    assert_eq!(taken(&embedded, i64::MAX / 2), [jobs[3].fire()], "what was read is not read again");
    refilled(&embedded, 3_600_000).await;
    assert_eq!(taken(&embedded, i64::MAX / 2), [jobs[4].fire()]);
}

#[tokio::test]
async fn more_timers_of_one_instant_than_a_page_has_are_all_read() {
    let embedded = in_memory(&ManualClock::new(NOW));
    let count = PAGE as usize * 2 + 1;
    let jobs: Vec<_> = (0..count).map(|number| job(u32::try_from(number).unwrap(), 5_000)).collect();
    futures_util::future::join_all(jobs.iter().map(|job| insert(&embedded, job))).await;
    refilled(&embedded, WINDOW_MS).await;
    let mut fires = taken(&embedded, 5_000);
    fires.dedup();
    assert_eq!(fires.len(), count);
}

#[tokio::test]
async fn a_backlog_that_the_timeline_cannot_hold_is_worked_off_without_a_gap() {
    let embedded = Arc::new(Embedded::in_memory_holding(10, ManualClock::new(NOW)).unwrap());
    refilled(&embedded, WINDOW_MS).await;
    for number in 0..95 {
        insert(&embedded, &job(number, i64::from(number / 30))).await;
    }
    let mut met = Vec::new();
    while met.len() < 95 {
        let fires = taken(&embedded, 1_000);
        assert!(!fires.is_empty() && fires.len() <= 10);
        for fire in fires {
            assert!(!met.contains(&fire), "{fire} was settled");
            let job = carillon_core::ports::JobStore::get(embedded.store(), fire.job_id).await.unwrap().unwrap();
            commit(&embedded, &job, &Trigger::Cancel { reason: None }, NOW).await;
            met.push(fire);
        }
        refilled(&embedded, WINDOW_MS).await;
    }
    assert_eq!(taken(&embedded, 1_000), []);
}

#[tokio::test]
async fn a_backlog_of_one_product_delays_no_other_and_is_worked_off_itself() {
    let clock = ManualClock::new(NOW);
    let embedded = Arc::new(Embedded::in_memory_holding(10, clock).unwrap());
    for number in 0..95 {
        insert(&embedded, &job_of("busy", number, 0)).await;
    }
    insert(&embedded, &job_of("quiet", 200, 900)).await;
    refilled(&embedded, WINDOW_MS).await;
    insert(&embedded, &job_of("quiet", 201, 901)).await;
    let mut met = Vec::new();
    while met.len() < 97 {
        let before = met.len();
        for fire in taken(&embedded, 1_000) {
            let job = carillon_core::ports::JobStore::get(embedded.store(), fire.job_id).await.unwrap().unwrap();
            commit(&embedded, &job, &Trigger::Cancel { reason: None }, NOW).await;
            met.push(fire.job_id);
        }
        assert!(met.len() > before, "{before} of 97");
        refilled(&embedded, WINDOW_MS).await;
    }
    let quiet = [job_of("quiet", 200, 0).id, job_of("quiet", 201, 0).id];
    assert!(quiet.iter().all(|id| met[..4].contains(id)), "the busy product went first");
    met.sort();
    met.dedup();
    assert_eq!((met.len(), taken(&embedded, 1_000)), (97, vec![]));
}

#[tokio::test]
async fn a_change_during_a_refill_is_not_overwritten_by_what_was_read_before() {
    let embedded = in_memory(&ManualClock::new(NOW));
    let job = job(1, 0);
    insert(&embedded, &job).await;
    refilled(&embedded, WINDOW_MS).await;
    assert_eq!(taken(&embedded, 0), [job.fire()]);
    commit(&embedded, &job, &claim(&job), NOW).await;
    embedded.due_queue().lower_horizon(NOW.plus(-1));
    refilled(&embedded, WINDOW_MS).await;
    assert_eq!(taken(&embedded, 39_999), []);
    assert_eq!(taken(&embedded, 40_000), [job.fire()], "the end of its lease");
}

#[tokio::test]
async fn a_refill_that_is_cancelled_leaves_nothing_out() {
    let embedded = in_memory(&ManualClock::new(NOW));
    let job = job(1, 5_000);
    insert(&embedded, &job).await;
    let horizon = NOW.plus(WINDOW_MS);
    assert!(refill(embedded.store(), embedded.due_queue(), horizon).now_or_never().is_none());
    refilled(&embedded, WINDOW_MS).await;
    assert_eq!(taken(&embedded, 5_000), [job.fire()]);
}

#[tokio::test]
async fn a_job_that_is_retried_is_woken_for_its_new_fire() {
    let embedded = in_memory(&ManualClock::new(NOW));
    let job = job(1, 0);
    insert(&embedded, &job).await;
    let running = commit(&embedded, &job, &claim(&job), NOW).await;
    let error = RunError::permanent("NOT_FOUND", "no such thing");
    let failed = commit(&embedded, &running, &Trigger::Fail { owner: Owner::new(1), error, random: 0.0 }, NOW).await;
    let retried = commit(&embedded, &failed, &Trigger::Retry { delay_ms: 5_000 }, NOW).await;
    assert_eq!(retried.fire(), Fire { generation: 2, ..job.fire() });
    refilled(&embedded, WINDOW_MS).await;
    assert_eq!(taken(&embedded, 5_000), [retried.fire()], "as a refill reads it");
    let failed = commit(&embedded, &retried, &claim(&retried), NOW.plus(5_000)).await;
    let error = RunError::permanent("NOT_FOUND", "no such thing");
    let failed = commit(&embedded, &failed, &Trigger::Fail { owner: Owner::new(1), error, random: 0.0 }, NOW).await;
    let again = commit(&embedded, &failed, &Trigger::Retry { delay_ms: 9_000 }, NOW).await;
    assert_eq!(taken(&embedded, 9_000), [again.fire()], "as the writer notes it");
}
