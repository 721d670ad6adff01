//! The whole service in memory: the real router on the embedded ports, without sockets.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use carillon_api::sessions::JwtSessions;
use carillon_api::{Service, router};
use carillon_core::access::{ApiKey, KeyHash, Scope};
use carillon_core::job::Job;
use carillon_core::ports::{Clock as _, JobQuery, JobStore as _, KeyStore as _, Ports as _};
use carillon_embedded::{Embedded, SystemClock};
use carillon_outbound::secrets::EnvSecrets;
use carillon_outbound::{AllowList, Outbound};
use http::{HeaderMap, Method, Request, Uri, header};
use serde_json::Value;
use tower::ServiceExt as _;

/// The service, and a key that opens everything.
pub struct InProcess {
    /// The ports behind the router.
    pub ports: Arc<Embedded>,
    router: Router,
}

const KEY: &str = "car_opens_everything";

/// The secret behind `env:SESSION_KEY`, which the sample catalog names.
const SESSION_KEY: &str = "a-key-of-sessions-for-the-sample-catalog";

impl InProcess {
    /// An empty service.
    ///
    /// # Panics
    /// When there is no memory for it.
    pub async fn new() -> Self {
        let ports = Arc::new(Embedded::in_memory().expect("a store in memory"));
        let all = ApiKey {
            id: "all".to_owned(),
            name: String::new(),
            products: vec!["*".to_owned()],
            envs: vec!["*".to_owned()],
            scopes: Scope::WORDS.map(|(_, scope)| scope).to_vec(),
            created_at: ports.clock().now(),
        };
        ports.keys().add(&KeyHash::of(KEY), &all).await.expect("the key is stored");
        let secrets = EnvSecrets::new([("SESSION_KEY".to_owned(), SESSION_KEY.to_owned())]);
        let sessions = JwtSessions::new(Outbound::new(AllowList::default()), secrets, SystemClock);
        Self { router: router(Service::new(Arc::clone(&ports), Arc::new(sessions))), ports }
    }

    /// Sends a request with the key.
    ///
    /// # Panics
    ///
    /// If the path is invalid.
    pub async fn send(&self, method: Method, path: &str, body: impl Into<Body>) -> Reply {
        let uri = Uri::try_from(path).unwrap_or_else(|error| panic!("{error}: {path}"));
        self.request(method, uri, body.into()).await
    }

    /// Sends a request to a parsed path.
    ///
    /// # Panics
    ///
    /// Never: the request is well-formed.
    pub async fn request(&self, method: Method, uri: Uri, body: Body) -> Reply {
        let request = Request::builder().method(method).uri(uri).header(header::AUTHORIZATION, format!("Bearer {KEY}"));
        let request = request.body(body).expect("a well-formed request");
        let response = self.router.clone().oneshot(request).await.expect("the router always answers");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("the body is in memory");
        Reply { status: parts.status.as_u16(), headers: parts.headers, bytes }
    }

    /// Every stored job of a product, over these environments, newest first in each.
    ///
    /// # Panics
    /// When the store fails.
    pub async fn stored(&self, product: &str, envs: &[&str]) -> Vec<Job> {
        let mut stored = Vec::new();
        for env in envs {
            let mut before = None;
            loop {
                let (product, env) = (product.to_owned(), (*env).to_owned());
                let query = JobQuery { product, env, status: None, before, limit: 100 };
                let page = self.ports.jobs().list(&query).await.expect("the store answers");
                stored.extend(page.jobs);
                if page.next.is_none() {
                    break;
                }
                before = page.next;
            }
        }
        stored
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub bytes: Bytes,
}

/// An answer to bad input stays readable: its parts are bounded, and only a name in a pointer may be as long as the body.
const MAX_PROBLEM: usize = 1024 * 1024;

impl Reply {
    /// The body as JSON; null if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    /// Why this is no answer that anybody may get: a fault of the service, or a problem document that is not whole.
    ///
    /// # Errors
    /// The fault.
    pub fn check(&self) -> Result<(), String> {
        let header = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let wrong = |what: &str| Err(format!("{what}: {} {}", self.status, String::from_utf8_lossy(&self.bytes)));
        let id = header("x-request-id");
        if self.status >= 500 {
            return wrong("a fault of the service");
        }
        if !id.starts_with("req_") {
            return wrong("no request id");
        }
        if self.status < 400 {
            return Ok(());
        }
        if header("content-type") != "application/problem+json" || self.bytes.len() > MAX_PROBLEM {
            return wrong("no problem document of a bearable length");
        }
        let document = self.json();
        let has_text = |name: &str| document[name].as_str().is_some_and(|text| !text.is_empty());
        if !["type", "title", "detail", "code"].into_iter().all(has_text) {
            return wrong("a member is missing");
        }
        if document["status"] != self.status || document["request_id"] != id {
            return wrong("the document belongs to another answer");
        }
        let has_place = |error: &Value| ["pointer", "code", "detail"].into_iter().all(|name| error[name].is_string());
        let errors = document["errors"].as_array();
        if errors.is_some_and(|errors| errors.is_empty() || !errors.iter().all(has_place)) {
            return wrong("an error without its place");
        }
        if self.status == 422 && errors.is_none() {
            return wrong("no field is named");
        }
        Ok(())
    }
}
