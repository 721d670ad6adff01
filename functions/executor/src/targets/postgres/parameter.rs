//! Bound values in the form that the server takes: each as text, with its type.

use std::error::Error;
use std::fmt;

use carillon_core::hash::hex;
use carillon_core::request::Bound;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

/// The types that are sent with the statement.
pub(super) fn types(bound: &[Bound]) -> Vec<Type> {
    bound.iter().map(type_of).collect()
}

fn type_of(bound: &Bound) -> Type {
    match bound {
        Bound::Text(_) => Type::TEXT,
        Bound::Integer(_) => Type::INT8,
        Bound::Double(_) => Type::FLOAT8,
        Bound::Numeric(_) => Type::NUMERIC,
        Bound::Boolean(_) => Type::BOOL,
        Bound::Uuid(_) => Type::UUID,
        Bound::Timestamp(_) => Type::TIMESTAMPTZ,
        Bound::Date(_) => Type::DATE,
        Bound::Json(_) => Type::JSONB,
        Bound::Bytes(_) => Type::BYTEA,
    }
}

/// A value on its way. The driver logs parameters at its lowest level: this one shows nothing.
pub(super) struct Parameter(Option<String>);

impl Parameter {
    pub(super) fn of(bound: &Bound) -> Self {
        Self(match bound {
            Bound::Text(value)
            | Bound::Numeric(value)
            | Bound::Uuid(value)
            | Bound::Timestamp(value)
            | Bound::Date(value) => value.clone(),
            Bound::Integer(value) => value.map(|it| it.to_string()),
            Bound::Double(value) => value.map(|it| format!("{it:e}")),
            Bound::Boolean(value) => value.map(|it| it.to_string()),
            Bound::Json(value) => value.as_ref().map(ToString::to_string),
            Bound::Bytes(value) => value.as_deref().map(|bytes| format!("\\x{}", hex(bytes))),
        })
    }
}

impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl ToSql for Parameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(text) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}
