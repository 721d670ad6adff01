//! The history of a job's runs.

use carillon_core::job::{Outcome, Output, Run};
use carillon_core::ports::{History, JobStore, Ports, WriteOutcome};

use serde_json::json;

use super::jobs::insert;
use super::samples::{NOW, change, changed, job};

/// By generation and run number, as numbers.
pub async fn retired_runs_are_listed_latest_first_in_pages(ports: &impl Ports) {
    let mut job = job("shop", "prd", 1);
    let other = super::samples::job("shop", "prd", 2);
    insert(ports, &job).await;
    insert(ports, &other).await;
    let retired = [(1, 1), (1, 2), (2, 1), (2, 9), (2, 10), (10, 3), (300, 1), (u32::MAX, u32::MAX)];
    let runs: Vec<Run> = retired.iter().map(|(generation, run_no)| Run::new(*generation, *run_no, NOW)).collect();
    for run in &runs {
        let mut transition = change(&job, job.state.clone());
        transition.retired = Some(run.clone());
        assert_eq!(ports.jobs().commit(&transition).await.unwrap(), WriteOutcome::Done);
        job = changed(&job, &transition);
    }
    let latest_first: Vec<Run> = runs.into_iter().rev().collect();
    assert_eq!(ports.jobs().retired_runs(job.id, None, 100).await.unwrap().runs, latest_first);
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let History { runs, has_more } = ports.jobs().retired_runs(job.id, before, 3).await.unwrap();
        assert!(runs.len() <= 3);
        before = runs.last().map(|last| (last.generation, last.run_no));
        paged.extend(runs);
        if !has_more {
            break;
        }
    }
    assert_eq!(paged, latest_first);
    assert_eq!(ports.jobs().retired_runs(other.id, None, 100).await.unwrap().runs, []);
}

/// A transition is stored whole or not at all.
pub async fn a_lost_race_retires_nothing(ports: &impl Ports) {
    let job = job("shop", "prd", 1);
    insert(ports, &job).await;
    let mut transition = change(&job, job.state.clone());
    assert_eq!(ports.jobs().commit(&transition).await.unwrap(), WriteOutcome::Done);
    transition.retired = Some(Run::new(1, 1, NOW));
    assert_eq!(ports.jobs().commit(&transition).await.unwrap(), WriteOutcome::Conflict);
    assert_eq!(ports.jobs().retired_runs(job.id, None, 100).await.unwrap().runs, []);
}

/// Nor does a job that is not there.
pub async fn a_job_without_retired_runs_has_none(ports: &impl Ports) {
    let job = job("shop", "prd", 1);
    assert_eq!(ports.jobs().retired_runs(job.id, None, 100).await.unwrap().runs, []);
    insert(ports, &job).await;
    assert_eq!(ports.jobs().retired_runs(job.id, Some((5, 5)), 1).await.unwrap().runs, []);
}

/// Results may be large: a page that is cut short for that says so, and nothing is lost between pages.
pub async fn a_history_of_large_results_is_listed_whole(ports: &impl Ports) {
    let mut job = job("shop", "prd", 1);
    insert(ports, &job).await;
    for run_no in 1..=8 {
        let output = Output { value: json!("x".repeat(200_000)), truncated: false };
        let mut transition = change(&job, job.state.clone());
        transition.retired = Some(Run { outcome: Some(Outcome::Completed(output)), ..Run::new(1, run_no, NOW) });
        assert_eq!(ports.jobs().commit(&transition).await.unwrap(), WriteOutcome::Done);
        job = changed(&job, &transition);
    }
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = ports.jobs().retired_runs(job.id, before, 100).await.unwrap();
        seen.extend(page.runs.iter().map(|run| run.run_no));
        before = page.runs.last().map(|last| (last.generation, last.run_no));
        if !page.has_more {
            break;
        }
    }
    assert_eq!(seen, [8, 7, 6, 5, 4, 3, 2, 1]);
}
