//! Tokens of sessions, and what caches hold.

use carillon_core::operations::{CacheView, Minted};
use carillon_core::ports::CacheEntry;
use carillon_core::time::UnixMillis;
use schemars::JsonSchema;
use serde::Serialize;

/// A token for the `session` of jobs. Its holder acts for the user that it names.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MintedToken")]
pub(crate) struct MintedToken<'a> {
    /// The session's tag.
    tag: &'a str,
    /// The token.
    token: &'a str,
    /// From here on it is not taken any more, epoch ms.
    expires_at: UnixMillis,
}

impl<'a> MintedToken<'a> {
    pub(crate) fn new(tag: &'a str, minted: &'a Minted) -> Self {
        Self { tag, token: &minted.token, expires_at: minted.expires_at }
    }
}

/// The entries of a cache.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CacheContent")]
pub(crate) struct CacheDocument<'a> {
    /// The cache's tag.
    tag: &'a str,
    /// Lifetime of a result, ms.
    expiry: u64,
    /// True if the catalog defines it; an undefined cache works with an expiry of 24 hours.
    defined: bool,
    /// A page of its entries.
    entries: Vec<CacheEntryView<'a>>,
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<&'a str>,
}

/// A result that a cache remembers.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CacheEntry")]
struct CacheEntryView<'a> {
    /// SHA-256 of what the result depends on: the event and the canonical input.
    key: &'a str,
    /// The event that produced it.
    event: &'a str,
    /// When it was made, epoch ms.
    stored_at: UnixMillis,
    /// Its age, ms.
    age_ms: i64,
    /// From here on it is forgotten, epoch ms.
    expires_at: UnixMillis,
}

impl<'a> CacheDocument<'a> {
    pub(crate) fn new(tag: &'a str, view: &'a CacheView) -> Self {
        let entry = |entry: &'a CacheEntry| CacheEntryView {
            key: &entry.digest,
            event: &entry.event,
            stored_at: entry.made_at,
            age_ms: view.now.since(entry.made_at).max(0),
            expires_at: entry.expires_at,
        };
        Self {
            tag,
            expiry: view.expiry_ms,
            defined: view.is_defined,
            entries: view.page.entries.iter().map(entry).collect(),
            next_cursor: view.page.next.as_deref(),
        }
    }
}
