//! Annotations: `$Name{group}{group}` in the strings of a document, and the values that replace them.
//!
//! | written | becomes |
//! | --- | --- |
//! | `"$Session{details}{id}"`, alone | the value as it is, of whatever JSON type |
//! | `"Hello $Session{details}{name}!"` | a text: texts as they are, everything else as JSON |
//! | `"$Session{details}{roles}{0}"` | deeper groups walk the document, numbers an array |
//! | `"$$Session{details}{id}"` | the text `$Session{details}{id}`: two dollars are no annotation |
//!
//! [`Source`]s define the names and their values. Only values are searched for annotations, never keys, and a value
//! that replaced an annotation is not searched again.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::{Map, Value};

use crate::error::{FieldCode, FieldError};
use crate::json::{Field, room_left};

/// Bound on the JSON that annotations fill in per document, in bytes; the same as for a request. Without it one
/// request could grow to gigabytes: an annotation takes eleven bytes, and its value may be long.
pub const MAX_FILLED_IN: usize = 256 * 1024;

/// The values that annotations of one name refer to.
pub trait Source {
    /// The start of such an annotation: `$Name{`.
    fn mark(&self) -> &'static str;

    /// Finds the value at `path`.
    ///
    /// # Errors
    ///
    /// A text that says what is missing, never what is there.
    fn find(&self, path: &[&str]) -> Result<&Value, String>;
}

/// The value at `path` within `value`: members by name, elements by number.
pub fn walk<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| match value {
        Value::Array(elements) => elements.get(key.parse::<usize>().ok()?),
        value => value.get(key),
    })
}

/// Replaces annotations with their values and records a fault for each that names none. `None` after a fault.
pub fn fill<'a>(document: &Field<'a>, sources: &[&dyn Source]) -> Option<Cow<'a, Value>> {
    let filling = Filling { sources, room: Cell::new(Some(MAX_FILLED_IN)) };
    let is_marked = |text: &str| sources.iter().any(|source| text.contains(source.mark()));
    if any_text(document.value(), &mut |text| is_marked(text)) {
        value(document, &filling).map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(document.value()))
    }
}

/// The paths of the annotations that begin with `mark`, in document order. Malformed ones are skipped.
pub fn paths<'v>(document: &'v Value, mark: &str) -> Vec<Vec<&'v str>> {
    let mut found = Vec::new();
    any_text(document, &mut |text: &'v str| {
        let mut rest = text;
        while let Some(at) = rest.find(mark) {
            let (before, annotation) = rest.split_at(at);
            rest = &annotation[mark.len()..];
            if before.ends_with('$') {
                continue;
            }
            if let Some((path, after)) = groups(&annotation[mark.len() - 1..]) {
                found.push(path);
                rest = after;
            }
        }
        false
    });
    found
}

/// Moves a fault of a filled-in document to its place in the document as `written`: names inside a filled-in value
/// are confidential and are cut off. A missing name is kept, because the reader asked for it.
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

/// The filling of one document.
struct Filling<'s> {
    sources: &'s [&'s dyn Source],
    /// Bytes of values that still fit; `None` once a value did not.
    room: Cell<Option<usize>>,
}

impl<'s> Filling<'s> {
    /// The first annotation of a text: its position and its source.
    fn first(&self, text: &str) -> Option<(usize, &'s dyn Source)> {
        let found = self.sources.iter().filter_map(|source| Some((text.find(source.mark())?, *source)));
        found.min_by_key(|(at, _)| *at)
    }

    /// True if a value still fits. The first that does not is recorded as a fault; later ones do not fit either.
    fn has_room_for(&self, value: &Value, field: &Field<'_>) -> bool {
        let Some(room) = self.room.get() else { return false };
        let left = room_left(value, room);
        self.room.set(left);
        if left.is_none() {
            let detail = format!("from here on annotations would fill in more than {MAX_FILLED_IN} bytes");
            field.fault(FieldCode::OutOfRange, detail);
        }
        left.is_some()
    }
}

/// True if `is_one` holds for any text of the document, at any depth.
fn any_text<'v>(value: &'v Value, is_one: &mut impl FnMut(&'v str) -> bool) -> bool {
    match value {
        Value::String(text) => is_one(text),
        Value::Array(elements) => elements.iter().any(|element| any_text(element, is_one)),
        Value::Object(members) => members.values().any(|member| any_text(member, is_one)),
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
    while let Some((at, source)) = filling.first(rest) {
        let (before, annotation) = rest.split_at(at);
        let mark = source.mark();
        if let Some(before) = before.strip_suffix('$') {
            parts.push(Part::Text(before));
            parts.push(Part::Text(mark));
            rest = &annotation[mark.len()..];
            continue;
        }
        parts.push(Part::Text(before));
        let Some((path, after)) = groups(&annotation[mark.len() - 1..]) else {
            let detail = format!(
                "an annotation is {mark}a}}{{b}}: each group in braces, with at least one character; write ${mark} for a \
                 text that is none"
            );
            field.fault(FieldCode::Malformed, detail);
            return None;
        };
        let found = source.find(&path).map_err(|detail| field.fault(FieldCode::UnresolvedAnnotation, detail)).ok()?;
        if !filling.has_room_for(found, field) {
            return None;
        }
        parts.push(Part::Value(found));
        rest = after;
    }
    parts.push(Part::Text(rest));
    parts.retain(|part| !matches!(part, Part::Text("")));
    if let [Part::Value(only)] = parts.as_slice() {
        return Some((*only).clone());
    }
    Some(Value::String(parts.iter().map(Part::written).collect()))
}

enum Part<'a> {
    Text(&'a str),
    Value(&'a Value),
}

impl<'a> Part<'a> {
    fn written(&self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Value(Value::String(text)) => Cow::Borrowed(text),
            Self::Value(value) => Cow::Owned(value.to_string()),
        }
    }
}

/// Splits `{a}{b}` from the text after it. No group is empty or holds a brace.
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::json;

    use super::*;
    use crate::error::Faults;

    struct Under(&'static str, Value);

    impl Source for Under {
        fn mark(&self) -> &'static str {
            self.0
        }

        fn find(&self, path: &[&str]) -> Result<&Value, String> {
            walk(&self.1, path).ok_or_else(|| format!("{} has no {}", self.0, path.join(".")))
        }
    }

    #[test]
    fn each_name_is_filled_in_from_its_own_source_in_one_pass() {
        let (input, before) =
            (Under("$Input{", json!({"a": 1, "b": "$Before{c}"})), Under("$Before{", json!({"c": [7]})));
        for (written, expected) in [
            ("$Input{a}", json!(1)),
            ("$Before{c}", json!([7])),
            ("$Before{c}{0}/$Input{a}", json!("7/1")),
            ("$Input{b}", json!("$Before{c}")),
            ("$$Input{a} $Before{c}{0}", json!("$Input{a} 7")),
            ("$Other{a} $Input{a}", json!("$Other{a} 1")),
        ] {
            let (document, faults) = (json!({"at": written}), RefCell::<Faults>::default());
            let filled = fill(&Field::root(&document, &faults), &[&input, &before]).map(Cow::into_owned);
            assert_eq!(filled, Some(json!({"at": expected})), "{written}");
        }
        let (document, faults) = (json!(["$Input{x}", "$Before{c}{1}"]), RefCell::<Faults>::default());
        assert!(fill(&Field::root(&document, &faults), &[&input, &before]).is_none());
        let faults = faults.take().into_vec();
        let found: Vec<_> = faults.iter().map(|fault| (fault.pointer.as_str(), fault.detail.as_str())).collect();
        assert_eq!(found, [("/0", "$Input{ has no x"), ("/1", "$Before{ has no c.1")]);
    }

    #[test]
    fn the_paths_of_a_name_are_found_wherever_they_stand() {
        let document =
            json!({"a": ["$Input{x}{y} and $Input{z}", "$$Input{no}", "$Input{", 1], "b": {"c": "$Input{x}"}});
        assert_eq!(paths(&document, "$Input{"), [vec!["x", "y"], vec!["z"], vec!["x"]]);
    }
}
