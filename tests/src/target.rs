//! A target that keeps every request whole, and answers as a test wants it to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::receiver::{Listening, answer, listen};

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Its method, path and query: `POST /orders/7?dry=true`.
    pub line: String,
    /// The path alone.
    pub path: String,
    /// Its headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: Bytes,
    /// The number of the request among those of this path, from 1.
    pub nth: usize,
}

impl Wire {
    /// A header; empty if absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body as a form, in its order.
    pub fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

/// A target that listens on a port of the loopback interface, until it is dropped.
#[derive(Debug)]
pub struct Target {
    /// The address.
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Wire>>>,
    _listening: Listening,
}

impl Target {
    /// Starts a target. `answer` says what each request gets.
    ///
    /// # Panics
    /// When there is no port to be had.
    pub async fn start<F>(answer: impl Fn(Wire) -> F + Clone + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let seen = Arc::<Mutex<Vec<Wire>>>::default();
        let kept = Arc::clone(&seen);
        let app = Router::new().fallback(move |request: Request| {
            let (answer, kept) = (answer.clone(), Arc::clone(&kept));
            async move {
                let wire = note(request, &kept).await;
                answer(wire).await
            }
        });
        let (address, listening) = listen(app).await;
        Self { address, seen, _listening: listening }
    }

    /// A target that is content with everything, and answers with its path.
    ///
    /// # Panics
    /// When there is no port to be had.
    pub async fn content() -> Self {
        Self::start(async |wire| done(&wire)).await
    }

    /// Its address as a URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests received, in order.
    pub fn seen(&self) -> Vec<Wire> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The requests received at a path.
    pub fn seen_at(&self, path: &str) -> Vec<Wire> {
        self.seen().into_iter().filter(|wire| wire.path == path).collect()
    }

    /// The only request received at a path.
    ///
    /// # Panics
    ///
    /// If there is none, or more than one.
    pub fn only(&self, path: &str) -> Wire {
        let [wire] = self.seen_at(path).try_into().unwrap_or_else(|seen| panic!("not one request to {path}: {seen:?}"));
        wire
    }
}

async fn note(request: Request, kept: &Mutex<Vec<Wire>>) -> Wire {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let headers = parts.headers.iter();
    let headers = headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()));
    let path = parts.uri.path().to_owned();
    let line = format!("{} {}", parts.method, parts.uri);
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let nth = kept.iter().filter(|wire| wire.path == path).count() + 1;
    let wire = Wire { line, path, headers: headers.collect(), body, nth };
    kept.push(wire.clone());
    wire
}

/// 200, with what came in.
pub fn done(wire: &Wire) -> Response {
    answer(StatusCode::OK, &json!({"path": wire.path, "nth": wire.nth}))
}
