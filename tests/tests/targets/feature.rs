//! Steps: what they are given, how often they are tried, and what a crash does to them.

use std::sync::Arc;

use carillon_tests::receiver::answer;
use carillon_tests::target::{Target, Wire, done};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{World, job};

/// An app with the action `step` at `/steps/:name`.
fn apps(target: &Target) -> Value {
    json!({"app": {
        "envs": {"dev": {"base_url": target.url()}},
        "actions": {"step": {"method": "POST", "path": "/steps/:name"}},
    }})
}

fn step(name: &str, body: &Value) -> Value {
    json!({"tag": name, "event": "step", "app": "app", "input": {"params": {"name": name}, "body": body}})
}

fn ids(seen: &[Wire]) -> Vec<&str> {
    seen.iter().map(|wire| wire.header("webhook-id")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_is_given_what_it_refers_to_and_tried_as_often_as_it_says() {
    let target = Target::start(async |wire| match (wire.path.as_str(), wire.nth) {
        ("/steps/quote", 1 | 2) => answer(StatusCode::SERVICE_UNAVAILABLE, &json!({})),
        ("/steps/quote", _) => answer(StatusCode::OK, &json!({"cents": 250, "by": {"name": "Bob"}})),
        ("/steps/optional", _) => answer(StatusCode::UNPROCESSABLE_ENTITY, &json!({})),
        _ => done(&wire),
    })
    .await;
    let mut quote = step("quote", &json!({"order": "$Input{order}{id}", "note": "for $Input{name}"}));
    quote["retries"] = json!(2);
    let mut optional = step("optional", &json!({}));
    optional["allow_fail"] = json!(true);
    let last = step(
        "charge",
        &json!({
            "cents": "$Sequence{quote}{body}{cents}", "by": "$Sequence{1}{body}{by}", "said": "by $Sequence{quote}{body}{by}{name}",
            "optional": "$Sequence{optional}{body}{x}", "order": "$Input{order}",
        }),
    );
    let output = json!({"paid": "$Sequence{quote}{body}{cents}", "at": "$Sequence{charge}{body}{path}"});
    let feature = json!({"steps": [quote, optional, last], "output": output});
    let world = World::start(json!({"apps": apps(&target), "features": {"settle": feature}}), &[]).await;
    let run = world.run(&job("settle", &json!({"order": {"id": 7}, "name": "Ada"}))).await;
    assert_eq!((&run["status"], &run["attempts"]), (&json!("completed"), &json!(1)), "{run}");
    assert_eq!(run["result"]["output"], json!({"paid": 250, "at": "/steps/charge"}), "{run}");
    let steps = run["result"]["steps"].as_array().unwrap();
    let said: Vec<_> = steps.iter().map(|step| json!([step["step"], step["status"], step["error"]["code"]])).collect();
    let expected = [
        json!(["quote", "completed", null]),
        json!(["optional", "failed", "VALIDATION_ERROR"]),
        json!(["charge", "completed", null]),
    ];
    assert_eq!(said, expected);

    let quotes = target.seen_at("/steps/quote");
    assert_eq!(quotes.len(), 3, "{quotes:?}");
    assert!(quotes.iter().all(|wire| wire.json() == json!({"order": 7, "note": "for Ada"})), "{quotes:?}");
    let fire = run["webhook_id"].as_str().unwrap();
    assert_eq!(ids(&quotes), [&*format!("{fire}_1"); 3], "the tries of a step are one delivery");
    target.only("/steps/optional");
    let charge = target.only("/steps/charge");
    let by = json!({"name": "Bob"});
    let expected = json!({"cents": 250, "by": by, "said": "by Bob", "optional": null, "order": {"id": 7}});
    assert_eq!(charge.json(), expected);
    assert_eq!(charge.header("webhook-id"), format!("{fire}_3"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_fails_ends_the_feature_and_another_attempt_goes_on_with_it() {
    let target = Target::start(async |wire| match (wire.path.as_str(), wire.nth) {
        ("/steps/two", 1) => answer(StatusCode::SERVICE_UNAVAILABLE, &json!({})),
        _ => done(&wire),
    })
    .await;
    let steps = ["one", "two", "three"].map(|name| step(name, &json!({})));
    let world = World::start(json!({"apps": apps(&target), "features": {"all": {"steps": steps}}}), &[]).await;
    let mut asked = job("all", &json!({}));
    asked["retries"] = json!(1);
    let run = world.run(&asked).await;
    assert_eq!((&run["status"], &run["attempts"]), (&json!("completed"), &json!(2)), "{run}");
    let counts = ["one", "two", "three"].map(|name| target.seen_at(&format!("/steps/{name}")).len());
    assert_eq!(counts, [1, 2, 1]);
    let attempts: Vec<_> = target.seen().iter().map(|wire| wire.header("webhook-attempt").to_owned()).collect();
    assert_eq!(attempts, ["1", "1", "2", "2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_within_a_step_repeats_that_step_alone() {
    let arrived = Arc::new(Notify::new());
    let bell = Arc::clone(&arrived);
    let target = Target::start(move |wire| {
        let bell = Arc::clone(&bell);
        async move {
            if (wire.path.as_str(), wire.nth) == ("/steps/two", 1) {
                bell.notify_one();
                // The server is killed meanwhile.
                std::future::pending::<()>().await;
            }
            done(&wire)
        }
    })
    .await;
    let steps = ["one", "two", "three"].map(|name| step(name, &json!({})));
    let output = json!(["one", "two", "three"].map(|name| format!("$Sequence{{{name}}}{{body}}{{nth}}")));
    let features = json!({"all": {"steps": steps, "output": {"nth": output}}});
    let mut world = World::start(json!({"apps": apps(&target), "features": features}), &[]).await;
    let mut asked = job("all", &json!({}));
    asked["retries"] = json!(1);
    let id = world.client().schedule(&asked).await;
    arrived.notified().await;
    world.kill_and_restart().await;
    let run = world.client().ended(&id).await;
    assert_eq!((&run["status"], &run["attempts"]), (&json!("completed"), &json!(2)), "{run}");
    assert_eq!(run["failures"][0]["error"]["code"], "EXECUTOR_LOST", "{run}");
    let seen = ["one", "two", "three"].map(|name| target.seen_at(&format!("/steps/{name}")));
    assert_eq!(seen.each_ref().map(Vec::len), [1, 2, 1]);
    assert_eq!(run["result"]["output"], json!({"nth": [1, 2, 1]}), "the first step's result was kept: {run}");
    let fire = run["webhook_id"].as_str().unwrap();
    assert_eq!(ids(&seen[1]), [&*format!("{fire}_2"); 2], "the receiver can tell that it has seen it before");
}
