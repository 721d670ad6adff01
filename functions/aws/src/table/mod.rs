//! The one DynamoDB table.

mod cache;
mod catalogs;
mod jobs;
pub mod keys;
mod keystore;
mod listing;

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use carillon_core::access::{ApiKey, KeyHash};
use carillon_core::ports::Published;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::cache::Cache;
use crate::fault::Unreadable;

/// The table, as JobStore, CatalogStore and KeyStore.
#[derive(Clone, Debug)]
pub struct Table<C> {
    client: Client,
    name: String,
    clock: C,
    /// How long a run stays in the history, ms.
    kept_ms: i64,
    catalogs: Arc<Cache<String, Published>>,
    api_keys: Arc<Cache<KeyHash, ApiKey>>,
}

impl<C> Table<C> {
    /// The table of this name, whose runs leave the history so many days after their end.
    pub fn new(client: Client, name: String, clock: C, kept_days: u32) -> Self {
        let kept_ms = i64::from(kept_days) * 86_400_000;
        Self { client, name, clock, kept_ms, catalogs: Arc::default(), api_keys: Arc::default() }
    }
}

type Item = HashMap<String, AttributeValue>;

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn json<T: Serialize>(value: &T, what: &'static str) -> Result<AttributeValue, Unreadable> {
    serde_json::to_string(value).map(AttributeValue::S).map_err(|_| Unreadable(what))
}

fn read<T: DeserializeOwned>(item: &Item, name: &str, what: &'static str) -> Result<T, Unreadable> {
    let text = item.get(name).and_then(|value| value.as_s().ok()).ok_or(Unreadable(what))?;
    serde_json::from_str(text).map_err(|_| Unreadable(what))
}

fn key(pk: String, sk: impl Into<String>) -> Item {
    HashMap::from([(keys::PK.to_owned(), text(pk)), (keys::SK.to_owned(), text(sk))])
}
