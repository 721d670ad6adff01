//! The rows of a statement, as many as a result holds.

use carillon_core::job::Output;
use carillon_core::json::room_left;
use serde_json::{Value, json};

/// The size of the frame around the rows: `{"rows":[],"row_count":…}`.
const FRAME_BYTES: usize = 64;

/// Rows that are kept while there is room. Rows after the first that does not fit are dropped, and the result says
/// so.
pub(super) struct Rows {
    kept: Vec<Value>,
    read: u64,
    most: usize,
    room: usize,
    is_cut: bool,
}

impl Rows {
    /// Holds at most `max_rows` rows, and at most the bytes of a result.
    pub(super) fn up_to(max_rows: u32) -> Self {
        let most = usize::try_from(max_rows).unwrap_or(usize::MAX);
        Self { kept: Vec::new(), read: 0, most, room: Output::MAX_BYTES - FRAME_BYTES, is_cut: false }
    }

    /// Adds the next row.
    pub(super) fn push(&mut self, row: Value) {
        self.read += 1;
        let left = if self.is_full() { None } else { room_left(&row, self.room).and_then(|left| left.checked_sub(1)) };
        match left {
            Some(left) => {
                self.room = left;
                self.kept.push(row);
            }
            None => self.is_cut = true,
        }
    }

    /// True if another row would be dropped for certain.
    pub(super) fn is_full(&self) -> bool {
        self.is_cut || self.kept.len() >= self.most
    }

    /// Records that there are more rows, which are not read.
    pub(super) fn leave_the_rest(&mut self) {
        self.is_cut = true;
    }

    /// `{rows, row_count}`. The count includes dropped rows, or is the number of changed ones.
    pub(super) fn output(self, changed: Option<u64>) -> Output {
        let row_count = changed.unwrap_or(self.read);
        Output { value: json!({"rows": self.kept, "row_count": row_count}), truncated: self.is_cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_dropped_from_the_end_by_their_number_and_by_their_size() {
        let mut rows = Rows::up_to(2);
        for number in 1..=3 {
            rows.push(json!({"n": number}));
        }
        let output = rows.output(None);
        assert_eq!((output.value, output.truncated), (json!({"rows": [{"n": 1}, {"n": 2}], "row_count": 3}), true));

        let mut rows = Rows::up_to(u32::MAX);
        rows.push(json!({"text": "x".repeat(200_000)}));
        rows.push(json!({"text": "y".repeat(70_000)}));
        assert!(rows.is_full());
        // Although there would be room for it.
        rows.push(json!({}));
        let output = rows.output(None);
        assert_eq!((output.value["rows"].as_array().unwrap().len(), output.truncated), (1, true));

        for length in Output::MAX_BYTES - 200..Output::MAX_BYTES {
            let mut rows = Rows::up_to(10);
            rows.push(json!("x".repeat(length)));
            assert!(rows.output(None).value.to_string().len() <= Output::MAX_BYTES);
        }
    }

    #[test]
    fn what_fits_is_kept_whole() {
        let mut rows = Rows::up_to(1);
        rows.push(json!({"n": 1}));
        assert!(rows.is_full());
        let output = rows.output(Some(7));
        assert_eq!((output.value, output.truncated), (json!({"rows": [{"n": 1}], "row_count": 7}), false));
    }
}
