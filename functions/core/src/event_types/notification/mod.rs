//! `notification`: a message over every channel that the input has. Input: INotificationRequest {slug?, locale?,
//! push_notification?, email?, sms?, callback?}, at least one channel.
//!
//! | member | what it is |
//! | --- | --- |
//! | `slug` | the notification's message in the catalog; may be left out where the event's tag names it (`orders:shipped`), and where everything is given here |
//! | `locale` | the language of what is said (BCP 47): `pt-BR`, then `pt`, then `en`, then the first that there is |
//! | `push_notification` | `{device_token, title?, body?, data?}`: a token, or up to 100 with Expo and 10 with FCM |
//! | `email` | `{to, cc?, bcc?, reply_to?, subject?, text?, html?, data?}`: addresses alone or in arrays, 50 in all |
//! | `sms` | `{to, body?, data?}`: a number (E.164) or up to 10 |
//! | `callback` | `{body?, query?, headers?, data?}`: a POST of JSON to the channel's address |
//!
//! `title`, `body` of a push message and of an SMS, `subject`, `text` and `html` are texts or objects of them by locale, and
//! sent as they are. What is not given is the message's, whose `{{name}}` and `{{user.name}}` are filled from the channel's
//! `data`; in `html` values are escaped, and in the callback's body a `"{{name}}"` alone becomes the value as it is. An e-mail
//! that is given a `text` or an `html` has nothing of the message's two. The `data` of a push message goes to the app, laid
//! over the message's own. A value that is missing is a fault of the channel's data.
//!
//! | channel | provider | sent as | its result |
//! | --- | --- | --- | --- |
//! | push | expo | one request for all tokens, and another for those alone whose error may pass; done when none of these is left and one was taken | `{provider, tickets: [{id} or {error}]}`, as the tokens stand |
//! | push | fcm | one request a token | `{provider, id}` |
//! | email | ses, smtp | one message for all recipients: one that is refused refuses it | `{provider, id}`, with SMTP `response` too |
//! | sms | sns, twilio | one request a number | `{provider, id}` |
//! | callback | http | one request | `{provider, status, content_type?, body, truncated?}`, as with an action |

mod callback;
mod email;
mod fill;
mod outcome;
mod push;
mod run;
mod sms;
#[cfg(test)]
mod tests;

pub use outcome::outcome;

use serde_json::Value;

use super::context::{AttemptContext, Halt};
use super::filled::Filled;
use super::kind::{EventKind, in_env};
use super::limits::Limits;
use super::needs::{Lack, Needs};
use crate::catalog::{
    EmailProvider, Message, Notification, NotificationEnv, NotificationEvent, PushProvider, SmsProvider, Tag,
};
use crate::error::FieldCode;
use crate::job::Output;
use crate::json::{Field, Object, did_you_mean, every};
use crate::ports::{Ports, Targets};
use crate::progress::Checkpointing;
use crate::progress::PartPath;
use crate::request::{Capabilities, Request};

/// Maximum number of requests of a channel that sends one request to each receiver, one after the other in one
/// attempt.
const MAX_PARTS: usize = 10;

/// The members of an input that are channels, in the order in which they are sent.
const MEMBERS: [&str; 4] = ["push_notification", "email", "sms", "callback"];

impl<'c> EventKind<'c> for NotificationEvent<'c> {
    const CHECKPOINTING: Checkpointing = Checkpointing::PerRun;

    fn check(&self, env: Option<&str>, input: &Field<'_>) {
        drop(env.and_then(|env| channels(self.notification, self.message, env, input)));
    }

    /// The channels in the input.
    fn needs(&self, env: &str, input: Option<&Value>) -> Result<Needs<'c>, String> {
        let place = in_env(self.notification.envs.get(env), env)?;
        let asked = input.into_iter().flat_map(|input| asked(place, input));
        Ok(asked.fold(Needs::default(), |all, (_, needs)| all.and(needs)))
    }

    fn lacks(&self, env: &str, input: Option<&Value>, capabilities: Capabilities) -> Vec<Lack> {
        let asked = input.and_then(|input| Some(asked(self.notification.envs.get(env)?, input)));
        let lack =
            |(member, needs): (_, Needs<'_>)| Some(Lack { member: Some(member), reason: needs.beyond(capabilities)? });
        asked.into_iter().flatten().filter_map(lack).collect()
    }

    /// One request for each channel, and more where each receiver has one.
    fn timeout_ms(&self, _: &Limits) -> Option<u32> {
        Some(4 * run::REQUEST_MS)
    }

    async fn run<P: Ports, T: Targets>(
        &self,
        attempt: &AttemptContext<'_, P, T>,
        at: &PartPath,
        input: Filled<'_>,
    ) -> Result<Output, Halt> {
        let env = &attempt.job.spec.env;
        let channels = input.read(|input| channels(self.notification, self.message, env, input))?;
        run::run(attempt, at, channels).await
    }
}

/// One request of a notification. A channel that sends a request for each receiver has several.
#[derive(Clone, Debug)]
pub struct Channel {
    /// `push`, `email`, `sms` or `callback`.
    pub name: &'static str,
    /// The position of the receiver, from 0, if each has a request of its own.
    pub part: Option<usize>,
    /// The provider.
    pub provider: Provider,
    /// The request to the provider.
    pub request: Request,
}

impl Channel {
    /// The place of the request within its fire: the channel, and the receiver's position after `_`. It is the same over
    /// all attempts.
    pub fn place(&self) -> String {
        self.part.map_or_else(|| self.name.to_owned(), |part| format!("{}_{part}", self.name))
    }
}

/// The provider of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Push messages by Expo or FCM.
    Push(PushProvider),
    /// E-mail by SES or SMTP.
    Email(EmailProvider),
    /// Text messages by SNS or Twilio.
    Sms(SmsProvider),
    /// A callback over HTTP.
    Http,
}

impl Provider {
    /// Its word in a result.
    pub fn word(self) -> &'static str {
        match self {
            Self::Push(provider) => provider.word(),
            Self::Email(provider) => provider.word(),
            Self::Sms(provider) => provider.word(),
            Self::Http => "http",
        }
    }
}

/// The message and the locale for texts that the input does not give.
struct Composition<'a> {
    message: Option<&'a Message>,
    locale: Option<&'a str>,
}

/// The requests of a notification in an environment, in the order in which they are sent; `message` is the one that the
/// event's tag names. `None` after faults.
pub fn channels(
    notification: &Notification,
    message: Option<&Tag>,
    env: &str,
    input: &Field<'_>,
) -> Option<Vec<Channel>> {
    let place = notification.envs.get(env)?;
    let mut object = input.object()?;
    let composition = composition(notification, message, &mut object);
    let given = MEMBERS.map(|name| object.optional(name));
    let Some(composition) = composition else {
        object.finish();
        return None;
    };
    let [push, email, sms, callback] = &given;
    let read = [
        read(push.as_ref(), place.push.as_ref(), |place, field| push::read(place, &composition, field)),
        read(email.as_ref(), place.email.as_ref(), |place, field| email::read(place, &composition, field)),
        read(sms.as_ref(), place.sms.as_ref(), |place, field| sms::read(place, &composition, field)),
        read(callback.as_ref(), place.callback.as_ref(), |place, field| callback::read(place, &composition, field)),
    ];
    if given.iter().all(Option::is_none) {
        object.fault(FieldCode::Required, format!("must have a channel: {}", MEMBERS.join(", ")));
    }
    object.finish();
    let channels = read.into_iter().collect::<Option<Vec<_>>>()?.concat();
    (!channels.is_empty()).then_some(channels)
}

/// A channel's requests: none where the input has none. A channel that the environment lacks is a fault.
fn read<'a, P>(
    field: Option<&Field<'a>>,
    place: Option<&P>,
    read: impl FnOnce(&P, &Field<'a>) -> Option<Vec<Channel>>,
) -> Option<Vec<Channel>> {
    let Some(field) = field else { return Some(Vec::new()) };
    let Some(place) = place else {
        field.fault(FieldCode::UnknownTag, "the notification has no such channel in this environment");
        return None;
    };
    read(place, field)
}

/// The message that the slug or the tag names, and the language. `None` after a fault.
fn composition<'a>(
    notification: &'a Notification,
    tag: Option<&Tag>,
    object: &mut Object<'a>,
) -> Option<Composition<'a>> {
    let slug = object.optional("slug").map(|field| named(notification, tag, &field));
    let locale = object.optional("locale").map(|field| locale(&field));
    if slug.is_some_and(|message| message.is_none()) || locale.is_some_and(|locale| locale.is_none()) {
        return None;
    }
    let message = slug.flatten().or_else(|| notification.messages.get(tag?));
    Some(Composition { message, locale: locale.flatten() })
}

fn named<'n>(notification: &'n Notification, tag: Option<&Tag>, field: &Field<'_>) -> Option<&'n Message> {
    let slug = field.string()?;
    if let Some(tag) = tag.filter(|tag| tag.as_str() != slug) {
        field.fault(FieldCode::Conflict, format!("the event already names the message {tag}"));
        return None;
    }
    let message = notification.messages.get(slug);
    if message.is_none() {
        let hint = did_you_mean(slug, notification.messages.keys().map(Tag::as_str));
        field.fault(FieldCode::UnknownTag, format!("the notification has no such message{hint}"));
    }
    message
}

fn locale<'a>(field: &Field<'a>) -> Option<&'a str> {
    let tag = field.string()?;
    let is_subtag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if tag.len() <= 35 && tag.split('-').all(is_subtag) {
        return Some(tag);
    }
    field.fault(FieldCode::Malformed, "must be a language tag, such as en or pt-BR");
    None
}

/// A text or an array of `1..=most` texts, each in the form that `parse` reads.
fn receivers<T>(field: &Field<'_>, most: usize, form: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let fields = if field.value().is_array() { field.elements()? } else { vec![field.clone()] };
    if !(1..=most).contains(&fields.len()) {
        field.fault(FieldCode::OutOfRange, format!("must be 1 to {most}, is {}", fields.len()));
        return None;
    }
    every(fields.iter().map(|field| field.parsed(form, &parse)))
}

/// The needs of the channels in an input, by member.
fn asked<'c>(place: &'c NotificationEnv, input: &Value) -> impl Iterator<Item = (&'static str, Needs<'c>)> {
    let [push_member, email_member, sms_member, callback_member] = MEMBERS;
    let push = place.push.as_ref().map(|channel| (push_member, push::needs(channel)));
    let email = place.email.as_ref().map(|channel| (email_member, email::needs(channel)));
    let sms = place.sms.as_ref().map(|channel| (sms_member, sms::needs(channel)));
    let callback = place.callback.as_ref();
    let callback =
        callback.map(|channel| (callback_member, Needs::http(channel.auth.as_ref(), &channel.signing_secrets)));
    [push, email, sms, callback].into_iter().flatten().filter(|(member, _)| input.get(member).is_some())
}
