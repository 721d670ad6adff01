//! The part of AWS that the functions use, answered at once: a table that stores items and checks no condition, and a
//! queue that accepts messages.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::bench::Failure;

type Items = Arc<Mutex<HashMap<String, Value>>>;

/// Starts it, for as long as the runtime lives.
pub(super) async fn start() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let router = Router::new().fallback(answer).with_state(Items::default());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn answer(
    State(items): State<Items>,
    headers: HeaderMap,
    body: Bytes,
) -> ([(&'static str, &'static str); 1], String) {
    let operation = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut items = items.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = match operation {
        "DynamoDB_20120810.PutItem" => {
            items.insert(name(&request["Item"]), request["Item"].clone());
            json!({})
        }
        "DynamoDB_20120810.GetItem" => {
            items.get(&name(&request["Key"])).map_or(json!({}), |item| json!({ "Item": item }))
        }
        "AmazonSQS.SendMessage" => json!({"MessageId": "219f8380-5770-4cc2-8c3e-5c715e145f5e"}),
        _ => json!({}),
    };
    ([("content-type", "application/x-amz-json-1.0")], answer.to_string())
}

fn name(key: &Value) -> String {
    format!("{} {}", key["pk"]["S"], key["sk"]["S"])
}
