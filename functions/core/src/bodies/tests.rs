//! Tests of the readers of bodies.

use FieldCode::{Malformed, OutOfRange, Required, UnknownField, WrongType};
use serde_json::{Value, json};

use super::*;
use crate::cadence::{OnFailure, Repeat};
use crate::error::FieldCode;
use crate::time::UnixMillis;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn read_start_at(value: &Value) -> Option<i64> {
    Instant::read(&Field::root(value, &RefCell::default())).map(|instant| instant.from(NOW).0)
}

#[test]
fn start_at_takes_seconds_milliseconds_and_texts() {
    let later = NOW.0 + 60_000;
    assert_eq!(read_start_at(&json!(0)), Some(NOW.0));
    assert_eq!(read_start_at(&json!(1_000_000_000)), Some(NOW.0), "the past is now");
    assert_eq!(read_start_at(&json!(later / 1_000)), Some(later));
    assert_eq!(read_start_at(&json!(later + 7)), Some(later + 7));
    assert_eq!(read_start_at(&json!(1_800_000_060.123)), Some(later + 123));
    assert_eq!(read_start_at(&json!("2027-01-15T09:01:00.5+01:00")), Some(NOW.0 + 60_500));
    assert_eq!(read_start_at(&json!(99_999_999_999_u64)), Some(99_999_999_999_000));
    assert_eq!(read_start_at(&json!(99_999_999_999.123)), Some(99_999_999_999_123), "as a double holds it");
}

#[test]
fn start_at_refuses_what_is_no_instant() {
    let beyond = 253_402_300_800_000_u64;
    for value in [
        json!(-1),
        json!(-0.5),
        json!(beyond),
        json!(1e18),
        json!(1_800_000_060_000.5),
        json!(1_800_000_060.123_4),
        json!(99_999_999_999.123_4),
        json!(0.000_1),
        json!(f64::MIN_POSITIVE),
        json!(""),
        json!("tomorrow"),
        json!("2027-01-15T09:01:00"),
        json!("2027-01-15T09:01:00.0001Z"),
        json!(null),
        json!(true),
        json!("10000-01-01T00:00:00Z"),
        json!("1969-12-31T23:59:59Z"),
        json!([]),
    ] {
        assert_eq!(read_start_at(&value), None, "{value}");
    }
}

fn faults(document: &Value) -> Vec<(String, FieldCode)> {
    let (_, faults) = read::<JobRequest>(document);
    faults.into_vec().into_iter().map(|fault| (fault.pointer, fault.code)).collect()
}

fn body(extra: &Value) -> Value {
    let mut body = json!({"product_tag": "shop", "env": "prd", "event": "e", "input": {}, "start_at": 0});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

#[test]
fn the_contracts_forms_are_accepted() {
    let empties = json!({"session": {}, "repeat": {}, "cache": {}, "app": {}, "retry": {}});
    assert_eq!(faults(&body(&empties)), []);
    let full = json!({
        "session": {"tag": "user-session", "token": "x.y.z"}, "cache": "notify-user-123", "retries": 3, "type": "database_action",
        "repeat": {"cron": "0 10 * * *", "tz": "Europe/Amsterdam", "limit": 30, "endDate": "2025-12-31T23:59:59Z"},
        "retry": {"initialDelay": 10, "maxDelay": 20, "backoffMultiplier": 1.5, "jitter": false, "jitterPercent": 0.1,
                  "retryableErrors": ["TIMEOUT"], "nonRetryableErrors": []},
    });
    assert_eq!(faults(&body(&full)), []);
}

#[test]
fn every_bad_field_is_named() {
    let document = json!({
        "product_tag": "", "event": "a:b:c", "input": [], "start_at": -1, "retries": 1.5, "retires": 1, "timeout": 0,
        "retry": {"jitterPercent": 2, "retryableErrors": ["", 1]}, "repeat": {"limit": 0}, "session": {"tag": "t"}, "cache": 7,
    });
    let expected = [
        ("/product_tag", Malformed),
        ("/env", Required),
        ("/event", Malformed),
        ("/input", WrongType),
        ("/retries", Malformed),
        ("/retry/jitterPercent", OutOfRange),
        ("/retry/retryableErrors/0", OutOfRange),
        ("/retry/retryableErrors/1", WrongType),
        ("/timeout", OutOfRange),
        ("/start_at", OutOfRange),
        ("/repeat", Required),
        ("/repeat/limit", OutOfRange),
        ("/session/token", Required),
        ("/cache", WrongType),
        ("/retires", UnknownField),
    ];
    assert_eq!(faults(&document), expected.map(|(pointer, code)| (pointer.to_owned(), code)));
}

fn read_repeat(repeat: &Value) -> (Option<Repeat>, Vec<(String, FieldCode, String)>) {
    let (request, faults) = read::<JobRequest>(&body(&json!({"repeat": repeat})));
    let repeat = request.repeat.and_then(OrEmpty::value).map(Repeat::from);
    let faults = faults.into_vec().into_iter();
    (repeat, faults.map(|fault| (fault.pointer, fault.code, fault.detail)).collect())
}

#[test]
fn a_repeat_is_read_with_every_field() {
    let full = json!({"cron": "0 9 * * MON", "every": 86_400_000, "tz": "Europe/Amsterdam", "limit": 10,
                      "endDate": "2027-12-31T23:59:59Z", "immediately": true, "onFailure": "continue"});
    let expected = Repeat {
        cron: Some("0 9 * * MON".into()),
        every: Some(86_400_000),
        tz: Some("Europe/Amsterdam".into()),
        limit: Some(10),
        end_date: UnixMillis::from_rfc3339("2027-12-31T23:59:59Z"),
        immediately: true,
        on_failure: OnFailure::Continue,
    };
    assert_eq!(read_repeat(&full), (Some(expected), vec![]));
    let interval = Repeat { every: Some(1_000), ..Repeat::default() };
    assert_eq!(read_repeat(&json!({"every": 1_000})), (Some(interval), vec![]));
    assert_eq!(read_repeat(&json!({})), (None, vec![]));
    // The contract's fallback: what fails must be there to be fallen back from.
    for cron in ["nonsense", "0 0 30 2 *"] {
        let (repeat, faults) = read_repeat(&json!({"cron": cron, "every": 60_000}));
        assert_eq!((repeat.unwrap().cron.as_deref(), faults), (Some(cron), vec![]));
    }
}

#[test]
fn what_is_wrong_with_a_repeat_is_said_where_it_is_wrong() {
    for (repeat, pointer, code, detail) in [
        (json!({"tz": "UTC"}), "", Required, "cron or every"),
        (json!({"cron": "0 25 * * *"}), "/cron", Malformed, "hour field is wrong at character 3: 25"),
        (json!({"cron": "0 0 30 2 *"}), "/cron", Malformed, "never fire"),
        (json!({"cron": "* ".repeat(129), "every": 1_000}), "/cron", OutOfRange, "256"),
        (json!({"cron": 5, "every": 1_000}), "/cron", WrongType, "string"),
        (json!({"every": 999}), "/every", OutOfRange, "1000 to 315360000000"),
        (json!({"every": 1_000.5}), "/every", Malformed, "whole"),
        (json!({"every": 1_000, "limit": 0}), "/limit", OutOfRange, "1 to"),
        (json!({"every": 1_000, "endDate": "soon"}), "/endDate", OutOfRange, "RFC 3339"),
        (json!({"cron": "@daily", "tz": "europe/amsterdam"}), "/tz", Malformed, "did you mean \"Europe/Amsterdam\"?"),
        (json!({"cron": "@daily", "tz": "Mars/Olympus"}), "/tz", Malformed, "such as Europe/Amsterdam"),
        (json!({"every": 1_000, "immediately": "yes"}), "/immediately", WrongType, "true or false"),
        (json!({"every": 1_000, "onFailure": "go"}), "/onFailure", Malformed, "stop, continue"),
        (json!({"every": 1_000, "timezone": "UTC"}), "/timezone", UnknownField, "unknown"),
    ] {
        let (_, faults) = read_repeat(&repeat);
        let [(at, found, told)] = faults.as_slice() else { panic!("{repeat}: {faults:?}") };
        assert_eq!((at.strip_prefix("/repeat"), *found), (Some(pointer), code), "{repeat}");
        assert!(told.contains(detail), "{repeat}: {told}");
    }
}

#[test]
fn a_document_that_is_no_object_is_one_fault() {
    for document in [json!([]), json!("x"), json!(null), json!(7)] {
        assert_eq!(faults(&document), [(String::new(), FieldCode::WrongType)]);
    }
}

#[test]
fn a_token_is_shown_by_no_debug_output() {
    for session in [json!({"tag": "user", "token": "hush.hush"}), json!("user:hush.hush")] {
        let (request, faults) = read::<JobRequest>(&body(&json!({"session": session})));
        let token = request.session.as_ref().and_then(OrEmpty::as_value).map(|session| session.named().token.as_str());
        assert_eq!((token, faults.is_empty()), (Some("hush.hush"), true));
        assert!(!format!("{request:?}").contains("hush"), "{request:?}");
    }
}
