//! Where a value stands in its document.

use std::rc::Rc;

/// A value's place: the steps to it from the root.
///
/// It becomes a pointer only when a fault is noted. A text for every value would cost as much as the longest name times
/// the number of values, which a hostile document of 256 KB drives into gigabytes.
#[derive(Clone, Default)]
pub(super) struct Place<'a>(Option<Rc<Step<'a>>>);

struct Step<'a> {
    parent: Place<'a>,
    name: Name<'a>,
}

enum Name<'a> {
    Member(&'a str),
    Element(usize),
}

impl<'a> Place<'a> {
    /// The place of a member of the object that stands here.
    pub(super) fn member(&self, name: &'a str) -> Self {
        self.inner(Name::Member(name))
    }

    /// The place of an element of the array that stands here.
    pub(super) fn element(&self, index: usize) -> Self {
        self.inner(Name::Element(index))
    }

    fn inner(&self, name: Name<'a>) -> Self {
        Self(Some(Rc::new(Step { parent: self.clone(), name })))
    }

    /// The RFC 6901 pointer to this place.
    pub(super) fn pointer(&self) -> String {
        let steps = std::iter::successors(self.0.as_deref(), |step| step.parent.0.as_deref());
        let steps: Vec<_> = steps.collect();
        steps.into_iter().rev().fold(String::new(), |mut pointer, step| {
            match step.name {
                Name::Member(name) => push(&mut pointer, name),
                Name::Element(index) => push(&mut pointer, &index.to_string()),
            }
            pointer
        })
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
