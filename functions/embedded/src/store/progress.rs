//! The progress of composite events: finished parts, counters, and failing options.

use std::collections::BTreeMap;

use carillon_core::ports::{Checkpoints, Counters, FallbackHealth, PortError, WriteOutcome};
use carillon_core::progress::{Checkpoint, CheckpointId, Counted, CounterId, FallbackId, RunId};
use carillon_core::time::UnixMillis;
use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::rows::{json, parsed};
use super::writer::{Write, WriteSession};
use super::{Effects, Store};

/// The parts whose places begin with a text.
pub(super) const PARTS: &str =
    "SELECT part FROM parts WHERE job = ?1 AND run_no = ?2 AND substr(place, 1, length(?3)) = ?3";
pub(super) const NOTE: &str =
    "INSERT OR REPLACE INTO parts (job, run_no, place, expires_at, part) VALUES (?1, ?2, ?3, ?4, ?5)";
/// Deletes a few expired parts. Each new part deletes more than it adds, so they never pile up.
pub(super) const FORGET_PARTS: &str = "
    DELETE FROM parts WHERE (job, run_no, place) IN
    (SELECT job, run_no, place FROM parts WHERE expires_at < ?1 ORDER BY expires_at LIMIT 8)";
pub(super) const USED: &str =
    "SELECT used FROM counters WHERE product = ?1 AND env = ?2 AND quota = ?3 AND from_at = ?4";
/// Adds to a counter, unless that would exceed the limit.
pub(super) const ADD: &str = "
    INSERT INTO counters (product, env, quota, from_at, expires_at, used) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT DO UPDATE SET used = used + excluded.used WHERE used + excluded.used <= ?7";
pub(super) const RESET: &str = "
    UPDATE counters SET used = 0 WHERE product = ?1 AND env = ?2 AND quota = ?3 AND from_at = ?4";
pub(super) const FORGET_COUNTERS: &str = "
    DELETE FROM counters WHERE (product, env, quota, from_at) IN
    (SELECT product, env, quota, from_at FROM counters WHERE expires_at < ?1 ORDER BY expires_at LIMIT 8)";
pub(super) const COUNTED: &str =
    "INSERT INTO counted (job, run_no, place, expires_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
pub(super) const UNCOUNTED: &str = "DELETE FROM counted WHERE job = ?1 AND run_no = ?2 AND place = ?3";
pub(super) const FORGET_COUNTED: &str = "
    DELETE FROM counted WHERE (job, run_no, place) IN
    (SELECT job, run_no, place FROM counted WHERE expires_at < ?1 ORDER BY expires_at LIMIT 8)";
pub(super) const FAILING: &str = "SELECT option, until FROM health WHERE product = ?1 AND env = ?2 AND tag = ?3";
pub(super) const MARK: &str =
    "INSERT OR REPLACE INTO health (product, env, tag, option, until) VALUES (?1, ?2, ?3, ?4, ?5)";

/// Time that a counter is kept after its period, in case the clock is set back.
const LEFT_OVER_MS: i64 = super::DAY_MS;

impl Checkpoints for Store {
    async fn finished(&self, run: RunId, under: &str) -> Result<Vec<Checkpoint>, PortError> {
        let under = under.to_owned();
        let parts = move |db: &Connection| {
            let mut statement = db.prepare_cached(PARTS)?;
            let mut rows = statement.query(params![run.job_id.to_bytes(), run.run_no, under])?;
            let mut parts = Vec::new();
            while let Some(row) = rows.next()? {
                parts.push(parsed(row, 0, || format!("a part of {}", run.job_id))?);
            }
            Ok(parts)
        };
        self.readers.read_page(parts).await
    }

    async fn save(&self, run: RunId, part: &Checkpoint, now: UnixMillis) -> Result<(), PortError> {
        let json = json(|| format!("a part of {}", run.job_id), part)?;
        let note = Note { run, place: part.place.clone(), now, expires_at: now.plus(self.kept_ms), json };
        self.writer.write(note).await.map(drop)
    }
}

impl Counters for Store {
    async fn used(&self, counter: &CounterId) -> Result<u64, PortError> {
        let used = self.readers.read(|db| used(db, counter))?;
        Ok(used.unwrap_or_default())
    }

    async fn add(&self, counter: &CounterId, by: &CheckpointId, amount: u64, limit: u64) -> Result<Counted, PortError> {
        let change = Change::Add { amount: whole(amount)?, limit: whole(limit)? };
        let written = self.writer.write(self.once(counter, by, change)).await?;
        let used = self.used(counter).await?;
        Ok(if written == WriteOutcome::Done { Counted::Counted { used } } else { Counted::Over { used } })
    }

    async fn reset(&self, counter: &CounterId, by: &CheckpointId) -> Result<(), PortError> {
        self.writer.write(self.once(counter, by, Change::Reset)).await.map(drop)
    }
}

impl Store {
    fn once(&self, counter: &CounterId, by: &CheckpointId, change: Change) -> Once {
        Once { counter: counter.clone(), by: by.clone(), change, marked_until: counter.until.plus(self.kept_ms) }
    }
}

impl FallbackHealth for Store {
    async fn failing(&self, fallback: &FallbackId) -> Result<BTreeMap<String, UnixMillis>, PortError> {
        self.readers.read(|db| {
            let mut statement = db.prepare_cached(FAILING)?;
            let wanted = params![fallback.product, fallback.env, fallback.tag];
            let marks = statement.query_map(wanted, |row| Ok((row.get(0)?, UnixMillis(row.get(1)?))))?;
            Ok(marks.collect::<Result<_, _>>()?)
        })
    }

    async fn mark(&self, fallback: &FallbackId, option: &str, until: UnixMillis) -> Result<(), PortError> {
        let mark = Mark { fallback: fallback.clone(), option: option.to_owned(), until };
        self.writer.write(mark).await.map(drop)
    }
}

fn used(db: &Connection, counter: &CounterId) -> Result<Option<u64>, Fault> {
    let CounterId { product, env, quota, from, .. } = counter;
    let mut statement = db.prepare_cached(USED)?;
    let used: Option<i64> = statement.query_row(params![product, env, quota, from.0], |row| row.get(0)).optional()?;
    Ok(used.map(i64::unsigned_abs))
}

fn whole(number: u64) -> Result<i64, Fault> {
    number.try_into().map_err(|_| Fault::OutOfRange { what: "amount" })
}

struct Note {
    run: RunId,
    place: String,
    now: UnixMillis,
    expires_at: UnixMillis,
    json: String,
}

impl Write for Note {
    fn apply(&mut self, session: &mut WriteSession<'_>) -> Result<WriteOutcome, Fault> {
        session.db.prepare_cached(FORGET_PARTS)?.execute([self.now.0])?;
        let row = params![self.run.job_id.to_bytes(), self.run.run_no, self.place, self.expires_at.0, self.json];
        session.db.prepare_cached(NOTE)?.execute(row)?;
        Ok(WriteOutcome::Done)
    }

    fn take_effect(self: Box<Self>, _: &Effects) {}
}

/// A change of a counter that takes effect once.
struct Once {
    counter: CounterId,
    by: CheckpointId,
    change: Change,
    marked_until: UnixMillis,
}

enum Change {
    Add { amount: i64, limit: i64 },
    Reset,
}

impl Write for Once {
    fn apply(&mut self, session: &mut WriteSession<'_>) -> Result<WriteOutcome, Fault> {
        let (db, CheckpointId { run, place }) = (session.db, &self.by);
        let CounterId { product, env, quota, from, until } = &self.counter;
        let (job, run_no) = (run.job_id.to_bytes(), run.run_no);
        let marked = db.prepare_cached(COUNTED)?.execute(params![job, run_no, place, self.marked_until.0])?;
        if marked == 0 {
            return Ok(WriteOutcome::Done);
        }
        db.prepare_cached(FORGET_COUNTED)?.execute([from.0])?;
        db.prepare_cached(FORGET_COUNTERS)?.execute([from.0])?;
        let Change::Add { amount, limit } = self.change else {
            db.prepare_cached(RESET)?.execute(params![product, env, quota, from.0])?;
            return Ok(WriteOutcome::Done);
        };
        let expires_at = until.plus(LEFT_OVER_MS).0;
        let fits = amount <= limit
            && db.prepare_cached(ADD)?.execute(params![product, env, quota, from.0, expires_at, amount, limit])? > 0;
        if fits {
            return Ok(WriteOutcome::Done);
        }
        db.prepare_cached(UNCOUNTED)?.execute(params![job, run_no, place])?;
        Ok(WriteOutcome::Conflict)
    }

    fn take_effect(self: Box<Self>, _: &Effects) {}
}

struct Mark {
    fallback: FallbackId,
    option: String,
    until: UnixMillis,
}

impl Write for Mark {
    fn apply(&mut self, session: &mut WriteSession<'_>) -> Result<WriteOutcome, Fault> {
        let FallbackId { product, env, tag } = &self.fallback;
        let row = params![product, env, tag, self.option, self.until.0];
        session.db.prepare_cached(MARK)?.execute(row)?;
        Ok(WriteOutcome::Done)
    }

    fn take_effect(self: Box<Self>, _: &Effects) {}
}
