//! PostgreSQL's binary form of values, part by part.

use std::fmt::Write as _;

/// The unread bytes of a value.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    /// Takes the next bytes.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    pub(super) fn i16(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    pub(super) fn f32(&mut self) -> Option<f32> {
        self.array().map(f32::from_be_bytes)
    }

    pub(super) fn f64(&mut self) -> Option<f64> {
        self.array().map(f64::from_be_bytes)
    }
}

/// A number of any precision, with as many digits after the point as it was given.
pub(super) fn numeric(bytes: &mut Bytes<'_>) -> Option<String> {
    let (count, weight, sign, scale) = (bytes.i16()?, bytes.i16()?, bytes.i16()?, bytes.i16()?);
    match sign.cast_unsigned() {
        0x0000 | 0x4000 => {}
        0xC000 => return Some("NaN".to_owned()),
        0xD000 => return Some("Infinity".to_owned()),
        0xF000 => return Some("-Infinity".to_owned()),
        _ => return None,
    }
    let mut digits = Vec::new();
    for _ in 0..count {
        digits.push(bytes.i16().filter(|digit| (0..10_000).contains(digit))?);
    }
    // Digits are of base 10000; the first counts 10000 to the power of the weight.
    let digit = |power: i32| {
        let index = usize::try_from(i32::from(weight) - power).ok();
        index.and_then(|index| digits.get(index)).copied().unwrap_or(0)
    };
    let mut text = if sign == 0x4000 { "-".to_owned() } else { String::new() };
    let _ = write!(text, "{}", digit(i32::from(weight.max(0))));
    for power in (0..i32::from(weight.max(0))).rev() {
        let _ = write!(text, "{:04}", digit(power));
    }
    let scale = usize::try_from(scale).ok()?;
    if scale > 0 {
        let mut fraction = String::new();
        for power in 1..=i32::try_from(scale.div_ceil(4)).ok()? {
            let _ = write!(fraction, "{:04}", digit(-power));
        }
        let _ = write!(text, ".{}", fraction.get(..scale)?);
    }
    Some(text)
}

/// A UUID in its canonical form.
pub(super) fn uuid(bytes: &mut Bytes<'_>) -> Option<String> {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.take(16)?.iter().enumerate() {
        let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
        let _ = write!(text, "{dash}{byte:02x}");
    }
    Some(text)
}

/// Days from 1970-01-01 to 2000-01-01, where PostgreSQL's days begin.
const EPOCH_DAYS: i64 = 10_957;
const DAY_MICROS: i64 = 86_400_000_000;

/// A day, `YYYY-MM-DD`; before the year 0 and after 9999 with a sign, as ISO 8601 has it.
pub(super) fn date(days: i32) -> String {
    match days {
        i32::MAX => "infinity".to_owned(),
        i32::MIN => "-infinity".to_owned(),
        days => civil(i64::from(days)),
    }
}

/// A day and a time of it, `YYYY-MM-DDTHH:MM:SS.ffffff`, and what follows.
pub(super) fn timestamp(micros: i64, zone: &str) -> String {
    match micros {
        i64::MAX => "infinity".to_owned(),
        i64::MIN => "-infinity".to_owned(),
        micros => format!("{}T{}{zone}", civil(micros.div_euclid(DAY_MICROS)), time(micros.rem_euclid(DAY_MICROS))),
    }
}

/// A time of day, `HH:MM:SS.ffffff`, the fraction as far as there is one.
pub(super) fn time(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    format!("{:02}:{:02}:{:02}{}", seconds / 3_600, seconds / 60 % 60, seconds % 60, fraction(micros % 1_000_000))
}

fn fraction(micros: i64) -> String {
    let text = format!(".{:06}", micros.abs());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The Gregorian date of a day: Howard Hinnant's `civil_from_days`, for what is beyond the calendar's four digits too.
fn civil(days_from_2000: i64) -> String {
    let days = days_from_2000 + EPOCH_DAYS + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    match year {
        0..=9_999 => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{year:+07}-{month:02}-{day:02}"),
    }
}

/// A span of time as ISO 8601 writes it, each part with its own sign: `P1Y2M-3DT4H5M6.5S`.
pub(super) fn interval(bytes: &mut Bytes<'_>) -> Option<String> {
    let (micros, days, months) = (bytes.i64()?, bytes.i32()?, bytes.i32()?);
    let (minutes, rest) = (micros / 60_000_000, micros % 60_000_000);
    let (mut date, mut time) = (String::new(), String::new());
    for (number, unit) in [(months / 12, 'Y'), (months % 12, 'M'), (days, 'D')] {
        if number != 0 {
            let _ = write!(date, "{number}{unit}");
        }
    }
    for (number, unit) in [(minutes / 60, 'H'), (minutes % 60, 'M')] {
        if number != 0 {
            let _ = write!(time, "{number}{unit}");
        }
    }
    if rest != 0 {
        let sign = if rest < 0 { "-" } else { "" };
        let _ = write!(time, "{sign}{}{}S", (rest / 1_000_000).abs(), fraction(rest % 1_000_000));
    }
    Some(match (date.is_empty(), time.is_empty()) {
        (true, true) => "PT0S".to_owned(),
        (_, true) => format!("P{date}"),
        _ => format!("P{date}T{time}"),
    })
}
