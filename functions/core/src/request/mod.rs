//! What a target is asked for, complete but for its secrets.
//!
//! Each kind of request has one provider that carries it out, and a file here: [`HttpRequest`], [`AwsRequest`],
//! [`MailRequest`], [`FcmRequest`] and [`SqlRequest`]. [`Capabilities`] says which of them a stack can carry out.

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
    /// What the receiver knows it by.
    pub id: DispatchId,
    /// Which attempt of the run, from 1.
    pub attempt: u32,
    /// Bound on the whole dispatch, ms.
    pub timeout_ms: u32,
    /// The trace that the attempt belongs to.
    pub trace: Option<String>,
    /// The request.
    pub request: Request,
}

/// What a receiver knows a dispatch by: the same over all attempts of a fire, so that it can act once (I7). Its text is the
/// `webhook-id`.
///
/// An event that consists of others asks for several things in one fire: each has its place within it. What is done for a message
/// of a topic goes by the message, whichever fire drains it.
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
    /// Of an event that stands alone.
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

/// What a target is asked for. Each kind has one provider that carries it out.
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
    /// What goes over HTTP.
    pub fn http_of(request: HttpRequest) -> Self {
        Self::Http(Box::new(request))
    }

    /// What goes over HTTP, if this does.
    pub fn http(&self) -> Option<&HttpRequest> {
        match self {
            Self::Http(request) => Some(request),
            _ => None,
        }
    }
}
