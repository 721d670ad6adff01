//! Notifications: their channels and messages.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::auth::{Auth, SigningSecrets};
use crate::catalog::headers::Headers;
use crate::catalog::leaf::{AccountSid, BaseUrl, HostName, HttpUrl, Port, SecretRef};
use crate::catalog::mailbox::Mailbox;
use crate::catalog::tag::{PerEnv, Tagged};
use crate::error::FieldCode;
use crate::json::{Field, Read, document, every};
use crate::words::words;

document! {
    /// A notification: its channels by environment, and its messages.
    struct Notification {
        /// The channels.
        envs: PerEnv<NotificationEnv>,
        /// The messages, by slug.
        messages: Tagged<Message>,
    }

    /// Channels of an environment.
    struct NotificationEnv {
        /// Push messages.
        push: Option<PushChannel>,
        /// E-mail.
        email: Option<EmailChannel>,
        /// Text messages.
        sms: Option<SmsChannel>,
        /// An HTTP request.
        callback: Option<CallbackChannel>,
    }

    /// A push provider.
    struct PushChannel {
        /// The provider.
        provider: PushProvider,
        /// Expo's access token.
        access_token: Option<SecretRef>,
        /// FCM's service account, as its JSON document.
        service_account: Option<SecretRef>,
        /// The service's address, if it is not the provider's own.
        url: Option<BaseUrl>,
    }

    /// An e-mail provider.
    struct EmailChannel {
        /// The provider.
        provider: EmailProvider,
        /// The sender.
        from: Mailbox,
        /// The address for replies.
        reply_to: Option<Mailbox>,
        /// SMTP: the server.
        host: Option<HostName>,
        /// SMTP: its port.
        port: Option<Port>,
        /// SMTP: the security of the connection; default `starttls`.
        tls: Option<SmtpTls>,
        /// SMTP: the user.
        username: Option<String>,
        /// SMTP: the password.
        password: Option<SecretRef>,
    }

    /// A provider of text messages.
    struct SmsChannel {
        /// The provider.
        provider: SmsProvider,
        /// The sender's number or name.
        from: Option<String>,
        /// Twilio: the account.
        account_sid: Option<AccountSid>,
        /// Twilio: its token.
        auth_token: Option<SecretRef>,
        /// Twilio: the service's address, if it is not the provider's own.
        url: Option<BaseUrl>,
    }

    /// The endpoint of callbacks.
    struct CallbackChannel {
        /// The address.
        url: HttpUrl,
        /// The authorisation of requests.
        auth: Option<Auth>,
        /// Headers of every request.
        headers: Headers,
        /// `whsec_` secrets that sign requests.
        signing_secrets: SigningSecrets,
    }

    /// The message of a notification, by channel. `{{name}}` is filled from the `data` of the input's channel.
    struct Message {
        /// The push message.
        push: Option<PushTemplate>,
        /// The e-mail.
        email: Option<EmailTemplate>,
        /// The text message.
        sms: Option<Localized>,
        /// The callback's body.
        callback: Option<Value>,
    }

    /// A push message.
    struct PushTemplate {
        /// Its title.
        title: Localized,
        /// Its body.
        body: Localized,
        /// Data for the app.
        data: Option<Map<String, Value>>,
    }

    /// An e-mail; at least one of `text` and `html`.
    struct EmailTemplate {
        /// Its subject.
        subject: Localized,
        /// The text as plain text.
        text: Option<Localized>,
        /// The text as HTML.
        html: Option<Localized>,
    }
}

words! {
    /// A push provider.
    enum PushProvider {
        /// Expo's push service.
        Expo = "expo",
        /// Firebase Cloud Messaging, HTTP v1.
        Fcm = "fcm",
    }

    /// An e-mail provider.
    enum EmailProvider {
        /// Amazon SES v2.
        Ses = "ses",
        /// An SMTP server.
        Smtp = "smtp",
    }

    /// The security of an SMTP connection.
    enum SmtpTls {
        /// STARTTLS, required.
        StartTls = "starttls",
        /// TLS from the first byte.
        Implicit = "implicit",
    }

    /// A provider of text messages.
    enum SmsProvider {
        /// Amazon SNS.
        Sns = "sns",
        /// Twilio.
        Twilio = "twilio",
    }
}

/// A text in several languages, or in one.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Localized {
    /// In one language.
    Plain(String),
    /// By locale, such as `en` or `pt-BR`.
    ByLocale(BTreeMap<String, String>),
}

impl Localized {
    /// The text for a locale (BCP 47): of it, of what it is a kind of (`pt-BR`, then `pt`), in English, or in the first
    /// language that there is.
    ///
    /// ```
    /// use carillon_core::catalog::Localized;
    /// let hello = Localized::ByLocale([("de", "Hallo"), ("en", "Hello"), ("pt", "Olá")].map(|(a, b)| (a.into(), b.into())).into());
    /// assert_eq!((hello.text(Some("pt-BR")), hello.text(Some("fi")), hello.text(None)), ("Olá", "Hello", "Hello"));
    /// ```
    pub fn text(&self, locale: Option<&str>) -> &str {
        let texts = match self {
            Self::Plain(text) => return text,
            Self::ByLocale(texts) => texts,
        };
        let kinds = std::iter::successors(locale, |tag| Some(tag.rsplit_once('-')?.0));
        let mut found =
            kinds.chain(["en"]).filter_map(|tag| texts.iter().find(|(own, _)| own.eq_ignore_ascii_case(tag)));
        found.next().or_else(|| texts.iter().next()).map_or("", |(_, text)| text)
    }

    /// Every text, with its locale where there are several.
    pub fn texts(&self) -> Vec<(Option<&str>, &str)> {
        match self {
            Self::Plain(text) => vec![(None, text)],
            Self::ByLocale(texts) => {
                texts.iter().map(|(locale, text)| (Some(locale.as_str()), text.as_str())).collect()
            }
        }
    }
}

impl Read for Localized {
    fn read(field: &Field<'_>) -> Option<Self> {
        if field.value().is_string() {
            return String::read(field).map(Self::Plain);
        }
        let texts = field.entries()?;
        if texts.is_empty() {
            field.fault(FieldCode::OutOfRange, "must have at least one locale");
            return None;
        }
        let texts = every(texts.iter().map(|(locale, text)| Some(((*locale).to_owned(), String::read(text)?))));
        Some(Self::ByLocale(texts?.into_iter().collect()))
    }
}
