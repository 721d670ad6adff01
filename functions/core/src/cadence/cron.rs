//! Cron expressions, and the search for the next wall-clock time that one names.

use super::days::{DayTable, MIN_LENGTH};
use super::fault::CronFault;
use super::grammar::{self, Expression};
use super::wall::{Month, Wall};

/// A cron expression. The [module](super) documents its syntax and meaning.
///
/// ```
/// use carillon_core::cadence::Cron;
/// for sound in ["0 9 * * 1", "*/15 8-18 * * MON-FRI", "30 0 0 L * ?", "0 0 LW * *", "0 0 15W * *", "0 9 * * 5L,1#1", "@daily"] {
///     assert!(Cron::parse(sound).is_ok(), "{sound}");
/// }
/// for wrong in ["0 9 * *", "60 * * * *", "MON * * * *", "1,,2 * * * *", "0 0 L-3 * *", "@reboot", "TZ=UTC 0 9 * * *"] {
///     assert!(Cron::parse(wrong).is_err(), "{wrong}");
/// }
/// // An expression that can never fire is an error.
/// let never = Cron::parse("0 0 30 2 *").unwrap_err();
/// assert_eq!((never.field, never.at), (Some("day of month"), 5));
/// ```
#[derive(Clone, Debug)]
pub struct Cron {
    /// One bit for each value, as for minutes, hours and months.
    seconds: u64,
    minutes: u64,
    hours: u64,
    months: u64,
    days: DayTable,
    is_fixed: bool,
}

/// The 29th of February comes to the same weekday after 40 years at the latest, and nothing is rarer.
const MAX_MONTHS: usize = 12 * 41;

impl Cron {
    /// The length of the longest expression, in characters.
    pub const MAX_CHARACTERS: usize = grammar::MAX_CHARACTERS;

    /// Reads an expression. One that can never fire is an error.
    pub fn parse(text: &str) -> Result<Self, CronFault> {
        let Expression { seconds, minutes, hours, months, days, is_fixed, days_at } = grammar::read(text)?;
        let cron = Self { seconds, minutes, hours, months, days: days.table(), is_fixed };
        if cron.next(Wall(0)).is_none() {
            let detail = "no month that it names has such a day, so it would never fire".to_owned();
            return Err(CronFault { field: Some("day of month"), at: days_at, detail });
        }
        Ok(cron)
    }

    /// True if neither the minute nor the hour field starts with `*`.
    pub(super) fn is_fixed(&self) -> bool {
        self.is_fixed
    }

    /// Returns the first time at or after `from` that the expression names.
    pub(super) fn next(&self, from: Wall) -> Option<Wall> {
        let (mut month, today, second) = from.split();
        let days = self.days_in(month);
        if days >> today & 1 == 1
            && let Some(second) = self.time_from(second)
        {
            return Some(month.at(today, second));
        }
        let mut day = from_bit(days, today + 1);
        for _ in 0..MAX_MONTHS {
            if let Some(day) = day {
                return Some(month.at(day, self.time_from(0)?));
            }
            month = month.next();
            day = from_bit(self.days_in(month), 1);
        }
        None
    }

    /// Returns the days of this month that the expression names, one bit for each.
    fn days_in(&self, month: Month) -> u64 {
        let row = &self.days[(month.length() - MIN_LENGTH) as usize];
        if self.months >> month.number & 1 == 1 { row[month.first_weekday() as usize] } else { 0 }
    }

    /// Returns the first time of a day, as a second of that day, at or after this one.
    fn time_from(&self, second: i64) -> Option<u32> {
        let second = u32::try_from(second).ok()?;
        let &Self { seconds, minutes, hours, .. } = self;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let in_minute = || from_bit(seconds, second).map(|second| (hour, minute, second));
        let in_hour = || Some((hour, from_bit(minutes, minute + 1)?, from_bit(seconds, 0)?));
        let in_day = || Some((from_bit(hours, hour + 1)?, from_bit(minutes, 0)?, from_bit(seconds, 0)?));
        let this_hour = hours >> hour & 1 == 1;
        let this_minute = this_hour && minutes >> minute & 1 == 1;
        let found = this_minute.then(in_minute).flatten();
        let found = found.or_else(|| this_hour.then(in_hour).flatten()).or_else(in_day);
        found.map(|(hour, minute, second)| (hour * 60 + minute) * 60 + second)
    }
}

/// Returns the lowest set bit at or above this one.
fn from_bit(bits: u64, least: u32) -> Option<u32> {
    let rest = bits >> least;
    (rest != 0).then(|| least + rest.trailing_zeros())
}
