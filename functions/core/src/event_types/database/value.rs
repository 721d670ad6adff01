//! A value of the input, read as the type of its placeholder.

use std::ops::RangeInclusive;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{Timestamp, civil};
use serde_json::Value;

use crate::catalog::{Decimal, Engine, Kind};
use crate::error::FieldCode;
use crate::json::Field;
use crate::request::Bound;

/// Reads a value; every fault is noted.
pub(super) fn read(kind: &Kind, engine: Engine, field: &Field<'_>) -> Option<Bound> {
    match kind {
        Kind::Text(length) => text(length, field).filter(|_| has_no_nul(engine, field)).map(|it| Bound::Text(Some(it))),
        Kind::Integer(range) => field.integer(range.clone()).map(|it| Bound::Integer(Some(it))),
        Kind::Double(range) => field.number(range.clone()).map(|it| Bound::Double(Some(it))),
        Kind::Numeric(least, most) => numeric(least.as_ref(), most.as_ref(), field).map(|it| Bound::Numeric(Some(it))),
        Kind::Boolean => field.boolean().map(|it| Bound::Boolean(Some(it))),
        Kind::Uuid => {
            field.parsed("a UUID, such as 123e4567-e89b-12d3-a456-426614174000", uuid).map(|it| Bound::Uuid(Some(it)))
        }
        Kind::Timestamp => {
            let form = "an instant of RFC 3339, such as 2026-03-29T12:00:00Z, to the microsecond at most";
            field.parsed(form, timestamp).map(|it| Bound::Timestamp(Some(it)))
        }
        Kind::Date => field.parsed("a day, such as 2026-03-29", date).map(|it| Bound::Date(Some(it))),
        Kind::Json => has_no_nul(engine, field).then(|| Bound::Json(Some(field.value().clone()))),
        Kind::Bytes(length) => bytes(length, field).map(|it| Bound::Bytes(Some(it))),
    }
}

/// NULL of a type.
pub(super) fn null(kind: &Kind) -> Bound {
    match kind {
        Kind::Text(_) => Bound::Text(None),
        Kind::Integer(_) => Bound::Integer(None),
        Kind::Double(_) => Bound::Double(None),
        Kind::Numeric(..) => Bound::Numeric(None),
        Kind::Boolean => Bound::Boolean(None),
        Kind::Uuid => Bound::Uuid(None),
        Kind::Timestamp => Bound::Timestamp(None),
        Kind::Date => Bound::Date(None),
        Kind::Json => Bound::Json(None),
        Kind::Bytes(_) => Bound::Bytes(None),
    }
}

fn text(length: &RangeInclusive<usize>, field: &Field<'_>) -> Option<String> {
    let text = field.string()?;
    has_length(length, text.chars().count(), "characters", field).then(|| text.to_owned())
}

fn bytes(length: &RangeInclusive<usize>, field: &Field<'_>) -> Option<Vec<u8>> {
    let bytes = field.parsed("base64", |text| STANDARD.decode(text).ok())?;
    has_length(length, bytes.len(), "bytes", field).then_some(bytes)
}

fn has_length(length: &RangeInclusive<usize>, count: usize, of: &str, field: &Field<'_>) -> bool {
    if length.contains(&count) {
        return true;
    }
    let (least, most) = (length.start(), length.end());
    let allowed = if *most == usize::MAX { format!("at least {least}") } else { format!("{least} to {most}") };
    field.fault(FieldCode::OutOfRange, format!("must have {allowed} {of}, has {count}"));
    false
}

fn numeric(least: Option<&Decimal>, most: Option<&Decimal>, field: &Field<'_>) -> Option<String> {
    let number = match field.value() {
        Value::String(text) => Decimal::parse(text),
        // The text of a double names that very double, without an exponent.
        Value::Number(number) if number.is_f64() => number.as_f64().and_then(|it| Decimal::parse(&it.to_string())),
        Value::Number(number) => Decimal::parse(&number.to_string()),
        _ => {
            field.fault(FieldCode::WrongType, "must be a number, or a decimal number as a string");
            return None;
        }
    };
    let Some(number) = number else {
        field.fault(FieldCode::Malformed, format!("must be {}", Decimal::FORM));
        return None;
    };
    let too_small = least.filter(|least| number.compare(least).is_lt());
    let too_large = most.filter(|most| number.compare(most).is_gt());
    if let Some(bound) = too_small.or(too_large) {
        let side = if too_small.is_some() { "least" } else { "most" };
        field.fault(FieldCode::OutOfRange, format!("must be at {side} {}", bound.text()));
        return None;
    }
    Some(number.text().to_owned())
}

/// The canonical form of a UUID: groups of 8, 4, 4, 4 and 12 hexadecimal digits, in lower case.
fn uuid(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.split('-').collect();
    let is_hex = |group: &&str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    let sound = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(is_hex);
    sound.then(|| text.to_ascii_lowercase())
}

/// An instant in UTC. RFC 3339 allows less than what is parsed here otherwise: its shape is checked first.
fn timestamp(text: &str) -> Option<String> {
    let (day, clock) = (text.get(..10)?, text.get(10..)?.strip_prefix(['T', 't'])?);
    civil_date(day)?;
    let digits = |from: usize, pattern: &[u8]| {
        let part = clock.as_bytes().get(from..from + pattern.len())?;
        let fits = |(byte, wanted): (&u8, &u8)| if *wanted == b'0' { byte.is_ascii_digit() } else { byte == wanted };
        part.iter().zip(pattern).all(fits).then_some(from + pattern.len())
    };
    let mut at = digits(0, b"00:00:00")?;
    if let Some(fraction) = clock.get(at..)?.strip_prefix('.') {
        let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
        at += 1 + Some(length).filter(|length| (1..=6).contains(length))?;
    }
    let zone = clock.get(at..)?;
    let is_zone =
        matches!(zone, "Z" | "z") || (zone.starts_with(['+', '-']) && digits(at + 1, b"00:00") == Some(clock.len()));
    is_zone.then(|| text.parse::<Timestamp>().ok())?.map(|instant| instant.to_string())
}

fn date(text: &str) -> Option<String> {
    civil_date(text).map(|date| date.to_string())
}

fn civil_date(text: &str) -> Option<civil::Date> {
    let shape = text.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    (text.len() == 10 && shape).then(|| text.parse().ok())?
}

/// PostgreSQL has no text with the character NUL.
fn has_no_nul(engine: Engine, field: &Field<'_>) -> bool {
    let sound = engine != Engine::Postgresql || !holds_nul(field.value());
    if !sound {
        field.fault(FieldCode::Malformed, "must not hold the character U+0000, which PostgreSQL cannot store");
    }
    sound
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(elements) => elements.iter().any(holds_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        _ => false,
    }
}
