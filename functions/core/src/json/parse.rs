//! Parses bytes to a JSON value without loss or guessing.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::place::Trail;
use crate::error::{Faults, FieldCode, FieldError};

/// Maximum depth of nested objects and arrays.
pub const MAX_DEPTH: usize = 64;

/// Why a body is not an acceptable JSON document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not JSON (RFC 8259): syntax, encoding, lone surrogates, trailing text.
    #[error("{0}")]
    Syntax(String),
    /// JSON, but not I-JSON (RFC 7493): a duplicate name in an object, or a number beyond 64 bits; or nested too
    /// deep.
    #[error("{}", .0.first().map_or("", |fault| fault.detail.as_str()))]
    Fields(Vec<FieldError>),
}

/// Parses a JSON document strictly.
///
/// `serde_json` alone keeps the last of two equal names and rounds a number that is too large, both silently; a job's
/// input must arrive as it was sent, or not at all.
///
/// ```
/// use carillon_core::json::parse;
/// assert_eq!(parse(br#"{"a": [1, 2.5]}"#).unwrap()["a"][1], 2.5);
/// assert!(parse(br#"{"a": 1, "a": 2}"#).unwrap_err().to_string().contains("twice"));
/// assert!(parse(b"12345678901234567890123").is_err());
/// ```
pub fn parse(bytes: &[u8]) -> Result<Value, ParseError> {
    // Checked first, because serde_json checks the encoding of a text only when it reaches it.
    let text = std::str::from_utf8(bytes)
        .map_err(|fault| ParseError::Syntax(format!("not UTF-8: byte {} starts no character", fault.valid_up_to())))?;
    let faults = RefCell::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let strict = Strict { trail: &Trail::Root, depth: 0, faults: &faults };
    let parsed = strict.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    match (parsed, faults.into_inner().into_vec()) {
        (Ok(value), faults) if faults.is_empty() => Ok(value),
        (Err(syntax), faults) if faults.is_empty() => Err(ParseError::Syntax(syntax.to_string())),
        (_, faults) => Err(ParseError::Fields(faults)),
    }
}

/// Builds one value at its place. Faults with a place go to `faults`, because a `serde_json::Error` can carry only
/// text.
struct Strict<'a> {
    trail: &'a Trail<'a>,
    depth: usize,
    faults: &'a RefCell<Faults>,
}

impl<'a> Strict<'a> {
    fn inner<'t>(&self, trail: &'t Trail<'t>) -> Strict<'t>
    where
        'a: 't,
    {
        Strict { trail, depth: self.depth + 1, faults: self.faults }
    }

    fn fault(&self, trail: &Trail<'_>, code: FieldCode, detail: &str) {
        let mut faults = self.faults.borrow_mut();
        if !faults.is_full() {
            faults.add(trail.pointer(), code, detail);
        }
    }

    fn check_depth<E: de::Error>(&self) -> Result<(), E> {
        if self.depth < MAX_DEPTH {
            return Ok(());
        }
        let detail = format!("nested deeper than {MAX_DEPTH} levels");
        self.fault(self.trail, FieldCode::OutOfRange, &detail);
        Err(E::custom(detail))
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        // serde_json passes a number that does not fit 64 bits as the nearest double. Above 2^64 every double is a
        // whole number, so the number was one too, and may have lost its last digits.
        const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
        match Number::from_f64(value) {
            Some(number) if (-TWO_TO_64 / 2.0..TWO_TO_64).contains(&value) => Ok(Value::Number(number)),
            _ => {
                let detail = "a number beyond 64 bits would lose digits: send it as a string";
                self.fault(self.trail, FieldCode::NumberTooLarge, detail);
                Ok(Value::Null)
            }
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(self.inner(&Trail::Element(self.trail, array.len())))? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = {
                let trail = Trail::Member(self.trail, &name);
                if object.contains_key(&name) {
                    self.fault(&trail, FieldCode::DuplicateKey, "this name stands twice in its object");
                }
                members.next_value_seed(self.inner(&trail))?
            };
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (String, FieldCode) {
        match parse(text.as_bytes()) {
            Err(ParseError::Fields(faults)) => (faults[0].pointer.clone(), faults[0].code),
            other => panic!("{text} gave {other:?}"),
        }
    }

    #[test]
    fn what_is_json_arrives_unchanged() {
        for text in [
            r#"{"a":{"b":[1,-2,2.5,"x",null,true,{}]},"c":"é😀"}"#,
            "[]",
            "0",
            "\"\"",
            "18446744073709551615",
            "97497.18255256917",
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_json_is_called_so() {
        let texts =
            ["", "{", "nul", "{}x", r#"{"a":1,}"#, "[1 2]", "01", "+1", "NaN", r#""\ud800""#, r#""\udc00x""#, "\"\t\""];
        for text in texts {
            assert!(matches!(parse(text.as_bytes()), Err(ParseError::Syntax(_))), "{text}");
        }
        assert!(matches!(parse(b"\"\xff\""), Err(ParseError::Syntax(text)) if text.contains("UTF-8")));
    }

    #[test]
    fn faults_with_a_place_carry_its_pointer() {
        assert_eq!(fault(r#"{"a":{"x":1,"x":2}}"#), ("/a/x".into(), FieldCode::DuplicateKey));
        assert_eq!(fault(r#"{"a/b":[0,1e300]}"#), ("/a~1b/1".into(), FieldCode::NumberTooLarge));
        assert_eq!(fault("-99999999999999999999"), (String::new(), FieldCode::NumberTooLarge));
    }

    #[test]
    fn depth_is_bounded_and_bombs_do_not_overflow_the_stack() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(fault(&nested(MAX_DEPTH + 1)).1, FieldCode::OutOfRange);
        assert!(parse("[".repeat(200_000).as_bytes()).is_err());
        assert!(parse(r#"{"a":"#.repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn many_values_beneath_a_long_name_cost_no_pointer_each() {
        // 60,000 values under a name of 120 KB: 7 GB of pointers, if each had its own.
        let long = "n".repeat(120 * 1024);
        let sound = format!(r#"{{"{long}":[{}0]}}"#, "0,".repeat(60_000));
        assert!(parse(sound.as_bytes()).is_ok());
        let doubled = format!(r#"{{"{long}":{{{}"a":0}}}}"#, r#""a":0,"#.repeat(20_000));
        let Err(ParseError::Fields(faults)) = parse(doubled.as_bytes()) else { panic!("a name stands twice") };
        assert_eq!(faults.len(), 1, "one such fault fills an answer");
    }
}
