//! The only way out of this process to a target that a user named: over HTTP, or to addresses that were vetted here.
//!
//! | rule | where it is held |
//! | --- | --- |
//! | http and https only, no user name or password in the URL | `client::vet_url` |
//! | every address that is not on the public internet is refused | [`refusal`], the table in `address` |
//! | unless the operator opened it, with its port | [`AllowList`] |
//! | a name is resolved once, and one refused address refuses it | `resolver::VettingResolver` |
//! | the address dialled is the one that was vetted | `resolver::VettingResolver` |
//! | no redirect is followed, no proxy used, nothing retried | `client::Shared::client` |
//! | time and size are capped, over the whole exchange | [`Request::timeout`], [`Request::max_response_bytes`] |
//!
//! [`secrets`] is where secrets come from, [`tokens`] where access tokens do, and [`status`] says which error an answer is.
//!
//! A connection that is taken from the pool was vetted when it was dialled. [`Outbound::dial`] holds the rules about addresses
//! for what is not HTTP.

mod address;
mod allow;
mod client;
mod dial;
mod resolver;
mod roots;
pub mod secrets;
pub mod status;
#[cfg(test)]
mod tests;
pub mod tokens;

pub use address::refusal;
pub use allow::{AllowList, AllowListError, MalformedEntry};
pub use client::Outbound;
pub use dial::DialError;
pub use resolver::{Lookup, SystemLookup};
pub use roots::{Roots, RootsError};

use bytes::Bytes;
use carillon_core::job::{RunError, codes};
use std::fmt;
use std::time::Duration;

/// One HTTP request to a target that a user named. It has no `Debug`: URL, headers and body may hold secrets.
#[derive(Clone)]
pub struct Request {
    /// Any method but CONNECT.
    pub method: http::Method,
    /// An http or https URL without user name and password.
    pub url: url::Url,
    /// The header fields to send. `User-Agent` is Carillon's unless it is given here.
    pub headers: http::HeaderMap,
    /// The body, empty for none.
    pub body: Bytes,
    /// The deadline for everything from the name lookup to the answer's last byte.
    pub timeout: Duration,
    /// Bytes of the answer's body that are kept. Reading stops there.
    pub max_response_bytes: usize,
}

/// The target's answer, whatever its status.
#[derive(Clone)]
pub struct Answer {
    /// The status. A 3xx is an answer like any other: its `Location` is not followed.
    pub status: http::StatusCode,
    /// The answer's header fields.
    pub headers: http::HeaderMap,
    /// The body, at most [`Request::max_response_bytes`] of it.
    pub body: Bytes,
    /// True if the body was longer than what was kept.
    pub truncated: bool,
}

/// Shows sizes only: header values and body may hold secrets.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("truncated", &self.truncated)
            .finish_non_exhaustive()
    }
}

/// Settings of the operator that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// Entries of the allow list.
    #[error(transparent)]
    AllowList(#[from] AllowListError),
    /// The root certificates.
    #[error(transparent)]
    Roots(#[from] RootsError),
}

/// Why there is no answer. The text names the host and nothing else of the request, and may be shown to its user; the
/// sources are for the operator's log.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The guard refused the target. Nothing was dialled, and trying again will not help.
    #[error("the target \"{host}\" is refused: {reason}")]
    Refused {
        /// The URL's host, empty when it has none.
        host: String,
        /// The name of the address block ([`refusal`]), or what is wrong with the URL.
        reason: &'static str,
    },
    /// The name could not be looked up, or has no address.
    #[error("the host \"{host}\" could not be resolved")]
    Unresolvable {
        /// The URL's host.
        host: String,
        /// The resolver's error is at the end of its chain.
        source: reqwest::Error,
    },
    /// No connection: nothing listens, the handshake failed, or it took more than 5 seconds.
    #[error("no connection to \"{host}\" could be opened")]
    Connect {
        /// The URL's host.
        host: String,
        /// The transport's error, without the URL.
        source: reqwest::Error,
    },
    /// [`Request::timeout`] passed before the answer was complete. The target may have acted on the request.
    #[error("\"{host}\" gave no complete answer within {} ms", timeout.as_millis())]
    Timeout {
        /// The URL's host.
        host: String,
        /// The deadline that passed.
        timeout: Duration,
    },
    /// The connection broke off, or what came over it is not HTTP. The target may have acted on the request.
    #[error("the exchange with \"{host}\" broke off")]
    Protocol {
        /// The URL's host.
        host: String,
        /// The transport's error, without the URL.
        source: reqwest::Error,
    },
    /// The HTTP client could not be set up, for example because the system has no trusted certificates.
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
}

impl From<SendError> for RunError {
    fn from(error: SendError) -> Self {
        let message = error.to_string();
        match error {
            SendError::Refused { .. } => Self::permanent(codes::TARGET_REFUSED, message),
            SendError::Timeout { .. } => Self::transient(codes::TIMEOUT, message),
            SendError::Unresolvable { .. } | SendError::Connect { .. } | SendError::Protocol { .. } => {
                Self::transient(codes::CONNECTION_ERROR, message)
            }
            SendError::Client(_) => Self::transient(codes::INTERNAL_ERROR, message),
        }
    }
}
