//! The API keys of callers.
//!
//! They are read from the database for each request, because another process may revoke one at any moment, and a point read
//! takes a few microseconds.

use std::sync::Arc;

use carillon_core::access::{ApiKey, KeyHash};
use carillon_core::ports::{KeyStore, PortError, WriteOutcome};
use rusqlite::params;

use super::fault::Fault;
use super::rows::{json, parsed};
use super::writer::{Write, WriteSession};
use super::{Effects, Store};

pub(super) const FIND: &str = "SELECT record FROM keys WHERE hash = ?1";
pub(super) const ADD: &str = "INSERT OR REPLACE INTO keys (hash, id, record) VALUES (?1, ?2, ?3)";
pub(super) const REVOKE: &str = "DELETE FROM keys WHERE id = ?1";
/// All records, for `carillon keys list`.
const LIST: &str = "SELECT record, id FROM keys ORDER BY id";

impl KeyStore for Store {
    async fn find(&self, hash: &KeyHash) -> Result<Option<Arc<ApiKey>>, PortError> {
        self.readers.read(|db| {
            let mut statement = db.prepare_cached(FIND)?;
            let mut rows = statement.query([hash.to_string()])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            Ok(Some(Arc::new(parsed(row, 0, || "a key".to_owned())?)))
        })
    }

    async fn add(&self, hash: &KeyHash, key: &ApiKey) -> Result<(), PortError> {
        let add =
            Add { hash: hash.to_string(), id: key.id.clone(), record: json(|| format!("the key {}", key.id), key)? };
        self.writer.write(add).await.map(drop)
    }
}

impl Store {
    /// Returns the records of all keys, ordered by id.
    ///
    /// # Errors
    /// [`PortError`] if the store cannot be read.
    pub async fn list_keys(&self) -> Result<Vec<ApiKey>, PortError> {
        self.readers
            .read_page(|db| {
                let mut statement = db.prepare_cached(LIST)?;
                let mut rows = statement.query([])?;
                let mut keys = Vec::new();
                while let Some(row) = rows.next()? {
                    keys.push(parsed(row, 0, || "a key".to_owned())?);
                }
                Ok(keys)
            })
            .await
    }

    /// Removes the key of this id, which is invalid from the next request on. True if there was one.
    ///
    /// # Errors
    /// [`PortError`] if the store cannot be written.
    pub async fn revoke_key(&self, id: &str) -> Result<bool, PortError> {
        Ok(self.writer.write(Revoke { id: id.to_owned() }).await? == WriteOutcome::Done)
    }
}

struct Add {
    hash: String,
    id: String,
    record: String,
}

impl Write for Add {
    fn apply(&mut self, session: &mut WriteSession<'_>) -> Result<WriteOutcome, Fault> {
        session.db.prepare_cached(ADD)?.execute(params![self.hash, self.id, self.record])?;
        Ok(WriteOutcome::Done)
    }

    fn take_effect(self: Box<Self>, _: &Effects) {}
}

struct Revoke {
    id: String,
}

impl Write for Revoke {
    fn apply(&mut self, session: &mut WriteSession<'_>) -> Result<WriteOutcome, Fault> {
        let removed = session.db.prepare_cached(REVOKE)?.execute([&self.id])?;
        Ok(if removed == 0 { WriteOutcome::Conflict } else { WriteOutcome::Done })
    }

    fn take_effect(self: Box<Self>, _: &Effects) {}
}
