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

use crate::env::epoch_ms;

/// One request that came in.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its `webhook-id`.
    pub id: String,
    /// The number of the request among those with this id, from 1.
    pub nth: u32,
    /// The path that it asked for.
    pub path: String,
    /// Its `authorization`.
    pub authorization: String,
}

/// A receiver that listens, until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    /// The address.
    pub address: SocketAddr,
    arrivals: Arc<Mutex<HashMap<String, Vec<i64>>>>,
    _listening: Listening,
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
        let arrivals = Arc::<Mutex<HashMap<String, Vec<i64>>>>::default();
        let noted = Arc::clone(&arrivals);
        let receive = move |request: Request| {
            let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let (id, authorization) = (header("webhook-id").to_owned(), header("authorization").to_owned());
            let nth = {
                let mut arrivals = noted.lock().unwrap_or_else(PoisonError::into_inner);
                let of_this = arrivals.entry(id.clone()).or_default();
                of_this.push(epoch_ms());
                count(of_this)
            };
            answer(Delivery { id, nth, path: request.uri().path().to_owned(), authorization })
        };
        let (address, listening) = listen(Router::new().fallback(receive)).await;
        Self { address, arrivals, _listening: listening }
    }

    /// A receiver that is content with everything.
    ///
    /// # Panics
    /// When there is no port to be had.
    pub async fn content() -> Self {
        Self::start(async |delivery| done(&delivery)).await
    }

    /// Requests received for each `webhook-id`.
    pub fn counts(&self) -> HashMap<String, u32> {
        let arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.iter().map(|(id, of_this)| (id.clone(), count(of_this))).collect()
    }

    /// Number of ids received.
    pub fn ids(&self) -> usize {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// When a `webhook-id` came in, epoch ms.
    pub fn arrivals(&self, id: &str) -> Vec<i64> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned().unwrap_or_default()
    }
}

/// An app that is served, until it is dropped.
#[derive(Debug)]
pub(crate) struct Listening(JoinHandle<std::io::Result<()>>);

/// Serves an app on a free port of the loopback interface, and says where.
pub(crate) async fn listen(app: Router) -> (SocketAddr, Listening) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    (address, Listening(tokio::spawn(async move { axum::serve(listener, app).await })))
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn count(arrivals: &[i64]) -> u32 {
    arrivals.len().try_into().unwrap_or(u32::MAX)
}

/// 200, with what came in.
pub fn done(delivery: &Delivery) -> Response {
    answer(StatusCode::OK, &json!({ "id": delivery.id, "nth": delivery.nth, "path": delivery.path }))
}

/// A JSON answer.
pub fn answer(status: StatusCode, document: &Value) -> Response {
    (status, [("content-type", "application/json")], document.to_string()).into_response()
}
