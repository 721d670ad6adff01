//! The rules of a notification: each channel has what its provider needs, and its texts can be filled in.

use serde_json::Value;

use super::document::{
    EmailChannel, EmailProvider, Localized, Message, Notification, NotificationEnv, PushProvider, SmsProvider,
};
use super::template;
use crate::error::{Faults, FieldCode};
use crate::json::child;

/// Notes everything that does not hold; `at` makes the pointer of what stands inside.
pub(super) fn check(notification: &Notification, at: impl Fn(&[&str]) -> String, faults: &mut Faults) {
    for (env, place) in &notification.envs {
        channels(place, &at(&["envs", env.as_str()]), faults);
    }
    for (slug, message) in &notification.messages {
        said(message, &at(&["messages", slug.as_str()]), faults);
    }
}

fn channels(place: &NotificationEnv, at: &str, faults: &mut Faults) {
    let mut require = |present: bool, channel: &str, name: &str| {
        if !present {
            faults.add(child(&child(at, channel), name), FieldCode::Required, "is required by this provider");
        }
    };
    if let Some(push) = place.push.as_ref().filter(|push| push.provider == PushProvider::Fcm) {
        require(push.service_account.is_some(), "push", "service_account");
    }
    if let Some(email) = place.email.as_ref().filter(|email| email.provider == EmailProvider::Smtp) {
        require(email.host.is_some(), "email", "host");
    }
    if let Some(sms) = place.sms.as_ref().filter(|sms| sms.provider == SmsProvider::Twilio) {
        require(sms.from.is_some(), "sms", "from");
        require(sms.account_sid.is_some(), "sms", "account_sid");
        require(sms.auth_token.is_some(), "sms", "auth_token");
    }
    let halved = |email: &EmailChannel| email.username.is_some() != email.password.is_some();
    if place.email.as_ref().is_some_and(halved) {
        faults.add(child(at, "email"), FieldCode::Conflict, "username and password go together");
    }
    if place.sms.as_ref().is_some_and(|sms| sms.provider == SmsProvider::Sns && sms.url.is_some()) {
        faults.add(
            child(&child(at, "sms"), "url"),
            FieldCode::Conflict,
            "SNS is reached as the deployment reaches AWS",
        );
    }
}

fn said(message: &Message, at: &str, faults: &mut Faults) {
    if let Some(push) = &message.push {
        localized(&push.title, &format!("{at}/push/title"), faults);
        localized(&push.body, &format!("{at}/push/body"), faults);
    }
    if let Some(email) = &message.email {
        if email.text.is_none() && email.html.is_none() {
            faults.add(format!("{at}/email"), FieldCode::Required, "must have text, html or both");
        }
        let texts = [("subject", Some(&email.subject)), ("text", email.text.as_ref()), ("html", email.html.as_ref())];
        for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text?))) {
            localized(text, &format!("{at}/email/{name}"), faults);
        }
    }
    if let Some(sms) = &message.sms {
        localized(sms, &format!("{at}/sms"), faults);
    }
    if let Some(body) = &message.callback {
        document(body, &format!("{at}/callback"), faults);
    }
}

fn localized(texts: &Localized, at: &str, faults: &mut Faults) {
    for (locale, text) in texts.texts() {
        let at = locale.map_or_else(|| at.to_owned(), |locale| child(at, locale));
        filled(text, at, faults);
    }
}

fn document(value: &Value, at: &str, faults: &mut Faults) {
    match value {
        Value::String(text) => filled(text, at.to_owned(), faults),
        Value::Array(elements) => {
            elements
                .iter()
                .enumerate()
                .for_each(|(index, value)| document(value, &child(at, &index.to_string()), faults));
        }
        Value::Object(members) => members.iter().for_each(|(name, value)| document(value, &child(at, name), faults)),
        _ => {}
    }
}

fn filled(text: &str, at: String, faults: &mut Faults) {
    if let Err(wrong) = template::pieces(text) {
        faults.add(at, FieldCode::Malformed, wrong);
    }
}
