//! What a calendar and a clock on a wall show, wherever that wall stands.

use std::cmp::Ordering;

use croner::errors::CronError;
use croner::{CivilDate, CivilDateTime, CivilTime, CronDateTime, Resolution, Weekday};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

const SECONDS_A_DAY: i64 = 86_400;

/// After so many seconds, 400 years, the calendar repeats itself to the weekday.
const CYCLE: i64 = 146_097 * SECONDS_A_DAY;

/// A date and a time without a zone, as the seconds since 1970-01-01T00:00:00 on the same wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wall(pub(super) i64);

impl Wall {
    /// The same place in the calendar between 1970 and 2369, and the seconds from there to here: the matcher knows no year
    /// after 5000, and needs none.
    pub(super) fn folded(self) -> (Self, i64) {
        let folded = self.0.rem_euclid(CYCLE);
        (Self(folded), self.0 - folded)
    }

    /// As jiff has it: at the edges of its calendar, which no job comes near, the date nearest to it.
    pub(super) fn civil(self) -> DateTime {
        let within = self.0.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        Timestamp::from_second(within).map_or(DateTime::MAX, |timestamp| Offset::UTC.to_datetime(timestamp))
    }
}

/// ISO 8601, such as `2026-03-29T02:30:00`.
impl std::fmt::Display for Wall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (folded, distance) = self.folded();
        let civil = folded.civil();
        let year = i64::from(civil.year()) + distance / CYCLE * 400;
        write!(f, "{year:04}-{:02}-{:02}T{}", civil.month(), civil.day(), civil.time())
    }
}

/// The matcher's view: a clock that never changes, on which every time happens once.
impl CronDateTime for Wall {
    fn to_civil(&self) -> CivilDateTime {
        let civil = self.civil();
        let part = i8::unsigned_abs;
        let date = CivilDate::from_parts_unchecked(
            i32::from(civil.year()),
            u32::from(part(civil.month())),
            u32::from(part(civil.day())),
        );
        let time = CivilTime::from_parts_unchecked(
            u32::from(part(civil.hour())),
            u32::from(part(civil.minute())),
            u32::from(part(civil.second())),
        );
        CivilDateTime::new(date, time)
    }

    fn civil_weekday(&self) -> Weekday {
        // 1970 began on a Thursday.
        let weekday = (self.0.div_euclid(SECONDS_A_DAY) + 4).rem_euclid(7);
        Weekday::from_days_from_sunday(u32::try_from(weekday).unwrap_or(0))
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let part = |part: u32| i8::try_from(part).map_err(|_| CronError::InvalidDate);
        let year = i16::try_from(civil.year()).map_err(|_| CronError::InvalidDate)?;
        let (month, day) = (part(civil.month())?, part(civil.day())?);
        let (hour, minute, second) = (part(civil.hour())?, part(civil.minute())?, part(civil.second())?);
        let civil = DateTime::new(year, month, day, hour, minute, second, 0).map_err(|_| CronError::InvalidDate)?;
        let timestamp = Offset::UTC.to_timestamp(civil).map_err(|_| CronError::InvalidDate)?;
        Ok(Resolution::Single(Self(timestamp.as_second())))
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(seconds).map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_is_read_as_it_was_and_will_be() {
        for (seconds, text, weekday) in [
            (0, "1970-01-01T00:00:00", Weekday::Thursday),
            (-1, "1969-12-31T23:59:59", Weekday::Wednesday),
            (951_782_400, "2000-02-29T00:00:00", Weekday::Tuesday),
            (253_402_300_799, "9999-12-31T23:59:59", Weekday::Friday),
            (253_402_300_799 + 50_400, "10000-01-01T13:59:59", Weekday::Saturday),
        ] {
            assert_eq!(Wall(seconds).to_string(), text);
            assert_eq!(Wall(seconds).civil_weekday(), weekday);
            let (folded, distance) = Wall(seconds).folded();
            assert_eq!((folded.0 + distance, folded.civil_weekday()), (seconds, weekday));
            assert!((1969..=2370).contains(&folded.to_civil().year()));
        }
    }

    #[test]
    fn every_time_of_a_wall_happens_once() {
        for seconds in [0, 86_399, 951_782_400, 1_774_748_400] {
            let resolved = Wall(0).resolve_civil(Wall(seconds).to_civil()).unwrap();
            assert_eq!(resolved, Resolution::Single(Wall(seconds)));
        }
    }
}
