//! How long a value is when it is written.

use std::io;

use serde_json::Value;

/// What is left of `room` bytes once the value is written there; nothing where it does not fit. It is not written for that, and
/// looked at no further than there is room.
pub fn room_left(value: &Value, room: usize) -> Option<usize> {
    let mut left = Left(room);
    serde_json::to_writer(&mut left, value).is_ok().then_some(left.0)
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
}
