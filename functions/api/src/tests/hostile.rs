//! Whatever strangers send: no panic, no 500, and nothing stored unless it was accepted.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};
use tokio::runtime::{Builder, Runtime};

use super::client::{Api, Reply, job, shop};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

/// Any JSON document, with names and texts that the readers know among those that they do not.
fn any_json() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "product_tag",
        "env",
        "event",
        "input",
        "start_at",
        "retries",
        "retry",
        "repeat",
        "session",
        "cache",
        "app",
        "type",
        "timeout",
        "cron",
        "every",
        "envs",
        "apps",
        "actions",
        "base_url",
        "path",
        "method",
        "shop",
        "prd",
        "send",
        "mail",
        "brokers",
        "topics",
        "url",
        "jobs",
        "features",
        "steps",
        "tag",
        "token",
        "/users/:id",
        "GET",
        "https://example.com",
        "ssm:/a",
        "~",
        "/",
        "",
    ]);
    let text = prop_oneof![words.clone().prop_map(str::to_owned), any::<String>()];
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|it| Number::from_f64(it).map_or(Value::Null, Value::Number)),
    ];
    let leaf =
        prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), number, text.clone().prop_map(Value::from)];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(text.clone(), inner, 0..8).prop_map(|it| Value::Object(it.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A document with one of its values replaced, removed or added to.
fn mutated(base: Value) -> impl Strategy<Value = Value> {
    (any::<prop::sample::Index>(), any_json(), any::<u8>()).prop_map(move |(index, value, kind)| {
        let mut document = base.clone();
        let pointers = pointers(&document, String::new());
        let place = document.pointer_mut(&pointers[index.index(pointers.len())]).unwrap();
        match (kind % 3, place) {
            (0, Value::Object(members)) => drop(members.insert("extra".into(), value)),
            (1, Value::Object(members)) => remove_nth(members, usize::from(kind) / 3),
            (_, place) => *place = value,
        }
        document
    })
}

fn remove_nth(members: &mut Map<String, Value>, nth: usize) {
    if let Some(name) = members.keys().nth(nth % members.len().max(1)).cloned() {
        members.remove(&name);
    }
}

fn pointers(value: &Value, at: String) -> Vec<String> {
    let inner: Vec<String> = match value {
        Value::Object(members) => {
            members.iter().flat_map(|(name, value)| pointers(value, carillon_core::json::child(&at, name))).collect()
        }
        Value::Array(elements) => {
            elements.iter().enumerate().flat_map(|(index, value)| pointers(value, format!("{at}/{index}"))).collect()
        }
        _ => Vec::new(),
    };
    std::iter::once(at).chain(inner).collect()
}

/// Bytes with some of them changed, so that they are JSON almost everywhere.
fn scratched(base: &Value) -> impl Strategy<Value = Vec<u8>> + use<> {
    let base = base.to_string().into_bytes();
    vec((any::<prop::sample::Index>(), any::<u8>()), 1..4).prop_map(move |scratches| {
        let mut bytes = base.clone();
        for (index, byte) in scratches {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

fn post(body: Vec<u8>) -> (Reply, Api) {
    let api = Api::new();
    let reply = runtime().block_on(api.send("POST", "/v1/jobs", &[], body));
    let stored = api.world.tables().jobs.len();
    assert_eq!(stored, usize::from(reply.status == 202), "{}", reply.json);
    assert!(matches!(reply.status.as_u16(), 202 | 400 | 403 | 409 | 413 | 422), "{} {}", reply.status, reply.json);
    (reply, api)
}

fn put(body: Vec<u8>) {
    let api = Api::new();
    let before = api.world.tables().catalogs["shop"].revision.clone();
    let reply = runtime().block_on(api.send("PUT", "/v1/products/shop", &[], body));
    assert!(matches!(reply.status.as_u16(), 200 | 400 | 422), "{} {}", reply.status, reply.json);
    let after = api.world.tables().catalogs["shop"].revision.clone();
    assert!(before == after || reply.status == 200, "{}", reply.json);
    if reply.status == 200 {
        // A stored document can be read again, and its jobs can be scheduled.
        runtime().block_on(async {
            api.get("/v1/products/shop").await.ok(200);
            let reply = api.post("/v1/jobs", &job()).await;
            assert!(matches!(reply.status.as_u16(), 202 | 409 | 422), "{} {}", reply.status, reply.json);
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_as_a_job(body in vec(any::<u8>(), 0..400)) {
        post(body);
    }

    #[test]
    fn any_json_as_a_job(body in any_json()) {
        post(body.to_string().into_bytes());
    }

    #[test]
    fn almost_a_job(body in mutated(job())) {
        post(body.to_string().into_bytes());
    }

    #[test]
    fn almost_the_contracts_example(body in mutated(super::schemas::contract_example())) {
        post(body.to_string().into_bytes());
    }

    #[test]
    fn a_scratched_job(body in scratched(&job())) {
        post(body);
    }

    #[test]
    fn any_json_as_a_catalog(body in any_json()) {
        put(body.to_string().into_bytes());
    }

    #[test]
    fn almost_a_catalog(body in mutated(shop())) {
        put(body.to_string().into_bytes());
    }

    #[test]
    fn a_scratched_catalog(body in scratched(&shop())) {
        put(body);
    }

    #[test]
    fn any_input_is_shown_as_it_was_sent(value in any_json()) {
        let mut body = job();
        body["input"] = json!({"body": value});
        let (reply, api) = post(body.to_string().into_bytes());
        if reply.status == 202 {
            let shown = runtime().block_on(api.get(&format!("/v1/jobs/{}", reply.job_id()))).ok(200).json;
            prop_assert_eq!(&shown["input"], &body["input"]);
        }
    }

    #[test]
    fn any_query(name in "[a-z_]{0,12}|limit|cursor|status|env", value in "\\PC{0,40}|[A-Za-z0-9_-]{0,60}", raw in "[!-~&&[^#]]{0,60}") {
        let api = Api::new();
        let value: String = percent_encoded(&value);
        runtime().block_on(async {
            let id = api.schedule().await;
            for query in [format!("{name}={value}"), raw.clone(), format!("cursor={value}")] {
                for path in ["/v1/jobs?product_tag=shop&env=prd&".to_owned(), format!("/v1/jobs/{id}/runs?")] {
                    let uri = format!("{path}{query}");
                    if uri.parse::<http::Uri>().is_ok() {
                        let reply = api.get(&uri).await;
                        assert!(matches!(reply.status.as_u16(), 200 | 403 | 422), "{uri}: {}", reply.json);
                    }
                }
            }
        });
    }

    #[test]
    fn any_cursor(bytes in vec(any::<u8>(), 0..60), job in any::<u128>(), generation in any::<u64>(), run_no in any::<u64>()) {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let api = Api::new();
        let forged = [
            bytes,
            format!("jobs:job_{job}").into_bytes(),
            format!("runs:{generation}:{run_no}").into_bytes(),
        ];
        runtime().block_on(async {
            let id = api.schedule().await;
            for cursor in forged.map(|bytes| URL_SAFE_NO_PAD.encode(bytes)) {
                for path in ["/v1/jobs?product_tag=shop&env=prd&".to_owned(), format!("/v1/jobs/{id}/runs?")] {
                    let reply = api.get(&format!("{path}cursor={cursor}")).await;
                    assert!(matches!(reply.status.as_u16(), 200 | 422), "{cursor}: {}", reply.json);
                }
            }
        });
    }

    #[test]
    fn any_headers(if_match in "[ -~]{0,40}", if_none_match in "[ -~]{0,40}", prefer in "wait=[ -~]{0,9}", id in "[ -~]{0,40}") {
        let api = Api::new();
        runtime().block_on(async {
            let headers = [("if-match", if_match.as_str()), ("if-none-match", if_none_match.as_str())];
            for method in ["GET", "PUT", "DELETE"] {
                let reply = api.send(method, "/v1/products/shop", &headers, shop().to_string()).await;
                assert!(reply.status.as_u16() < 500, "{}", reply.json);
            }
            // Without a job to run there is nothing to wait for.
            let reply = api.send("POST", "/v1/jobs", &[("prefer", prefer.as_str())], "{}").await;
            assert_eq!(reply.status, 422, "{}", reply.json);
            let reply = api.get(&format!("/v1/jobs/{}", percent_encoded(&id))).await;
            assert_eq!(reply.status, 404, "{}", reply.json);
        });
    }
}

/// A text as a part of a URI.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        let _ = write!(encoded, "%{byte:02X}");
        encoded
    })
}
