//! Counters under many jobs at once.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{World, job};

const LIMIT: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_jobs_at_once_as_many_are_counted_as_the_limit_allows() {
    let world = World::start(json!({"quotas": {"mails": {"limit": LIMIT, "period": "month"}}}), &[]).await;
    let increment = job("mails", &json!({"action": "increment"}));
    let runs = join_all((0..100).map(|_| world.run(&increment))).await;
    let (counted, over): (Vec<_>, Vec<_>) = runs.iter().partition(|run| run["status"] == "completed");
    assert_eq!((counted.len(), over.len()), (60, 40));
    // A result has the amount used by then: never less than was counted, nor more than the limit.
    let mut used: Vec<u64> = counted.iter().map(|run| run["result"]["used"].as_u64().unwrap()).collect();
    used.sort_unstable();
    assert!(used.iter().zip(1..=LIMIT).all(|(used, least)| (least..=LIMIT).contains(used)), "{used:?}");
    for run in counted {
        let of = ["used", "limit", "remaining"].map(|name| run["result"][name].as_u64().unwrap());
        assert_eq!((of[1], of[0] + of[2]), (LIMIT, LIMIT), "{run}");
    }
    for run in over {
        assert_eq!((&run["error"]["code"], &run["attempts"]), (&json!("QUOTA_EXCEEDED"), &json!(1)), "{run}");
    }

    let said = |result: Value| (result["used"].as_u64(), result["remaining"].as_u64());
    assert_eq!(world.error("mails", json!({"action": "check"})).await, "QUOTA_EXCEEDED");
    assert_eq!(said(world.result("mails", json!({"action": "reset"})).await), (Some(0), Some(60)));
    let checked = world.result("mails", json!({"action": "check", "amount": 60})).await;
    assert_eq!(said(checked), (Some(0), Some(60)), "looking counts nothing");
    assert_eq!(said(world.result("mails", json!({"amount": 59})).await), (Some(59), Some(1)));
    assert_eq!(world.error("mails", json!({"amount": 2})).await, "QUOTA_EXCEEDED");
    assert_eq!(said(world.result("mails", json!({})).await), (Some(60), Some(0)), "what did not fit was not counted");
}
