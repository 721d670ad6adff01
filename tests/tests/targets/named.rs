//! Events that lead to one request each: job definitions, functions by URL, and topics of HTTP brokers.

use carillon_tests::receiver::answer;
use carillon_tests::target::{Target, done};
use http::StatusCode;
use serde_json::json;

use super::{World, job};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jobs_input_is_laid_over_the_defaults_of_its_definitions() {
    let target =
        Target::start(
            async |wire| {
                if wire.nth == 1 { answer(StatusCode::SERVICE_UNAVAILABLE, &json!({})) } else { done(&wire) }
            },
        )
        .await;
    let app = json!({
        "envs": {"dev": {"base_url": target.url()}},
        "actions": {"close": {"method": "POST", "path": "/orders/:id/close"}},
    });
    let careful = json!({
        "event": "close", "app": "shop",
        "input": {"params": {"id": "6"}, "headers": {"x-careful": "yes"}, "body": {"by": {"name": "hand", "at": "noon"}, "tags": [1, 2]}},
    });
    let nightly = json!({
        "event": "careful", "retries": 1,
        "input": {"params": {"id": "7"}, "query": {"dry": true}, "body": {"by": {"name": "night"}}},
    });
    let world =
        World::start(json!({"apps": {"shop": app}, "jobs": {"careful": careful, "nightly": nightly}}), &[]).await;
    let run = world.run(&job("nightly", &json!({"body": {"tags": [3], "note": "own"}}))).await;
    assert_eq!((&run["status"], &run["attempts"]), (&json!("completed"), &json!(2)), "the definition retries: {run}");
    let seen = target.seen_at("/orders/7/close");
    assert_eq!(seen.len(), 2);
    for wire in &seen {
        assert_eq!((wire.line.as_str(), wire.header("x-careful")), ("POST /orders/7/close?dry=true", "yes"));
        let body = json!({"by": {"name": "night", "at": "noon"}, "tags": [3], "note": "own"});
        assert_eq!(wire.json(), body);
    }
    // The job's own fields come first.
    let mut asked = job("nightly", &json!({"params": {"id": "8"}}));
    asked["retries"] = json!(0);
    let run = world.run(&asked).await;
    assert_eq!((&run["status"], &run["attempts"]), (&json!("failed"), &json!(1)), "{run}");
    assert_eq!(target.only("/orders/8/close").json()["tags"], json!([1, 2]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_is_called_by_its_url_and_a_message_published_over_http() {
    let target = Target::content().await;
    let at = |path: &str| json!({"url": format!("{}{path}", target.url()), "auth": {"bearer": "env:KEY"}});
    let mut topic = at("/topics/orders?tenant=1");
    topic.as_object_mut().unwrap().remove("auth");
    let broker = json!({
        "envs": {"dev": {"provider": "http", "auth": {"bearer": "env:KEY"}, "headers": {"x-bus": "main"}}},
        "topics": {"orders": {"envs": {"dev": topic}}},
    });
    let functions = json!({"thumbnail": {"envs": {"dev": at("/functions/thumbnail")}}});
    let catalog = json!({"functions": functions, "brokers": {"bus": broker}});
    let world = World::start(catalog, &[("KEY", "canary-of-a-key")]).await;
    let cases = [
        (
            "thumbnail",
            json!({"payload": {"image": "é.png", "width": 320}}),
            "POST /functions/thumbnail",
            json!({"image": "é.png", "width": 320}),
        ),
        ("thumbnail", json!({}), "POST /functions/thumbnail", json!({})),
        ("thumbnail", json!({"payload": [null, 1.5]}), "POST /functions/thumbnail", json!([null, 1.5])),
        ("bus:orders", json!({"message": {"id": 7}}), "POST /topics/orders?tenant=1", json!({"id": 7})),
        ("bus:orders", json!({"message": "text"}), "POST /topics/orders?tenant=1", json!("text")),
    ];
    for (event, input, line, body) in cases {
        let result = world.result(event, input).await;
        let wire = target.seen().pop().unwrap();
        assert_eq!((wire.line.as_str(), wire.json()), (line, body), "{event}");
        let headers = ["authorization", "content-type"].map(|name| wire.header(name));
        assert_eq!(headers, ["Bearer canary-of-a-key", "application/json"], "{event}");
        assert_eq!(wire.header("x-bus"), if event == "bus:orders" { "main" } else { "" });
        assert_eq!((&result["status"], &result["body"]["path"]), (&json!(200), &json!(wire.path)), "{event}: {result}");
    }
    assert_eq!(target.seen().len(), 5);
}
