//! Requests that have a key.

use std::collections::BTreeMap;

use crate::idempotency::{IdempotencyKey, IdempotencyRecord, KEPT_HOURS};
use crate::time::UnixMillis;

/// Retention of a key, ms.
const KEPT_MS: i64 = KEPT_HOURS as i64 * 3_600_000;

/// The requests that have a name.
#[derive(Clone, Debug, Default)]
pub struct Requests(BTreeMap<IdempotencyKey, IdempotencyRecord>);

impl Requests {
    /// [`IdempotencyStore::find`](crate::ports::IdempotencyStore::find).
    pub fn find(&self, name: &IdempotencyKey, now: UnixMillis) -> Option<IdempotencyRecord> {
        self.0.get(name).filter(|standing| now.since(standing.at) < KEPT_MS).cloned()
    }

    /// [`IdempotencyStore::reserve`](crate::ports::IdempotencyStore::reserve).
    pub fn reserve(&mut self, name: &IdempotencyKey, new: &IdempotencyRecord) -> IdempotencyRecord {
        let standing = self.0.entry(name.clone()).or_insert_with(|| new.clone());
        if new.at.since(standing.at) >= KEPT_MS {
            *standing = new.clone();
        }
        standing.clone()
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
