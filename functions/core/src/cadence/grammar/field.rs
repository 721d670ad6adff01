//! One field of an expression.

use super::rule::{Rule, Special};
use crate::cadence::days::{DayRule, Values};
use crate::cadence::fault::CronFault;

/// Reads a field that begins at the character `at`.
pub(super) fn read(rule: &'static Rule, text: &str, at: usize) -> Result<Values, CronFault> {
    Reader { rule, text, next: 0, at, values: Values::default() }.field()
}

/// Reads one field. `next` moves only over ASCII, so it is always at the start of a character, and also counts characters.
struct Reader<'a> {
    rule: &'static Rule,
    text: &'a str,
    next: usize,
    at: usize,
    values: Values,
}

impl Reader<'_> {
    fn field(mut self) -> Result<Values, CronFault> {
        self.values.has_star = self.text.starts_with(['*', '?']);
        if self.text == "?" && self.rule.special != Special::None {
            self.add(self.rule.least, self.rule.most, 1);
            return Ok(self.values);
        }
        loop {
            self.item()?;
            if self.next == self.text.len() {
                return Ok(self.values);
            }
            self.expect(b',')?;
        }
    }

    fn add(&mut self, first: u8, last: u8, step: u8) {
        let is_weekday = self.rule.special == Special::Weekday;
        for value in (first..=last).step_by(usize::from(step)) {
            self.values.bits |= 1 << if is_weekday { value % 7 } else { value };
        }
    }

    /// Reads one item of the list.
    fn item(&mut self) -> Result<(), CronFault> {
        let start = self.next;
        if self.rule.special == Special::Day && self.takes(b'L') {
            return self.last_day(start);
        }
        let (first, last) = if self.takes(b'*') {
            let most = if self.rule.special == Special::Weekday { 6 } else { self.rule.most };
            (self.rule.least, most)
        } else {
            let first = self.value()?;
            if let Some(special) = self.special(first)? {
                self.values.rules.push(special);
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
        self.add(first, most, step);
        Ok(())
    }

    /// Reads the rest of `L` or `LW`.
    fn last_day(&mut self, start: usize) -> Result<(), CronFault> {
        let (rule, other) = if self.takes(b'W') {
            (DayRule::LastWorkday, DayRule::Last)
        } else {
            (DayRule::Last, DayRule::LastWorkday)
        };
        if self.values.rules.contains(&other) {
            return Err(self.fault(start, "L and LW cannot stand in one list"));
        }
        self.values.rules.push(rule);
        Ok(())
    }

    /// Reads the rest of a day that depends on the month, after its value: `15W`, `5L`, `1#3`.
    fn special(&mut self, value: u8) -> Result<Option<DayRule>, CronFault> {
        let special = self.rule.special;
        Ok(match special {
            Special::Day if self.takes(b'W') => Some(DayRule::NearestWorkday(value)),
            Special::Weekday if self.takes(b'L') => Some(DayRule::LastWeekday(value % 7)),
            Special::Weekday if self.takes(b'#') => {
                let nth_at = self.next;
                let nth = self.number()?;
                if !(1..=5).contains(&nth) {
                    return Err(self.fault(nth_at, "a month has the first to the fifth of a weekday, #1 to #5"));
                }
                Some(DayRule::NthWeekday(value % 7, nth))
            }
            _ => None,
        })
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

    /// Reads a number of the field's range, or a name.
    fn value(&mut self) -> Result<u8, CronFault> {
        let start = self.next;
        if let Some(name) = self.text.get(start..start + 3)
            && let Some(index) = self.rule.names.iter().position(|known| known.eq_ignore_ascii_case(name))
        {
            self.next += 3;
            return Ok(self.rule.least + u8::try_from(index).unwrap_or(0));
        }
        if let [first, .., last] = self.rule.names
            && self.text[start..].starts_with(|first: char| first.is_ascii_alphabetic())
        {
            return Err(
                self.fault(start, &format!("there is no such name, only the three letters of {first} to {last}"))
            );
        }
        let value = self.number()?;
        if !(self.rule.least..=self.rule.most).contains(&value) {
            return Err(self.fault(start, &format!("{value} is out of range")));
        }
        Ok(value)
    }

    /// Reads one or two digits.
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

    /// Reads the next character if it is this one, in upper or lower case. True if it is.
    fn takes(&mut self, character: u8) -> bool {
        let is_next = self.text.as_bytes().get(self.next).is_some_and(|next| next.eq_ignore_ascii_case(&character));
        self.next += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, character: u8) -> Result<(), CronFault> {
        if self.takes(character) { Ok(()) } else { Err(self.unexpected("it has no place here")) }
    }

    /// Returns a fault that names the next character, or says `or` at the end of the field.
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
