//! The body of `POST /v1/jobs`, the contract's IJobProcessorInput.

use std::cell::RefCell;

use serde_json::Value;

use crate::cadence::{Cron, OnFailure, Repeat};
use crate::catalog::{Read, Tag, ZoneName};
use crate::error::{Faults, FieldCode};
use crate::job::EventType;
use crate::json::{Field, Object, every, fits};
use crate::retry::RetryPolicy;
use crate::time::UnixMillis;

/// An input is stored with at most so many bytes.
pub const MAX_INPUT_BYTES: usize = 256 * 1024;

/// What could be read of a body. A part that is absent where the contract requires it has left a fault.
#[derive(Default)]
pub struct Submission<'a> {
    /// `product_tag`.
    pub product: Option<String>,
    /// `env`.
    pub env: Option<String>,
    /// `event`.
    pub event: Option<String>,
    /// `type`.
    pub event_type: Option<EventType>,
    /// `app`.
    pub app: Option<String>,
    /// `input`, an object.
    pub input: Option<Field<'a>>,
    /// `retries`; absent means that the event's own default, or 0, holds.
    pub retries: Option<u32>,
    /// `retry`.
    pub retry: RetryPolicy,
    /// `timeout`.
    pub timeout: Option<u32>,
    /// `start_at`, moved to now where it lies in the past.
    pub start_at: Option<UnixMillis>,
    /// `repeat`.
    pub repeat: Option<Repeat>,
    /// `session`.
    pub session: Option<SubmittedSession<'a>>,
    /// `cache`.
    pub cache: Option<String>,
}

/// A session as it was sent. Its `Debug` is not derived: a token is a secret.
#[derive(Clone)]
pub struct SubmittedSession<'a> {
    /// Its tag.
    pub tag: String,
    /// Its token.
    pub token: &'a str,
    /// Where the tag and the token stand: in one place, where both are one text.
    pub at: [&'static str; 2],
}

/// Reads a body, noting every fault.
///
/// `{}` stands for an absent optional field (the contract's own rule), and absent `retries` for none.
pub fn read<'a>(document: &'a Value, now: UnixMillis, faults: &'a RefCell<Faults>) -> Submission<'a> {
    let Some(mut object) = Field::root(document, faults).object() else { return Submission::default() };
    let submission = Submission {
        product: object.required("product_tag").and_then(|field| tag(&field)),
        env: object.required("env").and_then(|field| tag(&field)),
        event: object.required("event").and_then(|field| event(&field)),
        event_type: object.optional("type").and_then(|field| field.one_of(&EventType::WORDS)),
        app: present(&mut object, "app").and_then(|field| tag(&field)),
        input: object.required("input").and_then(input),
        retries: object.optional("retries").and_then(|field| field.integer(0..=100)),
        retry: present(&mut object, "retry").and_then(|field| retry(&field)).unwrap_or_default(),
        timeout: object.optional("timeout").and_then(|field| field.integer(1..=900_000)),
        start_at: object.required("start_at").and_then(|field| start_at(&field, now)),
        repeat: present(&mut object, "repeat").and_then(|field| repeat(&field)),
        session: present(&mut object, "session").and_then(|field| session(&field)),
        cache: present(&mut object, "cache").and_then(|field| tag(&field)),
    };
    object.finish();
    submission
}

/// What could be read of the body of an edit. What is absent stays as it is.
#[derive(Default)]
pub struct Edit<'a> {
    /// `start_at`, moved to now where it lies in the past.
    pub start_at: Option<UnixMillis>,
    /// `repeat`; `Some(None)` when `{}` takes it away.
    pub repeat: Option<Option<Repeat>>,
    /// `input`, an object.
    pub input: Option<Field<'a>>,
    /// `retries`.
    pub retries: Option<u32>,
    /// `retry`, whole.
    pub retry: Option<RetryPolicy>,
    /// `timeout`.
    pub timeout: Option<u32>,
}

/// Reads the body of an edit, noting every fault. One that names nothing is one.
pub fn read_edit<'a>(document: &'a Value, now: UnixMillis, faults: &'a RefCell<Faults>) -> Edit<'a> {
    let root = Field::root(document, faults);
    let Some(mut object) = root.object() else { return Edit::default() };
    if root.is_empty_object() {
        root.fault(FieldCode::Required, "must name what is to change");
    }
    let repeat = object.optional("repeat");
    let edit = Edit {
        start_at: object.optional("start_at").and_then(|field| start_at(&field, now)),
        repeat: match repeat {
            None => None,
            Some(field) if field.is_empty_object() => Some(None),
            Some(field) => self::repeat(&field).map(Some),
        },
        input: object.optional("input").and_then(input),
        retries: object.optional("retries").and_then(|field| field.integer(0..=100)),
        retry: object.optional("retry").and_then(|field| retry(&field)),
        timeout: object.optional("timeout").and_then(|field| field.integer(1..=900_000)),
    };
    object.finish();
    edit
}

/// An optional field, unless it is `{}`.
fn present<'a>(object: &mut Object<'a>, name: &'static str) -> Option<Field<'a>> {
    object.optional(name).filter(|field| !field.is_empty_object())
}

/// An object, no longer when it is stored than a request may be: `1e15` is stored as `1000000000000000.0`.
fn input(field: Field<'_>) -> Option<Field<'_>> {
    field.object()?;
    if !fits(field.value(), MAX_INPUT_BYTES) {
        field.fault(
            FieldCode::OutOfRange,
            format!("must have at most {MAX_INPUT_BYTES} bytes with its numbers written out"),
        );
        return None;
    }
    Some(field)
}

fn tag(field: &Field<'_>) -> Option<String> {
    field.parsed(Tag::FORM, |text| Tag::parse(text).map(|tag| tag.as_str().to_owned()))
}

fn event(field: &Field<'_>) -> Option<String> {
    field.parsed("an event's tag, or owner:part", |text| {
        let parts: Vec<_> = text.split(':').collect();
        (parts.len() <= 2 && parts.iter().all(|part| Tag::parse(part).is_some())).then(|| text.to_owned())
    })
}

/// Reads an instant: 0 or the past means now; numbers below 1e11 are Unix seconds, others milliseconds; a text is
/// RFC 3339.
fn start_at(field: &Field<'_>, now: UnixMillis) -> Option<UnixMillis> {
    instant(field).map(|at| at.max(now))
}

fn instant(field: &Field<'_>) -> Option<UnixMillis> {
    let form =
        "0, Unix seconds or milliseconds, or an RFC 3339 date and time, to the millisecond and before year 10000";
    let read = match field.value() {
        Value::Number(number) => number.as_f64().and_then(UnixMillis::from_unix_time),
        Value::String(text) => UnixMillis::from_rfc3339(text),
        _ => {
            field.fault(FieldCode::WrongType, format!("must be {form}"));
            return None;
        }
    };
    let read = read.filter(|at| (UnixMillis(0)..=UnixMillis::MAX).contains(at));
    if read.is_none() {
        field.fault(FieldCode::OutOfRange, format!("must be {form}"));
    }
    read
}

fn retry(field: &Field<'_>) -> Option<RetryPolicy> {
    const MAX: u32 = 43_200_000;
    let mut object = field.object()?;
    let default = RetryPolicy::default();
    // Everything is read before anything is given up, so that every fault is noted.
    let initial_delay = or(object.optional("initialDelay"), default.initial_delay, |it| it.integer(0..=MAX));
    let max_delay = or(object.optional("maxDelay"), default.max_delay, |it| it.integer(0..=MAX));
    let multiplier = object.optional("backoffMultiplier");
    let backoff_multiplier = or(multiplier, default.backoff_multiplier, |it| it.number(1.0..=100.0));
    let jitter = or(object.optional("jitter"), default.jitter, Field::boolean);
    let jitter_percent = or(object.optional("jitterPercent"), default.jitter_percent, |it| it.number(0.0..=1.0));
    let retryable_errors = or(object.optional("retryableErrors"), None, |it| codes(it).map(Some));
    let non_retryable_errors = or(object.optional("nonRetryableErrors"), Vec::new(), codes);
    object.finish();
    Some(RetryPolicy {
        initial_delay: initial_delay?,
        max_delay: max_delay?,
        backoff_multiplier: backoff_multiplier?,
        jitter: jitter?,
        jitter_percent: jitter_percent?,
        retryable_errors: retryable_errors?,
        non_retryable_errors: non_retryable_errors?,
    })
}

fn or<'a, T>(field: Option<Field<'a>>, absent: T, read: impl FnOnce(&Field<'a>) -> Option<T>) -> Option<T> {
    field.map_or(Some(absent), |field| read(&field))
}

fn codes(field: &Field<'_>) -> Option<Vec<String>> {
    let elements = field.elements()?;
    if elements.len() > 50 {
        field.fault(FieldCode::OutOfRange, "at most 50 codes");
        return None;
    }
    every(elements.iter().map(|field| field.text(1..=100)))
}

/// The longest token that is looked at, in characters.
const MAX_OF_A_TOKEN: usize = 16_384;

/// `{tag, token}`, or both in one text `tag:token`.
fn session<'a>(field: &Field<'a>) -> Option<SubmittedSession<'a>> {
    const WHOLE: &str = "/session";
    if let Value::String(text) = field.value() {
        let form = "an object {tag, token}, or a text tag:token";
        let (tag, token) = field.parsed(form, |_| text.split_once(':').filter(|(tag, _)| Tag::parse(tag).is_some()))?;
        return is_token(field, token).then(|| SubmittedSession { tag: tag.to_owned(), token, at: [WHOLE; 2] });
    }
    let mut object = field.object()?;
    let tag = object.required("tag").and_then(|field| tag(&field));
    let token = object.required("token").and_then(|field| field.string().filter(|token| is_token(&field, token)));
    object.finish();
    Some(SubmittedSession { tag: tag?, token: token?, at: ["/session/tag", "/session/token"] })
}

fn is_token(field: &Field<'_>, token: &str) -> bool {
    let is_one = (1..=MAX_OF_A_TOKEN).contains(&token.len());
    if !is_one {
        field.fault(FieldCode::OutOfRange, format!("the token must have 1 to {MAX_OF_A_TOKEN} characters"));
    }
    is_one
}

fn repeat(field: &Field<'_>) -> Option<Repeat> {
    let mut object = field.object()?;
    let cron = object.optional("cron");
    let every = object.optional("every");
    if cron.is_none() && every.is_none() {
        object.fault(FieldCode::Required, "must have cron or every");
    }
    let is_needed = every.is_none();
    let cron = or(cron, None, |it| expression(it, is_needed).map(Some));
    let every = or(every, None, |it| it.integer(1_000..=315_360_000_000).map(Some));
    let limit = or(object.optional("limit"), None, |it| it.integer(1..=1_000_000_000).map(Some));
    let end_date = or(object.optional("endDate"), None, |it| instant(it).map(Some));
    let tz = or(object.optional("tz"), None, |it| ZoneName::read(it).map(|zone| Some(zone.0)));
    let immediately = or(object.optional("immediately"), false, Field::boolean);
    let on_failure = or(object.optional("onFailure"), OnFailure::Stop, |it| it.one_of(&OnFailure::WORDS));
    object.finish();
    let repeat = Repeat {
        cron: cron?,
        every: every?,
        tz: tz?,
        limit: limit?,
        end_date: end_date?,
        immediately: immediately?,
        on_failure: on_failure?,
    };
    (repeat.cron.is_some() || repeat.every.is_some()).then_some(repeat)
}

/// A cron expression; beside `every`, which takes over then, also one that is none or never fires.
fn expression(field: &Field<'_>, is_needed: bool) -> Option<String> {
    let text = field.text(1..=Cron::MAX_CHARACTERS)?;
    match Cron::parse(&text) {
        Err(fault) if is_needed => {
            field.fault(FieldCode::Malformed, fault.to_string());
            None
        }
        _ => Some(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FieldCode::{Malformed, OutOfRange, Required, UnknownField, WrongType};
    use serde_json::json;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    fn read_start_at(value: &Value) -> Option<i64> {
        start_at(&Field::root(value, &RefCell::default()), NOW).map(|at| at.0)
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
        let faults = RefCell::default();
        read(document, NOW, &faults);
        faults.into_inner().into_vec().into_iter().map(|fault| (fault.pointer, fault.code)).collect()
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
        let (document, faults) = (body(&json!({"repeat": repeat})), RefCell::default());
        let repeat = read(&document, NOW, &faults).repeat;
        let faults = faults.into_inner().into_vec().into_iter();
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
            (
                json!({"cron": "@daily", "tz": "europe/amsterdam"}),
                "/tz",
                Malformed,
                "did you mean \"Europe/Amsterdam\"?",
            ),
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
}
