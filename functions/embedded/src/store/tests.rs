use std::path::Path;
use std::sync::Arc;

use carillon_core::job::{JobState, Run, Status};
use carillon_core::machine::{Effect, Transition, decide};
use carillon_core::ports::{CatalogStore, JobQuery, JobStore, KeyStore, PortError, WriteOutcome};
use carillon_core::time::UnixMillis;
use futures_util::FutureExt;
use futures_util::future::join_all;
use rusqlite::Connection;

use super::readers::Readers;
use super::{Durability, OpenError, Store, catalogs, idempotency, keys, locked, places, progress, results, sql};
use crate::due_queue::DueQueue;
use crate::samples::{claim, job};

fn open(folder: &Path) -> Result<Store, OpenError> {
    Store::open(folder, Durability::Process, Arc::new(DueQueue::new(0)), Some(UnixMillis(0)))
}

/// Changes the database directly.
fn meddle(folder: &Path, statement: &str) {
    Connection::open(folder.join(super::FILE)).unwrap().execute_batch(statement).unwrap();
}

fn is_permanent<T>(result: &Result<T, PortError>) -> bool {
    matches!(result, Err(PortError::Permanent(_)))
}

#[test]
fn no_statement_reads_more_than_it_gives_back() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let db = Connection::open(folder.path().join(super::FILE)).unwrap();
    let statements = [
        sql::INSERT_JOB,
        sql::INSERT_SPEC,
        sql::CHANGE_JOB,
        sql::CLAIM_JOB,
        sql::CHANGE_SPEC,
        sql::RETIRE_RUN,
        sql::FORGET_RUNS,
        sql::READ_JOB,
        sql::LIST_BY_STATUS,
        sql::LIST_RUNNING,
        sql::LIST,
        sql::RETIRED_RUNS,
        sql::DUE,
        sql::DUE_OF_PRODUCT,
        results::FIND,
        results::LEAD,
        results::FILL,
        results::RELEASE,
        results::ENTRIES,
        results::CLEAR,
        results::FORGET,
        idempotency::FIND,
        idempotency::RESERVE,
        idempotency::FORGET,
        catalogs::READ,
        catalogs::PUT,
        catalogs::DELETE,
        progress::PARTS,
        progress::NOTE,
        progress::FORGET_PARTS,
        progress::USED,
        progress::ADD,
        progress::RESET,
        progress::FORGET_COUNTERS,
        progress::COUNTED,
        progress::UNCOUNTED,
        progress::FORGET_COUNTED,
        progress::FAILING,
        progress::MARK,
        keys::FIND,
        keys::ADD,
        keys::REVOKE,
        places::FIND,
    ];
    for statement in statements {
        let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        let parameters = vec![rusqlite::types::Null; plan.parameter_count()];
        let steps = plan.query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>(3)).unwrap();
        for step in steps.map(Result::unwrap) {
            assert!(!step.contains("SCAN") && !step.contains("TEMP B-TREE"), "{statement}\n{step}");
        }
    }
}

#[tokio::test]
async fn a_failing_write_spoils_no_other_write_of_its_batch_and_leaves_no_half_job() {
    let store = Store::in_memory(Arc::new(DueQueue::new(0))).unwrap();
    let Readers::Writers(db) = &*store.readers else { panic!("a store in memory has one connection") };
    let jobs: Vec<_> = (0..20).map(|number| job(number, 0)).collect();
    let mut writes = Box::pin(join_all(jobs.iter().map(|job| store.insert_new(job))));
    {
        // The writer waits while the connection is locked, so the writes share its batches.
        let db = locked(db);
        db.execute_batch(
            "CREATE TRIGGER poison BEFORE INSERT ON specs WHEN NEW.spec LIKE '%\"number\":13}%'
             BEGIN SELECT RAISE(ABORT, 'poisoned'); END",
        )
        .unwrap();
        assert!((&mut writes).now_or_never().is_none());
    }
    for (number, written) in writes.await.into_iter().enumerate() {
        if number == 13 {
            assert!(is_permanent(&written));
        } else {
            assert_eq!(written.unwrap(), WriteOutcome::Done);
        }
        let stored = JobStore::get(&store, jobs[number].id).await.unwrap();
        assert_eq!(stored.as_ref(), Some(&jobs[number]).filter(|_| number != 13));
    }
    let count: u32 = locked(db).query_row("SELECT count(*) FROM jobs", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 19);
    let query = JobQuery { product: "shop".into(), env: "prd".into(), status: None, before: None, limit: 100 };
    assert_eq!(store.list(&query).await.unwrap().jobs.len(), 19);
    locked(db).execute_batch("DROP TRIGGER poison").unwrap();
    assert_eq!(store.insert_new(&jobs[13]).await.unwrap(), WriteOutcome::Done);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_a_permanent_fault_of_its_own_only() {
    let folder = tempfile::tempdir().unwrap();
    let (torn, sound) = (job(1, 0), job(2, 0));
    {
        let store = open(folder.path()).unwrap();
        for job in [&torn, &sound] {
            assert_eq!(store.insert_new(job).await.unwrap(), WriteOutcome::Done);
        }
    }
    meddle(
        folder.path(),
        "UPDATE jobs SET running = 1, state = substr(state, 1, 20) WHERE id = (SELECT min(id) FROM jobs);
         INSERT INTO catalogs VALUES ('torn', 'r', '{\"envs\": ['), ('older', 'r', '{\"envs\": 7}');
         INSERT INTO keys VALUES ('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'k', 'x');",
    );
    let store = open(folder.path()).expect("one torn record must not keep the others from running");
    assert!(is_permanent(&JobStore::get(&store, torn.id).await));
    assert_eq!(JobStore::get(&store, sound.id).await.unwrap(), Some(sound));
    let query = JobQuery { product: "shop".into(), env: "prd".into(), status: None, before: None, limit: 10 };
    assert!(is_permanent(&store.list(&query).await));
    assert!(is_permanent(&CatalogStore::get(&store, "torn").await));
    assert!(is_permanent(&CatalogStore::get(&store, "older").await));
    assert!(is_permanent(&store.find(&carillon_core::access::KeyHash::of("")).await));
    assert!(is_permanent(&store.list_keys().await));
    assert_eq!(store.due(None, (UnixMillis(0), None), UnixMillis::MAX, 10).await.unwrap().len(), 2);
}

/// Retires runs of a job, each at this time after the start. Returns the numbers of the runs in the history after that.
async fn history(store: &Store, ends_ms: &[i64]) -> Vec<u32> {
    let mut job = job(1, 0);
    assert_eq!(store.insert_new(&job).await.unwrap(), WriteOutcome::Done);
    for (run_no, ends_ms) in (1..).zip(ends_ms) {
        let state = JobState {
            revision: job.state.revision + 1,
            updated_at: crate::samples::NOW.plus(*ends_ms),
            ..job.state.clone()
        };
        let retired = Some(Run::new(1, run_no, crate::samples::NOW));
        let transition = Transition { before: job, state, spec: None, retired, effect: Effect::Acknowledge };
        assert_eq!(store.commit(&transition).await.unwrap(), WriteOutcome::Done);
        job = transition.after();
    }
    store.retired_runs(job.id, None, 100).await.unwrap().runs.iter().rev().map(|run| run.run_no).collect()
}

#[tokio::test]
async fn a_run_leaves_the_history_when_its_time_there_is_over() {
    let mut store = Store::in_memory(Arc::new(DueQueue::new(0))).unwrap();
    store.kept_ms = 10_000;
    assert_eq!(history(&store, &[0, 1, 10_000]).await, [1, 2, 3]);
    let mut store = Store::in_memory(Arc::new(DueQueue::new(0))).unwrap();
    store.kept_ms = 10_000;
    assert_eq!(history(&store, &[0, 1, 10_002]).await, [3]);
}

#[tokio::test]
async fn a_store_of_the_first_layout_is_brought_up_to_date_with_all_that_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    {
        let store = open(folder.path()).unwrap();
        assert_eq!(history(&store, &[0, 1]).await, [1, 2]);
    }
    meddle(
        folder.path(),
        "DROP INDEX runs_by_expiry; ALTER TABLE runs DROP COLUMN expires_at; DROP TABLE results; DROP TABLE requests;
         DROP INDEX jobs_running; ALTER TABLE jobs DROP COLUMN running; DROP TABLE parts; DROP TABLE counters; DROP TABLE counted; DROP TABLE health; PRAGMA user_version = 1",
    );
    let store = open(folder.path()).unwrap();
    assert_eq!(store.retired_runs(job(1, 0).id, None, 100).await.unwrap().runs.len(), 2);
    assert_eq!(store.insert_new(&job(2, 0)).await.unwrap(), WriteOutcome::Done);
}

#[tokio::test]
async fn a_running_job_is_listed_as_running_alone_whichever_layout_stored_it() {
    let folder = tempfile::tempdir().unwrap();
    let (queued, running) = (job(1, 0), job(2, 0));
    let listed = async |store: &Store, status| {
        let query = JobQuery { product: "shop".into(), env: "prd".into(), status, before: None, limit: 10 };
        store.list(&query).await.unwrap().jobs.iter().map(|job| job.id).collect::<Vec<_>>()
    };
    {
        let store = open(folder.path()).unwrap();
        for job in [&queued, &running] {
            assert_eq!(store.insert_new(job).await.unwrap(), WriteOutcome::Done);
        }
        let claim = decide(&running, &claim(&running), running.state.run.due_at).unwrap();
        assert_eq!(store.commit(&claim).await.unwrap(), WriteOutcome::Done);
        assert_eq!(listed(&store, Some(running.state.status)).await, [queued.id]);
        assert_eq!(listed(&store, Some(Status::Running)).await, [running.id]);
        assert_eq!(listed(&store, None).await, [running.id, queued.id]);
    }
    // As the layout before had it.
    let before =
        "UPDATE jobs SET status = 2 WHERE running = 1; DROP INDEX jobs_running; ALTER TABLE jobs DROP COLUMN running;
                  PRAGMA user_version = 4";
    for change in ["", before] {
        meddle(folder.path(), change);
        let store = open(folder.path()).unwrap();
        assert_eq!(listed(&store, Some(Status::Running)).await, [running.id], "{change}");
        assert_eq!(listed(&store, None).await, [running.id, queued.id]);
    }
}

#[test]
fn a_newer_layout_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    meddle(folder.path(), "PRAGMA user_version = 7");
    let refused = open(folder.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 7, .. }));
    assert!(refused.to_string().contains("carillon.db has layout 7"), "{refused}");
}

#[test]
fn a_file_that_is_no_database_is_a_permanent_fault() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(super::FILE), "no database, but long enough to look like one".repeat(100))
        .unwrap();
    let refused = open(folder.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Store { source: PortError::Permanent(_), .. }), "{refused:?}");
}

#[tokio::test]
async fn the_write_ahead_log_is_moved_into_the_database_while_jobs_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let payload = serde_json::Value::from("x".repeat(250_000));
    for number in 0..300 {
        let mut job = job(number, 0);
        Arc::make_mut(&mut job.spec).input = payload.clone();
        assert_eq!(store.insert_new(&job).await.unwrap(), WriteOutcome::Done);
    }
    let log = std::fs::metadata(folder.path().join("carillon.db-wal")).unwrap().len();
    assert!(log < 64 * 1024 * 1024, "75 MB were written, and {log} bytes are in the log");
}
