//! The document's shape, for every type of event. What differs by environment stands under `envs`, keyed by its slug.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::leaf::{
    Arn, BaseUrl, ExpiryMs, HeaderTag, Headers, HttpMethod, HttpUrl, LeewaySeconds, MaxBytes, MaxMessages, MaxRows,
    PathTemplate, Port, QuotaLimit, Retries, SecretRef, TimeoutMs, ZoneName,
};
use super::read::{PerEnv, Read, Tag, Tagged, document, words};
use crate::error::FieldCode;
use crate::job::EventType;
use crate::json::Field;

document! {
    /// A product's catalog: its environments, and by tag everything that its jobs can name.
    struct Catalog {
        /// The product's environments, such as `dev` and `prd`; at least one.
        envs: Vec<Tag>,
        /// Session definitions.
        sessions: Tagged<Session>,
        /// Result caches.
        caches: Tagged<Cache>,
        /// HTTP apps with their actions.
        apps: Tagged<App>,
        /// Notifications with their messages.
        notifications: Tagged<Notification>,
        /// Databases with their statements.
        databases: Tagged<Database>,
        /// Object storages.
        storages: Tagged<Storage>,
        /// Message brokers with their topics and subscriptions.
        brokers: Tagged<Broker>,
        /// Cloud functions.
        functions: Tagged<Function>,
        /// Named events with defaults.
        jobs: Tagged<JobDefinition>,
        /// Counters with limits.
        quotas: Tagged<Quota>,
        /// Options to try in order.
        fallbacks: Tagged<Fallback>,
        /// Sequences of steps.
        features: Tagged<Feature>,
    }

    /// How tokens of a session are verified.
    struct Session {
        /// The one algorithm that is accepted.
        algorithm: Algorithm,
        /// Tolerated clock difference; default 0.
        leeway_seconds: Option<LeewaySeconds>,
        /// Keys and expectations by environment.
        envs: PerEnv<SessionEnv>,
    }

    /// A session's key and expectations; exactly one of `key` and `jwks_url`.
    struct SessionEnv {
        /// A shared secret or a PEM.
        key: Option<SecretRef>,
        /// A JSON Web Key Set.
        jwks_url: Option<HttpUrl>,
        /// The `iss` that tokens must carry.
        issuer: Option<String>,
        /// The `aud` that tokens must carry.
        audience: Option<String>,
    }

    /// A result cache.
    struct Cache {
        /// Lifetime of a result.
        expiry: ExpiryMs,
    }

    /// An HTTP app.
    struct App {
        /// Where it stands, by environment.
        envs: PerEnv<AppEnv>,
        /// Its requests.
        actions: Tagged<AppAction>,
    }

    /// Where an app stands and how it is addressed.
    struct AppEnv {
        /// What the actions' paths are joined to.
        base_url: BaseUrl,
        /// How requests are authorised.
        auth: Option<Auth>,
        /// Headers of every request.
        headers: Headers,
        /// `whsec_` secrets that sign requests (Standard Webhooks v1): two while one replaces the other.
        signing_secrets: SigningSecrets,
    }

    /// One HTTP request of an app.
    struct AppAction {
        /// The method.
        method: HttpMethod,
        /// The path; `:name` segments are filled from the input's `params`.
        path: PathTemplate,
        /// Bound on one attempt.
        timeout: Option<TimeoutMs>,
        /// Headers of this request.
        headers: Headers,
        /// How `body` is sent; default `json`.
        body: Option<BodyFormat>,
    }

    /// A user name with a password.
    struct BasicAuth {
        /// The user's name.
        username: String,
        /// The password.
        password: SecretRef,
    }

    /// An API key in a header.
    struct HeaderAuth {
        /// The header.
        name: HeaderTag,
        /// The key.
        value: SecretRef,
    }

    /// An API key in the query.
    struct QueryAuth {
        /// The parameter.
        name: String,
        /// The key.
        value: SecretRef,
    }

    /// OAuth 2 client credentials (RFC 6749, 4.4).
    struct OAuth2 {
        /// The token endpoint.
        token_url: HttpUrl,
        /// The client.
        client_id: String,
        /// Its secret.
        client_secret: SecretRef,
        /// The wanted scope.
        scope: Option<String>,
    }

    /// A notification: its channels by environment, and its messages.
    struct Notification {
        /// The channels.
        envs: PerEnv<NotificationEnv>,
        /// What is said, by slug.
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

    /// Who delivers push messages.
    struct PushChannel {
        /// The provider.
        provider: PushProvider,
        /// Expo's access token.
        access_token: Option<SecretRef>,
        /// FCM's service account, as its JSON document.
        service_account: Option<SecretRef>,
    }

    /// Who delivers e-mail.
    struct EmailChannel {
        /// The provider.
        provider: EmailProvider,
        /// The sender.
        from: String,
        /// Where answers go.
        reply_to: Option<String>,
        /// SMTP: the server.
        host: Option<String>,
        /// SMTP: its port.
        port: Option<Port>,
        /// SMTP: how the connection is secured; default `starttls`.
        tls: Option<SmtpTls>,
        /// SMTP: the user.
        username: Option<String>,
        /// SMTP: the password.
        password: Option<SecretRef>,
    }

    /// Who delivers text messages.
    struct SmsChannel {
        /// The provider.
        provider: SmsProvider,
        /// The sender's number or name.
        from: Option<String>,
        /// Twilio: the account.
        account_sid: Option<String>,
        /// Twilio: its token.
        auth_token: Option<SecretRef>,
    }

    /// Where callbacks go.
    struct CallbackChannel {
        /// The address.
        url: HttpUrl,
        /// How requests are authorised.
        auth: Option<Auth>,
        /// Headers of every request.
        headers: Headers,
        /// `whsec_` secrets that sign requests.
        signing_secrets: SigningSecrets,
    }

    /// What a notification says, by channel. `{{name}}` is filled from the input.
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
        /// As plain text.
        text: Option<Localized>,
        /// As HTML.
        html: Option<Localized>,
    }

    /// A database with its statements.
    struct Database {
        /// The kind of database.
        engine: Engine,
        /// Where it stands, by environment.
        envs: PerEnv<DatabaseEnv>,
        /// Its statements.
        actions: Tagged<DatabaseAction>,
    }

    /// Where a database stands. PostgreSQL: `url`, or `resource_arn` and `secret_arn` (RDS Data API).
    struct DatabaseEnv {
        /// The connection URL, as a secret.
        url: Option<SecretRef>,
        /// RDS Data API: the cluster.
        resource_arn: Option<Arn>,
        /// RDS Data API: its credentials.
        secret_arn: Option<Arn>,
        /// RDS Data API: the database's name.
        database: Option<String>,
        /// DynamoDB: the region, where it is not the deployment's own.
        region: Option<String>,
    }

    /// One statement with `{{name:TYPE:min:max}}` placeholders, which are always bound and never spliced.
    struct DatabaseAction {
        /// SQL or PartiQL.
        statement: String,
        /// Bound on one attempt.
        timeout: Option<TimeoutMs>,
        /// Rows that the result keeps; default 1000.
        max_rows: Option<MaxRows>,
    }

    /// An object storage.
    struct Storage {
        /// Buckets by environment.
        envs: PerEnv<StorageEnv>,
        /// Largest object.
        max_bytes: Option<MaxBytes>,
    }

    /// A bucket.
    struct StorageEnv {
        /// Its name.
        bucket: String,
        /// What object keys start with.
        prefix: Option<String>,
        /// The region, where it is not the deployment's own.
        region: Option<String>,
    }

    /// A message broker.
    struct Broker {
        /// The provider, by environment.
        envs: PerEnv<BrokerEnv>,
        /// Its topics.
        topics: Tagged<Topic>,
        /// Handlers of topics.
        subscriptions: Tagged<Subscription>,
    }

    /// Who carries the messages.
    struct BrokerEnv {
        /// The provider.
        provider: BrokerProvider,
        /// EventBridge: the bus, by name or ARN.
        bus: Option<String>,
        /// HTTP: how requests are authorised.
        auth: Option<Auth>,
        /// HTTP: headers of every request.
        headers: Headers,
        /// HTTP: `whsec_` secrets that sign requests.
        signing_secrets: SigningSecrets,
    }

    /// A topic.
    struct Topic {
        /// Its address, by environment.
        envs: PerEnv<TopicEnv>,
        /// EventBridge: the detail type.
        detail_type: Option<String>,
        /// Bound on one attempt.
        timeout: Option<TimeoutMs>,
    }

    /// A topic's address: `arn` with SNS, `url` with SQS and HTTP, nothing with EventBridge.
    struct TopicEnv {
        /// The topic's ARN.
        arn: Option<Arn>,
        /// The queue's or endpoint's URL.
        url: Option<HttpUrl>,
    }

    /// What handles the messages of a topic.
    struct Subscription {
        /// The topic's tag in the same broker.
        topic: Tag,
        /// The event that each message is handed to.
        event: String,
        /// The event's type, where the tag alone is ambiguous.
        event_type as "type": Option<EventType>,
        /// The event's app.
        app: Option<Tag>,
        /// Messages drained in one run; default 10.
        max: Option<MaxMessages>,
    }

    /// A cloud function.
    struct Function {
        /// Where it stands, by environment.
        envs: PerEnv<FunctionEnv>,
        /// Bound on one attempt.
        timeout: Option<TimeoutMs>,
    }

    /// Where a function stands; exactly one of `arn` and `url`.
    struct FunctionEnv {
        /// A Lambda function.
        arn: Option<Arn>,
        /// A function URL.
        url: Option<HttpUrl>,
        /// With `url`: how requests are authorised.
        auth: Option<Auth>,
        /// With `url`: `whsec_` secrets that sign requests.
        signing_secrets: SigningSecrets,
    }

    /// A named event with defaults.
    struct JobDefinition {
        /// The event's tag.
        event: String,
        /// The event's type, where the tag alone is ambiguous.
        event_type as "type": Option<EventType>,
        /// The event's app.
        app: Option<Tag>,
        /// What a job's input is merged over.
        input: Option<Map<String, Value>>,
        /// Retries of a job that names none.
        retries: Option<Retries>,
        /// Bound on one attempt.
        timeout: Option<TimeoutMs>,
    }

    /// A counter with a limit.
    struct Quota {
        /// What it may reach in a period.
        limit: QuotaLimit,
        /// When it starts anew.
        period: Period,
        /// The zone whose days and months count; default UTC.
        tz: Option<ZoneName>,
    }

    /// Options to try in order until one succeeds.
    struct Fallback {
        /// The options; at least one.
        options: Vec<FallbackOption>,
    }

    /// One option.
    struct FallbackOption {
        /// The event's tag.
        event: String,
        /// The event's type, where the tag alone is ambiguous.
        event_type as "type": Option<EventType>,
        /// The event's app.
        app: Option<Tag>,
        /// Its input, with `$Input{}` annotations; default the job's own.
        input: Option<Map<String, Value>>,
        /// Attempts after the first; default 0.
        retries: Option<Retries>,
        /// Bound on one attempt.
        timeout: Option<TimeoutMs>,
    }

    /// Steps in order.
    struct Feature {
        /// The steps; at least one.
        steps: Vec<FeatureStep>,
        /// The result, with annotations; default the last step's.
        output: Option<Value>,
    }

    /// One step.
    struct FeatureStep {
        /// Its name in `$Sequence{tag}{key}`; default its position from 1.
        tag: Option<Tag>,
        /// The event's tag.
        event: String,
        /// The event's type, where the tag alone is ambiguous.
        event_type as "type": Option<EventType>,
        /// The event's app.
        app: Option<Tag>,
        /// Its input, with `$Input{}` and `$Sequence{}{}` annotations.
        input: Option<Map<String, Value>>,
        /// Whether the sequence goes on when it fails.
        allow_fail: bool,
        /// Attempts after the first; default 0.
        retries: Option<Retries>,
        /// Bound on one attempt.
        timeout: Option<TimeoutMs>,
    }
}

words! {
    /// A JWS algorithm.
    enum Algorithm {
        /// HMAC with SHA-256.
        Hs256 = "HS256",
        /// HMAC with SHA-384.
        Hs384 = "HS384",
        /// HMAC with SHA-512.
        Hs512 = "HS512",
        /// RSA PKCS #1 with SHA-256.
        Rs256 = "RS256",
        /// RSA PKCS #1 with SHA-384.
        Rs384 = "RS384",
        /// RSA PKCS #1 with SHA-512.
        Rs512 = "RS512",
        /// ECDSA on P-256.
        Es256 = "ES256",
        /// ECDSA on P-384.
        Es384 = "ES384",
        /// Ed25519.
        EdDsa = "EdDSA",
    }

    /// How an action's body is sent.
    enum BodyFormat {
        /// application/json.
        Json = "json",
        /// application/x-www-form-urlencoded.
        Form = "form",
        /// multipart/form-data.
        Multipart = "multipart",
        /// text/plain.
        Text = "text",
    }

    /// Who delivers push messages.
    enum PushProvider {
        /// Expo's push service.
        Expo = "expo",
        /// Firebase Cloud Messaging, HTTP v1.
        Fcm = "fcm",
    }

    /// Who delivers e-mail.
    enum EmailProvider {
        /// Amazon SES v2.
        Ses = "ses",
        /// An SMTP server.
        Smtp = "smtp",
    }

    /// How an SMTP connection is secured.
    enum SmtpTls {
        /// STARTTLS, required.
        StartTls = "starttls",
        /// TLS from the first byte.
        Implicit = "implicit",
    }

    /// Who delivers text messages.
    enum SmsProvider {
        /// Amazon SNS.
        Sns = "sns",
        /// Twilio.
        Twilio = "twilio",
    }

    /// A kind of database.
    enum Engine {
        /// PostgreSQL.
        Postgresql = "postgresql",
        /// Amazon DynamoDB.
        Dynamodb = "dynamodb",
    }

    /// Who carries messages.
    enum BrokerProvider {
        /// Amazon SQS.
        Sqs = "sqs",
        /// Amazon SNS.
        Sns = "sns",
        /// Amazon EventBridge.
        Eventbridge = "eventbridge",
        /// An HTTP endpoint.
        Http = "http",
    }

    /// When a counter starts anew.
    enum Period {
        /// Every minute.
        Minute = "minute",
        /// Every hour.
        Hour = "hour",
        /// Every day.
        Day = "day",
        /// Every month.
        Month = "month",
    }
}

/// How requests are authorised: an object with exactly one member.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum Auth {
    /// `Authorization: Bearer`.
    Bearer(SecretRef),
    /// `Authorization: Basic`.
    Basic(BasicAuth),
    /// An API key in a header.
    Header(HeaderAuth),
    /// An API key in the query.
    Query(QueryAuth),
    /// A token from OAuth 2 client credentials.
    Oauth2(OAuth2),
}

impl Read for Auth {
    fn read(field: &Field<'_>) -> Option<Self> {
        let entries = field.entries()?;
        let [(kind, value)] = entries.as_slice() else {
            field.fault(FieldCode::Malformed, "must have exactly one member: bearer, basic, header, query or oauth2");
            return None;
        };
        match *kind {
            "bearer" => Read::read(value).map(Self::Bearer),
            "basic" => Read::read(value).map(Self::Basic),
            "header" => Read::read(value).map(Self::Header),
            "query" => Read::read(value).map(Self::Query),
            "oauth2" => Read::read(value).map(Self::Oauth2),
            _ => {
                value.fault(FieldCode::UnknownField, "must be one of bearer, basic, header, query, oauth2");
                None
            }
        }
    }
}

/// Up to two `whsec_` secrets, the newer first.
#[derive(Clone, Debug, Default, JsonSchema)]
pub struct SigningSecrets(#[schemars(length(max = 2))] pub Vec<SecretRef>);

impl Read for SigningSecrets {
    fn read(field: &Field<'_>) -> Option<Self> {
        let secrets = Vec::read(field)?;
        if secrets.len() > 2 {
            field.fault(FieldCode::OutOfRange, "at most two, while one replaces the other");
            return None;
        }
        Some(Self(secrets))
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
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
        let texts = texts.iter().map(|(locale, text)| Some(((*locale).to_owned(), String::read(text)?)));
        texts.collect::<Option<_>>().map(Self::ByLocale)
    }
}

impl Read for EventType {
    fn read(field: &Field<'_>) -> Option<Self> {
        field.one_of(&Self::WORDS)
    }
}
