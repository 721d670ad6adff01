//! The days of a month that the two day fields of an expression name.

/// The values of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Values {
    /// One bit for each value; Sunday is 0.
    pub(super) bits: u64,
    /// In a day field, the days that depend on the month.
    pub(super) rules: Vec<DayRule>,
    /// The field starts with `*` or `?`.
    pub(super) has_star: bool,
}

/// A day that depends on the month. Each month has at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayRule {
    /// `L`: the last day.
    Last,
    /// `LW`: the last Monday to Friday.
    LastWorkday,
    /// `15W`: the Monday to Friday nearest to this day, in the same month.
    NearestWorkday(u8),
    /// `5L`: the last of this weekday.
    LastWeekday(u8),
    /// `1#3`: the nth of this weekday; n is 1 to 5.
    NthWeekday(u8, u8),
}

/// The two properties of a month on which its days depend.
#[derive(Clone, Copy, Debug)]
struct Shape {
    length: u32,
    /// The weekday of the first day; Sunday is 0.
    first_weekday: u32,
}

/// The days of every possible month, one bit for each day: by the length from [`MIN_LENGTH`] on, and by the first weekday.
pub(super) type DayTable = [[u64; 7]; 4];

/// The length of the shortest month.
pub(super) const MIN_LENGTH: u32 = 28;

/// Both day fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Days {
    pub(super) of_month: Values,
    pub(super) of_week: Values,
}

/// One bit in each of six weeks.
const WEEKS: u64 = 1 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28 | 1 << 35;

impl Days {
    /// Returns the days that match, for every possible month. The search looks a month up several times, so this is done once.
    pub(super) fn table(&self) -> DayTable {
        let mut table = DayTable::default();
        for (length, row) in (MIN_LENGTH..).zip(&mut table) {
            for (first_weekday, bits) in (0..).zip(row) {
                *bits = self.in_month(Shape { length, first_weekday });
            }
        }
        table
    }

    fn in_month(&self, month: Shape) -> u64 {
        let all = (2 << month.length) - 2;
        let of_month = self.of_month.bits | of_rules(&self.of_month.rules, month);
        // Bits from the Sunday at or before the first day, shifted so that the first day has bit 1.
        let weekdays = ((self.of_week.bits * WEEKS) >> month.first_weekday) << 1;
        let of_week = weekdays | of_rules(&self.of_week.rules, month);
        all & if self.needs_both() { of_month & of_week } else { of_month | of_week }
    }

    /// True if a day has to match both fields, not either.
    pub(super) fn needs_both(&self) -> bool {
        self.of_month.has_star || self.of_week.has_star
    }
}

fn of_rules(rules: &[DayRule], month: Shape) -> u64 {
    rules.iter().fold(0, |bits, rule| bits | 1 << rule.day_in(month))
}

impl DayRule {
    /// Returns the day, or one beyond the last if the month has no such day.
    fn day_in(self, month: Shape) -> u32 {
        let length = month.length;
        match self {
            Self::Last => length,
            Self::LastWorkday => nearest_workday(month, length),
            Self::NearestWorkday(day) if u32::from(day) > length => u32::from(day),
            Self::NearestWorkday(day) => nearest_workday(month, u32::from(day)),
            Self::LastWeekday(weekday) => {
                let fourth = first_of(month, weekday) + 21;
                if fourth + 7 > length { fourth } else { fourth + 7 }
            }
            Self::NthWeekday(weekday, nth) => first_of(month, weekday) + (u32::from(nth) - 1) * 7,
        }
    }
}

/// The first day of this weekday.
fn first_of(month: Shape, weekday: u8) -> u32 {
    1 + (7 + u32::from(weekday) - month.first_weekday) % 7
}

/// A Saturday moves to the Friday before and a Sunday to the Monday after, but not out of the month.
fn nearest_workday(month: Shape, day: u32) -> u32 {
    match (month.first_weekday + day - 1) % 7 {
        6 if day == 1 => 3,
        6 => day - 1,
        0 if day == month.length => day - 2,
        0 => day + 1,
        _ => day,
    }
}
