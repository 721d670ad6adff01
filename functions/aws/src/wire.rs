//! AWS as the real clients meet it over the wire, with answers by script. For tests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use serde_json::Value;

use crate::settings::Settings;

/// Answers by script, and the requests that came in, each as its action and body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire {
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap();
        let action = target.split_once('.').unwrap().1.to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        self.requests.lock().unwrap().push((action, body));
        let (status, body) = self.answers.lock().unwrap().pop_front().unwrap();
        let answer = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body.to_string()));
        HttpConnectorFuture::ready(Ok(answer))
    }
}

impl Wire {
    /// AWS that gives these answers.
    pub(crate) fn that_answers<const N: usize>(answers: [(u16, Value); N]) -> Self {
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
    pub(crate) fn requests(&self) -> Vec<(String, Value)> {
        self.requests.lock().unwrap().clone()
    }

    /// Only which actions.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.requests().into_iter().map(|(action, _)| action).collect()
    }
}

/// Settings in which everything is named as its variable is, and the numbers have their defaults.
pub(crate) fn settings() -> Settings {
    let is_number = |name: &str| ["SECONDS", "DAYS", "HOURS"].iter().any(|unit| name.ends_with(unit));
    Settings::read(|name| (!is_number(name)).then(|| name.to_lowercase())).unwrap()
}
