//! Replaces `$Session{tag}{key}` in a job's input by the session's claims, as [`crate::annotation`] describes.
//!
//! The first group is the session's tag, or a key of the payload; the tag wins. Source: the contract, "Injecting
//! Session Data into Input".

use std::borrow::Cow;

use serde_json::Value;

use super::Claims;
use crate::annotation::{self, Source};
use crate::json::Field;

const MARK: &str = "$Session{";

/// The session that annotations refer to.
#[derive(Clone, Copy, Debug)]
pub struct SessionClaims<'a> {
    /// Its tag.
    pub tag: &'a str,
    /// The claims of its token.
    pub claims: &'a Claims,
}

/// Replaces annotations by claims and records a fault for each that names none. `None` after a fault.
pub fn inject<'a>(input: &Field<'a>, session: Option<SessionClaims<'_>>) -> Option<Cow<'a, Value>> {
    annotation::fill(input, &[&SessionValues(session)])
}

/// The claims of a job's session, if it has one.
struct SessionValues<'s>(Option<SessionClaims<'s>>);

impl Source for SessionValues<'_> {
    fn mark(&self) -> &'static str {
        MARK
    }

    fn find(&self, path: &[&str]) -> Result<&Value, String> {
        let Some(session) = self.0 else {
            let detail =
                "the job has no session that could fill this in; write $$Session for a text that is no annotation";
            return Err(detail.to_owned());
        };
        let keys = path.strip_prefix(&[session.tag]).unwrap_or(path);
        let found = keys.split_first().and_then(|(key, deeper)| annotation::walk(session.claims.get(*key)?, deeper));
        found.ok_or_else(|| format!("the session's token has nothing under $Session{{{}}}", path.join("}{")))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::error::{Faults, FieldCode, FieldError};

    fn injected(input: &Value, tag: &str, claims: &Value) -> Result<Value, Vec<FieldError>> {
        let faults = RefCell::<Faults>::default();
        let session = SessionClaims { tag, claims: claims.as_object().unwrap() };
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
