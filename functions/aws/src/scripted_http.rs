//! AWS with scripted answers, for tests of the real clients.

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

/// Scripted answers, and the requests that arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScriptedHttp {
    answers: Arc<Mutex<VecDeque<ScriptedAnswer>>>,
    requests: Arc<Mutex<Vec<Asked>>>,
}

/// The reaction to a request.
#[derive(Debug)]
pub(crate) enum ScriptedAnswer {
    /// An answer.
    Says { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    /// No answer in time.
    IsLate,
    /// A broken connection.
    Breaks,
}

impl ScriptedAnswer {
    /// An answer with a text body, such as XML.
    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::Says { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    /// Adds a header.
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

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Scheme and host.
    pub(crate) origin: String,
    /// The path with its query.
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

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The body as a form: each name with its value.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The action of AWS's JSON protocol.
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
    /// Answers with these status codes and bodies, one after the other.
    pub(crate) fn that_answers<const N: usize>(answers: [(u16, Value); N]) -> Self {
        Self::that(answers.map(ScriptedAnswer::from))
    }

    /// Reacts like this, one after the other.
    pub(crate) fn that<const N: usize>(answers: [ScriptedAnswer; N]) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into())), requests: Arc::default() }
    }

    /// An SDK configuration whose clients meet this script.
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

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.requests.lock().unwrap().clone()
    }

    /// The requests in AWS's JSON protocol, each as its action and body.
    pub(crate) fn requests(&self) -> Vec<(String, Value)> {
        self.asked().iter().map(|asked| (asked.action(), asked.json())).collect()
    }

    /// The actions of the requests.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.asked().iter().map(Asked::action).collect()
    }
}

/// Settings in which every name is its variable's, and every number its default.
pub(crate) fn settings() -> Settings {
    let is_number = |name: &str| ["SECONDS", "DAYS", "HOURS", "WAITS"].iter().any(|unit| name.ends_with(unit));
    Settings::read(|name| (!is_number(name)).then(|| name.to_lowercase())).unwrap()
}
