//! Documents that are read: one definition gives a type, its JSON Schema and its reader.
//!
//! Catalogs and the bodies of requests are made of these. Every fault is noted, and the sound parts are read all the same.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

use super::reader::{Field, Object};
use crate::words::Words;

/// Something that a document can hold.
pub trait Read: Sized {
    /// Reads it; `None` after noting a fault.
    fn read(field: &Field<'_>) -> Option<Self>;

    /// The value of an absent field; `None` if the field is required.
    fn absent() -> Option<Self> {
        None
    }
}

/// A member that a [`body!`] must have. It is `None` in one that lacks it, or has a faulty one: a fault was noted then.
#[derive(Clone, Debug)]
pub struct Required<T>(pub Option<T>);

impl<T> Default for Required<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Read> Read for Required<T> {
    fn read(field: &Field<'_>) -> Option<Self> {
        T::read(field).map(|value| Self(Some(value)))
    }
}

impl<T: JsonSchema> JsonSchema for Required<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
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

impl Object<'_> {
    /// Reads the member of this name.
    pub(crate) fn take<T: Read>(&mut self, name: &'static str) -> Option<T> {
        match T::absent() {
            Some(absent) => self.optional(name).map_or(Some(absent), |field| T::read(&field)),
            None => self.required(name).and_then(|field| T::read(&field)),
        }
    }
}

/// Structures: `None` is read after a fault in any member.
///
/// `checked by f` calls `f(&Field)` before the members are read, to note faults of the structure as a whole. `or default`
/// stands for absent members by those of its `Default`; a member may name its reader, `=> |field| …`, where its type alone
/// does not say how it is read.
macro_rules! document {
    ($(#[$meta:meta])* struct $name:ident or default {
        $($(#[$field_meta:meta])* $field:ident $(as $word:literal)?: $type:ty => $read:expr,)*
    }) => {
        #[derive(Clone, Debug, schemars::JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        $(#[$meta])*
        pub struct $name {
            $($(#[$field_meta])* $(#[serde(rename = $word)])? pub $field: $type,)*
        }

        impl $crate::json::Read for $name {
            fn read(field: &$crate::json::Field<'_>) -> Option<Self> {
                let mut object = field.object()?;
                let absent = Self::default();
                $(let $field = match object.optional($crate::json::document!(@name $field $($word)?)) {
                    Some(field) => $crate::json::read_by(&field, $read),
                    None => Some(absent.$field),
                };)*
                object.finish();
                Some(Self { $($field: $field?,)* })
            }
        }
    };
    ($($(#[$meta:meta])* struct $name:ident $(checked by $check:path)? {
        $($(#[$field_meta:meta])* $field:ident $(as $word:literal)?: $type:ty,)*
    })*) => {$(
        #[derive(Clone, Debug, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields, transform = $name::note_optional)]
        $(#[$meta])*
        pub struct $name {
            $($(#[$field_meta])* $(#[schemars(rename = $word)])? pub $field: $type,)*
        }

        impl $name {
            /// The schema requires what the reader requires, and nothing else.
            fn note_optional(schema: &mut schemars::Schema) {
                if let Some(required) = schema.get_mut("required").and_then(serde_json::Value::as_array_mut) {
                    $(if <$type as $crate::json::Read>::absent().is_some() {
                        required.retain(|name| name != $crate::json::document!(@name $field $($word)?));
                    })*
                }
            }
        }

        impl $crate::json::Read for $name {
            fn read(field: &$crate::json::Field<'_>) -> Option<Self> {
                let mut object = field.object()?;
                $($check(field);)?
                $(let $field = object.take($crate::json::document!(@name $field $($word)?));)*
                object.finish();
                Some(Self { $($field: $field?,)* })
            }
        }
    )*};
    (@name $field:ident $word:literal) => { $word };
    (@name $field:ident) => { stringify!($field) };
}

/// Bodies of requests: read as far as they are sound, so that the rest of a request can be checked before all its faults
/// are answered at once. Each member has a `Default`, which a faulty one is read as: [`Required`] or an `Option`.
///
/// `with member: Body` reads the members of another body as its own. `checked by f` is as for [`document!`].
macro_rules! body {
    ($($(#[$meta:meta])* struct $name:ident $(with $inner:ident: $inner_type:ident)? $(checked by $check:path)? {
        $($(#[$field_meta:meta])* $field:ident $(as $word:literal)?: $type:ty,)*
    })*) => {$(
        #[derive(Clone, Debug, Default, schemars::JsonSchema)]
        $(#[$meta])*
        pub struct $name {
            $($(#[$field_meta])* $(#[schemars(rename = $word)])? pub $field: $type,)*
            $(
                /// The members of the other body.
                #[schemars(flatten)]
                pub $inner: $inner_type,
            )?
        }

        impl $name {
            /// Reads its members from an object that may have others, too.
            fn members(object: &mut $crate::json::Object<'_>) -> Self {
                Self {
                    $($field: object.take($crate::json::document!(@name $field $($word)?)).unwrap_or_default(),)*
                    $($inner: $inner_type::members(object),)?
                }
            }
        }

        impl $crate::json::Read for $name {
            fn read(field: &$crate::json::Field<'_>) -> Option<Self> {
                let mut object = field.object()?;
                $($check(field);)?
                let body = Self::members(&mut object);
                object.finish();
                Some(body)
            }
        }
    )*};
}

/// Calls a reader: gives the closures of [`document!`] the types of their arguments.
pub(crate) fn read_by<'a, T>(field: &Field<'a>, read: impl FnOnce(&Field<'a>) -> Option<T>) -> Option<T> {
    read(field)
}

/// Whole numbers, each with its range.
macro_rules! numbers {
    ($($(#[$meta:meta])* $name:ident: $type:ty = $least:literal ..= $most:literal;)*) => {$(
        #[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema)]
        $(#[$meta])*
        pub struct $name(#[schemars(range(min = $least, max = $most))] pub $type);

        impl $crate::json::Read for $name {
            fn read(field: &$crate::json::Field<'_>) -> Option<Self> {
                field.integer::<$type>($least..=$most).map(Self)
            }
        }
    )*};
}

/// Texts, each with its length in characters.
macro_rules! texts {
    ($($(#[$meta:meta])* $name:ident = $least:literal ..= $most:literal;)*) => {$(
        #[derive(Clone, Debug, PartialEq, Eq, schemars::JsonSchema)]
        $(#[$meta])*
        pub struct $name(#[schemars(length(min = $least, max = $most))] pub String);

        impl $crate::json::Read for $name {
            fn read(field: &$crate::json::Field<'_>) -> Option<Self> {
                field.text($least..=$most).map(Self)
            }
        }
    )*};
}

pub(crate) use {body, document, numbers, texts};
