//! The durable store: one SQLite database.
//!
//! - [`schema`] has the tables, [`sql`] the statements on them.
//! - [`writer`] is the one thread that writes, in [`batches`]; [`checkpoint`] keeps its log short; [`readers`] are the connections that read.
//! - [`jobs`], [`catalogs`], [`keys`], [`results`], [`idempotency`] and [`progress`] are the ports; [`rows`] is how a job is written and read, [`due`] are its timers, [`read_ahead`] caches the jobs of fires that are handed over.
//! - [`fault`] is the only place that classifies errors.

mod batches;
mod catalogs;
mod checkpoint;
mod dead_letters;
mod due;
mod fault;
mod idempotency;
mod jobs;
mod keys;
mod places;
mod progress;
mod read_ahead;
mod readers;
mod results;
mod rows;
mod schema;
mod sql;
mod thread;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use carillon_core::job::Run;
use carillon_core::ports::PortError;
use carillon_core::time::UnixMillis;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use self::catalogs::Catalogs;
use self::checkpoint::Checkpoints;
use self::fault::Fault;
use self::read_ahead::ReadAhead;
use self::readers::Readers;
use self::schema::SchemaError;
use self::writer::Writer;
use crate::due_queue::DueQueue;
use crate::folder::{self, FolderError};
use crate::locked;

/// The database's name in its folder.
const FILE: &str = "carillon.db";
/// An hour, ms.
pub(crate) const HOUR_MS: i64 = 3_600_000;
/// A day, ms.
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;
/// Time to wait for another process (`carillon keys`) that is writing.
const WAIT_FOR_OTHERS: Duration = Duration::from_secs(5);

/// The events that an acknowledged write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Any end of the process. A power cut may lose the last writes, but leaves the store intact.
    #[default]
    Process,
    /// Also a power cut. Every group of writes waits for the disk.
    Power,
}

/// An error that keeps a store from being opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder is unusable.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A newer program wrote it.
    #[error("{} has layout {found}, which is newer than this program: use a newer Carillon", .path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// The version of its layout.
        found: i32,
    },
    /// It cannot be read or written.
    #[error("{} cannot be opened as a store", .path.display())]
    Store {
        /// The database.
        path: PathBuf,
        /// The cause.
        #[source]
        source: PortError,
    },
}

/// The durable store.
#[derive(Debug)]
pub struct Store {
    // Declared first, so that it is dropped first and finishes its writes before anything closes.
    writer: Writer,
    readers: Arc<Readers>,
    effects: Effects,
    /// Time that a run stays in the history, ms.
    pub(crate) kept_ms: i64,
    /// Time that an idempotency key is kept, ms.
    pub(crate) requests_kept_ms: i64,
}

/// The parts in memory that follow committed writes.
#[derive(Clone, Debug)]
struct Effects {
    due_queue: Arc<DueQueue>,
    catalogs: Arc<Catalogs>,
    ahead: Arc<ReadAhead>,
}

impl Store {
    /// Opens the store of a folder that a server may be using, to manage its keys. Runs no job and ends no lease.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn beside(folder: &Path) -> Result<Self, OpenError> {
        folder::create(folder)?;
        // A due queue without a worker keeps nothing.
        Self::open(folder, Durability::Process, Arc::new(DueQueue::new(0)), None)
    }

    /// Opens the store of a folder. With `alone_since`, ends every lease, because its holder is dead.
    pub(crate) fn open(
        folder: &Path,
        durability: Durability,
        due_queue: Arc<DueQueue>,
        alone_since: Option<UnixMillis>,
    ) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        let failed = |fault: Fault| OpenError::Store { path: path.clone(), source: fault.into() };
        let mut db = Connection::open(&path).map_err(|error| failed(error.into()))?;
        set_up(&db).and_then(|()| configure(&db, durability)).map_err(|error| failed(error.into()))?;
        prepare(&mut db, &path)?;
        if let Some(now) = alone_since {
            due::abandon_all(&mut db, now).map_err(failed)?;
        }
        let checkpoints = Checkpoints::start(&mut db, &path).map_err(failed)?;
        let readers = |_| Readers::Pool { path: path.clone(), idle: Mutex::default() };
        Self::start(db, readers, due_queue, Some(checkpoints)).map_err(failed)
    }

    /// Opens a store in memory.
    pub(crate) fn in_memory(due_queue: Arc<DueQueue>) -> Result<Self, OpenError> {
        let path = PathBuf::from(":memory:");
        let failed = |fault: Fault| OpenError::Store { path: path.clone(), source: fault.into() };
        let mut db = Connection::open_in_memory().map_err(|error| failed(error.into()))?;
        set_up(&db).map_err(|error| failed(error.into()))?;
        prepare(&mut db, &path)?;
        Self::start(db, Readers::Writers, due_queue, None).map_err(failed)
    }

    fn start(
        db: Connection,
        readers: impl FnOnce(Arc<Mutex<Connection>>) -> Readers,
        due_queue: Arc<DueQueue>,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Self, Fault> {
        let next_spec = rows::next_spec(&db)?;
        let db = Arc::new(Mutex::new(db));
        let effects = Effects { due_queue, catalogs: Arc::default(), ahead: Arc::default() };
        let readers = Arc::new(readers(Arc::clone(&db)));
        let writer = Writer::start(db, next_spec, effects.clone(), checkpoints)?;
        let (kept_ms, requests_kept_ms) =
            (i64::from(Run::KEPT_DAYS) * DAY_MS, i64::from(carillon_core::idempotency::KEPT_HOURS) * HOUR_MS);
        Ok(Self { writer, readers, effects, kept_ms, requests_kept_ms })
    }
}

/// Sets up a connection.
fn set_up(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(WAIT_FOR_OTHERS)?;
    db.set_prepared_statement_cache_capacity(64);
    // Plans do not depend on values. Otherwise SQLite would plan again whenever values are bound.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

fn configure(db: &Connection, durability: Durability) -> rusqlite::Result<()> {
    // Only a new database takes it. Jobs are written in the order of their ids, so that a larger page has more of what changes.
    db.pragma_update(None, "page_size", 8_192)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match durability {
        Durability::Process => "NORMAL",
        Durability::Power => "FULL",
    };
    db.pragma_update(None, "synchronous", synchronous)?;
    // In KiB, because it is negative. A larger cache is slower: a COMMIT after a page split walks all of it.
    db.pragma_update(None, "cache_size", -16_384)?;
    // Shrinks the log after a burst.
    db.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)
}

fn prepare(db: &mut Connection, path: &Path) -> Result<(), OpenError> {
    schema::prepare(db).map_err(|error| match error {
        SchemaError::Newer { found } => OpenError::Newer { path: path.to_owned(), found },
        SchemaError::Sqlite(error) => OpenError::Store { path: path.to_owned(), source: Fault::from(error).into() },
    })
}

#[cfg(test)]
mod tests;
