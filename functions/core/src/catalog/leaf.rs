//! Texts and numbers of the document with a form of their own: references to secrets, addresses, methods, paths,
//! ranges.

use http::Method;
use schemars::JsonSchema;
use url::Url;

use crate::cadence::Zone;
use crate::error::FieldCode;
use crate::json::{Field, Read, numbers};

/// A reference to a secret; the document never contains the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(with = "SecretRefSchema")]
pub struct SecretRef {
    /// The store of the secret.
    pub store: SecretStoreKind,
    /// Its name there.
    pub name: String,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct SecretRefSchema(#[schemars(regex(pattern = "^(ssm:/|secretsmanager:|env:).+$"))] String);

/// A kind of secret store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretStoreKind {
    /// An SSM parameter, `ssm:/path`.
    Ssm,
    /// A secret of Secrets Manager, `secretsmanager:name`.
    SecretsManager,
    /// A variable of the process's environment, `env:NAME`.
    Env,
}

impl SecretRef {
    /// The forms, in words.
    pub const FORMS: &'static str = "ssm:/path, secretsmanager:name or env:NAME (the secret itself never stands here)";

    /// The reference, if the text is one.
    ///
    /// ```
    /// use carillon_core::catalog::{SecretStoreKind, SecretRef};
    /// assert_eq!(SecretRef::parse("env:API_TOKEN").unwrap().store, SecretStoreKind::Env);
    /// assert!(SecretRef::parse("ssm:/shop/prd/token").is_some());
    /// assert!(SecretRef::parse("hunter2").is_none() && SecretRef::parse("ssm:relative").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (store, name) = text.split_once(':')?;
        let every =
            |extra: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.contains(char::from(byte)));
        let (store, sound) = match store {
            "ssm" => (SecretStoreKind::Ssm, name.len() > 1 && name.starts_with('/') && every("/_.-")),
            "secretsmanager" => (SecretStoreKind::SecretsManager, every("/_+=.@:-")),
            "env" => (SecretStoreKind::Env, every("_") && !name.starts_with(|first: char| first.is_ascii_digit())),
            _ => return None,
        };
        (sound && !name.is_empty() && name.len() <= 1_024).then(|| Self { store, name: name.to_owned() })
    }
}

impl std::fmt::Display for SecretRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let store = match self.store {
            SecretStoreKind::Ssm => "ssm",
            SecretStoreKind::SecretsManager => "secretsmanager",
            SecretStoreKind::Env => "env",
        };
        write!(f, "{store}:{}", self.name)
    }
}

impl Read for SecretRef {
    fn read(field: &Field<'_>) -> Option<Self> {
        field.parsed(Self::FORMS, Self::parse)
    }
}

/// An absolute http or https address, without user, password or fragment.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
pub struct HttpUrl(#[schemars(with = "String", url)] Url);

impl HttpUrl {
    /// The address.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl Read for HttpUrl {
    fn read(field: &Field<'_>) -> Option<Self> {
        let text = field.string()?;
        let refuse = |detail: &str| {
            field.fault(FieldCode::Malformed, detail);
            None
        };
        if text.len() > 2_048 {
            return refuse("must have at most 2048 characters");
        }
        let Ok(url) = Url::parse(text) else {
            return refuse("must be an absolute http or https URL, such as https://api.example.com");
        };
        match url.scheme() {
            "http" | "https" if url.has_host() => {}
            _ => return refuse("must be an http or https URL"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("must not carry a user or password: use auth");
        }
        if url.fragment().is_some() {
            return refuse("must not have a fragment");
        }
        Some(Self(url))
    }
}

/// The base of an app's actions: an [`HttpUrl`] without a query.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
pub struct BaseUrl(HttpUrl);

impl BaseUrl {
    /// The address.
    pub fn url(&self) -> &Url {
        self.0.url()
    }
}

impl Read for BaseUrl {
    fn read(field: &Field<'_>) -> Option<Self> {
        let url = HttpUrl::read(field)?;
        if url.url().query().is_some() {
            field.fault(FieldCode::Malformed, "must not have a query: it belongs to the actions");
            return None;
        }
        Some(Self(url))
    }
}

/// A host, by name or address.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
pub struct HostName(pub String);

impl Read for HostName {
    fn read(field: &Field<'_>) -> Option<Self> {
        field.parsed("the name or the address of a host, such as smtp.example.com", |text| {
            let sound = super::mailbox::is_domain(text) || text.parse::<std::net::IpAddr>().is_ok();
            sound.then(|| Self(text.to_owned()))
        })
    }
}

/// An account of Twilio: `AC` and more letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
pub struct AccountSid(#[schemars(regex(pattern = "^AC[0-9A-Za-z]{1,62}$"))] pub String);

impl Read for AccountSid {
    fn read(field: &Field<'_>) -> Option<Self> {
        field.parsed("an account SID: AC and more letters and digits", |text| {
            let rest = text.strip_prefix("AC")?;
            let sound = (1..=62).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
            sound.then(|| Self(text.to_owned()))
        })
    }
}

/// An Amazon Resource Name.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
pub struct Arn(#[schemars(regex(pattern = "^arn:[^:]+:[^:]+:[^:]*:[^:]*:.+$"))] pub String);

impl Read for Arn {
    fn read(field: &Field<'_>) -> Option<Self> {
        field.parsed("an ARN, such as arn:aws:sns:eu-west-1:123456789012:orders", |text| {
            let parts: Vec<&str> = text.splitn(6, ':').collect();
            let sound = parts.len() == 6 && parts[0] == "arn" && ![parts[1], parts[2], parts[5]].contains(&"");
            (sound && text.len() <= 2_048).then(|| Self(text.to_owned()))
        })
    }
}

/// An HTTP method that an action may use.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "MethodSchema")]
pub struct HttpMethod(pub Method);

#[derive(JsonSchema)]
#[schemars(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "only its schema is used")]
enum MethodSchema {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Read for HttpMethod {
    fn read(field: &Field<'_>) -> Option<Self> {
        let methods =
            [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
        let words: Vec<_> = methods.iter().map(|method| (method.as_str(), method)).collect();
        field.one_of(&words).cloned().map(Self)
    }
}

/// An action's path: `/`, then segments; a segment `:name` is filled from `params`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
pub struct PathTemplate(#[schemars(regex(pattern = "^/"))] String);

impl PathTemplate {
    /// The segments between the slashes; those that start with `:` are parameters.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0[1..].split('/')
    }

    /// The names of the parameters, in their order.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments().filter_map(|segment| segment.strip_prefix(':'))
    }
}

impl Read for PathTemplate {
    fn read(field: &Field<'_>) -> Option<Self> {
        let form = "a path such as /users/:userId, without ? # % \\ or dot segments, each :name once";
        field.parsed(form, |text| {
            if text.len() > 1_024 || !text.starts_with('/') {
                return None;
            }
            let path = Self(text.to_owned());
            let parameters: Vec<_> = path.parameters().collect();
            let is_name =
                |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let once = parameters.iter().enumerate().all(|(index, name)| !parameters[..index].contains(name));
            let plain =
                !text.contains(['?', '#', '%', '\\']) && !text.chars().any(|c| c.is_control() || c.is_whitespace());
            let dots = path.segments().any(|segment| matches!(segment, "." | ".."));
            (plain && once && !dots && parameters.iter().all(is_name)).then_some(path)
        })
    }
}

/// The name of a time zone that the database in use has.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
pub struct ZoneName(pub String);

impl Read for ZoneName {
    fn read(field: &Field<'_>) -> Option<Self> {
        let written = field.string()?;
        let Err(meant) = Zone::find(written) else { return Some(Self(written.to_owned())) };
        let hint = meant.map_or_else(String::new, |meant| format!(" (did you mean \"{meant}\"?)"));
        field.fault(FieldCode::Malformed, format!("must be an IANA time zone, such as Europe/Amsterdam{hint}"));
        None
    }
}

numbers! {
    /// A bound on one attempt in ms: 1 to 900000 (15 minutes, the longest that a function runs).
    TimeoutMs: u32 = 1..=900_000;
    /// Attempts after the first.
    Retries: u32 = 0..=100;
    /// A lifetime in ms, up to a year.
    ExpiryMs: u64 = 1..=31_536_000_000_u64;
    /// Tolerated clock difference, seconds.
    LeewaySeconds: u32 = 0..=300;
    /// A TCP port.
    Port: u16 = 1..=65_535;
    /// Rows that a statement may return.
    MaxRows: u32 = 1..=10_000;
    /// Size of a stored object.
    MaxBytes: u64 = 1..=6_291_456;
    /// Messages drained in one run.
    MaxMessages: u32 = 1..=1_000;
    /// The most that a counter may reach in a period.
    QuotaLimit: u64 = 1..=1_000_000_000_000_u64;
}
