//! `$Session{tag}{key}` in a job's input, and what takes its place.
//!
//! | written | becomes |
//! | --- | --- |
//! | `"$Session{details}{id}"`, alone | the claim as it is, of whatever JSON type |
//! | `"Hello $Session{details}{name}!"` | a text: texts as they are, everything else as JSON |
//! | `"$Session{details}{roles}{0}"` | deeper keys walk the payload, numbers an array |
//! | `"$$Session{details}{id}"` | the text `$Session{details}{id}`: two dollars are no annotation |
//!
//! The first group is the session's tag, or a key of the payload; the tag wins. Only values are looked at, never keys, and
//! what has taken an annotation's place is not looked at again. Source: the contract, "Injecting Session Data into Input".

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::{Map, Value};

use super::Claims;
use crate::error::{FieldCode, FieldError};
use crate::json::{Field, room_left};

const MARK: &str = "$Session{";

/// Claims fill an input in with at most so many bytes of JSON, as many as a request may have. An annotation takes eleven
/// bytes, and what takes its place is as long as a token: without a bound one request would become gigabytes.
pub const MOST_FILLED_IN: usize = 256 * 1024;

/// The session that annotations refer to.
#[derive(Clone, Copy, Debug)]
pub struct Session<'a> {
    /// Its tag.
    pub tag: &'a str,
    /// What its token said.
    pub claims: &'a Claims,
}

/// Puts claims in the places of their annotations, noting each that names none. `None` after a fault.
pub fn inject<'a>(input: &Field<'a>, session: Option<Session<'_>>) -> Option<Cow<'a, Value>> {
    let filling = Filling { session, room: Cell::new(Some(MOST_FILLED_IN)) };
    if has_mark(input.value()) { value(input, &filling).map(Cow::Owned) } else { Some(Cow::Borrowed(input.value())) }
}

/// A fault of an input that was filled in, with the place that it has in the input as it is `written`: names inside of a claim
/// are part of the claim. What is missing from one is named all the same, by whoever wants it.
pub fn outside(written: &Value, mut fault: FieldError) -> FieldError {
    let (mut at, mut end) = (written, 0);
    for name in fault.pointer.split('/').skip(1) {
        let inner = match at {
            Value::String(_) => {
                let is_last = fault.pointer[end..].len() == 1 + name.len();
                if !(is_last && fault.code == FieldCode::Required) {
                    fault.pointer.truncate(end);
                }
                return fault;
            }
            Value::Array(elements) => name.parse::<usize>().ok().and_then(|index| elements.get(index)),
            value => value.get(name.replace("~1", "/").replace("~0", "~")),
        };
        let Some(inner) = inner else { return fault };
        (at, end) = (inner, end + 1 + name.len());
    }
    fault
}

/// One input's way to being filled in.
struct Filling<'s> {
    session: Option<Session<'s>>,
    /// How many bytes of claims still fit; nothing once they did not.
    room: Cell<Option<usize>>,
}

impl Filling<'_> {
    /// Whether a claim still fits in. That it does not is noted once: what comes after it does not fit either.
    fn has_room_for(&self, claim: &Value, field: &Field<'_>) -> bool {
        let Some(room) = self.room.get() else { return false };
        let left = room_left(claim, room);
        self.room.set(left);
        if left.is_none() {
            let detail = format!("from here on the session would fill in more than {MOST_FILLED_IN} bytes");
            field.fault(FieldCode::OutOfRange, detail);
        }
        left.is_some()
    }
}

/// Whether there is anything to do.
fn has_mark(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(MARK),
        Value::Array(elements) => elements.iter().any(has_mark),
        Value::Object(members) => members.values().any(has_mark),
        _ => false,
    }
}

fn value(field: &Field<'_>, filling: &Filling<'_>) -> Option<Value> {
    match field.value() {
        Value::String(written) => text(field, written, filling),
        Value::Array(_) => {
            let read: Vec<_> = field.elements()?.iter().map(|element| value(element, filling)).collect();
            read.into_iter().collect::<Option<_>>().map(Value::Array)
        }
        Value::Object(_) => {
            let read = field.entries()?.into_iter().map(|(name, member)| (name.to_owned(), value(&member, filling)));
            let read: Vec<_> = read.collect();
            let members = read.into_iter().map(|(name, value)| Some((name, value?)));
            members.collect::<Option<Map<_, _>>>().map(Value::Object)
        }
        other => Some(other.clone()),
    }
}

fn text(field: &Field<'_>, written: &str, filling: &Filling<'_>) -> Option<Value> {
    let mut parts = Vec::new();
    let mut rest = written;
    while let Some(at) = rest.find(MARK) {
        let (before, annotation) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            parts.push(Part::Text(before));
            parts.push(Part::Text(MARK));
            rest = &annotation[MARK.len()..];
            continue;
        }
        parts.push(Part::Text(before));
        let Some((path, after)) = groups(&annotation[MARK.len() - 1..]) else {
            let detail = "an annotation is $Session{tag}{key}: each group in braces, with at least one character; \
                          write $$Session for a text that is none";
            field.fault(FieldCode::Malformed, detail);
            return None;
        };
        let claim = claim(field, &path, filling.session)?;
        if !filling.has_room_for(claim, field) {
            return None;
        }
        parts.push(Part::Claim(claim));
        rest = after;
    }
    parts.push(Part::Text(rest));
    parts.retain(|part| !matches!(part, Part::Text("")));
    if let [Part::Claim(claim)] = parts.as_slice() {
        return Some((*claim).clone());
    }
    Some(Value::String(parts.iter().map(Part::written).collect()))
}

enum Part<'a> {
    Text(&'a str),
    Claim(&'a Value),
}

impl<'a> Part<'a> {
    fn written(&self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Claim(Value::String(text)) => Cow::Borrowed(text),
            Self::Claim(value) => Cow::Owned(value.to_string()),
        }
    }
}

/// `{a}{b}` and what follows it. No group is empty or holds a brace.
fn groups(text: &str) -> Option<(Vec<&str>, &str)> {
    let (mut groups, mut rest) = (Vec::new(), text);
    while let Some(open) = rest.strip_prefix('{') {
        let (group, after) = open.split_once('}')?;
        if group.is_empty() || group.contains('{') {
            return None;
        }
        groups.push(group);
        rest = after;
    }
    Some((groups, rest))
}

/// The claim that a path names. Its fault says what is missing, never what is there.
fn claim<'s>(field: &Field<'_>, path: &[&str], session: Option<Session<'s>>) -> Option<&'s Value> {
    let Some(session) = session else {
        let detail = "the job has no session that could fill this in; write $$Session for a text that is no annotation";
        field.fault(FieldCode::UnresolvedAnnotation, detail);
        return None;
    };
    let (first, deeper) = path.split_first()?;
    let keys = if *first == session.tag { deeper } else { path };
    let found = keys.split_first().and_then(|(key, deeper)| {
        deeper.iter().try_fold(session.claims.get(*key)?, |value, key| match value {
            Value::Array(elements) => elements.get(key.parse::<usize>().ok()?),
            value => value.get(key),
        })
    });
    if found.is_none() {
        let detail = format!("the session's token has nothing under $Session{{{}}}", path.join("}{"));
        field.fault(FieldCode::UnresolvedAnnotation, detail);
    }
    found
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::error::Faults;

    fn injected(input: &Value, tag: &str, claims: &Value) -> Result<Value, Vec<FieldError>> {
        let faults = RefCell::<Faults>::default();
        let session = Session { tag, claims: claims.as_object().unwrap() };
        let injected = inject(&Field::root(input, &faults), Some(session)).map(Cow::into_owned);
        injected.ok_or_else(|| faults.take().into_vec())
    }

    fn claims() -> Value {
        json!({"details": {"id": 7, "name": "Ada", "user": {"id": "u-1"}, "roles": ["admin", {"of": "bank"}]},
               "user-session": {"shadowed": true}, "id": "top", "none": null, "flag": true, "half": 0.5,
               "trap": "$Session{details}{id}"})
    }

    #[test]
    fn what_is_written_alone_keeps_its_type_and_what_stands_in_a_text_becomes_text() {
        for (written, expected) in [
            ("$Session{details}{id}", json!(7)),
            ("$Session{details}{name}", json!("Ada")),
            ("$Session{details}{user}{id}", json!("u-1")),
            ("$Session{details}{user}", json!({"id": "u-1"})),
            ("$Session{details}{roles}{0}", json!("admin")),
            ("$Session{details}{roles}{1}{of}", json!("bank")),
            ("$Session{user-session}{details}{id}", json!(7)),
            ("$Session{user-session}{id}", json!("top")),
            ("$Session{id}", json!("top")),
            ("$Session{none}", json!(null)),
            ("$Session{flag}", json!(true)),
            ("$Session{half}", json!(0.5)),
            ("Hello $Session{details}{name}!", json!("Hello Ada!")),
            ("$Session{details}{id}$Session{details}{name}", json!("7Ada")),
            (" $Session{details}{id}", json!(" 7")),
            ("$Session{details}{user} $Session{none}", json!("{\"id\":\"u-1\"} null")),
            ("$Session{details}{name}}", json!("Ada}")),
            ("$$Session{details}{id}", json!("$Session{details}{id}")),
            ("$$$Session{details}{id}", json!("$$Session{details}{id}")),
            ("$$Session{unclosed", json!("$Session{unclosed")),
            ("$$Session{a}{b} $Session{details}{id}", json!("$Session{a}{b} 7")),
            ("$Session", json!("$Session")),
            ("$session{details}{id}", json!("$session{details}{id}")),
            ("", json!("")),
            // What was filled in is not looked at again.
            ("$Session{trap}", json!("$Session{details}{id}")),
            ("<$Session{trap}>", json!("<$Session{details}{id}>")),
        ] {
            assert_eq!(
                injected(&json!({"at": written}), "user-session", &claims()),
                Ok(json!({"at": expected})),
                "{written}"
            );
        }
    }

    #[test]
    fn the_tag_wins_over_a_key_of_the_payload() {
        let shadowed = injected(&json!("$Session{user-session}{shadowed}"), "user-session", &claims());
        assert_eq!(shadowed.unwrap_err()[0].code, FieldCode::UnresolvedAnnotation);
        assert_eq!(injected(&json!("$Session{user-session}{shadowed}"), "other", &claims()), Ok(json!(true)));
    }

    #[test]
    fn strings_are_filled_in_at_any_depth_and_keys_are_left_alone() {
        let input = json!({"a": [{"b": ["$Session{id}"]}], "$Session{id}": "$Session{id}", "n": [1, null, true]});
        let expected = json!({"a": [{"b": ["top"]}], "$Session{id}": "top", "n": [1, null, true]});
        assert_eq!(injected(&input, "s", &claims()), Ok(expected));
    }

    #[test]
    fn every_annotation_that_cannot_be_resolved_is_named_by_its_pointer() {
        let input = json!({
            "a": ["$Session{details}{id}", "$Session{details}{nothing}"], "b": "$Session{s}", "c": {"d/e": "$Session{nobody}{id}"},
            "f": "$Session{details}{roles}{2}", "g": "$Session{details}{roles}{-1}", "h": "$Session{id}{deeper}",
            "i": "$Session{", "j": "$Session{}", "k": "$Session{details}{", "l": "$Session{de{tails}", "m": "x $Session{details",
        });
        let faults = injected(&input, "s", &claims()).unwrap_err();
        let found: Vec<_> = faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
        let unresolved = ["/a/1", "/b", "/c/d~1e", "/f", "/g", "/h"].map(|at| (at, FieldCode::UnresolvedAnnotation));
        let malformed = ["/i", "/j", "/k", "/l", "/m"].map(|at| (at, FieldCode::Malformed));
        assert_eq!(found, [&unresolved[..], &malformed[..]].concat());
        assert!(
            faults.iter().all(|fault| !fault.detail.contains("Ada") && !fault.detail.contains("admin")),
            "{faults:?}"
        );
    }

    #[test]
    fn without_a_session_only_what_is_no_annotation_passes() {
        let faults = RefCell::<Faults>::default();
        let input = json!({"a": "$Session{id}", "b": "$$Session{id}"});
        assert!(inject(&Field::root(&input, &faults), None).is_none());
        assert_eq!(faults.take().first().map(|fault| fault.pointer.clone()), Some("/a".to_owned()));
        let input = json!({"b": "$$Session{id}"});
        let injected = inject(&Field::root(&input, &faults), None).map(Cow::into_owned);
        assert_eq!(injected, Some(json!({"b": "$Session{id}"})));
        let plain = json!({"c": ["$", "Session{id}"]});
        assert!(matches!(inject(&Field::root(&plain, &faults), None), Some(Cow::Borrowed(_))), "nothing to do");
    }

    proptest! {
        #[test]
        fn any_text_can_be_written_so_that_it_arrives_as_it_is(wanted in "[a$Sesion{}]{0,40}|(\\$Session\\{[ab]\\}|x|\\$){0,6}") {
            let written = wanted.replace(MARK, &format!("${MARK}"));
            prop_assert_eq!(injected(&json!(written), "a", &json!({"b": 1})), Ok(json!(wanted)));
        }

        #[test]
        fn nothing_that_is_written_makes_it_panic(written in ".{0,60}|(\\$Session\\{|\\{|\\}|a|\\$){0,12}") {
            let _ = injected(&json!([written]), "a", &json!({"a": {"a": "\u{20ac}"}}));
        }
    }
}
