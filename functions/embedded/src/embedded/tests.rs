use std::path::Path;

use carillon_core::access::{ApiKey, KeyHash, Scope};
use carillon_core::catalog::{Catalog, Revision};
use carillon_core::job::{Job, Status, codes};
use carillon_core::machine::{Trigger, decide};
use carillon_core::ports::{CatalogStore, Condition, JobStore, KeyStore, Ports, Published, WriteOutcome};
use serde_json::json;

use super::Embedded;
use crate::clock::ManualClock;
use crate::folder::FolderError;
use crate::refill::{WINDOW_MS, refill};
use crate::samples::{NOW, claim, commit, insert, job};
use crate::store::{Durability, OpenError, Store};

fn open(folder: &Path, after_ms: i64) -> Embedded<ManualClock> {
    Embedded::open_at(folder, Durability::Process, ManualClock::new(NOW.plus(after_ms))).unwrap()
}

async fn read(embedded: &Embedded<ManualClock>, job: &Job) -> Job {
    embedded.jobs().get(job.id).await.unwrap().unwrap()
}

fn key(id: &str) -> ApiKey {
    let any = || vec!["*".to_owned()];
    ApiKey {
        id: id.into(),
        name: id.into(),
        products: any(),
        envs: any(),
        scopes: vec![Scope::JobsRead],
        created_at: NOW,
    }
}

#[tokio::test]
async fn everything_is_there_after_a_restart_and_the_timers_are_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let document = json!({"envs": ["prd"]});
    let published = Published {
        catalog: Catalog::from_document(&document).unwrap(),
        revision: Revision::of(&document),
        document: document.clone(),
    };
    let (waiting, late, settled) = (job(1, 5_000), job(2, 3_600_000), job(3, 0));
    let cancelled = {
        let before = open(folder.path(), 0);
        for job in [&waiting, &late, &settled] {
            insert(&before, job).await;
        }
        assert_eq!(
            before.catalogs().put("shop", published.into(), &Condition::Absent).await.unwrap(),
            WriteOutcome::Done
        );
        before.keys().add(&KeyHash::of("car_1"), &key("one")).await.unwrap();
        commit(&before, &settled, &Trigger::Cancel { reason: None }, NOW).await
    };

    let after = open(folder.path(), 1_000);
    for (job, expected) in [(&waiting, &waiting), (&late, &late), (&settled, &cancelled)] {
        assert_eq!(read(&after, job).await, *expected);
    }
    assert_eq!(after.catalogs().get("shop").await.unwrap().unwrap().document, document);
    assert!(after.keys().find(&KeyHash::of("car_1")).await.unwrap().is_some());
    refill(after.store(), after.due_queue(), NOW.plus(WINDOW_MS)).await.unwrap();
    assert_eq!(after.due_queue().take_fire(NOW.plus(5_000)), Ok(waiting.fire()));
    assert_eq!(after.due_queue().take_fire(NOW.plus(7_200_000)), Err(None));
    refill(after.store(), after.due_queue(), NOW.plus(3_600_000)).await.unwrap();
    assert_eq!(after.due_queue().take_fire(NOW.plus(7_200_000)), Ok(late.fire()));
    // New jobs do not conflict with the old ones.
    insert(&after, &job(4, 0)).await;
    assert_eq!(read(&after, &waiting).await, waiting);
}

#[tokio::test]
async fn an_attempt_that_a_dead_process_left_behind_comes_back_at_once_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let job = job(1, 0);
    {
        let before = open(folder.path(), 0);
        insert(&before, &job).await;
        commit(&before, &job, &claim(&job), NOW).await;
    }
    let after = open(folder.path(), 1_000);
    let found = read(&after, &job).await;
    assert_eq!((found.state.status, found.state.wake_at), (Status::Running, Some(NOW.plus(1_000))));
    refill(after.store(), after.due_queue(), NOW.plus(WINDOW_MS)).await.unwrap();
    assert_eq!(after.due_queue().take_fire(NOW.plus(1_000)), Ok(job.fire()));
    let again = commit(&after, &found, &claim(&found), NOW.plus(1_000)).await;
    assert_eq!((again.state.run.attempts, again.state.run.failures[0].error.code.as_str()), (2, codes::EXECUTOR_LOST));
    drop(after);

    let last = open(folder.path(), 2_000);
    let found = read(&last, &job).await;
    let spent = commit(&last, &found, &claim(&found), NOW.plus(2_000)).await;
    assert_eq!(spent.state.status, Status::Failed);
}

#[test]
fn a_second_server_on_a_folder_is_refused_with_the_folders_name() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path(), 0);
    let refused = Embedded::open(folder.path(), Durability::Process).unwrap_err();
    assert!(matches!(&refused, OpenError::Folder(FolderError::Taken { folder: taken }) if taken == folder.path()));
    let message = refused.to_string();
    assert!(
        message.contains("another Carillon server") && message.contains(folder.path().to_str().unwrap()),
        "{message}"
    );
    drop(first);
    assert!(Embedded::open(folder.path(), Durability::Power).is_ok());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let refused = Embedded::open(&file.join("data"), Durability::Process).unwrap_err();
    assert!(refused.to_string().contains(file.to_str().unwrap()));
}

#[tokio::test]
async fn keys_are_looked_after_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(folder.path(), 0);
    let running = job(1, 0);
    insert(&server, &running).await;
    let running = commit(&server, &running, &claim(&running), NOW).await;

    let beside = Store::beside(folder.path()).unwrap();
    beside.add(&KeyHash::of("car_1"), &key("one")).await.unwrap();
    beside.add(&KeyHash::of("car_2"), &key("two")).await.unwrap();
    assert!(server.keys().find(&KeyHash::of("car_1")).await.unwrap().is_some());
    assert_eq!(beside.list_keys().await.unwrap(), [key("one"), key("two")]);
    assert!(beside.revoke_key("one").await.unwrap());
    assert!(!beside.revoke_key("one").await.unwrap());
    assert!(server.keys().find(&KeyHash::of("car_1")).await.unwrap().is_none());
    assert_eq!(server.store().list_keys().await.unwrap(), [key("two")]);
    assert_eq!(read(&server, &running).await, running, "no lease is ended");
}

#[tokio::test]
async fn changes_of_one_job_that_share_a_transaction_leave_the_last_one() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = open(folder.path(), 0);
    refill(embedded.store(), embedded.due_queue(), NOW.plus(WINDOW_MS)).await.unwrap();
    for number in 0..200 {
        let first = job(number, 0);
        let claimed = decide(&first, &claim(&first), NOW).unwrap();
        let running = Job { state: claimed.state.clone(), ..first.clone() };
        let cancelled = decide(&running, &Trigger::Cancel { reason: None }, NOW).unwrap();
        let jobs = embedded.jobs();
        let written = tokio::join!(jobs.insert_new(&first), jobs.commit(&claimed), jobs.commit(&cancelled));
        let written = (written.0.unwrap(), written.1.unwrap(), written.2.unwrap());
        assert_eq!(written, (WriteOutcome::Done, WriteOutcome::Done, WriteOutcome::Done));
        assert_eq!(read(&embedded, &first).await.state, cancelled.state);
        assert_eq!(embedded.due_queue().take_fire(NOW.plus(WINDOW_MS)), Err(None));
    }
}
