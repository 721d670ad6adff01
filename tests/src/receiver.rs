//! An app that receives requests, counts them, and answers as a test wants it to.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One request that came in.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its `webhook-id`.
    pub id: String,
    /// Which one of this id it is, from 1.
    pub nth: u32,
    /// The path that it asked for.
    pub path: String,
}

/// A receiver that listens, until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    /// Where.
    pub address: SocketAddr,
    counts: Arc<Mutex<HashMap<String, u32>>>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Receiver {
    /// Starts a receiver on a free port of the loopback interface. `answer` says what each request gets.
    ///
    /// # Panics
    /// When there is no port to be had.
    pub async fn start<F>(answer: impl Fn(Delivery) -> F + Clone + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let counts = Arc::<Mutex<HashMap<String, u32>>>::default();
        let counted = Arc::clone(&counts);
        let receive = move |request: Request| {
            let id = request.headers().get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
            let nth = {
                let mut counts = counted.lock().unwrap_or_else(PoisonError::into_inner);
                let count = counts.entry(id.clone()).or_default();
                *count += 1;
                *count
            };
            answer(Delivery { id, nth, path: request.uri().path().to_owned() })
        };
        let app = Router::new().fallback(receive);
        let serving = tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, counts, serving }
    }

    /// A receiver that is content with everything.
    ///
    /// # Panics
    /// When there is no port to be had.
    pub async fn content() -> Self {
        Self::start(async |delivery| done(&delivery)).await
    }

    /// How often each `webhook-id` came in.
    pub fn counts(&self) -> HashMap<String, u32> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many ids came in.
    pub fn ids(&self) -> usize {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// 200, with what came in.
pub fn done(delivery: &Delivery) -> Response {
    answer(StatusCode::OK, &json!({ "id": delivery.id, "nth": delivery.nth, "path": delivery.path }))
}

/// A JSON answer.
pub fn answer(status: StatusCode, document: &Value) -> Response {
    (status, [("content-type", "application/json")], document.to_string()).into_response()
}
