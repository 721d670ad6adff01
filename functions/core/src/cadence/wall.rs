//! Dates and times of a wall clock, without a zone.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

const SECONDS_A_DAY: i64 = 86_400;

/// 400 years in seconds, after which the calendar repeats itself, weekdays included.
const CYCLE: i64 = 146_097 * SECONDS_A_DAY;

/// A date and a time without a zone, in seconds since 1970-01-01T00:00:00 on the same clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wall(pub(super) i64);

impl Wall {
    /// Returns the month, the day of the month from 1, and the second of the day.
    pub(super) fn split(self) -> (Month, u32, i64) {
        let civil = self.folded();
        let day = u32::from(civil.day().unsigned_abs());
        let first_day = self.0.div_euclid(SECONDS_A_DAY) - i64::from(day) + 1;
        let month = Month { year: civil.year(), number: u32::from(civil.month().unsigned_abs()), first_day };
        (month, day, self.0.rem_euclid(SECONDS_A_DAY))
    }

    /// Returns the same place in the calendar between 1970 and 2369, because jiff's calendar ends with 9999, and a wall clock may
    /// be a day ahead of UTC.
    fn folded(self) -> DateTime {
        let within = Timestamp::from_second(self.0.rem_euclid(CYCLE)).unwrap_or(Timestamp::UNIX_EPOCH);
        Offset::UTC.to_datetime(within)
    }
}

/// ISO 8601, such as `2026-03-29T02:30:00`.
impl std::fmt::Display for Wall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let civil = self.folded();
        let year = i64::from(civil.year()) + self.0.div_euclid(CYCLE) * 400;
        write!(f, "{year:04}-{:02}-{:02}T{}", civil.month(), civil.day(), civil.time())
    }
}

/// A month of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Month {
    /// Modulo 400 years.
    year: i16,
    /// 1 to 12.
    pub(super) number: u32,
    /// The first day, in days since 1970-01-01.
    first_day: i64,
}

impl Month {
    /// Returns this second of this day, which is counted from 1.
    pub(super) fn at(self, day: u32, second: u32) -> Wall {
        Wall((self.first_day + i64::from(day) - 1) * SECONDS_A_DAY + i64::from(second))
    }

    /// Returns the month after this one.
    pub(super) fn next(self) -> Self {
        let first_day = self.first_day + i64::from(self.length());
        if self.number == 12 {
            Self { year: self.year + 1, number: 1, first_day }
        } else {
            Self { number: self.number + 1, first_day, ..self }
        }
    }

    /// Returns the number of days, 28 to 31.
    pub(super) fn length(self) -> u32 {
        match self.number {
            2 if self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// Returns the weekday of the first day; Sunday is 0.
    pub(super) fn first_weekday(self) -> u32 {
        // 1970 began on a Thursday.
        u32::try_from((self.first_day + 4).rem_euclid(7)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_is_read_as_it_was_and_will_be() {
        for (seconds, text, weekday) in [
            (0, "1970-01-01T00:00:00", 4),
            (-1, "1969-12-31T23:59:59", 3),
            (951_782_400, "2000-02-29T00:00:00", 2),
            (253_402_300_799, "9999-12-31T23:59:59", 5),
            (253_402_300_799 + 50_400, "10000-01-01T13:59:59", 6),
        ] {
            assert_eq!(Wall(seconds).to_string(), text);
            let (month, day, second) = Wall(seconds).split();
            assert_eq!((month.first_weekday() + day - 1) % 7, weekday, "{text}");
            assert_eq!((month.first_day + i64::from(day) - 1) * SECONDS_A_DAY + second, seconds, "{text}");
        }
    }

    #[test]
    fn months_follow_each_other_through_every_kind_of_year() {
        let (mut month, ..) = Wall(0).split();
        for _ in 0..400 * 12 {
            let (read, day, second) = Wall(month.first_day * SECONDS_A_DAY).split();
            assert_eq!((read, day, second), (month, 1, 0));
            month = month.next();
        }
        assert_eq!(month.first_day * SECONDS_A_DAY, CYCLE);
    }
}
