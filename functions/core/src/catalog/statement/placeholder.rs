//! The text between the braces of a placeholder.

use std::ops::RangeInclusive;

use crate::catalog::decimal::Decimal;
use crate::error::FieldCode;
use crate::json::did_you_mean;

/// A value that a statement needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Placeholder {
    /// The name in the input.
    pub name: String,
    /// The type.
    pub kind: Kind,
    /// True if it may be absent, which is NULL.
    pub is_optional: bool,
}

/// A type of values, with the bounds on one.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A text of a number of characters in this range.
    Text(RangeInclusive<usize>),
    /// A whole number.
    Integer(RangeInclusive<i64>),
    /// A number.
    Double(RangeInclusive<f64>),
    /// A number of any precision, at least and at most so large.
    Numeric(Option<Decimal>, Option<Decimal>),
    /// A truth value.
    Boolean,
    /// A UUID.
    Uuid,
    /// An instant.
    Timestamp,
    /// A day.
    Date,
    /// A document.
    Json,
    /// A number of bytes in this range.
    Bytes(RangeInclusive<usize>),
}

impl Kind {
    const WORDS: [&str; 10] =
        ["STRING", "INTEGER", "DOUBLE", "NUMERIC", "BOOLEAN", "UUID", "TIMESTAMP", "DATE", "JSON", "BYTES"];

    fn parse(word: &str, least: &str, most: &str) -> Result<Self, String> {
        let plain =
            |kind| if least.is_empty() && most.is_empty() { Ok(kind) } else { Err(format!("{word} has no bounds")) };
        match word {
            "STRING" => Ok(Self::Text(length(least, most)?)),
            "INTEGER" => Ok(Self::Integer(range(least, most, i64::MIN, i64::MAX, |text| text.parse().ok())?)),
            "DOUBLE" => {
                let finite = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
                Ok(Self::Double(range(least, most, f64::MIN, f64::MAX, finite)?))
            }
            "NUMERIC" => {
                let bound =
                    |text: &str| if text.is_empty() { Ok(None) } else { Decimal::parse(text).map(Some).ok_or(()) };
                let read = |text| bound(text).map_err(|()| format!("{text:?} is no bound of a NUMERIC"));
                let (least, most) = (read(least)?, read(most)?);
                let crossed =
                    least.as_ref().zip(most.as_ref()).is_some_and(|(least, most)| least.compare(most).is_gt());
                if crossed { Err(CROSSED.to_owned()) } else { Ok(Self::Numeric(least, most)) }
            }
            "BOOLEAN" => plain(Self::Boolean),
            "UUID" => plain(Self::Uuid),
            "TIMESTAMP" => plain(Self::Timestamp),
            "DATE" => plain(Self::Date),
            "JSON" => plain(Self::Json),
            "BYTES" => Ok(Self::Bytes(length(least, most)?)),
            _ => {
                let hint = did_you_mean(&word.to_ascii_uppercase(), Self::WORDS);
                Err(format!("{word:?} is no type of a placeholder{hint}: one of {}", Self::WORDS.join(", ")))
            }
        }
    }
}

const CROSSED: &str = "the least is more than the most";

fn length(least: &str, most: &str) -> Result<RangeInclusive<usize>, String> {
    range(least, most, 0, usize::MAX, |text| text.parse().ok())
}

fn range<T: PartialOrd>(
    least: &str,
    most: &str,
    lowest: T,
    highest: T,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<RangeInclusive<T>, String> {
    let bound = |text: &str, none: T| {
        if text.is_empty() { Ok(none) } else { parse(text).ok_or_else(|| format!("{text:?} is no bound of this type")) }
    };
    let (least, most) = (bound(least, lowest)?, bound(most, highest)?);
    if least > most { Err(CROSSED.to_owned()) } else { Ok(least..=most) }
}

/// A placeholder where it stands.
pub(super) struct Mention {
    name: String,
    is_optional: bool,
    /// `None` where only the name stands.
    kind: Option<Kind>,
}

impl Mention {
    pub(super) fn parse(inside: &str) -> Result<Self, String> {
        let mut parts = inside.split(':').map(str::trim);
        let named = parts.next().unwrap_or_default();
        let (name, is_optional) = named.strip_suffix('?').map_or((named, false), |name| (name, true));
        if !is_name(name) {
            let form = "{{name}} or {{name:TYPE:min:max}}, the name of 1 to 64 letters, digits and _, not starting with a digit";
            return Err(format!("a placeholder is {form}"));
        }
        let words: Vec<&str> = parts.collect();
        let kind = match *words.as_slice() {
            [] => None,
            [word] => Some(Kind::parse(word, "", "")),
            [word, least] => Some(Kind::parse(word, least, "")),
            [word, least, most] => Some(Kind::parse(word, least, most)),
            _ => Some(Err("at most a type, a least and a most follow the name".to_owned())),
        };
        let kind = kind.transpose().map_err(|detail| format!("the placeholder {name}: {detail}"))?;
        Ok(Self { name: name.to_owned(), is_optional, kind })
    }

    /// The placeholder that all mentions agree on.
    pub(super) fn settled(self) -> Placeholder {
        let kind = self.kind.unwrap_or(Kind::Text(0..=usize::MAX));
        Placeholder { name: self.name, kind, is_optional: self.is_optional }
    }
}

/// Maximum number of values of a statement.
const MAX: usize = 100;

/// Adds a mention to those of other names, or merges it with those of its own; returns its position.
pub(super) fn settle(known: &mut Vec<Mention>, new: Mention) -> Result<usize, (FieldCode, String)> {
    let Some(index) = known.iter().position(|it| it.name == new.name) else {
        if known.len() >= MAX {
            return Err((FieldCode::OutOfRange, format!("has more than {MAX} placeholders")));
        }
        known.push(new);
        return Ok(known.len() - 1);
    };
    if let Some(old) = known.get_mut(index) {
        if old.kind.is_some() && new.kind.is_some() && old.kind != new.kind {
            return Err((FieldCode::Conflict, format!("the placeholder {} has two types", new.name)));
        }
        // Only where a type stands too does the lack of a mark say anything.
        if old.is_optional != new.is_optional && old.kind.is_some() && new.kind.is_some() {
            return Err((FieldCode::Conflict, format!("the placeholder {} is optional in one place only", new.name)));
        }
        old.is_optional |= new.is_optional;
        old.kind = old.kind.take().or(new.kind);
    }
    Ok(index)
}

fn is_name(text: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(sound) && !text.starts_with(|first: char| first.is_ascii_digit())
}

/// True if a quoted text contains what would be a placeholder elsewhere. Other braces, such as those of an array, are
/// allowed.
pub(super) fn stands_in(quoted: &str) -> bool {
    quoted.split("{{").skip(1).any(|after| {
        let inside = after.split_once("}}").map(|(inside, _)| inside.split(':').next().unwrap_or_default().trim());
        inside.is_some_and(|name| is_name(name.strip_suffix('?').unwrap_or(name)))
    })
}
