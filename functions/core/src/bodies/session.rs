//! The session of a job, and the claims of a token to mint.

use std::fmt;

use schemars::JsonSchema;
use serde_json::{Map, Value};

use crate::catalog::Tag;
use crate::error::FieldCode;
use crate::json::{Field, Read, Required, body, document, numbers};
use crate::session::{Claims, OWN_CLAIMS};

/// A user session: `{tag, token}`, or both in one text `tag:token`.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged, rename = "JobSession")]
pub enum SubmittedSession {
    /// Both by name.
    Named(NamedSession),
    /// Both in one text.
    Text(#[schemars(with = "String", regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}:[\s\S]+$"))] NamedSession),
}

document! {
    /// A user session.
    struct NamedSession {
        /// Tag identifying the session type.
        tag: Tag,
        /// Token generated when the session was created, such as a signed JWT.
        token: Token,
    }
}

impl SubmittedSession {
    /// Its tag and its token.
    pub fn named(&self) -> &NamedSession {
        match self {
            Self::Named(named) | Self::Text(named) => named,
        }
    }

    /// The pointers to the tag and to the token within the body: the same one where both are one text.
    pub fn pointers(&self) -> [&'static str; 2] {
        match self {
            Self::Named(_) => ["/session/tag", "/session/token"],
            Self::Text(_) => ["/session"; 2],
        }
    }
}

impl Read for SubmittedSession {
    fn read(field: &Field<'_>) -> Option<Self> {
        let Value::String(text) = field.value() else { return NamedSession::read(field).map(Self::Named) };
        let form = "an object {tag, token}, or a text tag:token";
        let (tag, token) = field.parsed(form, |_| {
            let (tag, token) = text.split_once(':')?;
            Some((Tag::parse(tag)?, token))
        })?;
        Some(Self::Text(NamedSession { tag, token: Token::checked(field, token)? }))
    }
}

/// A session's token. It is a secret, so `Debug` does not show it.
#[derive(Clone, JsonSchema)]
#[schemars(inline)]
pub struct Token(#[schemars(length(min = 1, max = 16_384))] String);

impl Token {
    /// The longest token that is looked at, in bytes.
    const MAX_BYTES: usize = 16_384;

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn checked(field: &Field<'_>, token: &str) -> Option<Self> {
        if (1..=Self::MAX_BYTES).contains(&token.len()) {
            return Some(Self(token.to_owned()));
        }
        field.fault(FieldCode::OutOfRange, format!("the token must have 1 to {} characters", Self::MAX_BYTES));
        None
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(_)")
    }
}

impl Read for Token {
    fn read(field: &Field<'_>) -> Option<Self> {
        Self::checked(field, field.string()?)
    }
}

body! {
    /// The claims and the lifetime of a token to mint.
    #[schemars(deny_unknown_fields)]
    struct MintRequest {
        /// The claims. `iss`, `aud`, `exp`, `nbf`, `iat` and `carillon` are set by the service.
        data: Required<TokenClaims>,
        /// For how long the token is valid, ms. Default: 3600000.
        expiry: Option<Lifetime>,
    }
}

numbers! {
    /// A lifetime in ms: 1 second to 30 days.
    #[schemars(inline)]
    Lifetime: u64 = 1_000..=2_592_000_000_u64;
}

/// Claims that are the caller's to make.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(inline)]
pub struct TokenClaims(#[schemars(with = "Map<String, Value>")] pub Claims);

impl Read for TokenClaims {
    fn read(field: &Field<'_>) -> Option<Self> {
        let claims = Claims::read(field)?;
        for name in claims.keys().filter(|name| OWN_CLAIMS.contains(&name.as_str())) {
            field.fault_at(name, FieldCode::Conflict, "is set by the service");
        }
        Some(Self(claims))
    }
}
