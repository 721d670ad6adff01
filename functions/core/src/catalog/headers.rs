//! Headers that users set.

use std::collections::{BTreeMap, HashSet};

use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;

use crate::error::FieldCode;
use crate::json::{Field, Read, every};

/// Headers with values that are no secrets, each name once whatever its case.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
pub struct Headers(#[schemars(with = "BTreeMap<String, String>")] pub Vec<(HeaderName, HeaderValue)>);

/// Headers that the sender alone sets.
const RESERVED_HEADERS: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "traceparent",
    "tracestate",
];

/// True if a user may set this header: it is neither a connection header nor one that marks a delivery.
fn is_free(name: &HeaderName) -> bool {
    !RESERVED_HEADERS.contains(&name.as_str()) && !name.as_str().starts_with("webhook-")
}

impl Headers {
    /// Reads one header; hop-by-hop headers and `webhook-*` are refused.
    pub fn read_one(name: &str, field: &Field<'_>) -> Option<(HeaderName, HeaderValue)> {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
        let value = field.string().and_then(|text| {
            let value = HeaderValue::from_str(text).ok().filter(|_| text.is_ascii());
            if value.is_none() {
                field.fault(FieldCode::Malformed, "a header's value must be visible ASCII, spaces and tabs");
            }
            value
        });
        match parsed {
            Some(name) if is_free(&name) => Some((name, value?)),
            Some(_) => {
                field.fault(FieldCode::Malformed, "this header is set by the sender alone");
                None
            }
            None => {
                field.fault(FieldCode::Malformed, "not a header name");
                None
            }
        }
    }
}

impl Read for Headers {
    fn read(field: &Field<'_>) -> Option<Self> {
        let mut names = HashSet::new();
        let read = field.entries()?.into_iter().map(|(name, value)| {
            let header = Self::read_one(name, &value)?;
            if !names.insert(header.0.clone()) {
                value.fault(FieldCode::Duplicate, "this header stands twice: names differ by case alone");
                return None;
            }
            Some(header)
        });
        every(read).map(Self)
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

/// A header's name, for an API key.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
pub struct HeaderTag(#[schemars(with = "String")] pub HeaderName);

impl Read for HeaderTag {
    fn read(field: &Field<'_>) -> Option<Self> {
        field.parsed("the name of a header that the sender does not set itself", |text| {
            HeaderName::from_bytes(text.as_bytes()).ok().filter(is_free).map(Self)
        })
    }
}
