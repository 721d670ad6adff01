//! Options in the order of their health.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use carillon_tests::receiver::answer;
use carillon_tests::target::{Target, done};
use http::StatusCode;
use serde_json::{Value, json};

use super::World;

/// An app whose one action has this tag.
fn app(target: &Target, action: &str) -> Value {
    json!({
        "envs": {"dev": {"base_url": target.url()}},
        "actions": {action: {"method": "POST", "path": "/charges/:id"}},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_option_that_failed_is_tried_last_until_it_is_said_to_be_healthy() {
    let is_broken = Arc::new(AtomicBool::new(true));
    let breaks = Arc::clone(&is_broken);
    let first = Target::start(move |wire| {
        let fails = breaks.load(Ordering::SeqCst);
        async move { if fails { answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({})) } else { done(&wire) } }
    })
    .await;
    let second = Target::content().await;
    let own = json!({"params": {"id": "$Input{order}"}, "body": {"cents": "$Input{cents}"}});
    let options = json!([
        {"event": "charge.first", "retries": 1, "input": own},
        {"event": "charge.second", "input": own},
    ]);
    let apps = json!({"first": app(&first, "charge.first"), "second": app(&second, "charge.second")});
    let world = World::start(json!({"apps": apps, "fallbacks": {"charge": {"options": options}}}), &[]).await;
    let charge = async || world.result("charge", json!({"input": {"order": "7", "cents": 250}})).await;
    let counts = || (first.seen().len(), second.seen().len());
    let said = |result: &Value| json!([result["option"], result["position"], result["output"]["body"]["path"]]);

    let result = charge().await;
    assert_eq!(said(&result), json!(["charge.second", 2, "/charges/7"]), "{result}");
    let failed = result["failed"].as_array().unwrap();
    assert_eq!(
        (failed.len(), &failed[0]["option"], &failed[0]["error"]["code"]),
        (1, &json!("charge.first"), &json!("SERVICE_UNAVAILABLE"))
    );
    assert_eq!(counts(), (2, 1), "the first option was tried twice, as its retries say");
    assert!(first.seen().iter().chain(&second.seen()).all(|wire| wire.json() == json!({"cents": 250})));
    // The option's tries are one delivery to its receiver; the other option's is another.
    let ids: Vec<_> =
        first.seen().iter().chain(&second.seen()).map(|wire| wire.header("webhook-id").to_owned()).collect();
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");

    is_broken.store(false, Ordering::SeqCst);
    let result = charge().await;
    assert_eq!((said(&result), &result["failed"]), (json!(["charge.second", 2, "/charges/7"]), &json!([])), "{result}");
    assert_eq!(counts(), (2, 2), "the first option was left alone");

    assert_eq!(world.result("charge", json!({"action": "reset"})).await, json!({"reset": true}));
    assert_eq!(counts(), (2, 2), "a reset asks nobody");
    assert_eq!(said(&charge().await), json!(["charge.first", 1, "/charges/7"]));
    assert_eq!(counts(), (3, 2));

    let update = |healthy: bool| json!({"action": "update", "option": "charge.first", "healthy": healthy});
    world.result("charge", update(false)).await;
    assert_eq!(said(&charge().await), json!(["charge.second", 2, "/charges/7"]));
    world.result("charge", update(true)).await;
    assert_eq!(said(&charge().await), json!(["charge.first", 1, "/charges/7"]));
    assert_eq!(counts(), (4, 3));
}
