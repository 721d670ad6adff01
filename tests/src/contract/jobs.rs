//! Storing, reading and changing jobs.

use std::sync::Arc;

use carillon_core::ids::{JobId, Owner};
use carillon_core::job::{Job, JobSpec, JobState, Outcome, Output, Run, Status};
use carillon_core::machine::{Trigger, decide};
use carillon_core::ports::{JobStore, Ports, WriteOutcome};
use futures_util::future::join_all;
use serde_json::json;

use super::samples::{NOW, any_job, any_run, any_state, change, changed, generated, job};

/// Inserts a job that must not be there yet.
pub(super) async fn insert(ports: &impl Ports, job: &Job) {
    assert_eq!(ports.jobs().insert_new(job).await.unwrap(), WriteOutcome::Done, "{}", job.id);
}

async fn read(ports: &impl Ports, id: JobId) -> Job {
    ports.jobs().get(id).await.unwrap().expect("the job is stored")
}

/// A stored job is read back unchanged.
pub async fn a_stored_job_is_read_back_as_it_was(ports: &impl Ports) {
    let job = job("shop", "prd", 1);
    insert(ports, &job).await;
    assert_eq!(read(ports, job.id).await, job);
}

/// No job, no error.
pub async fn a_job_that_nobody_stored_is_not_found(ports: &impl Ports) {
    insert(ports, &job("shop", "prd", 1)).await;
    assert_eq!(ports.jobs().get(JobId::new(NOW, 2)).await.unwrap(), None);
}

/// `insert_new` never overwrites.
pub async fn an_id_that_is_taken_is_a_conflict_and_changes_nothing(ports: &impl Ports) {
    let first = job("shop", "prd", 1);
    let second = Job { id: first.id, ..job("bank", "dev", 2) };
    insert(ports, &first).await;
    assert_eq!(ports.jobs().insert_new(&second).await.unwrap(), WriteOutcome::Conflict);
    assert_eq!(read(ports, first.id).await, first);
}

/// A client that repeats an insert meets its own write. Anything else under the id is a conflict, however little differs.
pub async fn an_insert_that_is_repeated_is_done_until_its_job_changes(ports: &impl Ports) {
    // An input that fits into one record of every store, and one that a store may keep apart.
    for (number, length) in [(1, 10), (2, 20_000), (3, 200_000)] {
        let small = job("shop", "prd", number);
        let with_input = |text: String| {
            let spec = JobSpec { input: json!({"body": text}), ..JobSpec::clone(&small.spec) };
            Job { spec: Arc::new(spec), ..small.clone() }
        };
        let first = with_input("x".repeat(length));
        insert(ports, &first).await;
        insert(ports, &first).await;
        let at = first.state.updated_at.plus(1);
        let others = [
            with_input("y".repeat(length)),
            with_input(String::new()),
            with_input("x".repeat(30_000)),
            Job { state: JobState { updated_at: at, ..first.state.clone() }, ..first.clone() },
        ];
        for other in others {
            assert_eq!(ports.jobs().insert_new(&other).await.unwrap(), WriteOutcome::Conflict, "{length}");
        }
        assert!(read(ports, first.id).await == first, "the first one stays: {length}");
        let transition = change(&first, JobState { status: Status::Running, ..first.state.clone() });
        assert_eq!(ports.jobs().commit(&transition).await.unwrap(), WriteOutcome::Done);
        assert_eq!(ports.jobs().insert_new(&first).await.unwrap(), WriteOutcome::Conflict, "{length}");
        assert!(read(ports, first.id).await == changed(&first, &transition), "the change stays: {length}");
    }
}

/// A read after a commit sees it.
pub async fn a_change_is_seen_by_every_later_read(ports: &impl Ports) {
    let mut job = job("shop", "prd", 1);
    insert(ports, &job).await;
    for status in [Status::Running, Status::Queued, Status::Running, Status::Completed, Status::Paused] {
        let transition = change(&job, JobState { status, ..job.state.clone() });
        assert_eq!(ports.jobs().commit(&transition).await.unwrap(), WriteOutcome::Done);
        job = changed(&job, &transition);
        assert_eq!(read(ports, job.id).await, job);
    }
}

/// A change is stored only on top of the revision that it was decided on.
pub async fn a_change_on_an_outdated_revision_is_a_conflict_and_changes_nothing(ports: &impl Ports) {
    let old = job("shop", "prd", 1);
    insert(ports, &old).await;
    let first = change(&old, JobState { status: Status::Running, ..old.state.clone() });
    assert_eq!(ports.jobs().commit(&first).await.unwrap(), WriteOutcome::Done);
    let late = change(&old, JobState { status: Status::Cancelled, wake_at: None, ..old.state.clone() });
    assert_eq!(ports.jobs().commit(&late).await.unwrap(), WriteOutcome::Conflict);
    let mut ahead = change(&changed(&old, &first), old.state.clone());
    ahead.before.state.revision += 1;
    assert_eq!(ports.jobs().commit(&ahead).await.unwrap(), WriteOutcome::Conflict);
    assert_eq!(read(ports, old.id).await, changed(&old, &first));
}

/// A change never makes a job.
pub async fn a_change_of_a_job_that_nobody_stored_is_a_conflict(ports: &impl Ports) {
    let job = job("shop", "prd", 1);
    let transition = change(&job, job.state.clone());
    assert_eq!(ports.jobs().commit(&transition).await.unwrap(), WriteOutcome::Conflict);
    assert_eq!(ports.jobs().get(job.id).await.unwrap(), None);
}

/// Exactly one of several changes decided on the same revision is stored, and its caller is told so.
pub async fn exactly_one_of_many_concurrent_changes_wins(ports: &impl Ports) {
    let mut job = job("shop", "prd", 1);
    insert(ports, &job).await;
    for _ in 0..10 {
        let rivals: Vec<_> =
            (1..=20).map(|n| change(&job, JobState { updated_at: NOW.plus(n), ..job.state.clone() })).collect();
        let written = join_all(rivals.iter().map(|rival| ports.jobs().commit(rival))).await;
        let winners: Vec<_> = rivals
            .iter()
            .zip(written)
            .filter(|(_, written)| *written.as_ref().unwrap() == WriteOutcome::Done)
            .collect();
        assert_eq!(winners.len(), 1);
        job = changed(&job, winners[0].0);
        assert_eq!(read(ports, job.id).await, job);
    }
}

/// The same of inserts.
pub async fn exactly_one_of_many_concurrent_inserts_of_an_id_wins(ports: &impl Ports) {
    let id = job("shop", "prd", 1).id;
    let rivals: Vec<_> = (1..=20).map(|n| Job { id, ..job("shop", "prd", n) }).collect();
    let written = join_all(rivals.iter().map(|rival| ports.jobs().insert_new(rival))).await;
    let winners: Vec<_> =
        rivals.iter().zip(written).filter(|(_, written)| *written.as_ref().unwrap() == WriteOutcome::Done).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(read(ports, id).await, *winners[0].0);
}

/// Writes of different jobs at the same time all arrive where they belong.
pub async fn many_concurrent_writes_do_not_mix(ports: &impl Ports) {
    let jobs: Vec<_> = (1..=100).map(|number| job("shop", "prd", number)).collect();
    join_all(jobs.iter().map(|job| insert(ports, job))).await;
    let transitions: Vec<_> = jobs
        .iter()
        .map(|job| change(job, JobState { updated_at: job.spec.start_at.plus(1_000), ..job.state.clone() }))
        .collect();
    let written = join_all(transitions.iter().map(|transition| ports.jobs().commit(transition))).await;
    assert!(written.into_iter().all(|written| written.unwrap() == WriteOutcome::Done));
    for (job, transition) in jobs.iter().zip(&transitions) {
        assert_eq!(read(ports, job.id).await, changed(job, transition));
    }
}

/// Every step that the state machine makes of a failing and retried job can be stored.
pub async fn a_job_goes_its_whole_way(ports: &impl Ports) {
    let owner = Owner::new(7);
    let mut job = job("shop", "prd", 1);
    insert(ports, &job).await;
    let mut now = job.spec.start_at;
    for last in [false, false, true] {
        let claim = Trigger::Claim { fire: job.fire(), owner: owner.clone(), lease_ms: 40_000 };
        let error = carillon_core::job::RunError::transient("TIMEOUT", "no answer");
        for event in [claim, Trigger::Fail { owner: owner.clone(), error, random: 0.5 }] {
            now = now.max(job.state.wake_at.filter(|_| job.state.lease.is_none()).unwrap_or(now));
            let transition = decide(&job, &event, now).unwrap();
            assert_eq!(ports.jobs().commit(&transition).await.unwrap(), WriteOutcome::Done);
            job = changed(&job, &transition);
        }
        assert_eq!(job.state.status == Status::Failed, last);
    }
    let failed_run = job.state.run.clone();
    for event in [Trigger::Retry { delay_ms: 0 }, Trigger::Cancel { reason: None }] {
        let transition = decide(&job, &event, now).unwrap();
        assert_eq!(ports.jobs().commit(&transition).await.unwrap(), WriteOutcome::Done);
        job = changed(&job, &transition);
    }
    assert_eq!(read(ports, job.id).await, job);
    assert_eq!(ports.jobs().retired_runs(job.id, None, 10).await.unwrap().runs, [failed_run]);
}

/// The largest request and the largest result fit.
pub async fn an_input_and_a_result_of_256_kb_are_kept(ports: &impl Ports) {
    let large = "0123456789abcdef".repeat(16 * 1024 - 8);
    let small = job("shop", "prd", 1);
    let spec = JobSpec { input: json!({"body": large}), ..JobSpec::clone(&small.spec) };
    let job = Job { spec: Arc::new(spec), ..small };
    insert(ports, &job).await;
    assert!(read(ports, job.id).await == job, "the large input changed");
    let mut state = JobState { status: Status::Completed, wake_at: None, ..job.state.clone() };
    state.run.outcome = Some(Outcome::Completed(Output { value: json!(large), truncated: true }));
    let transition = change(&job, state);
    assert_eq!(ports.jobs().commit(&transition).await.unwrap(), WriteOutcome::Done);
    assert!(read(ports, job.id).await == changed(&job, &transition), "the large result changed");
}

/// Texts are kept to the character, in values and in names.
pub async fn every_unicode_text_is_kept(ports: &impl Ports) {
    let texts = [
        "",
        "\0",
        "\u{1}\u{7f}",
        "Ünïcödé",
        "日本語",
        "👩‍👩‍👧‍👦",
        "\u{feff}bom",
        "\u{202e}right to left",
        "é",
        "e\u{301}",
        "\\u0000",
        "\u{10ffff}",
    ];
    for (number, text) in (1..).zip(texts) {
        let small = job("shop", "prd", number);
        let spec = JobSpec {
            input: json!({text: text, "list": [text]}),
            event: text.to_owned(),
            ..JobSpec::clone(&small.spec)
        };
        let job = Job { spec: Arc::new(spec), ..small };
        insert(ports, &job).await;
        assert_eq!(read(ports, job.id).await, job);
    }
}

/// Whatever a job can hold comes back the same, from a new job, after a change, and from its history.
pub async fn every_field_of_a_job_is_kept(ports: &impl Ports) {
    let cases = generated(&(any_job(), any_state(), any_run()), 200);
    for (job, state, run) in cases {
        insert(ports, &job).await;
        assert_eq!(read(ports, job.id).await, job);
        let mut transition = change(&job, state);
        transition.retired = Some(run.clone());
        assert_eq!(ports.jobs().commit(&transition).await.unwrap(), WriteOutcome::Done);
        assert_eq!(read(ports, job.id).await, changed(&job, &transition));
        assert_eq!(ports.jobs().retired_runs(job.id, None, 10).await.unwrap().runs, [run]);
    }
}

/// A spec may change with any transition, also from a small to a large one and back.
pub async fn a_change_of_what_is_asked_for_is_kept_whatever_its_size(ports: &impl Ports) {
    let mut job = job("shop", "prd", 1);
    insert(ports, &job).await;
    for (number, size) in [(1, 1_000), (2, 200_000), (3, 100_000), (4, 10), (5, 200_000)] {
        let spec = JobSpec { input: json!({"body": "x".repeat(size)}), retries: number, ..JobSpec::clone(&job.spec) };
        let mut transition = change(&job, job.state.clone());
        transition.spec = Some(Arc::new(spec));
        transition.retired = (number % 2 == 0).then(|| Run::new(number, 1, NOW));
        assert_eq!(ports.jobs().commit(&transition).await.unwrap(), WriteOutcome::Done);
        job = transition.after();
        assert!(read(ports, job.id).await == job, "{size} bytes changed");
    }
    assert_eq!(ports.jobs().retired_runs(job.id, None, 10).await.unwrap().runs.len(), 2);
}

/// The spec changes with the state or not at all.
pub async fn a_lost_race_changes_nothing_of_what_is_asked_for(ports: &impl Ports) {
    let job = job("shop", "prd", 1);
    insert(ports, &job).await;
    let first = change(&job, JobState { status: Status::Running, ..job.state.clone() });
    assert_eq!(ports.jobs().commit(&first).await.unwrap(), WriteOutcome::Done);
    for size in [10, 200_000] {
        let spec = JobSpec { input: json!({"body": "x".repeat(size)}), ..JobSpec::clone(&job.spec) };
        let mut late = change(&job, job.state.clone());
        late.spec = Some(Arc::new(spec));
        assert_eq!(ports.jobs().commit(&late).await.unwrap(), WriteOutcome::Conflict);
        assert_eq!(read(ports, job.id).await, changed(&job, &first));
    }
}
