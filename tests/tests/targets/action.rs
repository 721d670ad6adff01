//! Requests of apps: how they are addressed, written and authorised.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use carillon_tests::receiver::answer;
use carillon_tests::target::{Target, Wire, done};
use futures_util::future::join_all;
use futures_util::stream;
use http::StatusCode;
use serde_json::{Value, json};

use super::{World, job};

/// An app at a target, with the action `work` at `/work`.
fn app(target: &Target, auth: &Value) -> Value {
    json!({
        "envs": {"dev": {"base_url": target.url(), "auth": auth}},
        "actions": {"work": {"method": "POST", "path": "/work"}},
    })
}

/// The fields of a body, parsed by its content type as a receiver does.
async fn read(wire: &Wire) -> Value {
    let content_type = wire.header("content-type");
    match content_type.split(';').next().unwrap_or_default() {
        "application/json" => wire.json(),
        "application/x-www-form-urlencoded" => json!(wire.form()),
        "text/plain" => json!(String::from_utf8(wire.body.to_vec()).unwrap()),
        "multipart/form-data" => {
            let body = wire.body.clone();
            let boundary = multer::parse_boundary(content_type).unwrap();
            let mut body = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
            let mut parts = Vec::new();
            while let Some(part) = body.next_field().await.unwrap() {
                let named = [part.name(), part.file_name()].map(|name| name.map(str::to_owned));
                let content_type = part.content_type().map(ToString::to_string);
                parts.push(json!([named, content_type, part.bytes().await.unwrap().to_vec()]));
            }
            json!(parts)
        }
        other => panic!("{other} is read by nobody"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_each_format_is_what_its_reader_finds() {
    let target = Target::content().await;
    let hostile = "Ada & \"Bob\"=\r\n--carillon-é";
    let file = |name: &str| json!({"buffer": "AP8NCi0t", "fileName": name, "mimeType": "image/png"});
    let bytes = json!([0, 255, 13, 10, 45, 45]);
    let part = |name: &str, text: &str| json!([[name, null], null, text.as_bytes()]);
    let files = json!({"n": 7, "note": hostile, "photo": [file("a.png"), file("b\"\r\n.png")]});
    let cases = [
        (json!("json"), json!({"name": hostile, "n": [1.5, null]}), json!({"name": hostile, "n": [1.5, null]})),
        (json!(null), json!([hostile]), json!([hostile])),
        (json!("text"), json!(hostile), json!(hostile)),
        (
            json!("form"),
            json!({"name": hostile, "n": 1.5, "tags": ["a b", "c=d"], "ok": true}),
            json!([["n", "1.5"], ["name", hostile], ["ok", "true"], ["tags", "a b"], ["tags", "c=d"]]),
        ),
        (
            json!("multipart"),
            files,
            json!([
                part("n", "7"),
                part("note", hostile),
                [["photo", "a.png"], "image/png", bytes],
                // As the HTML standard defines it.
                [["photo", "b%22%0D%0A.png"], "image/png", bytes],
            ]),
        ),
    ];
    let mut actions = json!({});
    for (index, (format, ..)) in cases.iter().enumerate() {
        actions[format!("in-{index}")] = json!({"method": "PUT", "path": format!("/in/{index}"), "body": format});
        if format.is_null() {
            actions[format!("in-{index}")].as_object_mut().unwrap().remove("body");
        }
    }
    let app = json!({"envs": {"dev": {"base_url": target.url()}}, "actions": actions});
    let world = World::start(json!({"apps": {"app": app}}), &[]).await;
    for (index, (format, body, expected)) in cases.iter().enumerate() {
        let result = world.result(&format!("in-{index}"), json!({"body": body})).await;
        assert_eq!(result["status"], 200, "{format}");
        let wire = target.only(&format!("/in/{index}"));
        assert!(wire.line.starts_with("PUT "), "{format}: {wire:?}");
        assert_eq!(&read(&wire).await, expected, "{format}: {wire:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_environment_has_its_own_address_and_the_nearest_header_wins() {
    let [dev, prd] = [Target::content().await, Target::content().await];
    let place = |base_url: String, stage: &str| json!({"base_url": base_url, "headers": {"x-stage": stage, "x-near": "app", "x-between": "app"}});
    let app = json!({
        "envs": {"dev": place(dev.url(), "dev"), "prd": place(format!("{}/api/v2/", prd.url()), "prd")},
        "actions": {"find": {"method": "GET", "path": "/orders/:id/lines/:line", "headers": {"x-near": "action", "x-between": "action"}}},
    });
    let world = World::start(json!({"apps": {"app": app}}), &[]).await;
    let input = json!({
        "params": {"id": "../a b/ü?", "line": 7},
        "query": {"dry": true, "tag": ["x", "y&z"], "n": 3},
        "headers": {"X-Near": "job"},
    });
    let mut asked = job("find", &input);
    for (env, base, target, other) in [("dev", "", &dev, &prd), ("prd", "/api/v2", &prd, &dev)] {
        let others = other.seen().len();
        asked["env"] = json!(env);
        let run = world.run(&asked).await;
        assert_eq!(run["status"], "completed", "{env}: {run}");
        let [wire] = target.seen().try_into().unwrap();
        let path = format!("{base}/orders/..%2Fa%20b%2F%C3%BC%3F/lines/7");
        assert_eq!(wire.line, format!("GET {path}?dry=true&n=3&tag=x&tag=y%26z"), "{env}");
        let headers = ["x-stage", "x-near", "x-between"].map(|name| wire.header(name));
        assert_eq!(headers, [env, "job", "action"], "{env}");
        assert_eq!(run["result"]["body"]["path"], path, "{env}");
        assert_eq!(other.seen().len(), others, "{env}: it went elsewhere too");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_static_key_is_where_the_target_looks_for_it_and_nowhere_else() {
    let target = Target::content().await;
    // The request that the target receives: its request line, and the headers that may hold a key.
    let cases = [
        (json!({"bearer": "env:BEARER"}), "POST /work", "Bearer canary-of-bearer", ""),
        (
            json!({"basic": {"username": "svc", "password": "env:BASIC"}}),
            "POST /work",
            "Basic c3ZjOmNhbmFyeS1vZi1iYXNpYw==",
            "",
        ),
        (json!({"header": {"name": "X-Api-Key", "value": "env:HEADER"}}), "POST /work", "", "canary-of-header"),
        (json!({"query": {"name": "key", "value": "env:QUERY"}}), "POST /work?q=1&key=canary-of-query%26", "", ""),
    ];
    let apps = cases.iter().enumerate().map(|(index, (auth, ..))| (format!("app-{index}"), app(&target, auth)));
    let apps: serde_json::Map<_, _> = apps.collect();
    let secrets = [
        ("BEARER", "canary-of-bearer"),
        ("BASIC", "canary-of-basic"),
        ("HEADER", "canary-of-header"),
        ("QUERY", "canary-of-query&"),
    ];
    let world = World::start(json!({"apps": apps}), &secrets).await;
    for (index, (auth, line, authorization, api_key)) in cases.iter().enumerate() {
        let by_query = if auth["query"].is_null() { json!({}) } else { json!({"q": 1}) };
        let mut asked = job("work", &json!({"query": by_query}));
        asked["app"] = json!(format!("app-{index}"));
        let run = world.run(&asked).await;
        assert_eq!(run["status"], "completed", "{auth}: {run}");
        assert!(!run.to_string().contains("canary"), "{auth}: {run}");
        let wire = target.seen().pop().unwrap();
        let found = (wire.line.as_str(), wire.header("authorization"), wire.header("x-api-key"));
        assert_eq!(found, (*line, *authorization, *api_key), "{auth}");
    }
    assert_eq!(target.seen().len(), cases.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_share_a_token_of_client_credentials_and_replace_it_once_when_it_is_refused() {
    let good = Arc::new(AtomicUsize::new(1));
    let accepted = Arc::clone(&good);
    let target = Target::start(move |wire| {
        let wanted = format!("Bearer canary-of-token-{}", accepted.load(Ordering::SeqCst));
        async move {
            if wire.path == "/token" {
                let token = format!("canary-of-token-{}", wire.nth);
                return answer(
                    StatusCode::OK,
                    &json!({"access_token": token, "token_type": "Bearer", "expires_in": 3_600}),
                );
            }
            if wire.header("authorization") == wanted {
                done(&wire)
            } else {
                answer(StatusCode::UNAUTHORIZED, &json!({}))
            }
        }
    })
    .await;
    let client = json!({"token_url": format!("{}/token", target.url()), "client_id": "me & you", "client_secret": "env:CLIENT", "scope": "read write"});
    let apps = json!({"app": app(&target, &json!({"oauth2": client}))});
    let world =
        World::start(json!({"apps": apps}), &[("CLIENT", "canary-of-client"), ("UNUSED", "canary-of-token")]).await;
    let counts = || (target.seen_at("/token").len(), target.seen_at("/work").len());

    join_all((0..6).map(|_| world.result("work", json!({})))).await;
    assert_eq!(counts(), (1, 6), "tokens and requests of six jobs at once");
    let asked = target.only("/token");
    // RFC 6749, 2.3.1: both are form-encoded first.
    assert_eq!(asked.header("authorization"), "Basic bWUrJTI2K3lvdTpjYW5hcnktb2YtY2xpZW50");
    let form = [("grant_type", "client_credentials"), ("scope", "read write")];
    assert_eq!(asked.form(), form.map(|(name, value)| (name.to_owned(), value.to_owned())));

    good.store(2, Ordering::SeqCst);
    world.result("work", json!({})).await;
    assert_eq!(counts(), (2, 8), "the old token was refused, and the request sent again with a new one");
    world.result("work", json!({})).await;
    assert_eq!(counts(), (2, 9), "the new token is kept");

    // One that is refused although it is new is not replaced without an end.
    good.store(100, Ordering::SeqCst);
    assert_eq!(world.error("work", json!({})).await, "UNAUTHORIZED");
    assert_eq!(counts(), (3, 11));
}
