//! A small app that receives requests in place of the user's own, for the demonstration and the printed examples.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A listening receiver.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Seen,
}

/// The number of requests for each `webhook-id`.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<HashMap<String, u32>>>);

impl Seen {
    /// Counts a request. Returns its number among those of its `webhook-id`, from 1.
    fn note(&self, headers: &HeaderMap) -> u32 {
        let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = seen.entry(id.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// Returns the number of requests over all ids.
    pub(crate) fn requests(&self) -> u32 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

/// Starts a receiver on a free port of the loopback interface.
pub(crate) async fn start() -> std::io::Result<Receiver> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let seen = Seen::default();
    let app = Router::new()
        .route("/orders/{id}/confirm", post(confirm_order))
        .route("/baskets/{id}/remind", post(remind_basket))
        .route("/stock/{sku}", put(sync_stock))
        .route("/invoices/{id}/send", post(send_invoice))
        .route("/shipping/quote", get(quote_shipping))
        .fallback(any(echo))
        .with_state(seen.clone());
    // The task ends with the process.
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(Receiver { address, seen })
}

async fn quote_shipping(State(seen): State<Seen>, headers: HeaderMap) -> Json<Value> {
    seen.note(&headers);
    Json(json!({"carrier": "parcel post", "cents": 795}))
}

async fn confirm_order(State(seen): State<Seen>, Path(id): Path<String>, headers: HeaderMap) -> Json<Value> {
    seen.note(&headers);
    Json(json!({ "order": id, "confirmed": true }))
}

async fn remind_basket(State(seen): State<Seen>, Path(id): Path<String>, headers: HeaderMap) -> Json<Value> {
    seen.note(&headers);
    Json(json!({ "basket": id, "reminded": true }))
}

/// Fails the first two attempts of every job.
async fn sync_stock(State(seen): State<Seen>, Path(sku): Path<String>, headers: HeaderMap) -> Response {
    match seen.note(&headers) {
        1 | 2 => (StatusCode::SERVICE_UNAVAILABLE, "the stock system restarts").into_response(),
        _ => Json(json!({ "sku": sku, "synced": true })).into_response(),
    }
}

/// Fails every attempt.
async fn send_invoice(State(seen): State<Seen>, headers: HeaderMap) -> Response {
    seen.note(&headers);
    (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "code": "PRINTER_ON_FIRE" }))).into_response()
}

/// Returns the path and the body of the request.
async fn echo(State(seen): State<Seen>, uri: Uri, headers: HeaderMap, body: Bytes) -> Json<Value> {
    seen.note(&headers);
    let body: Value =
        serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned().into());
    Json(json!({ "path": uri.path(), "received": body }))
}
