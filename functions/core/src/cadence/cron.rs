//! A cron expression, and the next time on the wall that it names.

use croner::parser::{CronParser, Seconds, Year};
use croner::{Weekday, time};

use super::fault::CronFault;
use super::grammar;
use super::wall::Wall;

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
    matcher: croner::Cron,
    is_fixed: bool,
}

impl Cron {
    /// The length of the longest expression, in characters.
    pub const MOST_CHARACTERS: usize = 256;

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
        let matcher = parser.parse(&expression.fields).map_err(refused)?;
        if !names_a_day(&matcher) {
            let detail = "no month that it names has such a day, so it would never fire".to_owned();
            return Err(CronFault { field: Some("day of month"), at: expression.days_at, detail });
        }
        Ok(Self { matcher, is_fixed: expression.is_fixed })
    }

    /// Whether neither the minute nor the hour starts with `*`.
    pub(super) fn is_fixed(&self) -> bool {
        self.is_fixed
    }

    /// The first time that it names, at or after `from`.
    pub(super) fn next(&self, from: Wall) -> Option<Wall> {
        let (folded, distance) = from.folded();
        let found = self.matcher.find_next_occurrence(&folded, true).ok()?;
        Some(Wall(found.0 + distance))
    }
}

/// Whether some month has a day that the expression names. The 28 years from 2000 have every month there is: each length, on
/// each weekday.
fn names_a_day(matcher: &croner::Cron) -> bool {
    let mut first_weekday = Weekday::Saturday; // of 2000
    for year in 2000..2028 {
        for month in 1..=12 {
            let length = time::days_in_month(year, month);
            if matcher.pattern.month_match(month).unwrap_or(false) {
                let mut weekday = first_weekday;
                for day in 1..=length {
                    if matcher.pattern.day_match(year, month, day, weekday).unwrap_or(false) {
                        return true;
                    }
                    weekday = weekday.shift(1);
                }
            }
            first_weekday = Weekday::from_days_from_sunday(first_weekday.num_days_from_sunday() + length);
        }
    }
    false
}
