//! E-mail, by whichever provider.

use crate::catalog::{SecretRef, SmtpTls};

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
