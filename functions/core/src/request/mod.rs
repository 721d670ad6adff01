//! Requests to targets, complete except for their secrets.
//!
//! Each kind of request has one provider that carries it out, and a file here: [`HttpRequest`], [`AwsRequest`],
//! [`MailRequest`], [`FcmRequest`] and [`SqlRequest`]. [`Capabilities`] lists those that a stack can carry out.

mod aws;
mod capabilities;
mod fcm;
mod http;
mod mail;
mod sql;

use std::fmt;

pub use aws::AwsRequest;
pub use capabilities::Capabilities;
pub use fcm::FcmRequest;
pub use http::{HttpRequest, Transfer};
pub(crate) use http::{default_header, under};
pub use mail::{Email, MailRequest};
pub use sql::{Bound, SqlRequest};

use crate::ids::Fire;

/// One dispatch of a fire, ready for its target.
#[derive(Clone, Debug)]
pub struct DispatchRequest {
    /// The id that the receiver sees.
    pub id: DispatchId,
    /// The number of the attempt within its run, from 1.
    pub attempt: u32,
    /// Bound on the whole dispatch, ms.
    pub timeout_ms: u32,
    /// The trace that the attempt belongs to.
    pub trace: Option<String>,
    /// The request.
    pub request: Request,
}

/// Identifies a dispatch to its receiver: the same in all attempts of a fire, so that the receiver can act once (I7).
/// Its text is the `webhook-id`.
///
/// A composite event sends several requests in one fire, each with its place. A request for a message of a topic is
/// identified by the message, whichever fire drains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchId {
    /// The fire.
    pub fire: Fire,
    /// The message, where it is done for one.
    pub message: Option<String>,
    /// The place within it: positions and channels, joined by `_`. Empty for an event that stands alone.
    pub place: String,
}

impl DispatchId {
    /// The id of an event that is a single request.
    pub fn of(fire: Fire) -> Self {
        Self { fire, message: None, place: String::new() }
    }
}

impl fmt::Display for DispatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(f, "msg_{message}")?,
            None => self.fire.fmt(f)?,
        }
        if self.place.is_empty() { Ok(()) } else { write!(f, "_{}", self.place) }
    }
}

/// A request to a target. Each kind has one provider that carries it out.
#[derive(Clone, Debug)]
pub enum Request {
    /// A request over HTTP. Result: `{status, content_type?, body}`.
    Http(Box<HttpRequest>),
    /// A call of an AWS service, in the deployment's own account or where its role may go.
    Aws(AwsRequest),
    /// Something that is fetched over HTTP and handed on to AWS. Result: as of that.
    Transfer(Box<Transfer>),
    /// An e-mail over SMTP. Result: `{message_id, response}`.
    Mail(Box<MailRequest>),
    /// A push message over FCM v1. Result: `{name}`.
    Fcm(Box<FcmRequest>),
    /// A statement for PostgreSQL. Result: `{rows, row_count}`.
    Sql(Box<SqlRequest>),
}

impl Request {
    /// An HTTP request or a file transfer.
    pub fn http_of(request: HttpRequest) -> Self {
        Self::Http(Box::new(request))
    }

    /// The HTTP request, if this is one.
    pub fn http(&self) -> Option<&HttpRequest> {
        match self {
            Self::Http(request) => Some(request),
            _ => None,
        }
    }
}
