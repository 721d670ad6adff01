//! Requests with an idempotency key.

use carillon_core::idempotency::{IdempotencyKey, IdempotencyRecord};
use carillon_core::ports::{IdempotencyStore, PortError, WriteOutcome};
use carillon_core::time::UnixMillis;
use rusqlite::{Connection, params};

use super::fault::Fault;
use super::rows::{json, parsed};
use super::writer::{Write, WriteSession};
use super::{Effects, Store};

pub(super) const FIND: &str = "SELECT record FROM requests WHERE name = ?1 AND expires_at > ?2";
pub(super) const RESERVE: &str = "
    INSERT INTO requests (name, expires_at, record) VALUES (?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at, record = excluded.record WHERE expires_at <= ?4";
/// Deletes a few expired rows. Each new row deletes more than it adds, so they never pile up.
pub(super) const FORGET: &str = "
    DELETE FROM requests WHERE name IN (SELECT name FROM requests WHERE expires_at <= ?1 ORDER BY expires_at LIMIT 8)";

impl IdempotencyStore for Store {
    async fn find(&self, name: &IdempotencyKey, now: UnixMillis) -> Result<Option<IdempotencyRecord>, PortError> {
        self.readers.read(|db| find(db, name, now))
    }

    async fn reserve(&self, name: &IdempotencyKey, new: &IdempotencyRecord) -> Result<IdempotencyRecord, PortError> {
        let record = json(|| format!("the request {name}"), new)?;
        let expires_at = new.at.plus(self.requests_kept_ms);
        let reserve = Reserve { name: name.to_string(), at: new.at, expires_at, record };
        if self.writer.write(reserve).await? == WriteOutcome::Done {
            return Ok(new.clone());
        }
        let standing = self.readers.read(|db| find(db, name, new.at))?;
        standing.ok_or_else(|| PortError::Throttled("a request's name came and went".into()))
    }
}

fn find(db: &Connection, name: &IdempotencyKey, now: UnixMillis) -> Result<Option<IdempotencyRecord>, Fault> {
    let mut statement = db.prepare_cached(FIND)?;
    let mut rows = statement.query(params![name.to_string(), now.0])?;
    rows.next()?.map(|row| parsed(row, 0, || format!("the request {name}"))).transpose()
}

struct Reserve {
    name: String,
    at: UnixMillis,
    expires_at: UnixMillis,
    record: String,
}

impl Write for Reserve {
    fn apply(&mut self, session: &mut WriteSession<'_>) -> Result<WriteOutcome, Fault> {
        session.db.prepare_cached(FORGET)?.execute([self.at.0])?;
        let row = params![self.name, self.expires_at.0, self.record, self.at.0];
        let stored = session.db.prepare_cached(RESERVE)?.execute(row)?;
        Ok(if stored == 0 { WriteOutcome::Conflict } else { WriteOutcome::Done })
    }

    fn take_effect(self: Box<Self>, _: &Effects) {}
}
