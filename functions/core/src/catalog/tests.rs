use serde_json::{Value, json};

use super::*;
use crate::error::FieldCode;
use crate::job::EventType;

fn faults(document: &Value) -> Vec<(String, FieldCode)> {
    let faults = Catalog::from_document(document).err().unwrap_or_default();
    faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
}

fn shop() -> Value {
    json!({
        "envs": ["dev", "prd"],
        "apps": {
            "a": {"envs": {"prd": {"base_url": "https://a.example.com/v1"}},
                  "actions": {"ping": {"method": "GET", "path": "/ping/:id"}, "only": {"method": "POST", "path": "/"}}},
            "b": {"envs": {"prd": {"base_url": "https://b.example.com"}},
                  "actions": {"ping": {"method": "GET", "path": "/"}}}
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
    let found = faults(&document);
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
    assert_eq!(faults(&document), [("/apps/b/actions/ping/method".to_owned(), FieldCode::Malformed)]);
}

#[test]
fn addresses_paths_and_headers_keep_their_forms() {
    let with = |pointer: &str, value: Value| {
        let mut document = shop();
        document["brokers"] = json!({});
        *document.pointer_mut(pointer).unwrap() = value;
        faults(&document).into_iter().map(|(pointer, _)| pointer).collect::<Vec<_>>()
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
fn headers_are_ascii_and_stand_once_whatever_their_case() {
    let with = |headers: Value| {
        let mut document = shop();
        document["brokers"] = json!({});
        document["apps"]["a"]["envs"]["prd"]["headers"] = headers;
        faults(&document)
    };
    assert_eq!(with(json!({"X-Shop": "a b\tc", "x-other": ""})), []);
    let at = |name: &str| format!("/apps/a/envs/prd/headers/{name}");
    assert_eq!(with(json!({"X-Shop": "1", "x-shop": "2"})), [(at("x-shop"), FieldCode::Duplicate)]);
    for value in ["a\r\nx-evil: 1", "a\nb", "\0", "caf\u{e9}", "\u{7f}"] {
        assert_eq!(with(json!({"x-shop": value})), [(at("x-shop"), FieldCode::Malformed)], "{value:?}");
    }
}

/// Jobs, each of which runs the next one.
fn chain(names: &[&str]) -> Value {
    let job = |pair: &[&str]| (pair[0].to_owned(), json!({"event": pair[1]}));
    let jobs: serde_json::Map<_, _> = names.windows(2).map(job).collect();
    json!({"envs": ["dev"], "jobs": jobs, "quotas": {"end": {"limit": 1, "period": "day"}}})
}

#[test]
fn a_chain_of_components_is_judged_by_its_length_and_not_by_its_names() {
    let names: Vec<String> = (0..17).map(|index| format!("j{index:02}")).collect();
    for backwards in [false, true] {
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        if backwards {
            names.reverse();
        }
        let longest: Vec<&str> = names[1..].iter().copied().chain(["end"]).collect();
        assert_eq!(faults(&chain(&longest)), [], "16 in a row");
        let too_long: Vec<&str> = names.iter().copied().chain(["end"]).collect();
        assert_eq!(faults(&chain(&too_long)), [(format!("/jobs/{}", names[0]), FieldCode::Conflict)], "17 in a row");
    }
}

#[test]
fn a_circle_is_named_once_for_each_of_its_members_and_not_for_what_leads_to_it() {
    let mut document = chain(&["way", "a", "b", "c", "a"]);
    assert_eq!(faults(&document), ["/jobs/a", "/jobs/b", "/jobs/c"].map(|at| (at.to_owned(), FieldCode::Conflict)));
    document = shop();
    document["brokers"]["bus"]["subscriptions"]["orders"]["event"] = json!("drain");
    document["features"] = json!({"drain": {"steps": [{"event": "bus:orders", "type": "subscribe"}]}});
    let expected = ["/features/drain", "/brokers/bus/subscriptions/orders"];
    assert_eq!(faults(&document), expected.map(|at| (at.to_owned(), FieldCode::Conflict)));
}

#[test]
fn every_bad_text_of_a_message_is_named() {
    let title = json!({"en": 1, "de": "", "nl": "ok"});
    let document =
        json!({"envs": ["dev"], "notifications": {"n": {"messages": {"m": {"push": {"title": title, "body": "b"}}}}}});
    let at = |locale: &str| format!("/notifications/n/messages/m/push/title/{locale}");
    assert_eq!(faults(&document), [(at("de"), FieldCode::OutOfRange), (at("en"), FieldCode::WrongType)]);
}

/// Documents of about 256 KB, each of which would take minutes or gigabytes if its cost grew with the square of its size.
fn hostile() -> Vec<(&'static str, Value)> {
    let tagged = |letter: char, count: usize, component: &dyn Fn(usize) -> Value| -> Value {
        (0..count).map(|index| (format!("{letter}{index}"), component(index))).collect::<serde_json::Map<_, _>>().into()
    };
    let jobs = |count: usize, event: &dyn Fn(usize) -> String| tagged('j', count, &|at| json!({"event": event(at)}));
    let envs = |count: usize| (0..count).map(|at| format!("e{at}")).collect::<Vec<_>>();
    let empty = |_| json!({});
    let ping = |_| json!({"actions": {"x": {"method": "GET", "path": "/"}}});
    let quota = json!({"q": {"limit": 1, "period": "day"}});
    let session = json!({"algorithm": "HS256", "envs": tagged('a', 8_000, &empty)});
    let apps_of_a_long_name = json!({"n".repeat(120_000): {"actions": tagged('a', 12_000, &|_| json!(1))}});
    let path = (0..40_000).map(|index| format!("/:p{index}")).collect::<Vec<_>>().concat();
    let app_of_a_long_path = json!({"a": {"actions": {"x": {"method": "GET", "path": path}}}});
    let of = |mut document: Value| {
        document["envs"] = json!(["dev"]);
        document
    };
    vec![
        ("a circle of jobs", of(json!({"jobs": jobs(9_000, &|at| format!("j{}", (at + 1) % 9_000))}))),
        ("jobs of no event", of(json!({"jobs": jobs(9_000, &|at| format!("k{at}"))}))),
        ("an event in every app", of(json!({"apps": tagged('a', 2_500, &ping), "jobs": jobs(4_000, &|_| "x".into())}))),
        (
            "many apps and references",
            of(json!({"apps": tagged('a', 9_000, &empty), "jobs": jobs(4_000, &|_| "q".into()), "quotas": quota})),
        ),
        ("many environments", json!({"envs": envs(30_000)})),
        ("many undeclared environments", json!({"envs": envs(12_000), "sessions": {"s": session}})),
        ("many unknown fields", tagged('u', 20_000, &empty)),
        ("many members under a long name", of(json!({"apps": apps_of_a_long_name}))),
        ("a long path", of(json!({"apps": app_of_a_long_path}))),
    ]
}

#[test]
fn hostile_documents_cost_no_more_than_their_size_and_are_answered_briefly() {
    for (name, document) in hostile() {
        let faults = Catalog::from_document(&document).err().unwrap_or_default();
        let bytes: usize = faults.iter().map(|fault| fault.pointer.len() + fault.detail.len()).sum();
        assert!(
            faults.len() <= crate::error::Faults::MAX && bytes <= 200_000,
            "{name}: {} faults, {bytes} bytes",
            faults.len()
        );
    }
}

#[test]
fn a_component_that_comes_to_very_many_events_is_refused_and_named_alone() {
    // Each runs the next one ten times: a catalog of a few hundred bytes a feature, and a thousand million events.
    let mut features = serde_json::Map::new();
    for number in 0..9 {
        let next = if number == 8 { "ping".to_owned() } else { format!("f{}", number + 1) };
        let steps: Vec<_> = (0..10).map(|_| json!({"event": next})).collect();
        features.insert(format!("f{number}"), json!({"steps": steps}));
    }
    let document = json!({
        "envs": ["prd"],
        "apps": {"a": {"envs": {}, "actions": {"ping": {"method": "GET", "path": "/"}}}},
        "features": features,
    });
    let faults = Catalog::from_document(&document).unwrap_err();
    let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(pointers, ["/features/f5"], "a thousand are allowed: {faults:?}");
}
