//! Instants of the API.

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An instant in milliseconds since 1970-01-01T00:00:00Z.
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

/// Civil times instead of `jiff::Timestamp`, whose last instant is a day before the end of the year 9999.
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

impl UnixMillis {
    /// 9999-12-31T23:59:59.999Z, the last instant that a job may name.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// Parses an RFC 3339 date and time with an offset. Fractions finer than a millisecond are rejected. Other ISO
    /// 8601 forms of such an instant are accepted; a zone in brackets (RFC 9557) is ignored.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let pieces = Pieces::parse(text).ok()?;
        let (time, offset) = (pieces.time()?, pieces.to_numeric_offset()?);
        let local = pieces.date().to_datetime(time).duration_since(EPOCH);
        let instant = local - SignedDuration::from_secs(offset.seconds().into());
        let millis = i64::try_from(instant.as_millis()).ok()?;
        (instant == SignedDuration::from_millis(millis)).then_some(Self(millis))
    }

    /// Parses Unix time: below 1e11 in seconds, otherwise in milliseconds. Rejects fractions of a millisecond and
    /// instants before 1970.
    ///
    /// ```
    /// use carillon_core::time::UnixMillis;
    /// assert_eq!(UnixMillis::from_unix_time(1_800_000_060.123), Some(UnixMillis(1_800_000_060_123)));
    /// assert_eq!(UnixMillis::from_unix_time(1_800_000_060_123.0), Some(UnixMillis(1_800_000_060_123)));
    /// assert_eq!(UnixMillis::from_unix_time(1_800_000_060.123_4), None);
    /// ```
    pub fn from_unix_time(number: f64) -> Option<Self> {
        const SECONDS_BELOW: f64 = 1e11;
        let (millis, is_exact) = if number < SECONDS_BELOW {
            let millis = (number * 1_000.0).round();
            // Dividing back gives the double nearest to these milliseconds: the input, if that is what it meant.
            #[expect(clippy::float_cmp, reason = "that very double, and no other")]
            (millis, millis / 1_000.0 == number)
        } else {
            (number, number.fract() == 0.0)
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates, and no such instant is one that a job may name"
        )]
        let whole = millis as i64;
        (is_exact && number >= 0.0).then_some(Self(whole))
    }

    /// This instant moved by `millis`, at most [`UnixMillis::MAX`].
    #[must_use]
    pub fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis).min(Self::MAX.0))
    }

    /// Milliseconds from `earlier` to this instant; negative if `earlier` is the later one.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::fmt::Display for UnixMillis {
    /// RFC 3339, or bare milliseconds for an instant beyond the calendar.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match EPOCH.checked_add(SignedDuration::from_millis(self.0)) {
            Ok(utc) => write!(f, "{utc}Z"),
            Err(_) => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_to_the_millisecond_up_to_the_last_one() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2027-01-15T09:01:00.5+01:00", 1_800_000_060_500),
            ("2027-01-15t08:01:00.500000000z", 1_800_000_060_500),
            ("2027-01-15T08:01:00.500Z[Europe/Amsterdam]", 1_800_000_060_500),
            ("2027-01-15T08:01:00-00:00", 1_800_000_060_000),
            ("1969-12-31T23:59:59.999Z", -1),
            ("9999-12-31T23:59:59.999Z", UnixMillis::MAX.0),
            ("9999-12-31T12:00:00+12:00", 253_402_214_400_000),
        ] {
            assert_eq!(UnixMillis::from_rfc3339(text), Some(UnixMillis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_not_read() {
        for text in [
            "",
            "2027-01-15",
            "2027-01-15T09:01:00",
            "2027-01-15T09:01:00[Europe/Amsterdam]",
            "2027-01-15T09:01:00.0001Z",
            "1969-12-31T23:59:59.9999Z",
            "2027-02-29T00:00:00Z",
            "2027-01-15T24:00:00Z",
            "10000-01-01T00:00:00Z",
            "2027-01-15T09:01:00Zulu",
        ] {
            assert_eq!(UnixMillis::from_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn instants_are_written_as_they_are_read() {
        for millis in [0, -1, 1, 1_800_000_060_500, UnixMillis::MAX.0, -62_135_596_800_000] {
            assert_eq!(UnixMillis::from_rfc3339(&UnixMillis(millis).to_string()), Some(UnixMillis(millis)));
        }
        assert_eq!(UnixMillis::MAX.to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(UnixMillis(i64::MAX).to_string(), "9223372036854775807");
        assert_eq!(UnixMillis(i64::MIN).plus(-1), UnixMillis(i64::MIN));
        assert_eq!(UnixMillis::MAX.plus(1), UnixMillis::MAX);
    }
}
