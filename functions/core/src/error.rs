//! Faults of a request, each with its place.

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
    /// The fault, and the allowed values. Never quotes a secret or a payload.
    pub detail: String,
}

/// The stable names of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldCode {
    /// A required field is missing.
    Required,
    /// An unknown field.
    UnknownField,
    /// Another JSON type was expected.
    WrongType,
    /// The right type, but outside the allowed range.
    OutOfRange,
    /// The right type, but not the required form.
    Malformed,
    /// A tag that the catalog does not define.
    UnknownTag,
    /// Two definitions where one is allowed.
    Duplicate,
    /// A tag that fits more than one definition.
    Ambiguous,
    /// Fields that exclude each other.
    Conflict,
    /// Well-formed, but this deployment cannot run it.
    NotAvailable,
    /// The same name twice in one JSON object.
    DuplicateKey,
    /// A number that would lose digits.
    NumberTooLarge,
    /// An annotation that the session's claims do not resolve, or that has no session.
    UnresolvedAnnotation,
    /// The session token is not a JWS in compact form.
    TokenMalformed,
    /// The session token is signed by another algorithm than its definition names.
    TokenAlgorithm,
    /// The session token has a critical header that is not understood.
    TokenHeader,
    /// The session token names a key that its definition does not have.
    TokenKey,
    /// The session token is not signed by the session's key.
    TokenSignature,
    /// The payload of the session token is not a JSON object that can be read without loss.
    TokenPayload,
    /// The session token has a claim twice.
    TokenDuplicateClaim,
    /// The session token lacks a required claim.
    TokenClaim,
    /// The session token has expired.
    TokenExpired,
    /// The session token is not valid yet.
    TokenNotYetValid,
    /// The session token has another issuer.
    TokenIssuer,
    /// The session token has another audience.
    TokenAudience,
    /// The session token was minted for another session, environment or product.
    TokenSession,
}

/// The faults found so far. Reading continues after a fault, so that one answer names all of them.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    kept: Vec<FieldError>,
    bytes: usize,
}

impl Faults {
    /// Maximum number of faults. An answer stays readable even if a hostile document is wrong everywhere.
    pub const MAX: usize = 100;

    /// Maximum size of all pointers and details, in bytes, because names in pointers may be long.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// Adds a fault.
    pub fn add(&mut self, pointer: impl Into<String>, code: FieldCode, detail: impl Into<String>) {
        if !self.is_full() {
            let fault = FieldError { pointer: pointer.into(), code, detail: detail.into() };
            self.bytes += fault.pointer.len() + fault.detail.len();
            self.kept.push(fault);
        }
    }

    /// True once further faults are dropped, so that describing them can be skipped.
    pub fn is_full(&self) -> bool {
        self.kept.len() >= Self::MAX || self.bytes >= Self::MAX_BYTES
    }

    /// Number of faults.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// True if there is no fault.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The first fault.
    pub fn first(&self) -> Option<&FieldError> {
        self.kept.first()
    }

    /// The names in the pointers of all faults.
    pub fn segments(&self) -> std::collections::BTreeSet<String> {
        let segments = self.kept.iter().flat_map(|fault| fault.pointer.split('/'));
        segments.map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect()
    }

    /// True if a fault stands at or inside this pointer.
    pub fn stand_under(&self, pointer: &str) -> bool {
        let under = |at: &str| at.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.kept.iter().any(|fault| under(&fault.pointer))
    }

    /// All faults, in the order of discovery.
    pub fn into_vec(self) -> Vec<FieldError> {
        self.kept
    }

    /// Returns `value` if there is no fault, otherwise all faults.
    pub fn or<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.kept.is_empty() { Ok(value) } else { Err(self.kept) }
    }
}
