//! Cases that a real table cannot produce at will: stale reads, and lost answers.

use carillon_core::job::Output;
use serde_json::{Value, json};

use super::*;
use crate::scripted_http::{ScriptedHttp, settings};
use crate::stack::SystemClock;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn table(http: &ScriptedHttp) -> Table<SystemClock> {
    Table::new(aws_sdk_dynamodb::Client::new(&http.config()), &settings(), SystemClock)
}

fn cache_key() -> CacheKey {
    let cache = CacheId { product: "shop".into(), env: "dev".into(), tag: "c".into() };
    CacheKey { cache, digest: "ab".repeat(32), event: "close".into() }
}

fn lead(number: u128) -> FillLease {
    FillLease { leader: Owner::new(number), began_at: NOW, until: NOW.plus(60_000) }
}

/// An item as it comes over the wire.
fn stored(attributes: Value) -> Value {
    let Value::Object(attributes) = attributes else { panic!("an object") };
    let typed = |value: Value| if value.is_number() { json!({"N": value.to_string()}) } else { json!({"S": value}) };
    attributes.into_iter().map(|(name, value)| (name, typed(value))).collect()
}

fn lease(lead: &FillLease) -> Value {
    let leader = serde_json::to_string(&lead.leader).unwrap();
    stored(json!({"leader": leader, "began_at": lead.began_at.0, "ends_at": lead.until.0, "expires_at": 1}))
}

fn filled(began_at: UnixMillis) -> Value {
    let output = serde_json::to_string(&Output::default()).unwrap();
    stored(json!({"output": output, "began_at": began_at.0, "made_at": NOW.0, "ends_at": NOW.0 + 1, "expires_at": 1}))
}

fn mark(cleared_at: UnixMillis) -> Value {
    stored(json!({"cleared_at": cleared_at.0, "expires_at": 1}))
}

fn read_gives(items: &[Value]) -> (u16, Value) {
    (200, json!({"Responses": {"carillon_table": items}}))
}

fn refused_for(item: &Value) -> (u16, Value) {
    (400, json!({"__type": "x#ConditionalCheckFailedException", "message": "no", "Item": item}))
}

async fn lookup(http: &ScriptedHttp) -> CacheAnswer {
    table(http).lookup(&cache_key(), &lead(1), NOW).await.unwrap()
}

#[tokio::test]
async fn a_hit_is_one_read_that_need_not_be_the_latest() {
    let http = ScriptedHttp::that_answers([read_gives(&[filled(NOW), mark(NOW.plus(-1))])]);
    assert!(matches!(lookup(&http).await, CacheAnswer::Hit(_)));
    let [(action, body)] = &http.requests()[..] else { panic!("one request") };
    let wanted = &body["RequestItems"]["carillon_table"];
    assert_eq!((action.as_str(), &wanted["ConsistentRead"]), ("BatchGetItem", &json!(false)));
    assert_eq!(wanted["Keys"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn somebody_elses_lease_is_told_without_a_write_and_ones_own_is_taken_again() {
    let http = ScriptedHttp::that_answers([read_gives(&[lease(&lead(2))])]);
    assert_eq!(lookup(&http).await, CacheAnswer::Filling(lead(2)));
    assert_eq!(http.actions(), ["BatchGetItem"]);
    let http = ScriptedHttp::that_answers([read_gives(&[lease(&lead(1))]), (200, json!({}))]);
    assert_eq!(lookup(&http).await, CacheAnswer::Miss);
}

#[tokio::test]
async fn what_a_read_did_not_see_yet_the_write_tells() {
    let http = ScriptedHttp::that_answers([read_gives(&[]), refused_for(&filled(NOW))]);
    assert!(matches!(lookup(&http).await, CacheAnswer::Hit(_)));
    let http = ScriptedHttp::that_answers([read_gives(&[]), refused_for(&lease(&lead(2)))]);
    assert_eq!(lookup(&http).await, CacheAnswer::Filling(lead(2)));
    assert_eq!(http.actions(), ["BatchGetItem", "PutItem"]);
}

#[tokio::test]
async fn what_was_begun_when_the_cache_was_emptied_or_before_does_not_count() {
    for entry in [filled(NOW), lease(&lead(2))] {
        let http = ScriptedHttp::that_answers([read_gives(&[mark(NOW), entry]), (200, json!({}))]);
        assert_eq!(lookup(&http).await, CacheAnswer::Miss);
        let condition = &http.requests()[1].1["ExpressionAttributeValues"][":cleared_at"];
        assert_eq!(condition, &json!({"N": NOW.0.to_string()}), "the write knows of it too");
    }
}

#[tokio::test]
async fn what_was_filled_already_is_not_filled_again() {
    let result = CachedResult { output: Output::default(), made_at: NOW, expires_at: NOW.plus(1) };
    for (look, then) in
        [(json!({}), None), (json!({"Item": filled(NOW)}), None), (json!({"Item": lease(&lead(1))}), Some(filled(NOW)))]
    {
        let answers = [(200, look), then.as_ref().map_or((500, json!({})), refused_for)];
        let http = ScriptedHttp::that_answers(answers);
        table(&http).fill(&cache_key(), &lead(1).leader, &result).await.unwrap();
        assert_eq!(http.actions().len(), if then.is_some() { 2 } else { 1 });
    }
}

#[tokio::test]
async fn an_emptied_cache_lists_nothing_of_before_whatever_the_index_holds() {
    let listed = |began_at: i64, event| {
        let key =
            CacheListing { digest: "ab", made_at: NOW, began_at: UnixMillis(began_at), expires_at: NOW.plus(9), event };
        stored(json!({"gsi1sk": key.to_string()}))
    };
    let none = || (200, json!({"Items": []}));
    let page = (200, json!({"Items": [listed(NOW.0 - 5, "old"), listed(NOW.0 - 4, "new#1")]}));
    let http = ScriptedHttp::that_answers([(200, json!({"Item": mark(NOW.plus(-5))})), none(), none(), page, none()]);
    let page = table(&http).entries(&cache_key().cache, None, 10, NOW).await.unwrap();
    assert_eq!(page.entries.iter().map(|entry| entry.event.as_str()).collect::<Vec<_>>(), ["new#1"]);
    assert_eq!((page.next, http.actions().len()), (None, 5));
}
