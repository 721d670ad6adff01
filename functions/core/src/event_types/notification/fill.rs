//! Templates of the catalog, filled from the `data` of a channel's input.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::catalog::{Localized, Piece, pieces};
use crate::error::{FieldCode, FieldError};
use crate::json::{Field, Object, Read as _, child, room_left};

/// Maximum size of the values that fill a channel's templates, in bytes: a short name may occur in a template very
/// often.
const MAX_BYTES: usize = 256 * 1024;

/// The values that a channel is given.
pub(super) struct Values<'a> {
    channel: Field<'a>,
    /// Its `data`, and what the catalog gives where that says nothing.
    data: [Option<&'a Map<String, Value>>; 2],
    /// Names whose fault was noted: each is one.
    noted: RefCell<BTreeSet<String>>,
    /// Bytes left for values; `None` once they were exceeded.
    room: Cell<Option<usize>>,
}

impl<'a> Values<'a> {
    /// Reads the channel's `data`; `beneath` is what the catalog gives.
    pub(super) fn read(
        channel: &Field<'a>,
        object: &mut Object<'a>,
        beneath: Option<&'a Map<String, Value>>,
    ) -> Option<Self> {
        let own = match object.optional("data") {
            Some(field) => field.entries().and_then(|_| field.value().as_object()).map(Some),
            None => Some(None),
        };
        let (noted, room) = (RefCell::default(), Cell::new(Some(MAX_BYTES)));
        Some(Self { channel: channel.clone(), data: [own?, beneath], noted, room })
    }

    /// All of them, member by member.
    pub(super) fn all(&self) -> Map<String, Value> {
        let members = self.data.iter().rev().flatten().flat_map(|data| data.iter());
        members.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The text of the input, as it is, or that of the message, filled in; that neither says any is a fault. `html` says
    /// that values stand in HTML.
    pub(super) fn text(
        &self,
        name: &str,
        given: Option<&Field<'_>>,
        template: Option<&Localized>,
        locale: Option<&str>,
        html: bool,
    ) -> Option<String> {
        match (given, template) {
            (Some(field), _) => Localized::read(field).map(|texts| texts.text(locale).to_owned()),
            (None, Some(template)) => self.fill(template.text(locale), html),
            (None, None) => self.missing(name),
        }
    }

    /// Notes that neither the input nor a message has a member.
    pub(super) fn missing<T>(&self, name: &str) -> Option<T> {
        self.channel.fault_at(name, FieldCode::Required, "is required: no message of the catalog says it");
        None
    }

    /// A document whose texts are templates. A text that is one name alone becomes the value as it is.
    pub(super) fn document(&self, template: &Value) -> Option<Value> {
        match template {
            Value::String(text) => match pieces(text).as_deref() {
                Ok([Piece::Value(name)]) => {
                    let value = self.value(name)?;
                    self.take(|room| room_left(value, room))?;
                    Some(value.clone())
                }
                _ => self.fill(text, false).map(Value::String),
            },
            Value::Array(elements) => {
                let filled: Vec<_> = elements.iter().map(|element| self.document(element)).collect();
                filled.into_iter().collect::<Option<_>>().map(Value::Array)
            }
            Value::Object(members) => {
                let filled: Vec<_> =
                    members.iter().map(|(name, member)| Some((name.clone(), self.document(member)?))).collect();
                filled.into_iter().collect::<Option<_>>().map(Value::Object)
            }
            other => Some(other.clone()),
        }
    }

    fn fill(&self, template: &str, html: bool) -> Option<String> {
        // Catalogs are checked for it when they are published.
        let pieces = pieces(template).map_err(|wrong| self.channel.fault(FieldCode::Malformed, wrong)).ok()?;
        let (mut filled, mut complete) = (String::new(), self.room.get().is_some());
        for piece in pieces {
            let text = match piece {
                Piece::Text(text) => Some(text.to_owned()),
                Piece::Value(name) => self.scalar(name).map(|text| if html { escaped(&text) } else { text }),
            };
            let Some(text) = text else {
                complete = false;
                continue;
            };
            self.take(|room| room.checked_sub(text.len()))?;
            filled.push_str(&text);
        }
        complete.then_some(filled)
    }

    fn scalar(&self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) => Some(text.clone()),
            value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
            _ => self.fault(name, FieldCode::WrongType, "must be a string, a number or a boolean: the message says it"),
        }
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        self.room.get()?;
        let path = |data: &'a Map<String, Value>| {
            let mut parts = name.split('.');
            let first = data.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part))
        };
        let found = self.data.iter().flatten().find_map(|data| path(data));
        found.or_else(|| self.fault(name, FieldCode::Required, "is required: the message says it"))
    }

    fn fault<T>(&self, name: &str, code: FieldCode, detail: &str) -> Option<T> {
        if self.noted.borrow_mut().insert(name.to_owned()) {
            let pointer = name.split('.').fold("/data".to_owned(), |pointer, part| child(&pointer, part));
            self.channel.fault_inside(FieldError { pointer, code, detail: detail.to_owned() });
        }
        None
    }

    /// Takes of the room that is left. Once that is too much, nothing is filled in any more.
    fn take(&self, left: impl FnOnce(usize) -> Option<usize>) -> Option<()> {
        let left = left(self.room.get()?);
        if left.is_none() {
            let detail = format!("fills the message with more than {MAX_BYTES} bytes");
            self.channel.fault_at("data", FieldCode::OutOfRange, detail);
        }
        self.room.set(left);
        left.map(drop)
    }
}

/// A text within HTML: in its content, or in an attribute's quotes.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
        escaped
    })
}
