//! Instants, as they are sent.

use schemars::JsonSchema;
use serde_json::Value;

use crate::error::FieldCode;
use crate::json::{Field, Read};
use crate::time::UnixMillis;

/// An instant, to the millisecond, before year 10000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(untagged)]
pub enum Instant {
    /// Unix time: below 1e11 in seconds, otherwise in milliseconds.
    Number(#[schemars(with = "f64", range(min = 0, max = 253_402_300_799_999_u64))] UnixMillis),
    /// RFC 3339 with an offset, such as `2025-12-31T23:59:59Z`.
    Text(#[schemars(with = "String", extend("format" = "date-time"))] UnixMillis),
}

impl Instant {
    const FORM: &'static str =
        "0, Unix seconds or milliseconds, or an RFC 3339 date and time, to the millisecond and before year 10000";

    /// The instant.
    pub fn at(self) -> UnixMillis {
        match self {
            Self::Number(at) | Self::Text(at) => at,
        }
    }

    /// The instant, or `now` where it has passed.
    pub fn from(self, now: UnixMillis) -> UnixMillis {
        self.at().max(now)
    }
}

impl Read for Instant {
    fn read(field: &Field<'_>) -> Option<Self> {
        let read = match field.value() {
            Value::Number(number) => number.as_f64().and_then(UnixMillis::from_unix_time).map(Self::Number),
            Value::String(text) => UnixMillis::from_rfc3339(text).map(Self::Text),
            _ => {
                field.fault(FieldCode::WrongType, format!("must be {}", Self::FORM));
                return None;
            }
        };
        let read = read.filter(|read| (UnixMillis(0)..=UnixMillis::MAX).contains(&read.at()));
        if read.is_none() {
            field.fault(FieldCode::OutOfRange, format!("must be {}", Self::FORM));
        }
        read
    }
}
