//! The strict grammar of cron expressions: what it lets through is written out for the matcher as plain lists.

mod field;
#[cfg(test)]
mod tests;

use super::cron::Cron;
use super::fault::CronFault;
use crate::json::did_you_mean;

/// What stands for five fields.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// What a field takes.
pub(super) struct Rule {
    pub(super) name: &'static str,
    least: u8,
    most: u8,
    /// The names of the values, from the least.
    names: &'static [&'static str],
    /// In words.
    takes: &'static str,
    special: Special,
}

/// What a field takes beside numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
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

static RULES: [Rule; 6] = [
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

/// An expression that the grammar lets through.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expression {
    /// Six fields of plain numbers: no ranges, no steps, no names. Only the special days are left as they are.
    pub(super) fields: String,
    /// Neither the minute nor the hour starts with `*`.
    pub(super) is_fixed: bool,
    /// A day field starts with `*`: both have to match, not either.
    pub(super) needs_both_days: bool,
    /// The character at which the day of the month starts, from 1.
    pub(super) days_at: usize,
}

/// Reads an expression.
pub(super) fn read(text: &str) -> Result<Expression, CronFault> {
    let whole = |at, detail| CronFault { field: None, at, detail };
    let most = Cron::MAX_CHARACTERS;
    if text.chars().nth(most).is_some() {
        return Err(whole(most + 1, format!("it may have at most {most} characters")));
    }
    let parts = parts(text);
    if let Some((at, _)) = parts.first().filter(|(_, first)| first.starts_with('@')) {
        let nickname = text.trim_ascii();
        let known = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(nickname));
        let Some((_, expanded)) = known else {
            let names = NICKNAMES.map(|(name, _)| name);
            let hint = did_you_mean(nickname, names);
            return Err(whole(*at, format!("there is no such nickname{hint}, only {}", names.join(", "))));
        };
        return read(expanded).map(|expression| Expression { days_at: *at, ..expression });
    }
    let rules = match parts.len() {
        5 => &RULES[1..],
        6 => &RULES[..],
        count => {
            let at = parts.get(6).map_or_else(|| text.trim_end().chars().count() + 1, |(at, _)| *at);
            let five = "minute, hour, day of month, month, day of week";
            return Err(whole(
                at,
                format!("it has {count} fields; it takes five ({five}), or six with the second first"),
            ));
        }
    };
    let mut expression =
        Expression { fields: String::new(), is_fixed: true, needs_both_days: false, days_at: parts[parts.len() - 3].0 };
    if parts.len() == 5 {
        expression.fields.push('0');
    }
    for (rule, (at, part)) in rules.iter().zip(&parts) {
        let values = field::read(rule, part, *at)?;
        let is_star = part.starts_with(['*', '?']);
        match rule.name {
            "minute" | "hour" => expression.is_fixed &= !is_star,
            "day of month" | "day of week" => expression.needs_both_days |= is_star,
            _ => {}
        }
        if !expression.fields.is_empty() {
            expression.fields.push(' ');
        }
        values.write(rule, is_star, &mut expression.fields);
    }
    Ok(expression)
}

/// The parts between white space, each with its first character's place, from 1.
fn parts(text: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let mut start: Option<(usize, usize)> = None;
    for (place, (index, character)) in text.char_indices().enumerate() {
        match (character.is_ascii_whitespace(), start) {
            (false, None) => start = Some((place + 1, index)),
            (true, Some((at, from))) => {
                parts.push((at, &text[from..index]));
                start = None;
            }
            _ => {}
        }
    }
    parts.extend(start.map(|(at, from)| (at, &text[from..])));
    parts
}
