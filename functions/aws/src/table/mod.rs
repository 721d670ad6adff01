//! The one DynamoDB table.

mod api_keys;
mod cache;
mod catalogs;
mod idempotency;
mod jobs;
pub mod keys;
mod listing;
mod progress;
mod results;
mod wait_slots;

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use carillon_core::access::{ApiKey, KeyHash};
use carillon_core::ports::{PortError, Published};
use carillon_core::time::UnixMillis;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::cache::Cache;
use crate::fault::{Unreadable, classify};
use crate::settings::Settings;

/// DynamoDB's limit on the keys of one BatchGetItem.
const BATCH: usize = 100;

/// The table as a store of jobs, catalogs, keys, cached results, requests and progress.
#[derive(Clone, Debug)]
pub struct Table<C> {
    client: Client,
    name: String,
    clock: C,
    /// Retention of a run in the history, ms.
    kept_ms: i64,
    /// Retention of an `Idempotency-Key`, ms.
    requests_kept_ms: i64,
    catalogs: Arc<Cache<String, Published>>,
    api_keys: Arc<Cache<KeyHash, ApiKey>>,
}

impl<C> Table<C> {
    /// Creates the table of a deployment.
    pub fn new(client: Client, settings: &Settings, clock: C) -> Self {
        let kept_ms = i64::from(settings.kept_days) * 86_400_000;
        let requests_kept_ms = i64::from(settings.idempotency_hours) * 3_600_000;
        let name = settings.table.clone();
        Self { client, name, clock, kept_ms, requests_kept_ms, catalogs: Arc::default(), api_keys: Arc::default() }
    }

    /// Reads one item, strongly consistent.
    async fn item(&self, key: Item) -> Result<Option<Item>, PortError> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key));
        Ok(request.consistent_read(true).send().await.map_err(classify)?.item)
    }

    /// Reads the items of these keys that exist, in any order.
    async fn batch(&self, keys: Vec<Item>, consistent: bool) -> Result<Vec<Item>, PortError> {
        let mut found = Vec::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            let mut wanted = batch.to_vec();
            // An answer leaves keys out when it grows beyond 16 MB: they are requested again.
            while !wanted.is_empty() {
                let keys_and_attributes = KeysAndAttributes::builder()
                    .set_keys(Some(wanted))
                    .consistent_read(consistent)
                    .build()
                    .map_err(|error| PortError::Permanent(error.into()))?;
                let request = self.client.batch_get_item().request_items(&self.name, keys_and_attributes);
                let mut answer = request.send().await.map_err(classify)?;
                found.extend(answer.responses.as_mut().and_then(|it| it.remove(&self.name)).unwrap_or_default());
                let left = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.name));
                wanted = left.map(|left| left.keys).unwrap_or_default();
            }
        }
        Ok(found)
    }
}

type Item = HashMap<String, AttributeValue>;

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn millis(at: UnixMillis) -> AttributeValue {
    AttributeValue::N(at.0.to_string())
}

/// The time to live of an item that is not needed after `at`.
fn expiry(at: UnixMillis) -> AttributeValue {
    AttributeValue::N((at.0.div_euclid(1_000) + 1).to_string())
}

fn instant(item: &Item, name: &str, what: &'static str) -> Result<UnixMillis, Unreadable> {
    let digits = item.get(name).and_then(|value| value.as_n().ok()).ok_or(Unreadable(what))?;
    digits.parse().map(UnixMillis).map_err(|_| Unreadable(what))
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
