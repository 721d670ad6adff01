//! SES: e-mail.

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::BuildError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use carillon_core::job::{Output, RunError};
use carillon_core::request::Email;
use serde_json::json;

use super::fault::fault;
use super::{incomplete, small};

const SERVICE: &str = "Amazon SES";

/// Sends an e-mail. SES accepts no token against repetition: an e-mail whose answer was lost is sent again.
pub(super) async fn send(client: &Client, email: Email) -> Result<Output, RunError> {
    let content = content(&email).map_err(|_| incomplete(SERVICE))?;
    let to = |addresses: Vec<String>| Some(addresses).filter(|addresses| !addresses.is_empty());
    let destination = Destination::builder()
        .set_to_addresses(to(email.to))
        .set_cc_addresses(to(email.cc))
        .set_bcc_addresses(to(email.bcc))
        .build();
    let request = client.send_email().from_email_address(email.from).destination(destination).content(content);
    let request = request.set_reply_to_addresses(email.reply_to.map(|address| vec![address]));
    let sent = request.send().await.map_err(|error| fault(SERVICE, &error))?;
    Ok(small(json!({"message_id": sent.message_id.ok_or_else(|| incomplete(SERVICE))?})))
}

fn content(email: &Email) -> Result<EmailContent, BuildError> {
    let text = |text: &str| Content::builder().data(text).charset("UTF-8").build();
    let body = Body::builder()
        .set_text(email.text.as_deref().map(text).transpose()?)
        .set_html(email.html.as_deref().map(text).transpose()?)
        .build();
    Ok(EmailContent::builder().simple(Message::builder().subject(text(&email.subject)?).body(body).build()).build())
}
