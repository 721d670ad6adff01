//! The API as its caller sees it.

use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, Method};
use serde_json::{Value, json};

use crate::env::until;

/// Timeout for a job on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If it is not JSON, or the status is another.
    #[track_caller]
    pub fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

/// A caller with a key. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Client {
    /// A caller of the server at `address`.
    ///
    /// # Panics
    /// When this machine's TLS cannot be set up.
    pub fn new(address: SocketAddr, key: &str) -> Self {
        Self::at(&format!("http://{address}"), key)
    }

    /// A caller of the API below `base`, an address without a slash at its end.
    ///
    /// # Panics
    /// When this machine's TLS cannot be set up.
    pub fn at(base: &str, key: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client can be made");
        Self { http, base: base.to_owned(), key: key.to_owned() }
    }

    /// A client of this server with another key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        for (name, value) in headers {
            request = request.header(HeaderName::from_static(name), *value);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, text: response.text().await? })
    }

    /// GET.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await.unwrap_or_else(|error| panic!("GET {path}: {error:?}"))
    }

    /// PUT.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, &[], Some(body)).await.unwrap_or_else(|error| panic!("PUT {path}: {error:?}"))
    }

    /// POST.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body)).await.unwrap_or_else(|error| panic!("POST {path}: {error:?}"))
    }

    /// Schedules a job, and gives its id.
    ///
    /// # Panics
    /// When it is not accepted.
    pub async fn schedule(&self, body: &Value) -> String {
        let accepted = self.post("/v1/jobs", body).await.json(202);
        accepted["job_id"].as_str().expect("an accepted job has an id").to_owned()
    }

    /// A job as it is stored.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub async fn job(&self, id: &str) -> Value {
        self.get(&format!("/v1/jobs/{id}")).await.json(200)
    }

    /// Waits for the end of a job, and gives its one run.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ended(&self, id: &str) -> Value {
        let is_over = |job: &Value| matches!(job["status"].as_str(), Some("completed" | "failed"));
        until(format!("{id} has ended"), LIMIT, async || is_over(&self.job(id).await).then_some(())).await;
        self.get(&format!("/v1/jobs/{id}/runs")).await.json(200)["runs"][0].take()
    }

    /// Asks for a change of a job that needs no body, such as `pause`, and gives the job as it stands then.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn change(&self, id: &str, verb: &str) -> Value {
        let path = format!("/v1/jobs/{id}/{verb}");
        let answer = self.send(Method::POST, &path, &[], None).await;
        answer.unwrap_or_else(|error| panic!("POST {path}: {error:?}")).json(200)
    }

    /// Every job of a product's environment `dev`, newest first, page by page; `status` narrows it down.
    ///
    /// # Panics
    /// When a page is not answered.
    pub async fn jobs(&self, product: &str, status: Option<&str>) -> Vec<Value> {
        let status = status.map_or(String::new(), |status| format!("&status={status}"));
        self.pages(&format!("/v1/jobs?product_tag={product}&env=dev&limit=100{status}"), "jobs").await.concat()
    }

    /// The list of a job's runs, latest first, in pages of `limit` runs.
    ///
    /// # Panics
    /// When a page is not answered.
    pub async fn pages_of_runs(&self, id: &str, limit: usize) -> Vec<Vec<Value>> {
        self.pages(&format!("/v1/jobs/{id}/runs?limit={limit}"), "runs").await
    }

    async fn pages(&self, first: &str, entries: &str) -> Vec<Vec<Value>> {
        let (mut pages, mut path) = (Vec::new(), first.to_owned());
        loop {
            let mut page = self.get(&path).await.json(200);
            if let Value::Array(entries) = page[entries].take() {
                pages.push(entries);
            }
            let Some(cursor) = page["next_cursor"].as_str() else { return pages };
            path = format!("{first}&cursor={cursor}");
        }
    }

    /// True if a job of a product's environment `dev` still has to run, or is running.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub async fn has_open_jobs(&self, product: &str) -> bool {
        for status in ["scheduled", "queued", "running"] {
            let path = format!("/v1/jobs?product_tag={product}&env=dev&limit=1&status={status}");
            if self.get(&path).await.json(200)["jobs"] != json!([]) {
                return true;
            }
        }
        false
    }
}

/// A catalog whose one app stands at `target`, with the action `work` at `/tasks/:number`.
pub fn catalog(target: SocketAddr) -> Value {
    json!({"envs": ["dev"], "apps": {"app": {
        "envs": {"dev": {"base_url": format!("http://{target}")}},
        "actions": {"work": {"method": "POST", "path": "/tasks/:number"}},
    }}})
}

/// A job of `product` for that action, due at `start_at` (epoch ms, 0 for now).
pub fn job(product: &str, number: usize, start_at: i64) -> Value {
    json!({
        "product_tag": product, "env": "dev", "event": "work", "start_at": start_at,
        "input": {"params": {"number": number}, "body": {"number": number}},
    })
}

/// Schedules a job that recurs as `repeat` says.
pub fn recurring(product: &str, start_at: i64, repeat: &Value) -> Value {
    let mut job = job(product, 1, start_at);
    job["repeat"] = repeat.clone();
    job
}
