//! Authorisation and signing of requests to apps, brokers, functions and callbacks.

use schemars::JsonSchema;

use crate::catalog::headers::HeaderTag;
use crate::catalog::leaf::{HttpUrl, SecretRef};
use crate::error::FieldCode;
use crate::json::{Field, Read, document};

document! {
    /// A user name with a password.
    struct BasicAuth {
        /// The user's name.
        username: String,
        /// The password.
        password: SecretRef,
    }

    /// An API key in a header.
    struct HeaderAuth {
        /// The header.
        name: HeaderTag,
        /// The key.
        value: SecretRef,
    }

    /// An API key in the query.
    struct QueryAuth {
        /// The parameter.
        name: String,
        /// The key.
        value: SecretRef,
    }

    /// OAuth 2 client credentials (RFC 6749, 4.4).
    struct OAuth2 {
        /// The token endpoint.
        token_url: HttpUrl,
        /// The client.
        client_id: String,
        /// Its secret.
        client_secret: SecretRef,
        /// The wanted scope.
        scope: Option<String>,
    }
}

/// The authorisation of requests: an object with exactly one member.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum Auth {
    /// `Authorization: Bearer`.
    Bearer(SecretRef),
    /// `Authorization: Basic`.
    Basic(BasicAuth),
    /// An API key in a header.
    Header(HeaderAuth),
    /// An API key in the query.
    Query(QueryAuth),
    /// A token from OAuth 2 client credentials.
    Oauth2(OAuth2),
}

impl Auth {
    /// The secret that authorises a request.
    pub fn secret(&self) -> &SecretRef {
        match self {
            Self::Bearer(secret) => secret,
            Self::Basic(basic) => &basic.password,
            Self::Header(header) => &header.value,
            Self::Query(query) => &query.value,
            Self::Oauth2(client) => &client.client_secret,
        }
    }
}

impl Read for Auth {
    fn read(field: &Field<'_>) -> Option<Self> {
        let entries = field.entries()?;
        let [(kind, value)] = entries.as_slice() else {
            field.fault(FieldCode::Malformed, "must have exactly one member: bearer, basic, header, query or oauth2");
            return None;
        };
        match *kind {
            "bearer" => Read::read(value).map(Self::Bearer),
            "basic" => Read::read(value).map(Self::Basic),
            "header" => Read::read(value).map(Self::Header),
            "query" => Read::read(value).map(Self::Query),
            "oauth2" => Read::read(value).map(Self::Oauth2),
            _ => {
                value.fault(FieldCode::UnknownField, "must be one of bearer, basic, header, query, oauth2");
                None
            }
        }
    }
}

/// Up to two `whsec_` secrets, the newer first.
#[derive(Clone, Debug, Default, JsonSchema)]
pub struct SigningSecrets(#[schemars(length(max = 2))] pub Vec<SecretRef>);

impl Read for SigningSecrets {
    fn read(field: &Field<'_>) -> Option<Self> {
        let secrets = Vec::read(field)?;
        if secrets.len() > 2 {
            field.fault(FieldCode::OutOfRange, "at most two, while one replaces the other");
            return None;
        }
        Some(Self(secrets))
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}
