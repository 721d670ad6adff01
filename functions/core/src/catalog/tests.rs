use serde_json::{Value, json};

use super::*;
use crate::error::FieldCode;
use crate::job::EventType;

fn faults(document: Value) -> Vec<(String, FieldCode)> {
    let faults = Catalog::from_document(&document).err().unwrap_or_default();
    faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
}

fn shop() -> Value {
    json!({
        "envs": ["dev", "prd"],
        "apps": {
            "a": {"envs": {"prd": {"base_url": "https://a.example.com/v1"}},
                  "actions": {"ping": {"method": "GET", "path": "/ping/:id"}, "only": {"method": "POST", "path": "/"}}},
            "b": {"envs": {"prd": {"base_url": "https://b.example.com"}}, "actions": {"ping": {"method": "GET", "path": "/"}}}
        },
        "brokers": {"bus": {"envs": {"prd": {"provider": "http"}},
            "topics": {"orders": {"envs": {"prd": {"url": "https://hooks.example.com/orders"}}}},
            "subscriptions": {"orders": {"topic": "orders", "event": "only"}}}},
        "jobs": {"only": {"event": "ping", "app": "b"}}
    })
}

#[test]
fn tags_resolve_and_ambiguous_ones_name_their_candidates() {
    let catalog = Catalog::from_document(&{
        let mut document = shop();
        document["brokers"]["bus"]["subscriptions"]["orders"]["type"] = json!("action");
        document
    })
    .unwrap();
    let resolve =
        |event, event_type, app| catalog.resolve(EventRef { event, event_type, app }).map(|target| target.event_type());
    assert_eq!(resolve("ping", None, Some("a")), Ok(EventType::Action));
    assert_eq!(
        resolve("ping", None, None),
        Err(Unresolved::Ambiguous(vec!["type action of app a".into(), "type action of app b".into()]))
    );
    assert_eq!(resolve("only", Some(EventType::Job), None), Ok(EventType::Job));
    assert_eq!(
        resolve("only", None, None),
        Err(Unresolved::Ambiguous(vec!["type action of app a".into(), "type job".into()]))
    );
    assert_eq!(resolve("only", None, Some("a")), Ok(EventType::Action));
    assert_eq!(resolve("bus:orders", Some(EventType::Publish), None), Ok(EventType::Publish));
    assert_eq!(resolve("bus:orders", Some(EventType::Subscribe), None), Ok(EventType::Subscribe));
    assert_eq!(resolve("pong", None, None), Err(Unresolved::Unknown(" (did you mean \"ping\"?)".into())));
    assert_eq!(resolve("ping", None, Some("c")), Err(Unresolved::UnknownApp(" (did you mean \"a\"?)".into())));
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let mut document = shop();
    document["apps"]["a"]["envs"]["prd"] = json!({"base_url": "ftp://a", "auth": {"bearer": "hunter2"}});
    document["apps"]["b"]["envs"]["stg"] = json!({"base_url": "https://b.example.com"});
    document["envs"] = json!(["dev", "prd", "dev"]);
    document["features"] = json!({"f": {"steps": [{"event": "nowhere"}, {"event": "f"}]}});
    document["typo"] = json!({});
    let found = faults(document);
    let expected = [
        ("/apps/a/envs/prd/base_url", FieldCode::Malformed),
        ("/apps/a/envs/prd/auth/bearer", FieldCode::Malformed),
        ("/typo", FieldCode::UnknownField),
        ("/envs/2", FieldCode::Duplicate),
        ("/apps/b/envs/stg", FieldCode::UnknownTag),
        ("/brokers/bus/subscriptions/orders/event", FieldCode::Ambiguous),
        ("/features/f/steps/0/event", FieldCode::UnknownTag),
        ("/features/f", FieldCode::Conflict),
    ];
    let expected = expected.map(|(pointer, code)| (pointer.to_owned(), code));
    for wanted in &expected {
        assert!(found.contains(wanted), "{wanted:?} is missing in {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn what_could_not_be_read_is_not_called_dangling_too() {
    let mut document = shop();
    document["brokers"] = json!({});
    document["apps"]["b"]["actions"]["ping"]["method"] = json!("YELL");
    assert_eq!(faults(document), [("/apps/b/actions/ping/method".to_owned(), FieldCode::Malformed)]);
}

#[test]
fn addresses_paths_and_headers_keep_their_forms() {
    let with = |pointer: &str, value: Value| {
        let mut document = shop();
        document["brokers"] = json!({});
        *document.pointer_mut(pointer).unwrap() = value;
        faults(document).into_iter().map(|(pointer, _)| pointer).collect::<Vec<_>>()
    };
    let base = "/apps/a/envs/prd/base_url";
    for url in [
        "https://user:pw@x.example",
        "https://x.example/#f",
        "https://x.example/?q=1",
        "/relative",
        "file:///etc/passwd",
        "http://",
    ] {
        assert_eq!(with(base, json!(url)), [base], "{url}");
    }
    let path = "/apps/a/actions/ping/path";
    for template in ["ping", "/../admin", "/%2e%2e/admin", "/a?b=c", "/:", "/:a/:a", "/a b", "/a#b", "/:a-b"] {
        assert_eq!(with(path, json!(template)), [path], "{template}");
    }
    for header in ["Host", "content-length", "webhook-id", "bad name", "traceparent"] {
        let headers = json!({"method": "GET", "path": "/", "headers": {header: "x"}});
        assert_eq!(with("/apps/a/actions/ping", headers), [format!("/apps/a/actions/ping/headers/{header}")]);
    }
}

#[test]
fn long_chains_and_wide_catalogs_are_checked_in_reasonable_time() {
    let jobs: serde_json::Map<_, _> =
        (0..2_000).map(|index| (format!("j{index}"), json!({"event": format!("j{}", (index + 1) % 2_000)}))).collect();
    assert!(faults(json!({"envs": ["dev"], "jobs": jobs})).iter().any(|(_, code)| *code == FieldCode::Conflict));
}
