//! An e-mail over SMTP, always encrypted: STARTTLS is required where the connection is not TLS from its first byte.
//!
//! | the server's reply | code | retried |
//! | --- | --- | --- |
//! | 452 | RATE_LIMITED | yes |
//! | any other 4xx, such as 421, 450, 451, 454 | SERVICE_UNAVAILABLE | yes |
//! | 530, 534, 535, 538 | UNAUTHORIZED | no |
//! | 521, 550, 551, 556 | NOT_FOUND | no |
//! | any other 5xx, such as 552, 553, 554 | VALIDATION_ERROR | no |
//! | no STARTTLS, or no AUTH that is known here | VALIDATION_ERROR | no |
//! | no connection, no trusted certificate, no reply | CONNECTION_ERROR | yes |
//!
//! A recipient that is refused refuses the message for all. What the server has taken is sent, however the connection ends after
//! that. A connection that breaks before the server has said so leaves it open whether it was taken: the next attempt sends it
//! again under the same Message-ID, so that receivers can tell.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use carillon_core::catalog::{Mailbox as Sender, SmtpTls};
use carillon_core::hash::sha256_hex;
use carillon_core::job::{Output, RunError, codes};
use carillon_core::ports::Clock;
use carillon_core::request::{DispatchId, Email, MailRequest};
use carillon_core::time::UnixMillis;
use carillon_outbound::Outbound;
use carillon_outbound::secrets::{Secret, SecretSource, with_renewed_secret};
use lettre::Address;
use lettre::address::Envelope;
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use serde_json::json;

use super::http::Http;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout of the server's answer to QUIT. The result does not wait for it.
const QUIT_TIMEOUT: Duration = Duration::from_secs(1);
const NO_CONNECTION: &str = "no trusted connection to the mail server could be opened";
/// Number of servers whose TLS settings are cached: the trusted certificates are read once for each.
const MAX_SERVERS: usize = 100;
/// Characters of the server's reply that a result keeps.
const MAX_RESPONSE: usize = 500;

/// Mail servers. Clones share what they know.
#[derive(Clone, Default)]
pub(super) struct Mail(Arc<Mutex<HashMap<String, TlsParameters>>>);

impl Mail {
    /// Sends the message. If a cached password is refused, it is fetched once more. Result: `{message_id, response}`.
    pub(super) async fn perform<S: SecretSource, C: Clock>(
        &self,
        http: &Http<S, C>,
        id: &DispatchId,
        request: MailRequest,
    ) -> Result<Output, RunError> {
        let message_id = message_id(id, &request.email.from)?;
        let message = message(&request.email, &message_id, http.clock.now())?;
        let Some((user, reference)) = &request.credentials else {
            return self.deliver(&http.outbound, &request, None, &message, &message_id).await;
        };
        let login = |secret: &Secret| Some(Credentials::new(user.clone(), secret.expose().to_owned()));
        with_renewed_secret(&http.secrets, reference, |password| {
            self.deliver(&http.outbound, &request, login(&password), &message, &message_id)
        })
        .await
    }

    async fn deliver(
        &self,
        outbound: &Outbound,
        request: &MailRequest,
        credentials: Option<Credentials>,
        message: &Message,
        message_id: &str,
    ) -> Result<Output, RunError> {
        let connection = self.connect(outbound, request, message.envelope()).await?;
        hand_over(connection, credentials.as_ref(), message, message_id).await
    }

    /// A connection to an address that was vetted, encrypted for the server's name.
    async fn connect(
        &self,
        outbound: &Outbound,
        request: &MailRequest,
        envelope: &Envelope,
    ) -> Result<AsyncSmtpConnection, RunError> {
        let port = request.port.unwrap_or(match request.tls {
            SmtpTls::StartTls => 587,
            SmtpTls::Implicit => 465,
        });
        let addresses = outbound.addresses(&request.host, port).await?;
        let tls = self.tls(outbound, &request.host).map_err(|error| refused(&error, NO_CONNECTION))?;
        let name = envelope.from().map_or("localhost", |from| from.domain());
        let name = ClientId::Domain(name.to_owned());
        let is_implicit = request.tls == SmtpTls::Implicit;
        let at_once = is_implicit.then(|| tls.clone());
        let connected =
            AsyncSmtpConnection::connect_tokio1(addresses.as_slice(), Some(CONNECT_TIMEOUT), &name, at_once, None)
                .await;
        let mut connection = connected.map_err(|error| refused(&error, NO_CONNECTION))?;
        if !is_implicit {
            if !connection.can_starttls() {
                connection.abort().await;
                return Err(RunError::permanent(codes::VALIDATION_ERROR, "the mail server offers no STARTTLS"));
            }
            connection.starttls(tls, &name).await.map_err(|error| refused(&error, NO_CONNECTION))?;
        }
        Ok(connection)
    }

    fn tls(&self, outbound: &Outbound, host: &str) -> Result<TlsParameters, smtp::Error> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tls) = known.get(host) {
            return Ok(tls.clone());
        }
        let mut builder = TlsParameters::builder(host.to_owned());
        if let Some(roots) = outbound.roots() {
            builder = builder.add_root_certificate(Certificate::from_pem(roots.pem())?);
        }
        let tls = builder.build()?;
        if known.len() >= MAX_SERVERS {
            known.clear();
        }
        known.insert(host.to_owned(), tls.clone());
        Ok(tls)
    }
}

/// Sends the message and leaves. The server has taken it or it has not: how the connection ends changes nothing, and an attempt
/// whose time ran out over it would send again what was taken.
async fn hand_over(
    mut connection: AsyncSmtpConnection,
    credentials: Option<&Credentials>,
    message: &Message,
    message_id: &str,
) -> Result<Output, RunError> {
    let sent = send(&mut connection, credentials, message).await;
    tokio::spawn(async move { tokio::time::timeout(QUIT_TIMEOUT, connection.quit()).await.is_ok() });
    let response = sent.map_err(|error| refused(&error, "the connection to the mail server broke off"))?;
    let response: String = response.message().collect::<Vec<_>>().join(" ").chars().take(MAX_RESPONSE).collect();
    Ok(Output { value: json!({"message_id": message_id, "response": response}), truncated: false })
}

async fn send(
    connection: &mut AsyncSmtpConnection,
    credentials: Option<&Credentials>,
    message: &Message,
) -> Result<smtp::response::Response, smtp::Error> {
    if let Some(credentials) = credentials {
        connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await?;
    }
    connection.send(message.envelope(), &message.formatted()).await
}

/// The message id, which is the same in all attempts of a fire.
fn message_id(id: &DispatchId, from: &str) -> Result<String, RunError> {
    let sender = Sender::parse(from).ok_or_else(unsound)?;
    let (_, domain) = sender.address.split_once('@').ok_or_else(unsound)?;
    Ok(format!("<{id}@{domain}>"))
}

/// The message as it is sent: two attempts send the same but for its date.
fn message(email: &Email, message_id: &str, now: UnixMillis) -> Result<Message, RunError> {
    let since_epoch = Duration::from_millis(u64::try_from(now.0).unwrap_or_default());
    let from = mailbox(&email.from)?;
    let mut builder = Message::builder()
        .date(SystemTime::UNIX_EPOCH + since_epoch)
        .message_id(Some(message_id.to_owned()))
        .from(from.clone())
        .subject(email.subject.clone());
    if let Some(reply_to) = &email.reply_to {
        builder = builder.reply_to(mailbox(reply_to)?);
    }
    for to in &email.to {
        builder = builder.to(mailbox(to)?);
    }
    for cc in &email.cc {
        builder = builder.cc(mailbox(cc)?);
    }
    let recipients = [&email.to, &email.cc, &email.bcc].into_iter().flatten();
    let recipients: Result<Vec<Address>, _> = recipients.map(|to| mailbox(to).map(|mailbox| mailbox.email)).collect();
    let builder = builder.envelope(Envelope::new(Some(from.email), recipients?).map_err(|_| unsound())?);
    let message = match (&email.text, &email.html) {
        (Some(text), Some(html)) => {
            // 128 bits that depend on the whole content, so that the content cannot contain them.
            let boundary = format!("carillon-{}", &sha256_hex(format!("{}:{text}{html}", text.len()))[..32]);
            let parts = MultiPart::alternative().boundary(boundary);
            builder
                .multipart(parts.singlepart(SinglePart::plain(text.clone())).singlepart(SinglePart::html(html.clone())))
        }
        (None, Some(html)) => builder.singlepart(SinglePart::html(html.clone())),
        (text, None) => builder.singlepart(SinglePart::plain(text.clone().unwrap_or_default())),
    };
    message.map_err(|_| unsound())
}

fn mailbox(text: &str) -> Result<Mailbox, RunError> {
    let parsed = Sender::parse(text).ok_or_else(unsound)?;
    let address = parsed.address.parse().map_err(|_| unsound())?;
    Ok(Mailbox::new(parsed.name, address))
}

fn unsound() -> RunError {
    RunError::permanent(codes::VALIDATION_ERROR, "the message has an address that cannot be used")
}

/// The error of the server's reply, or of its absence. The reply may name recipients, and is not repeated.
fn refused(error: &smtp::Error, without_reply: &str) -> RunError {
    if let Some(code) = error.status() {
        let code = u16::from(code);
        let message = format!("the mail server answered {code}");
        return match code {
            452 => RunError::transient(codes::RATE_LIMITED, message),
            400..=499 => RunError::transient(codes::SERVICE_UNAVAILABLE, message),
            530 | 534 | 535 | 538 => RunError::permanent(codes::UNAUTHORIZED, message),
            521 | 550 | 551 | 556 => RunError::permanent(codes::NOT_FOUND, message),
            _ => RunError::permanent(codes::VALIDATION_ERROR, message),
        };
    }
    if error.is_client() {
        return RunError::permanent(
            codes::VALIDATION_ERROR,
            "the mail server lacks what the message or its login needs",
        );
    }
    RunError::transient(codes::CONNECTION_ERROR, without_reply)
}

#[cfg(test)]
mod tests;
