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
    /// An annotation that the session's claims cannot resolve, or that there is no session for.
    UnresolvedAnnotation,
    /// A session's token is no JWS in its compact form.
    TokenMalformed,
    /// A session's token is signed by another algorithm than its definition names.
    TokenAlgorithm,
    /// A session's token has a header that must be understood, and is not.
    TokenHeader,
    /// A session's token names a key that its definition does not have.
    TokenKey,
    /// A session's token is not signed by the session's key.
    TokenSignature,
    /// What a session's token says is no JSON object that can be taken without loss.
    TokenPayload,
    /// A session's token says something twice.
    TokenDuplicateClaim,
    /// A session's token lacks a claim that it must have.
    TokenClaim,
    /// A session's token has expired.
    TokenExpired,
    /// A session's token is not valid yet.
    TokenNotYetValid,
    /// A session's token is of another issuer.
    TokenIssuer,
    /// A session's token is meant for another audience.
    TokenAudience,
    /// A session's token was minted for another session, environment or product.
    TokenSession,
}

/// The faults found so far. Reading goes on after a fault, so that the caller learns of all of them at once.
#[derive(Debug, Default)]
pub struct Faults {
    kept: Vec<FieldError>,
    bytes: usize,
}

impl Faults {
    /// At most this many are kept: an answer stays readable when a hostile document is wrong everywhere.
    pub const MAX: usize = 100;

    /// No more are kept after this many bytes of pointers and details, as names in pointers may be long.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// Notes a fault.
    pub fn add(&mut self, pointer: impl Into<String>, code: FieldCode, detail: impl Into<String>) {
        if !self.is_full() {
            let fault = FieldError { pointer: pointer.into(), code, detail: detail.into() };
            self.bytes += fault.pointer.len() + fault.detail.len();
            self.kept.push(fault);
        }
    }

    /// Whether further faults are dropped: whatever it takes to describe one need not be done any more.
    pub fn is_full(&self) -> bool {
        self.kept.len() >= Self::MAX || self.bytes >= Self::MAX_BYTES
    }

    /// How many are kept so far.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether nothing was wrong so far.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The fault that was found first.
    pub fn first(&self) -> Option<&FieldError> {
        self.kept.first()
    }

    /// Every name that stands in a pointer of a fault so far.
    pub fn segments(&self) -> std::collections::BTreeSet<String> {
        let segments = self.kept.iter().flat_map(|fault| fault.pointer.split('/'));
        segments.map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect()
    }

    /// Whether a fault stands at this pointer or inside of it.
    pub fn stand_under(&self, pointer: &str) -> bool {
        let under = |at: &str| at.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.kept.iter().any(|fault| under(&fault.pointer))
    }

    /// All faults, in the order in which they were found.
    pub fn into_vec(self) -> Vec<FieldError> {
        self.kept
    }

    /// The value if nothing was wrong, otherwise all faults.
    pub fn or<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.kept.is_empty() { Ok(value) } else { Err(self.kept) }
    }
}
