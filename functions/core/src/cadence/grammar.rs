//! The strict grammar of cron expressions: what it lets through is written out for the matcher as plain lists.

use std::fmt::Write as _;

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
    let most = Cron::MOST_CHARACTERS;
    if text.chars().nth(most).is_some() {
        return Err(whole(most + 1, format!("it may have at most {most} characters")));
    }
    let parts = parts(text);
    if let [(at, nickname)] = parts.as_slice()
        && nickname.starts_with('@')
    {
        let known = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(nickname));
        let Some((_, expanded)) = known else {
            let names = NICKNAMES.map(|(name, _)| name);
            let hint = did_you_mean(nickname, names);
            return Err(whole(*at, format!("there is no such nickname{hint}; there are {}", names.join(", "))));
        };
        return read(expanded).map(|expression| Expression { days_at: *at, ..expression });
    }
    let rules = match parts.len() {
        5 => &RULES[1..],
        6 => &RULES[..],
        count => {
            let at = parts.get(6).map_or_else(|| text.trim_end().chars().count() + 1, |(at, _)| *at);
            let form = "minute, hour, day of month, month, day of week, or six with the second first";
            return Err(whole(at, format!("it has {count} of the five fields {form}")));
        }
    };
    let mut expression =
        Expression { fields: String::new(), is_fixed: true, needs_both_days: false, days_at: parts[parts.len() - 3].0 };
    if parts.len() == 5 {
        expression.fields.push('0');
    }
    for (rule, (at, part)) in rules.iter().zip(&parts) {
        let values = Reader { rule, text: part, next: 0, at: *at }.field()?;
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

/// The values that a field names.
#[derive(Default)]
struct Values {
    /// One bit each; Sunday is 0.
    plain: u64,
    /// `L` and `LW`, which the matcher takes only one of.
    last: Option<&'static str>,
    /// The days that depend on the month, as the matcher spells them.
    special: Vec<String>,
}

impl Values {
    fn add(&mut self, rule: &Rule, first: u8, last: u8, step: u8) {
        let weekday = rule.special == Special::Weekday;
        for value in (first..=last).step_by(usize::from(step)) {
            self.plain |= 1 << if weekday { value % 7 } else { value };
        }
    }

    fn write(&self, rule: &Rule, is_star: bool, out: &mut String) {
        let most = if rule.special == Special::Weekday { 6 } else { rule.most };
        let all = (rule.least..=most).fold(0, |all, value| all | 1 << value);
        // To the matcher `*` is more than all days: it leaves the other day field alone.
        if self.plain == all && (is_star || rule.special == Special::None) {
            return out.push('*');
        }
        let plain = (rule.least..=most).filter(|value| self.plain >> value & 1 == 1);
        let mut separator = "";
        for value in plain {
            let _ = write!(out, "{separator}{value}");
            separator = ",";
        }
        for value in self.special.iter().map(String::as_str).chain(self.last) {
            let _ = write!(out, "{separator}{value}");
            separator = ",";
        }
    }
}

/// Reads one field. It only moves on over ASCII, so `next` is at the start of a character, and counts characters too.
struct Reader<'a> {
    rule: &'static Rule,
    text: &'a str,
    next: usize,
    at: usize,
}

impl Reader<'_> {
    fn field(mut self) -> Result<Values, CronFault> {
        let mut values = Values::default();
        if self.text == "?" && self.rule.special != Special::None {
            values.add(self.rule, self.rule.least, self.rule.most, 1);
            return Ok(values);
        }
        loop {
            self.item(&mut values)?;
            if self.next == self.text.len() {
                return Ok(values);
            }
            self.expect(b',')?;
        }
    }

    /// One item of the list.
    fn item(&mut self, values: &mut Values) -> Result<(), CronFault> {
        let start = self.next;
        if self.rule.special == Special::Day && self.takes(b'L') {
            let last = if self.takes(b'W') { "LW" } else { "L" };
            if values.last.replace(last).is_some_and(|other| other != last) {
                return Err(self.fault(start, "L and LW cannot stand in one list"));
            }
            return Ok(());
        }
        let (first, last) = if self.takes(b'*') {
            let most = if self.rule.special == Special::Weekday { 6 } else { self.rule.most };
            (self.rule.least, most)
        } else {
            let first = self.value()?;
            if self.special(first, values)? {
                return Ok(());
            }
            (first, self.range_end(first)?)
        };
        let mut step = 1;
        let mut most = last;
        if self.takes(b'/') {
            let step_at = self.next;
            step = self.number()?;
            if step == 0 {
                return Err(self.fault(step_at, "a step is 1 or more"));
            }
            // 5/15 goes on to the end, as 5-59/15 does.
            if !self.text[start..step_at].contains(['-', '*']) {
                most = self.rule.most;
            }
        }
        values.add(self.rule, first, most, step);
        Ok(())
    }

    /// Reads on where a day depends on its month: `15W`, `5L`, `1#3`.
    fn special(&mut self, value: u8, values: &mut Values) -> Result<bool, CronFault> {
        let special = self.rule.special;
        let spelt = match special {
            Special::Day if self.takes(b'W') => format!("{value}W"),
            Special::Weekday if self.takes(b'L') => format!("{}L", value % 7),
            Special::Weekday if self.takes(b'#') => {
                let nth_at = self.next;
                let nth = self.number()?;
                if !(1..=5).contains(&nth) {
                    return Err(self.fault(nth_at, "a month has the first to the fifth of a weekday, #1 to #5"));
                }
                format!("{}#{nth}", value % 7)
            }
            _ => return Ok(false),
        };
        values.special.push(spelt);
        Ok(true)
    }

    fn range_end(&mut self, first: u8) -> Result<u8, CronFault> {
        if !self.takes(b'-') {
            return Ok(first);
        }
        let end_at = self.next;
        let last = self.value()?;
        // The week of MON-SUN ends on a Sunday, though it is the day 0.
        let is_name = self.text[end_at..].starts_with(|first: char| first.is_ascii_alphabetic());
        let last = if is_name && self.rule.special == Special::Weekday && last == 0 && first > 0 { 7 } else { last };
        if last < first {
            let Rule { least: lowest, most: highest, .. } = self.rule;
            let detail = format!("a range goes upwards; {first}-{last} is written {first}-{highest},{lowest}-{last}");
            return Err(self.fault(end_at, &detail));
        }
        Ok(last)
    }

    /// A number of the field's range, or a name.
    fn value(&mut self) -> Result<u8, CronFault> {
        let start = self.next;
        if let Some(name) = self.text.get(start..start + 3)
            && let Some(index) = self.rule.names.iter().position(|known| known.eq_ignore_ascii_case(name))
        {
            self.next += 3;
            return Ok(self.rule.least + u8::try_from(index).unwrap_or(0));
        }
        let value = self.number()?;
        if !(self.rule.least..=self.rule.most).contains(&value) {
            return Err(self.fault(start, &format!("{value} is out of range")));
        }
        Ok(value)
    }

    /// One or two digits.
    fn number(&mut self) -> Result<u8, CronFault> {
        let digits = self.text[self.next..].bytes().take_while(u8::is_ascii_digit).count();
        let number = match &self.text.as_bytes()[self.next..self.next + digits] {
            [] => return Err(self.unexpected("a number is missing here")),
            [ones] => ones - b'0',
            [tens, ones] => (tens - b'0') * 10 + (ones - b'0'),
            _ => return Err(self.fault(self.next, "a number has one or two digits")),
        };
        self.next += digits;
        Ok(number)
    }

    /// Whether the next character is this one, in upper or lower case; if so, it is read.
    fn takes(&mut self, character: u8) -> bool {
        let is_next = self.text.as_bytes().get(self.next).is_some_and(|next| next.eq_ignore_ascii_case(&character));
        self.next += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, character: u8) -> Result<(), CronFault> {
        if self.takes(character) { Ok(()) } else { Err(self.unexpected("it has no place here")) }
    }

    /// Names the next character.
    fn unexpected(&self, or: &str) -> CronFault {
        match self.text[self.next..].chars().next() {
            None => self.fault(self.next, or),
            Some(character) => self.fault(self.next, &format!("{character:?} has no place here")),
        }
    }

    fn fault(&self, index: usize, what: &str) -> CronFault {
        let detail = format!("{what}; it takes {}", self.rule.takes);
        CronFault { field: Some(self.rule.name), at: self.at + index, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> String {
        read(text).unwrap_or_else(|fault| panic!("{text}: {fault}")).fields
    }

    #[test]
    fn every_form_is_written_out_as_plain_lists() {
        for (text, plain) in [
            ("* * * * *", "0 * * * * *"),
            ("0 0 ? * ?", "0 0 0 * * *"),
            ("5/15 */23 1-5/2 JAN,jul mon-FRI", "0 5,20,35,50 0,23 1,3,5 1,7 1,2,3,4,5"),
            ("00 09 * * SUN", "0 0 9 * * 0"),
            (" 1\t2  3 4 7 ", "0 1 2 3 4 0"),
            (
                "30 0 0 1-31 1-12 0-6",
                "30 0 0 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31 * 0,1,2,3,4,5,6",
            ),
            ("0 0 l,1,15w * 5L,MON#1,7#2,fril", "0 0 0 1,15W,L * 5L,1#1,0#2,5L"),
            ("0 0 LW * sat-sun", "0 0 0 LW * 0,6"),
            ("0 0 *,10 * SUN-SUN", "0 0 0 * * 0"),
            ("0 0 * * */2", "0 0 0 * * 0,2,4,6"),
            ("0 0 * * 1/2", "0 0 0 * * 0,1,3,5"),
            ("0 0 * * */12", "0 0 0 * * 0"),
            ("@HOURLY", "0 0 * * * *"),
        ] {
            assert_eq!(fields(text), plain, "{text}");
        }
    }

    #[test]
    fn stars_in_front_decide_what_a_job_is() {
        for (text, fixed, both) in [
            ("0,30 1-4 1 * 1", true, false),
            ("* 1 1 * 1", false, false),
            ("0 */2 1 * 1", false, false),
            ("0-59 1 1 * 1", true, false),
            ("0 1 */2 * 1", true, true),
            ("0 1 1 * ?", true, true),
            ("* 0 1 1 * 1", true, false),
            ("5,*/10 0 1 * *", true, true),
        ] {
            let expression = read(text).unwrap();
            assert_eq!((expression.is_fixed, expression.needs_both_days), (fixed, both), "{text}");
        }
    }

    #[test]
    fn a_fault_names_its_field_and_character() {
        for (text, field, at) in [
            ("", None, 1),
            ("* * * *", None, 8),
            ("* * * * * * *", None, 13),
            ("@dayly", None, 1),
            ("60 * * * *", Some("minute"), 1),
            ("* 24 * * *", Some("hour"), 3),
            ("* * 32 * *", Some("day of month"), 5),
            ("* * * 13 *", Some("month"), 7),
            ("* * * * 8", Some("day of week"), 9),
            ("60 * * * * *", Some("second"), 1),
            ("1,,2 * * * *", Some("minute"), 3),
            ("1, * * * *", Some("minute"), 3),
            (", * * * *", Some("minute"), 1),
            ("1- * * * *", Some("minute"), 3),
            ("5-1 * * * *", Some("minute"), 3),
            ("*/0 * * * *", Some("minute"), 3),
            ("*5 * * * *", Some("minute"), 2),
            ("1/2/3 * * * *", Some("minute"), 4),
            ("007 * * * *", Some("minute"), 1),
            ("MON * * * *", Some("minute"), 1),
            ("? * * * *", Some("minute"), 1),
            ("* * 1,? * *", Some("day of month"), 7),
            ("* * L,LW * *", Some("day of month"), 7),
            ("* * L-3 * *", Some("day of month"), 6),
            ("* * 1-5W * *", Some("day of month"), 8),
            ("* * * JANUARY *", Some("month"), 10),
            ("* * * * L", Some("day of week"), 9),
            ("* * * * 1#6", Some("day of week"), 11),
            ("* * * * 1-2#1", Some("day of week"), 12),
            ("* é * * *", Some("hour"), 3),
            ("1é * * * *", Some("minute"), 2),
        ] {
            let fault = read(text).unwrap_err();
            assert_eq!((fault.field, fault.at), (field, at), "{text}: {fault}");
        }
    }

    #[test]
    fn what_is_too_long_is_refused_where_it_is_too_long() {
        for text in ["1,".repeat(5_000), "* ".repeat(5_000), "é".repeat(257)] {
            assert_eq!(read(&text).unwrap_err().at, 257);
        }
        assert!(read(&format!("0 0 1 1 {}", "1,".repeat(123) + "10")).is_err());
        assert_eq!(read(&("* ".repeat(61))).unwrap_err().at, 13);
    }
}
