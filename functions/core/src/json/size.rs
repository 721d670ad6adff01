//! How long a value is when it is written.

use std::io;

use serde_json::Value;

/// What is left of `room` bytes once the value is written there; nothing where it does not fit. It is not written for that, and
/// looked at no further than there is room.
pub fn room_left(value: &Value, room: usize) -> Option<usize> {
    let mut left = Left(room);
    serde_json::to_writer(&mut left, value).is_ok().then_some(left.0)
}

/// The start of a text that has at most `limit` bytes once it is written as JSON.
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
        for value in [json!(1e15), json!({"a": [1, "\u{1}é\""], "b": null}), json!("")] {
            let length = value.to_string().len();
            assert_eq!(room_left(&value, length + 3), Some(3));
            assert_eq!(room_left(&value, length), Some(0));
            assert_eq!(room_left(&value, length - 1), None);
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
