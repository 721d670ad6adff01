//! The values and forms of each field.

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A field's range and forms.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) least: u8,
    pub(super) most: u8,
    /// The names of the values, starting with the least.
    pub(super) names: &'static [&'static str],
    /// The range and forms in words, for an error's detail.
    pub(super) takes: &'static str,
    pub(super) special: Special,
}

/// The forms of a day field that other fields do not have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    None,
    /// `L`, `LW`, `15W`, `?`.
    Day,
    /// `5L`, `1#3`, `?`, and 7 for Sunday.
    Weekday,
}

impl Rule {
    const fn of(name: &'static str, least: u8, most: u8, takes: &'static str) -> Self {
        Self { name, least, most, names: &[], takes, special: Special::None }
    }
}

/// From the second to the day of the week.
pub(super) static RULES: [Rule; 6] = [
    Rule::of("second", 0, 59, "0 to 59, *, lists 1,2, ranges 1-5 and steps */5"),
    Rule::of("minute", 0, 59, "0 to 59, *, lists 1,2, ranges 1-5 and steps */5"),
    Rule::of("hour", 0, 23, "0 to 23, *, lists 1,2, ranges 1-5 and steps */5"),
    Rule {
        special: Special::Day,
        ..Rule::of("day of month", 1, 31, "1 to 31, *, ?, L, LW, 15W, lists 1,2, ranges 1-5 and steps */5")
    },
    Rule {
        names: &MONTHS,
        ..Rule::of("month", 1, 12, "1 to 12 or JAN to DEC, *, lists 1,2, ranges 1-5 and steps */5")
    },
    Rule {
        names: &WEEKDAYS,
        special: Special::Weekday,
        ..Rule::of("day of week", 0, 7, "0 to 7 or SUN to SAT, *, ?, 5L, 1#3, lists 1,2, ranges 1-5 and steps */2")
    },
];
