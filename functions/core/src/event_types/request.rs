//! What a target is asked for, complete but for its secrets.

use std::fmt;

use http::{HeaderName, HeaderValue, Method};
use serde_json::Value;
use url::Url;

use crate::catalog::{Auth, SecretRef, SigningSecrets, SmtpTls};
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

/// An HTTP request.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: Url,
    /// Headers without secrets.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body, empty for none.
    pub body: Vec<u8>,
    /// How it is authorised.
    pub auth: Option<Auth>,
    /// What signs it.
    pub signing_secrets: SigningSecrets,
}

/// What is fetched, whole, and where it goes.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The request that gets it.
    pub from: HttpRequest,
    /// It may have so many bytes.
    pub most_bytes: usize,
    /// The request that takes it for its content.
    pub into: AwsRequest,
}

/// A call of an AWS service. A `region` is where the call goes if not to the deployment's own.
#[derive(Clone, Debug, PartialEq)]
pub enum AwsRequest {
    /// SQS SendMessage. Result: `{message_id, sequence_number?}`.
    SendMessage {
        /// The queue.
        queue_url: Url,
        /// The body.
        body: String,
        /// Attributes, as strings.
        attributes: Vec<(String, String)>,
        /// FIFO: the group. The deduplication id is the call's own.
        group: Option<String>,
    },
    /// SQS ReceiveMessage, at most `max` (1 to 10) of those that are there. Result: `{messages: [{id, receipt, group, body,
    /// attributes}]}`, where `group` is null but for a FIFO queue.
    ReceiveMessages {
        /// The queue.
        queue_url: Url,
        /// At most so many.
        max: u32,
        /// How long nobody else sees them, seconds.
        hide_seconds: u32,
    },
    /// SQS DeleteMessage. Result: null.
    DeleteMessage {
        /// The queue.
        queue_url: Url,
        /// What names the receipt of it.
        receipt: String,
    },
    /// SNS Publish to a topic. Result: `{message_id, sequence_number?}`.
    PublishToTopic {
        /// The topic.
        topic_arn: String,
        /// The message.
        message: String,
        /// Attributes, as strings.
        attributes: Vec<(String, String)>,
        /// The subject that e-mail subscribers see.
        subject: Option<String>,
        /// FIFO: the group. The deduplication id is the call's own.
        group: Option<String>,
    },
    /// SNS Publish to a telephone. Result: `{message_id}`.
    SendSms {
        /// The number, E.164.
        phone_number: String,
        /// The text.
        text: String,
        /// The sender's name or number.
        sender: Option<String>,
    },
    /// EventBridge PutEvents of one event. Result: `{event_id}`.
    PutEvent {
        /// The bus, by name or ARN; the account's default one otherwise.
        bus: Option<String>,
        /// Who says so.
        source: String,
        /// What kind of event.
        detail_type: String,
        /// The event: a JSON object.
        detail: Value,
    },
    /// S3 PutObject with a SHA-256 checksum. Result: `{bucket, key, etag, size, content_type, checksum_sha256, version_id?}`.
    PutObject {
        /// The bucket.
        bucket: String,
        /// Its region.
        region: Option<String>,
        /// The object's key.
        key: String,
        /// Its media type.
        content_type: String,
        /// Its content.
        content: Vec<u8>,
    },
    /// SES v2 SendEmail. Result: `{message_id}`.
    SendEmail(Email),
    /// Lambda Invoke, which waits for the answer. Result: what the function returned.
    Invoke {
        /// The function.
        function_arn: String,
        /// What it is given.
        payload: Value,
    },
    /// RDS Data API ExecuteStatement. Result: `{rows, row_count}`.
    ExecuteSql {
        /// The cluster.
        resource_arn: String,
        /// Its credentials.
        secret_arn: String,
        /// The database's name.
        database: Option<String>,
        /// The statement, with `:p1`, `:p2` and so on for the parameters.
        statement: String,
        /// What is bound to them.
        parameters: Vec<Bound>,
        /// Rows that the result keeps.
        max_rows: u32,
    },
    /// DynamoDB ExecuteStatement. Result: `{rows, row_count}`.
    ExecutePartiql {
        /// The region.
        region: Option<String>,
        /// The statement, with `?` for the parameters.
        statement: String,
        /// What is bound to them, in their order.
        parameters: Vec<Bound>,
        /// Rows that the result keeps.
        max_rows: u32,
    },
}

impl AwsRequest {
    /// The same with this content, where it takes one.
    #[must_use]
    pub fn with_content(self, given: Vec<u8>) -> Self {
        match self {
            Self::PutObject { bucket, region, key, content_type, .. } => {
                Self::PutObject { bucket, region, key, content_type, content: given }
            }
            other => other,
        }
    }
}

/// An e-mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// The sender: an address, or `Name <address>`, which SES is given as a header has it.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// Who gets a copy.
    pub cc: Vec<String>,
    /// Who gets a copy that the others do not see.
    pub bcc: Vec<String>,
    /// Where answers go, as with the sender.
    pub reply_to: Option<String>,
    /// The subject.
    pub subject: String,
    /// The plain text.
    pub text: Option<String>,
    /// The HTML.
    pub html: Option<String>,
}

/// An e-mail with the server that takes it.
#[derive(Clone, Debug)]
pub struct MailRequest {
    /// The e-mail.
    pub email: Email,
    /// The server.
    pub host: String,
    /// Its port; by `tls` otherwise.
    pub port: Option<u16>,
    /// How the connection is secured.
    pub tls: SmtpTls,
    /// The user and the password.
    pub credentials: Option<(String, SecretRef)>,
}

/// A push message over FCM v1.
#[derive(Clone, Debug)]
pub struct FcmRequest {
    /// The service account, as its JSON document.
    pub service_account: SecretRef,
    /// The service's address, where it is not FCM's own.
    pub url: Option<Url>,
    /// The `message` of the request.
    pub message: Value,
}

/// A statement for PostgreSQL.
#[derive(Clone, Debug)]
pub struct SqlRequest {
    /// The connection URL.
    pub url: SecretRef,
    /// The root certificates that the server's own has to descend from, as PEM; those that the system trusts otherwise.
    pub root_certificate: Option<SecretRef>,
    /// The statement, with `$1`, `$2` and so on for the parameters.
    pub statement: String,
    /// What is bound to them.
    pub parameters: Vec<Bound>,
    /// Rows that the result keeps.
    pub max_rows: u32,
}

/// A value that is bound to a parameter, never spliced into a statement. `None` is NULL.
#[derive(Clone, Debug, PartialEq)]
pub enum Bound {
    /// A text, or what is written as one.
    Text(Option<String>),
    /// A whole number.
    Integer(Option<i64>),
    /// A number.
    Double(Option<f64>),
    /// A number of any precision, as it is written.
    Numeric(Option<String>),
    /// A truth value.
    Boolean(Option<bool>),
    /// A UUID, in its canonical form.
    Uuid(Option<String>),
    /// An instant, RFC 3339.
    Timestamp(Option<String>),
    /// A day, `YYYY-MM-DD`.
    Date(Option<String>),
    /// A document.
    Json(Option<Value>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
}
