//! Numbers of any precision, as they are written.

use std::cmp::Ordering;

/// A decimal number: an optional minus, digits, and optionally a point with more digits. Its text stays what was written, so
/// that no digit and no trailing zero is lost on the way to a database.
///
/// ```
/// use carillon_core::catalog::Decimal;
/// let [small, large] = ["0.10", "12345678901234567890.5"].map(|text| Decimal::parse(text).unwrap());
/// assert!(small.compare(&large).is_lt() && small.text() == "0.10");
/// assert!(Decimal::parse("1e3").is_none() && Decimal::parse(".5").is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Decimal(String);

impl Decimal {
    /// The form, in words.
    pub const FORM: &'static str = "a decimal number, such as -12.50, of at most 1000 characters";

    /// The number, if the text is one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        (text.len() <= 1_000 && are_digits(whole) && are_digits(fraction)).then(|| Self(text.to_owned()))
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Compares the values.
    pub fn compare(&self, other: &Self) -> Ordering {
        let (own, others) = (self.parts(), other.parts());
        let size = |it: &Parts<'_>, than: &Parts<'_>| {
            it.whole.len().cmp(&than.whole.len()).then(it.whole.cmp(than.whole)).then(it.fraction.cmp(than.fraction))
        };
        match (own.is_negative, others.is_negative) {
            (false, false) => size(&own, &others),
            (true, true) => size(&others, &own),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }

    /// The number without the zeros that add nothing to it.
    fn parts(&self) -> Parts<'_> {
        let digits = self.0.strip_prefix('-').unwrap_or(&self.0);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let is_zero = whole.is_empty() && fraction.is_empty();
        Parts { is_negative: self.0.starts_with('-') && !is_zero, whole, fraction }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other).is_eq()
    }
}

struct Parts<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_compared_by_their_value_whatever_their_length() {
        let ascending =
            ["-100", "-99.5", "-0.2", "-0.10", "0", "0.099", "0.1", "1.5", "9", "10", "10.0000000000000000001"];
        let numbers = ascending.map(|text| Decimal::parse(text).unwrap());
        for (first, one) in numbers.iter().enumerate() {
            for (second, other) in numbers.iter().enumerate() {
                assert_eq!(one.compare(other), first.cmp(&second), "{one:?} {other:?}");
            }
        }
        for (one, other) in [("-0", "0.00"), ("007", "7"), ("1.50", "1.5")] {
            assert_eq!(Decimal::parse(one), Decimal::parse(other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_decimal_is_none() {
        let long = "1".repeat(1_001);
        for text in ["", "-", "+1", "1.", ".5", "1.5.0", "1e3", "NaN", "Infinity", " 1", "1_000", "٣", &long] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }
}
