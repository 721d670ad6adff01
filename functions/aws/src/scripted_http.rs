//! AWS as the real clients meet it over the wire, with answers by script. For tests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use serde_json::Value;

use crate::settings::Settings;

/// Answers by script, and the requests that came in.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScriptedHttp {
    answers: Arc<Mutex<VecDeque<ScriptedAnswer>>>,
    requests: Arc<Mutex<Vec<Asked>>>,
}

/// What AWS does with a request.
#[derive(Debug)]
pub(crate) enum ScriptedAnswer {
    /// It answers.
    Says { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    /// It says nothing in time.
    IsLate,
    /// The connection breaks.
    Breaks,
}

impl ScriptedAnswer {
    /// An answer in XML, or whatever its text is.
    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::Says { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    /// The same, with one more header.
    pub(crate) fn with(self, name: &'static str, value: &str) -> Self {
        match self {
            Self::Says { status, mut headers, body } => {
                headers.push((name, value.to_owned()));
                Self::Says { status, headers, body }
            }
            silent => silent,
        }
    }
}

impl From<(u16, Value)> for ScriptedAnswer {
    fn from((status, body): (u16, Value)) -> Self {
        Self::text(status, &body.to_string())
    }
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Scheme and host.
    pub(crate) origin: String,
    /// With the query.
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    fn of(request: &HttpRequest) -> Self {
        let (scheme, rest) = request.uri().split_once("://").unwrap();
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let headers = request.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            method: request.method().to_owned(),
            origin: format!("{scheme}://{host}"),
            path: path.to_owned(),
            headers: headers.collect(),
            body: request.body().bytes().unwrap().to_vec(),
        }
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body, of JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The body, of a form: each name with its value.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// What the services that speak AWS's JSON protocol call it.
    fn action(&self) -> String {
        self.header("x-amz-target").unwrap().split_once('.').unwrap().1.to_owned()
    }
}

impl HttpConnector for ScriptedHttp {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.requests.lock().unwrap().push(Asked::of(&request));
        let answer = self.answers.lock().unwrap().pop_front().unwrap();
        HttpConnectorFuture::ready(match answer {
            ScriptedAnswer::Says { status, headers, body } => {
                let mut answer = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body));
                for (name, value) in headers {
                    answer.headers_mut().insert(name, value);
                }
                Ok(answer)
            }
            ScriptedAnswer::IsLate => Err(ConnectorError::timeout("late".into())),
            ScriptedAnswer::Breaks => Err(ConnectorError::io("broken".into())),
        })
    }
}

impl ScriptedHttp {
    /// AWS that gives these answers.
    pub(crate) fn that_answers<const N: usize>(answers: [(u16, Value); N]) -> Self {
        Self::that(answers.map(ScriptedAnswer::from))
    }

    /// AWS that does this, one after the other.
    pub(crate) fn that<const N: usize>(answers: [ScriptedAnswer; N]) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into())), requests: Arc::default() }
    }

    /// What clients are made of that meet it.
    pub(crate) fn config(&self) -> SdkConfig {
        let connector = SharedHttpConnector::new(self.clone());
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "key", None, None, "test")))
            .retry_config(RetryConfig::disabled())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build()
    }

    /// What it was asked.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.requests.lock().unwrap().clone()
    }

    /// What it was asked in AWS's JSON protocol, each as its action and body.
    pub(crate) fn requests(&self) -> Vec<(String, Value)> {
        self.asked().iter().map(|asked| (asked.action(), asked.json())).collect()
    }

    /// Only which actions.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.asked().iter().map(Asked::action).collect()
    }
}

/// Settings in which everything is named as its variable is, and the numbers have their defaults.
pub(crate) fn settings() -> Settings {
    let is_number = |name: &str| ["SECONDS", "DAYS", "HOURS"].iter().any(|unit| name.ends_with(unit));
    Settings::read(|name| (!is_number(name)).then(|| name.to_lowercase())).unwrap()
}
