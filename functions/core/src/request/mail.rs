//! E-mail, by whichever provider.

use crate::catalog::{SecretRef, SmtpTls};

/// An e-mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// The sender: an address, or `Name <address>`, which SES is given as a header has it.
    pub from: String,
    /// Recipients.
    pub to: Vec<String>,
    /// Recipients of a copy.
    pub cc: Vec<String>,
    /// Recipients of a hidden copy.
    pub bcc: Vec<String>,
    /// The address for replies.
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
    /// The security of the connection.
    pub tls: SmtpTls,
    /// The user and the password.
    pub credentials: Option<(String, SecretRef)>,
}
