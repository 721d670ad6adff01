//! The place of a value in its document.

use std::ptr;

use serde_json::Value;

/// A value's place in its document.
///
/// It is searched for only when a fault is recorded. A pointer for every value would cost the longest name times the
/// number of values, which a hostile document of 256 KB drives into gigabytes.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    document: &'a Value,
    value: &'a Value,
}

impl<'a> Place<'a> {
    /// The place of the document itself.
    pub(super) fn of_all(document: &'a Value) -> Self {
        Self { document, value: document }
    }

    /// The place of a value inside this one.
    pub(super) fn of_inner(self, value: &'a Value) -> Self {
        Self { value, ..self }
    }

    /// The RFC 6901 pointer to this place.
    pub(super) fn pointer(self) -> String {
        let mut steps = Vec::new();
        find(self.document, self.value, &mut steps);
        steps.iter().rev().fold(String::new(), |mut pointer, step| {
            match step {
                Step::Member(name) => push(&mut pointer, name),
                Step::Element(index) => push(&mut pointer, &index.to_string()),
            }
            pointer
        })
    }
}

enum Step<'a> {
    Member(&'a str),
    Element(usize),
}

/// True if `wanted` is `value` or stands in it. Collects the steps that lead there, the last one first.
fn find<'a>(value: &'a Value, wanted: &Value, steps: &mut Vec<Step<'a>>) -> bool {
    if ptr::eq(value, wanted) {
        return true;
    }
    let step = match value {
        Value::Array(elements) => {
            let found = elements.iter().position(|element| find(element, wanted, steps));
            found.map(Step::Element)
        }
        Value::Object(members) => {
            let found = members.iter().find(|(_, member)| find(member, wanted, steps));
            found.map(|(name, _)| Step::Member(name))
        }
        _ => None,
    };
    let is_found = step.is_some();
    steps.extend(step);
    is_found
}

/// The steps to a value that is being read, from the root.
pub(super) enum Trail<'a> {
    /// No step: the whole document.
    Root,
    /// A step to a member of an object.
    Member(&'a Trail<'a>, &'a str),
    /// A step to an element of an array.
    Element(&'a Trail<'a>, usize),
}

impl Trail<'_> {
    /// The RFC 6901 pointer to its end.
    pub(super) fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Member(parent, name) => child(&parent.pointer(), name),
            Self::Element(parent, index) => child(&parent.pointer(), &index.to_string()),
        }
    }
}

/// The RFC 6901 pointer of `name` inside `pointer`.
///
/// ```
/// assert_eq!(carillon_core::json::child("/paths", "/a~b"), "/paths/~1a~0b");
/// ```
pub fn child(pointer: &str, name: &str) -> String {
    let mut joined = String::with_capacity(pointer.len() + name.len() + 1);
    joined.push_str(pointer);
    push(&mut joined, name);
    joined
}

fn push(pointer: &mut String, name: &str) {
    pointer.push('/');
    if name.contains(['~', '/']) {
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
    } else {
        pointer.push_str(name);
    }
}
