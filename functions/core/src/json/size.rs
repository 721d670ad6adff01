//! Sizes of JSON values as text.

use std::io;

use serde_json::Value;

/// The bytes that remain of `room` after writing the value; `None` if it does not fit. The value is measured without
/// writing it, and only as far as there is room.
pub fn room_left(value: &Value, room: usize) -> Option<usize> {
    let mut left = Left(room);
    serde_json::to_writer(&mut left, value).is_ok().then_some(left.0)
}

/// True if a value takes at most `room` bytes as JSON. A value that is much smaller than that is recognised without
/// writing it.
pub fn fits(value: &Value, room: usize) -> bool {
    most(value) <= room || room_left(value, room).is_some()
}

/// An upper bound on the bytes of a value.
fn most(value: &Value) -> usize {
    // Escapes take at most six bytes, numbers 24.
    let text = |text: &str| 6 * text.len() + 2;
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 24,
        Value::String(written) => text(written),
        Value::Array(elements) => elements.iter().map(|element| most(element) + 1).sum::<usize>() + 2,
        Value::Object(members) => members.iter().map(|(name, member)| text(name) + most(member) + 2).sum::<usize>() + 2,
    }
}

/// The longest prefix of a text that takes at most `limit` bytes as JSON.
pub fn text_within(text: &str, limit: usize) -> &str {
    let mut written = 2;
    let fits = text.char_indices().take_while(|(_, character)| {
        written += match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            control if control.is_ascii_control() => 6,
            other => other.len_utf8(),
        };
        written <= limit
    });
    let end = fits.last().map_or(0, |(start, character)| start + character.len_utf8());
    text.get(..end).unwrap_or(text)
}

struct Left(usize);

impl io::Write for Left {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_as_long_as_its_text() {
        for value in [
            json!(1e15),
            json!({"a": [1, "\u{1}é\""], "b": null}),
            json!(""),
            json!(false),
            json!(i64::MIN),
            json!(f64::MIN_POSITIVE * -1.5),
        ] {
            let length = value.to_string().len();
            assert_eq!(room_left(&value, length + 3), Some(3));
            assert_eq!(room_left(&value, length), Some(0));
            assert_eq!(room_left(&value, length - 1), None);
            assert!(fits(&value, length) && !fits(&value, length - 1) && most(&value) >= length);
        }
    }

    #[test]
    fn a_text_is_cut_where_it_no_longer_fits() {
        for text in ["plain", "é\"\\\n\u{1}\u{7f}é", ""] {
            for limit in 0..40 {
                let kept = text_within(text, limit);
                let written = json!(kept).to_string().len();
                assert!(text.starts_with(kept) && (written <= limit || kept.is_empty()), "{limit}: {kept:?}");
                assert!(kept == text || written + 12 >= limit, "{limit}: {kept:?}");
            }
        }
    }
}
