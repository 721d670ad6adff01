//! E-mail: one message for all recipients. No header can be injected: addresses have a strict form, and single-line
//! texts have no control characters.

use super::fill::Values;
use super::{Channel, Composition, Provider, receivers};
use crate::catalog::{EmailChannel, EmailProvider, Localized, Mailbox, SmtpTls, is_email_address};
use crate::error::FieldCode;
use crate::event_types::Needs;
use crate::json::{Field, Object};
use crate::request::{AwsRequest, Email, MailRequest, Request};

/// Maximum number of recipients in a message, as SES has it.
const MAX_RECIPIENTS: usize = 50;
/// Mail programs show much less of a subject.
const MAX_SUBJECT: usize = 500;
const ADDRESS: &str = "an e-mail address, such as someone@example.com";

pub(super) fn needs(place: &EmailChannel) -> Needs<'_> {
    match place.provider {
        EmailProvider::Ses => Needs::aws("Amazon SES"),
        EmailProvider::Smtp => Needs { secrets: place.password.iter().collect(), aws: None },
    }
}

pub(super) fn read(place: &EmailChannel, composition: &Composition<'_>, field: &Field<'_>) -> Option<Vec<Channel>> {
    let mut object = field.object()?;
    let to = object.required("to").and_then(|field| addresses(&field));
    let cc = object.optional("cc").map_or(Some(Vec::new()), |field| addresses(&field));
    let bcc = object.optional("bcc").map_or(Some(Vec::new()), |field| addresses(&field));
    let reply_to = object.optional("reply_to").map_or(Some(None), |field| field.parsed(ADDRESS, address).map(Some));
    let given = ["subject", "text", "html"].map(|name| object.optional(name));
    let texts = Values::read(field, &mut object, None).and_then(|values| texts(&values, composition, &given, &object));
    object.finish();
    let (to, cc, bcc, reply_to, (subject, text, html)) = (to?, cc?, bcc?, reply_to?, texts?);
    let count = to.len() + cc.len() + bcc.len();
    if count > MAX_RECIPIENTS {
        field.fault(FieldCode::OutOfRange, format!("must have at most {MAX_RECIPIENTS} recipients, has {count}"));
        return None;
    }
    let as_sent = |mailbox: &Mailbox| match place.provider {
        EmailProvider::Ses => mailbox.header(),
        EmailProvider::Smtp => mailbox.to_string(),
    };
    let reply_to = reply_to.or_else(|| place.reply_to.as_ref().map(as_sent));
    let email = Email { from: as_sent(&place.from), to, cc, bcc, reply_to, subject, text, html };
    let request = match place.provider {
        EmailProvider::Ses => Request::Aws(AwsRequest::SendEmail(email)),
        EmailProvider::Smtp => Request::Mail(Box::new(MailRequest {
            email,
            host: place.host.as_ref()?.0.clone(),
            port: place.port.map(|port| port.0),
            tls: place.tls.unwrap_or(SmtpTls::StartTls),
            credentials: place.username.clone().zip(place.password.clone()),
        })),
    };
    Some(vec![Channel { name: "email", part: None, provider: Provider::Email(place.provider), request }])
}

/// The subject, the plain text and the HTML.
fn texts(
    values: &Values<'_>,
    composition: &Composition<'_>,
    [subject, text, html]: &[Option<Field<'_>>; 3],
    object: &Object<'_>,
) -> Option<(String, Option<String>, Option<String>)> {
    let message = composition.message.and_then(|message| message.email.as_ref());
    let template = message.map(|message| &message.subject);
    let line = values.text("subject", subject.as_ref(), template, composition.locale, false).filter(|line| {
        let is_sound = (1..=MAX_SUBJECT).contains(&line.chars().count()) && !line.chars().any(char::is_control);
        if !is_sound {
            let at = if subject.is_some() { "subject" } else { "data" };
            let detail = format!("the subject must be one line of 1 to {MAX_SUBJECT} characters");
            object.fault_at(at, FieldCode::Malformed, detail);
        }
        is_sound
    });
    // A given body replaces both: a text of the message would contradict it.
    let message = message.filter(|_| text.is_none() && html.is_none());
    let body = |name: &str, given: &Option<Field<'_>>, template: Option<&Localized>, html| {
        let is_there = given.is_some() || template.is_some();
        is_there.then(|| values.text(name, given.as_ref(), template, composition.locale, html))
    };
    let text = body("text", text, message.and_then(|message| message.text.as_ref()), false);
    let html = body("html", html, message.and_then(|message| message.html.as_ref()), true);
    match (text, html) {
        (None, None) => values.missing("text"),
        (Some(None), _) | (_, Some(None)) => None,
        (text, html) => Some((line?, text.flatten(), html.flatten())),
    }
}

fn addresses(field: &Field<'_>) -> Option<Vec<String>> {
    receivers(field, MAX_RECIPIENTS, ADDRESS, address)
}

fn address(text: &str) -> Option<String> {
    is_email_address(text).then(|| text.to_owned())
}
