//! Forms that the inputs of several types have in common.

use serde_json::Value;

use crate::error::FieldCode;
use crate::json::{Field, every};

/// A media type with its parameters, in visible ASCII.
pub(super) fn media_type(field: &Field<'_>) -> Option<String> {
    field.parsed("a media type, such as image/png", |text| {
        let is_sound =
            text.contains('/') && text.len() <= 255 && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        is_sound.then(|| text.to_owned())
    })
}

/// Members with scalar values, or arrays of them for a name that repeats.
pub(super) fn pairs(field: &Field<'_>) -> Option<Vec<(String, String)>> {
    let read = every(field.entries()?.into_iter().map(|(name, value)| {
        let values = if value.value().is_array() { value.elements()? } else { vec![value] };
        every(values.iter().map(|value| Some((name.to_owned(), scalar(value)?))))
    }));
    read.map(|pairs| pairs.concat())
}

/// A text, or a number or a boolean as a text.
pub(super) fn scalar(field: &Field<'_>) -> Option<String> {
    match field.value() {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(boolean) => Some(boolean.to_string()),
        _ => {
            field.fault(FieldCode::WrongType, "must be a string, a number or a boolean");
            None
        }
    }
}
