//! A cron expression, and the next time on the wall that it names.

use croner::parser::{CronParser, Seconds, Year};
use croner::{CronComponent, CronPattern, Weekday};

use super::fault::CronFault;
use super::grammar;
use super::wall::{Month, SECONDS_A_DAY, Wall};

/// A cron expression, read strictly. The [module](super) says what it may hold and what it means.
///
/// ```
/// use carillon_core::cadence::Cron;
/// for sound in ["0 9 * * 1", "*/15 8-18 * * MON-FRI", "30 0 0 L * ?", "0 0 LW * *", "0 0 15W * *", "0 9 * * 5L,1#1", "@daily"] {
///     assert!(Cron::parse(sound).is_ok(), "{sound}");
/// }
/// for wrong in ["0 9 * *", "60 * * * *", "MON * * * *", "1,,2 * * * *", "0 0 L-3 * *", "@reboot", "TZ=UTC 0 9 * * *"] {
///     assert!(Cron::parse(wrong).is_err(), "{wrong}");
/// }
/// // It could never fire, which is said now and not after a search.
/// let never = Cron::parse("0 0 30 2 *").unwrap_err();
/// assert_eq!((never.field, never.at), (Some("day of month"), 5));
/// ```
#[derive(Clone, Debug)]
pub struct Cron {
    /// One bit for each value.
    seconds: u64,
    minutes: u64,
    hours: u64,
    months: u64,
    days: Days,
    is_fixed: bool,
}

/// The days of every month there can be, one bit each: by its length from 28 on, and by the weekday of its first day.
type Days = [[u64; 7]; 4];

/// The 29th of February comes to the same weekday after 40 years at the latest, and nothing is rarer.
const MAX_MONTHS: usize = 12 * 41;

impl Cron {
    /// The length of the longest expression, in characters.
    pub const MAX_CHARACTERS: usize = 256;

    /// The expression, if the text is one and can ever fire.
    pub fn parse(text: &str) -> Result<Self, CronFault> {
        let expression = grammar::read(text)?;
        let parser = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Disallowed)
            .dom_and_dow(expression.needs_both_days)
            .build();
        // A test holds the grammar to letting nothing through that the matcher refuses.
        let refused = |error| CronFault { field: None, at: 1, detail: format!("it cannot be used: {error}") };
        let pattern = parser.parse(&expression.fields).map_err(refused)?.pattern;
        let cron = Self {
            seconds: values(&pattern.seconds),
            minutes: values(&pattern.minutes),
            hours: values(&pattern.hours),
            months: values(&pattern.months),
            days: days(&pattern).map_err(refused)?,
            is_fixed: expression.is_fixed,
        };
        if cron.next(Wall(0)).is_none() {
            let detail = "no month that it names has such a day, so it would never fire".to_owned();
            return Err(CronFault { field: Some("day of month"), at: expression.days_at, detail });
        }
        Ok(cron)
    }

    /// Whether neither the minute nor the hour starts with `*`.
    pub(super) fn is_fixed(&self) -> bool {
        self.is_fixed
    }

    /// The first time that it names, at or after `from`.
    pub(super) fn next(&self, from: Wall) -> Option<Wall> {
        let (mut month, today, second) = from.split();
        let wall = |month: Month, day: u32, second| {
            Some(Wall((month.first_day + i64::from(day) - 1) * SECONDS_A_DAY + i64::from(second)))
        };
        if self.days_of(month) >> today & 1 == 1
            && let Some(second) = self.time_from(second)
        {
            return wall(month, today, second);
        }
        let mut day = from_bit(self.days_of(month), today + 1);
        for _ in 0..MAX_MONTHS {
            if let Some(day) = day {
                return wall(month, day, self.time_from(0)?);
            }
            month = month.next();
            day = from_bit(self.days_of(month), 1);
        }
        None
    }

    fn days_of(&self, month: Month) -> u64 {
        let shapes = &self.days[(month.length() - MIN) as usize];
        if self.months >> month.number & 1 == 1 { shapes[month.first_weekday() as usize] } else { 0 }
    }

    /// The first time of a day, at or after this second of it.
    fn time_from(&self, second: i64) -> Option<u32> {
        let second = u32::try_from(second).ok()?;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let in_minute = || from_bit(self.seconds, second).map(|second| (hour, minute, second));
        let in_hour = || Some((hour, from_bit(self.minutes, minute + 1)?, from_bit(self.seconds, 0)?));
        let in_day = || Some((from_bit(self.hours, hour + 1)?, from_bit(self.minutes, 0)?, from_bit(self.seconds, 0)?));
        let this_hour = self.hours >> hour & 1 == 1;
        let this_minute = this_hour && self.minutes >> minute & 1 == 1;
        let found = this_minute.then(in_minute).flatten();
        let found = found.or_else(|| this_hour.then(in_hour).flatten()).or_else(in_day);
        found.map(|(hour, minute, second)| (hour * 60 + minute) * 60 + second)
    }
}

/// The days of the shortest month.
const MIN: u32 = 28;

/// The first bit from this one on that is set.
fn from_bit(bits: u64, least: u32) -> Option<u32> {
    let rest = bits >> least;
    (rest != 0).then(|| least + rest.trailing_zeros())
}

fn values(component: &CronComponent) -> u64 {
    component.values().iter().fold(0, |bits, value| bits | 1 << value)
}

/// Asks the matcher once for every day of every month there can be. A search of its own would ask again every time, which takes
/// it up to ten microseconds.
fn days(pattern: &CronPattern) -> Result<Days, croner::errors::CronError> {
    let mut days = Days::default();
    // A February, a February of a leap year, an April, a January.
    for (shapes, (year, month)) in days.iter_mut().zip([(2001, 2), (2000, 2), (2000, 4), (2000, 1)]) {
        let length = croner::time::days_in_month(year, month);
        for (first, bits) in (0..).zip(shapes.iter_mut()) {
            for day in 1..=length {
                let weekday = Weekday::from_days_from_sunday(first + day - 1);
                *bits |= u64::from(pattern.day_match(year, month, day, weekday)?) << day;
            }
        }
    }
    Ok(days)
}
