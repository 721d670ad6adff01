//! Reading of the document's types: every fault is recorded, and the sound parts around it are still read.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::{Map, Value};

use crate::error::FieldCode;
use crate::json::{Field, Object};
use crate::words::Words;

/// Something that a catalog document can hold.
pub trait Read: Sized {
    /// Reads it; `None` after noting what was wrong.
    fn read(field: &Field<'_>) -> Option<Self>;

    /// The value of an absent field; `None` if the field is required.
    fn absent() -> Option<Self> {
        None
    }
}

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

impl Read for String {
    fn read(field: &Field<'_>) -> Option<Self> {
        field.text(1..=65_536)
    }
}

impl Read for bool {
    fn read(field: &Field<'_>) -> Option<Self> {
        field.boolean()
    }

    /// Every switch of the document is off unless it is set.
    fn absent() -> Option<Self> {
        Some(false)
    }
}

impl<T: Words> Read for T {
    fn read(field: &Field<'_>) -> Option<Self> {
        field.one_of(T::ALL)
    }
}

impl Read for Value {
    fn read(field: &Field<'_>) -> Option<Self> {
        Some(field.value().clone())
    }
}

impl Read for Map<String, Value> {
    fn read(field: &Field<'_>) -> Option<Self> {
        field.object()?;
        field.value().as_object().cloned()
    }
}

impl<T: Read> Read for Option<T> {
    fn read(field: &Field<'_>) -> Option<Self> {
        T::read(field).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(field: &Field<'_>) -> Option<Self> {
        Some(field.elements()?.iter().filter_map(T::read).collect())
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
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

impl Object<'_> {
    /// Reads the member of this name.
    pub(super) fn take<T: Read>(&mut self, name: &'static str) -> Option<T> {
        match T::absent() {
            Some(absent) => self.optional(name).map_or(Some(absent), |field| T::read(&field)),
            None => self.required(name).and_then(|field| T::read(&field)),
        }
    }
}

/// Structures of the document: one definition gives the type, its JSON Schema and its reader.
macro_rules! document {
    ($($(#[$meta:meta])* struct $name:ident {
        $($(#[$field_meta:meta])* $field:ident $(as $word:literal)?: $type:ty,)*
    })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields, transform = $name::note_optional)]
        pub struct $name {
            $($(#[$field_meta])* $(#[schemars(rename = $word)])? pub $field: $type,)*
        }

        impl $name {
            /// The schema requires what the reader requires, and nothing else.
            fn note_optional(schema: &mut schemars::Schema) {
                if let Some(required) = schema.get_mut("required").and_then(serde_json::Value::as_array_mut) {
                    $(if <$type as $crate::catalog::read::Read>::absent().is_some() {
                        required.retain(|name| name != document!(@name $field $($word)?));
                    })*
                }
            }
        }

        impl $crate::catalog::read::Read for $name {
            fn read(field: &$crate::json::Field<'_>) -> Option<Self> {
                let mut object = field.object()?;
                $(let $field = object.take(document!(@name $field $($word)?));)*
                object.finish();
                Some(Self { $($field: $field?,)* })
            }
        }
    )*};
    (@name $field:ident $word:literal) => { $word };
    (@name $field:ident) => { stringify!($field) };
}

/// Whole numbers of the document, each with its range.
macro_rules! numbers {
    ($($(#[$meta:meta])* $name:ident: $type:ty = $least:literal ..= $most:literal;)*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema)]
        pub struct $name(#[schemars(range(min = $least, max = $most))] pub $type);

        impl $crate::catalog::read::Read for $name {
            fn read(field: &$crate::json::Field<'_>) -> Option<Self> {
                field.integer::<$type>($least..=$most).map(Self)
            }
        }
    )*};
}

pub(super) use {document, numbers};
