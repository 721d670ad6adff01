//! The names that users give, and what stands under them.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use crate::error::FieldCode;
use crate::json::{Field, Read};

/// Components by tag.
pub type Tagged<T> = BTreeMap<Tag, T>;

/// Values by environment.
pub type PerEnv<T> = BTreeMap<Tag, T>;

/// A name that users give: 1 to 64 of letters, digits, `.`, `_` and `-`, starting with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
pub struct Tag(#[schemars(regex(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))] String);

impl Tag {
    /// The form, in words.
    pub const FORM: &'static str = "1 to 64 of A-Z a-z 0-9 . _ -, starting with a letter or digit";

    /// The tag, if the text is one.
    ///
    /// ```
    /// use carillon_core::catalog::Tag;
    /// assert!(Tag::parse("user.signup").is_some());
    /// assert!(Tag::parse(".hidden").is_none() && Tag::parse("").is_none() && Tag::parse("a:b").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let first = text.bytes().next()?;
        (text.len() <= 64 && first.is_ascii_alphanumeric() && text.bytes().all(sound)).then(|| Self(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its text, as a string of its own.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl std::borrow::Borrow<str> for Tag {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Read for Tag {
    fn read(field: &Field<'_>) -> Option<Self> {
        field.parsed(Self::FORM, Self::parse)
    }
}

impl<T: Read> Read for BTreeMap<Tag, T> {
    fn read(field: &Field<'_>) -> Option<Self> {
        let read = |(name, value): &(&str, Field<'_>)| {
            let tag = Tag::parse(name);
            if tag.is_none() {
                value.fault(FieldCode::Malformed, format!("a tag must be {}", Tag::FORM));
            }
            let value = T::read(value)?;
            Some((tag?, value))
        };
        Some(field.entries()?.iter().filter_map(read).collect())
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}
