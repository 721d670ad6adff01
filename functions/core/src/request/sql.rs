//! Statements for databases, and the values that are bound to their parameters.

use serde_json::Value;

use crate::catalog::SecretRef;

/// A statement for PostgreSQL.
#[derive(Clone, Debug)]
pub struct SqlRequest {
    /// The connection URL.
    pub url: SecretRef,
    /// The root certificates that the server's own has to descend from, as PEM; those that the system trusts otherwise.
    pub root_certificate: Option<SecretRef>,
    /// The statement, with `$1`, `$2` and so on for the parameters.
    pub statement: String,
    /// The bound values.
    pub parameters: Vec<Bound>,
    /// Rows that the result keeps.
    pub max_rows: u32,
}

/// A value that is bound to a parameter, never spliced into a statement. `None` is NULL.
#[derive(Clone, Debug, PartialEq)]
pub enum Bound {
    /// A text, or what is written as one.
    Text(Option<String>),
    /// A whole number.
    Integer(Option<i64>),
    /// A number.
    Double(Option<f64>),
    /// A number of any precision, as it is written.
    Numeric(Option<String>),
    /// A truth value.
    Boolean(Option<bool>),
    /// A UUID, in its canonical form.
    Uuid(Option<String>),
    /// An instant, RFC 3339.
    Timestamp(Option<String>),
    /// A day, `YYYY-MM-DD`.
    Date(Option<String>),
    /// A document.
    Json(Option<Value>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
}
