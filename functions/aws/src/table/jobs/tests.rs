//! Inserts of large jobs that are repeated, of which the first one's answer was lost.

use carillon_core::job::EventType;
use carillon_core::machine::first_state;
use carillon_core::retry::RetryPolicy;
use carillon_core::time::UnixMillis;
use serde_json::{Value, json};

use super::*;
use crate::scripted_http::{ScriptedHttp, settings};
use crate::stack::SystemClock;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn large_job() -> Job {
    let spec = JobSpec {
        product: "shop".to_owned(),
        env: "prd".to_owned(),
        event: "order.close".to_owned(),
        event_type: EventType::Action,
        app: None,
        input: json!({"body": "x".repeat(MAX_INLINE_SPEC)}),
        retries: 0,
        retry: RetryPolicy::default(),
        timeout: None,
        start_at: NOW,
        repeat: None,
        session: None,
        cache: None,
        created_at: NOW,
    };
    Job { id: JobId::new(NOW, 1), state: first_state(&spec, NOW).unwrap(), spec: Arc::new(spec) }
}

/// Inserts a job, and is answered so.
async fn insert<const N: usize>(job: &Job, answers: [(u16, Value); N]) -> (WriteOutcome, ScriptedHttp) {
    let http = ScriptedHttp::that_answers(answers);
    let table = Table::new(aws_sdk_dynamodb::Client::new(&http.config()), &settings(), SystemClock);
    (table.insert_new(job).await.unwrap(), http)
}

/// The two items of a job as they are stored.
async fn items_of(job: &Job) -> [Value; 2] {
    let (written, http) = insert(job, [(200, json!({}))]).await;
    let [(action, body)] = &http.requests()[..] else { panic!("one request") };
    assert_eq!((written, action.as_str()), (WriteOutcome::Done, "TransactWriteItems"));
    [0, 1].map(|index| body["TransactItems"][index]["Put"]["Item"].clone())
}

fn cancelled(reasons: &Value) -> (u16, Value) {
    (400, json!({"__type": "x#TransactionCanceledException", "message": "no", "CancellationReasons": reasons}))
}

fn refused_for(item: &Value) -> (u16, Value) {
    cancelled(&json!([{"Code": "ConditionalCheckFailed", "Item": item}, {"Code": "None"}]))
}

fn read_gives(item: &Value) -> (u16, Value) {
    (200, json!({"Item": item}))
}

#[tokio::test]
async fn a_large_job_meets_its_own_write_for_one_read_of_its_spec() {
    let job = large_job();
    let [job_item, spec_item] = items_of(&job).await;
    let (written, http) = insert(&job, [refused_for(&job_item), read_gives(&spec_item)]).await;
    assert_eq!((written, http.actions()), (WriteOutcome::Done, vec!["TransactWriteItems".into(), "GetItem".into()]));
}

#[tokio::test]
async fn a_large_job_in_whose_place_another_one_stands_is_a_conflict() {
    let job = large_job();
    let [job_item, spec_item] = items_of(&job).await;
    let changed = Job { state: JobState { revision: 2, ..job.state.clone() }, ..job.clone() };
    let (written, http) = insert(&changed, [refused_for(&job_item)]).await;
    assert_eq!((written, http.actions()), (WriteOutcome::Conflict, vec!["TransactWriteItems".to_owned()]));
    let spec = JobSpec { retries: 1, ..JobSpec::clone(&job.spec) };
    let other = Job { spec: Arc::new(spec), ..job.clone() };
    let (written, _) = insert(&other, [refused_for(&job_item), read_gives(&spec_item)]).await;
    assert_eq!(written, WriteOutcome::Conflict);
    // A small one has its spec in its own item.
    let mut small = job_item.clone();
    small["spec"] = spec_item["spec"].clone();
    assert_eq!(insert(&job, [refused_for(&small)]).await.0, WriteOutcome::Conflict);
}

/// DynamoDB does not tell the item when another transaction was under way.
#[tokio::test]
async fn a_conflict_that_tells_no_item_is_looked_into() {
    let job = large_job();
    let [job_item, spec_item] = items_of(&job).await;
    let under_way = || cancelled(&json!([{"Code": "TransactionConflict"}, {"Code": "None"}]));
    let (written, _) = insert(&job, [under_way(), read_gives(&job_item), read_gives(&spec_item)]).await;
    assert_eq!(written, WriteOutcome::Done);
    let (written, _) = insert(&job, [under_way(), (200, json!({}))]).await;
    assert_eq!(written, WriteOutcome::Conflict, "it is not there yet: whoever asked decides anew");
}
