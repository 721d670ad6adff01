//! Reads a JSON document field by field and records every fault, instead of stopping at the first.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::place::{Place, child};
use crate::error::{Faults, FieldCode, FieldError};

/// Returns ` (did you mean "x"?)` if a candidate is close to `written`, otherwise an empty text.
pub fn did_you_mean<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    closest(written, candidates).map_or_else(String::new, |candidate| format!(" (did you mean \"{candidate}\"?)"))
}

/// The candidate that is closest to `written`, if any is close.
pub fn closest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > 128 {
        return None;
    }
    let length = written.chars().count();
    let within_reach = |candidate: &str| candidate.chars().count().max(3) / 3;
    candidates
        .into_iter()
        // The difference in length is a lower bound on the number of edits, so most candidates can be skipped.
        .filter(|candidate| length.abs_diff(candidate.chars().count()) <= within_reach(candidate))
        .map(|candidate| (strsim::damerau_levenshtein(written, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= within_reach(candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Returns all values if every reading succeeded. Unlike `collect` it continues after a failure, so that every fault
/// is recorded.
pub fn every<T>(read: impl IntoIterator<Item = Option<T>>) -> Option<Vec<T>> {
    let read: Vec<Option<T>> = read.into_iter().collect();
    read.into_iter().collect()
}

/// A value of the document, with its place. A reading method records what is wrong before it returns `None`.
#[derive(Clone)]
pub struct Field<'a> {
    place: Place<'a>,
    value: &'a Value,
    faults: &'a RefCell<Faults>,
}

impl<'a> Field<'a> {
    /// The whole document.
    pub fn root(value: &'a Value, faults: &'a RefCell<Faults>) -> Self {
        Self { place: Place::of_all(value), value, faults }
    }

    /// The RFC 6901 pointer to this value.
    pub fn pointer(&self) -> String {
        self.place.pointer()
    }

    /// The value itself.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// True if this is `{}`, which the contract allows for an absent optional field.
    pub fn is_empty_object(&self) -> bool {
        self.value.as_object().is_some_and(Map::is_empty)
    }

    /// Records a fault of this value.
    pub fn fault(&self, code: FieldCode, detail: impl Into<String>) {
        note(self.faults, code, || (self.place.pointer(), detail.into()));
    }

    /// Records a fault of the member of this name, present or not.
    pub fn fault_at(&self, name: &str, code: FieldCode, detail: impl Into<String>) {
        note(self.faults, code, || (child(&self.place.pointer(), name), detail.into()));
    }

    /// Records a fault whose pointer begins at this value.
    pub fn fault_inside(&self, fault: FieldError) {
        note(self.faults, fault.code, || (self.place.pointer() + &fault.pointer, fault.detail));
    }

    fn wrong_type<T>(&self, expected: &str) -> Option<T> {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        let hint = if self.value.is_null() { ": leave the field out instead" } else { "" };
        self.fault(FieldCode::WrongType, format!("must be {expected}, not {found}{hint}"));
        None
    }

    /// A string of any content.
    pub fn string(&self) -> Option<&'a str> {
        self.value.as_str().or_else(|| self.wrong_type("a string"))
    }

    /// A string of a number of characters within `length`.
    pub fn text(&self, length: RangeInclusive<usize>) -> Option<String> {
        let text = self.string()?;
        let count = text.chars().count();
        if length.contains(&count) {
            return Some(text.to_owned());
        }
        let detail = format!("must have {} to {} characters, has {count}", length.start(), length.end());
        self.fault(FieldCode::OutOfRange, detail);
        None
    }

    /// A boolean.
    pub fn boolean(&self) -> Option<bool> {
        self.value.as_bool().or_else(|| self.wrong_type("true or false"))
    }

    /// A number within `range`.
    pub fn number(&self, range: RangeInclusive<f64>) -> Option<f64> {
        let number = self.value.as_f64().or_else(|| self.wrong_type("a number"))?;
        if range.contains(&number) {
            return Some(number);
        }
        self.out_of_range(range.start(), range.end())
    }

    /// A whole number within `range`; `3.0` is one, `3.5` is not.
    pub fn integer<T>(&self, range: RangeInclusive<T>) -> Option<T>
    where
        T: Copy + Display + PartialOrd + TryFrom<i128>,
    {
        let number = match self.value {
            Value::Number(number) => whole(number),
            _ => return self.wrong_type("a whole number"),
        };
        let Some(number) = number else {
            self.fault(FieldCode::Malformed, "must be a whole number");
            return None;
        };
        match T::try_from(number) {
            Ok(number) if range.contains(&number) => Some(number),
            _ => self.out_of_range(range.start(), range.end()),
        }
    }

    fn out_of_range<T>(&self, least: impl Display, most: impl Display) -> Option<T> {
        self.fault(FieldCode::OutOfRange, format!("must be from {least} to {most}"));
        None
    }

    /// One of the given words.
    pub fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let written = self.string()?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == written) {
            return Some(*meaning);
        }
        note(self.faults, FieldCode::Malformed, || {
            let allowed = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
            let hint = did_you_mean(written, words.iter().map(|(word, _)| *word));
            (self.place.pointer(), format!("must be one of {allowed}{hint}"))
        });
        None
    }

    /// Parses a string; `form` describes the expected form.
    pub fn parsed<T>(&self, form: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let parsed = parse(self.string()?);
        if parsed.is_none() {
            self.fault(FieldCode::Malformed, format!("must be {form}"));
        }
        parsed
    }

    /// An object whose members are read one by one.
    pub fn object(&self) -> Option<Object<'a>> {
        let members = self.value.as_object().or_else(|| self.wrong_type("an object"))?;
        Some(Object { place: self.place, members, faults: self.faults, known: Vec::with_capacity(16) })
    }

    /// The elements of an array.
    pub fn elements(&self) -> Option<Vec<Field<'a>>> {
        let elements = self.value.as_array().or_else(|| self.wrong_type("an array"))?;
        let field = |value| Field { place: self.place.of_inner(value), value, faults: self.faults };
        Some(elements.iter().map(field).collect())
    }

    /// The members of an object whose names are chosen by the user.
    pub fn entries(&self) -> Option<Vec<(&'a str, Field<'a>)>> {
        let members = self.value.as_object().or_else(|| self.wrong_type("an object"))?;
        let field = |(name, value): (&'a String, &'a Value)| {
            (name.as_str(), Field { place: self.place.of_inner(value), value, faults: self.faults })
        };
        Some(members.iter().map(field).collect())
    }
}

fn whole(number: &serde_json::Number) -> Option<i128> {
    if let Some(number) = number.as_i128() {
        return Some(number);
    }
    let number = number.as_f64()?;
    // The strict parser rejects doubles of 2^64 and above, so the cast is exact.
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 65 bits")]
    (number.fract() == 0.0).then_some(number as i128)
}

/// An object with known member names.
pub struct Object<'a> {
    place: Place<'a>,
    members: &'a Map<String, Value>,
    faults: &'a RefCell<Faults>,
    known: Vec<&'static str>,
}

impl<'a> Object<'a> {
    /// The RFC 6901 pointer to this object.
    pub fn pointer(&self) -> String {
        self.place.pointer()
    }

    /// The member of this name, if present.
    pub fn optional(&mut self, name: &'static str) -> Option<Field<'a>> {
        self.known.push(name);
        let value = self.members.get(name)?;
        Some(Field { place: self.place.of_inner(value), value, faults: self.faults })
    }

    /// The member of this name. Its absence is a fault.
    pub fn required(&mut self, name: &'static str) -> Option<Field<'a>> {
        let field = self.optional(name);
        if field.is_none() {
            self.fault_at(name, FieldCode::Required, "is required");
        }
        field
    }

    /// Records a fault of the object as a whole.
    pub fn fault(&self, code: FieldCode, detail: impl Into<String>) {
        note(self.faults, code, || (self.place.pointer(), detail.into()));
    }

    /// Records a fault of the member of this name, present or not.
    pub fn fault_at(&self, name: &str, code: FieldCode, detail: impl Into<String>) {
        note(self.faults, code, || (child(&self.place.pointer(), name), detail.into()));
    }

    /// Ends the reading. Every member that was not read is a fault, with the closest known name.
    pub fn finish(self) {
        for name in self.members.keys().filter(|name| !self.known.contains(&name.as_str())) {
            note(self.faults, FieldCode::UnknownField, || {
                let hint = did_you_mean(name, self.known.iter().copied());
                (child(&self.place.pointer(), name), format!("unknown field{hint}"))
            });
        }
    }
}

/// Records a fault. Its pointer and detail are built only if there is room for it.
fn note(faults: &RefCell<Faults>, code: FieldCode, describe: impl FnOnce() -> (String, String)) {
    if !faults.borrow().is_full() {
        let (pointer, detail) = describe();
        faults.borrow_mut().add(pointer, code, detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FieldCode::{Malformed, Required, UnknownField, WrongType};
    use serde_json::json;

    #[test]
    fn every_fault_of_a_document_is_named_with_its_pointer() {
        let document = json!({"name": 7, "retires": 1, "size": 2.5, "a/b": null, "mode": "fsat"});
        let faults = RefCell::default();
        let mut object = Field::root(&document, &faults).object().unwrap();
        assert_eq!(object.required("name").unwrap().string(), None);
        assert_eq!(object.optional("size").unwrap().integer(0..=9_u32), None);
        assert!(object.optional("retries").is_none());
        assert_eq!(object.optional("mode").unwrap().one_of(&[("fast", 1), ("slow", 2)]), None);
        assert!(object.required("env").is_none());
        object.finish();
        let found = faults.into_inner().into_vec();
        let found: Vec<_> = found.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
        let expected = [("/name", WrongType), ("/size", Malformed), ("/mode", Malformed), ("/env", Required)];
        assert_eq!(found[..4], expected);
        assert!(found[4..].contains(&("/retires", UnknownField)) && found[4..].contains(&("/a~1b", UnknownField)));
    }

    #[test]
    fn whole_numbers_are_exact_and_bounded() {
        let read = |value: Value| Field::root(&value, &RefCell::default()).integer(0..=u64::MAX);
        assert_eq!(read(json!(u64::MAX)), Some(u64::MAX));
        assert_eq!(read(json!(3.0)), Some(3));
        assert_eq!(read(json!(-1)), None);
        assert_eq!(read(json!(0.5)), None);
    }

    #[test]
    fn a_near_miss_is_suggested_and_a_far_one_is_not() {
        assert_eq!(did_you_mean("retires", ["retries", "event"]), " (did you mean \"retries\"?)");
        assert_eq!(did_you_mean("zzz", ["retries", "event"]), "");
    }

    #[test]
    fn a_document_that_is_wrong_everywhere_is_described_only_as_far_as_is_kept() {
        let unknown: Map<String, Value> = (0..20_000).map(|index| (format!("retires{index}"), json!(0))).collect();
        let document = Value::Object(unknown);
        let faults = RefCell::default();
        let mut object = Field::root(&document, &faults).object().unwrap();
        assert!(object.optional("retries").is_none());
        object.finish();
        assert_eq!(faults.borrow().len(), Faults::MAX);
        let long = "n".repeat(120 * 1024);
        let document = json!({long: vec![0; 60_000]});
        let faults = RefCell::default();
        let entries = Field::root(&document, &faults).entries().unwrap();
        assert_eq!(every(entries[0].1.elements().unwrap().iter().map(Field::string)), None);
        assert_eq!(faults.borrow().len(), 1, "one pointer of this length is enough");
    }
}
