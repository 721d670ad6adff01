//! Faults of a request, each with the place it stands at.

use schemars::JsonSchema;
use serde::Serialize;

/// One bad field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldError {
    /// RFC 6901 JSON Pointer to the field, `""` for the whole document; `header:Name` or `query:name` outside the body.
    pub pointer: String,
    /// A stable name of the fault.
    #[schemars(with = "String")]
    pub code: FieldCode,
    /// What is wrong and what is allowed. Never repeats a secret or a payload.
    pub detail: String,
}

/// The stable names of what can be wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldCode {
    /// A field that must be there is not.
    Required,
    /// A field that nobody knows.
    UnknownField,
    /// Another JSON type was expected.
    WrongType,
    /// Of the right type, outside the allowed range.
    OutOfRange,
    /// Of the right type, not of the required form.
    Malformed,
    /// A tag that the catalog does not define.
    UnknownTag,
    /// Two definitions where one may be.
    Duplicate,
    /// A tag that fits more than one definition.
    Ambiguous,
    /// Fields that exclude each other.
    Conflict,
    /// Well-formed, but not something that this deployment can run.
    NotAvailable,
    /// The same name twice in one JSON object.
    DuplicateKey,
    /// A number whose digits would be lost.
    NumberTooLarge,
}

/// The faults found so far. Reading goes on after a fault, so that the caller learns of all of them at once.
#[derive(Debug, Default)]
pub struct Faults(Vec<FieldError>);

impl Faults {
    /// At most this many are kept: an answer stays readable when a hostile document is wrong everywhere.
    pub const MAX: usize = 100;

    /// Notes a fault.
    pub fn add(&mut self, pointer: impl Into<String>, code: FieldCode, detail: impl Into<String>) {
        if self.0.len() < Self::MAX {
            self.0.push(FieldError { pointer: pointer.into(), code, detail: detail.into() });
        }
    }

    /// Whether nothing was wrong so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fault that was found first.
    pub fn first(&self) -> Option<&FieldError> {
        self.0.first()
    }

    /// Every name that stands in a pointer of a fault so far.
    pub fn segments(&self) -> std::collections::BTreeSet<String> {
        let segments = self.0.iter().flat_map(|fault| fault.pointer.split('/'));
        segments.map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect()
    }

    /// Whether a fault stands at this pointer or inside of it.
    pub fn stand_under(&self, pointer: &str) -> bool {
        let under = |at: &str| at.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.0.iter().any(|fault| under(&fault.pointer))
    }

    /// All faults, in the order in which they were found.
    pub fn into_vec(self) -> Vec<FieldError> {
        self.0
    }

    /// The value if nothing was wrong, otherwise all faults.
    pub fn or<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}
