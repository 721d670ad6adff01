//! Instants as the API speaks them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An instant in milliseconds since 1970-01-01T00:00:00Z, from year 1 to year 9999.
///
/// ```
/// use carillon_core::time::UnixMillis;
/// let noon = UnixMillis::from_rfc3339("2026-03-29T12:00:00Z").unwrap();
/// assert_eq!(noon.plus(1_500).since(noon), 1_500);
/// assert_eq!(noon.to_string(), "2026-03-29T12:00:00Z");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// 9999-12-31T23:59:59.999Z, the last instant that a job may name.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// Reads an RFC 3339 date and time with an offset; finer than a millisecond is refused.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let timestamp: Timestamp = text.parse().ok()?;
        (timestamp.subsec_nanosecond() % 1_000_000 == 0).then(|| Self(timestamp.as_millisecond()))
    }

    /// This instant moved by `millis`, held within the range of the type.
    #[must_use]
    pub fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis).min(Self::MAX.0))
    }

    /// Milliseconds from `earlier` to this instant; negative when `earlier` is the later one.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => timestamp.fmt(f),
            Err(_) => self.0.fmt(f),
        }
    }
}
