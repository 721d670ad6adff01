//! The strict grammar of cron expressions.

mod field;
mod rule;
#[cfg(test)]
mod tests;

use self::rule::RULES;
use super::days::{Days, Values};
use super::fault::CronFault;
use crate::json::did_you_mean;

/// The length of the longest expression, in characters.
pub(super) const MAX_CHARACTERS: usize = 256;

/// Names that replace the five fields.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A valid expression. The values of a field are one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expression {
    pub(super) seconds: u64,
    pub(super) minutes: u64,
    pub(super) hours: u64,
    pub(super) months: u64,
    pub(super) days: Days,
    /// Neither the minute nor the hour field starts with `*`.
    pub(super) is_fixed: bool,
    /// The place of the first character of the day of the month, from 1.
    pub(super) days_at: usize,
}

/// Reads an expression.
pub(super) fn read(text: &str) -> Result<Expression, CronFault> {
    if text.chars().nth(MAX_CHARACTERS).is_some() {
        return Err(whole(MAX_CHARACTERS + 1, format!("it may have at most {MAX_CHARACTERS} characters")));
    }
    let parts = parts(text);
    if let Some((at, _)) = parts.first().filter(|(_, first)| first.starts_with('@')) {
        let expanded = expand(text.trim_ascii(), *at)?;
        return read(expanded).map(|expression| Expression { days_at: *at, ..expression });
    }
    let skipped = match parts.len() {
        5 => 1,
        6 => 0,
        count => {
            let at = parts.get(6).map_or_else(|| text.trim_end().chars().count() + 1, |(at, _)| *at);
            let five = "minute, hour, day of month, month, day of week";
            return Err(whole(
                at,
                format!("it has {count} fields; it takes five ({five}), or six with the second first"),
            ));
        }
    };
    let mut fields: [Values; 6] = Default::default();
    // Five fields name the second 0.
    fields[0].bits = 1;
    for ((values, rule), (at, part)) in fields.iter_mut().zip(&RULES).skip(skipped).zip(&parts) {
        *values = field::read(rule, part, *at)?;
    }
    let [second, minute, hour, of_month, month, of_week] = fields;
    Ok(Expression {
        seconds: second.bits,
        minutes: minute.bits,
        hours: hour.bits,
        months: month.bits,
        days: Days { of_month, of_week },
        is_fixed: !minute.has_star && !hour.has_star,
        days_at: parts[parts.len() - 3].0,
    })
}

/// Returns a fault of the expression as a whole.
fn whole(at: usize, detail: String) -> CronFault {
    CronFault { field: None, at, detail }
}

/// Returns the five fields that a nickname replaces.
fn expand(nickname: &str, at: usize) -> Result<&'static str, CronFault> {
    let known = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(nickname));
    known.map(|(_, expanded)| *expanded).ok_or_else(|| {
        let names = NICKNAMES.map(|(name, _)| name);
        let hint = did_you_mean(nickname, names);
        whole(at, format!("there is no such nickname{hint}, only {}", names.join(", ")))
    })
}

/// Splits at white space. Each part comes with the place of its first character, from 1.
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
