//! A client of the HTTP API.

use std::net::SocketAddr;

use reqwest::Method;
use serde_json::{Value, json};

use crate::Failure;

/// A client with an API key.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Client {
    pub(super) fn new(address: SocketAddr, key: &str) -> Self {
        Self { http: reqwest::Client::new(), base: format!("http://{address}"), key: key.to_owned() }
    }

    pub(super) async fn put_catalog(&self, product: &str, document: &Value) -> Result<(), Failure> {
        let answer = self.send(Method::PUT, &format!("/v1/products/{product}"), Some(document)).await;
        answer.map(drop)
    }

    /// Schedules a job and returns its id.
    pub(super) async fn schedule(&self, body: &Value) -> Result<String, Failure> {
        let answer = self.send(Method::POST, "/v1/jobs", Some(body)).await?;
        Ok(answer["job_id"].as_str().ok_or("the answer has no job_id")?.to_owned())
    }

    /// Creates a session token with this data.
    pub(super) async fn mint(&self, product: &str, env: &str, tag: &str, data: &Value) -> Result<Value, Failure> {
        let path = format!("/v1/products/{product}/envs/{env}/sessions/{tag}");
        let answer = self.send(Method::POST, &path, Some(&json!({"data": data}))).await?;
        Ok(answer["token"].clone())
    }

    pub(super) async fn job(&self, id: &str) -> Result<Value, Failure> {
        self.send(Method::GET, &format!("/v1/jobs/{id}"), None).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        if status.is_success() {
            return Ok(serde_json::from_str(&text)?);
        }
        Err(format!("{path} answered {status}: {text}").into())
    }
}
