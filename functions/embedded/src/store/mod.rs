//! The durable store: one SQLite database.
//!
//! - [`schema`] has the tables, [`sql`] the statements on them.
//! - [`writer`] is the one thread that writes, in [`batches`]; [`checkpoint`] keeps its log short; [`readers`] are the connections that read.
//! - [`jobs`], [`catalogs`], [`keys`], [`results`], [`idempotency`] and [`progress`] are the ports; [`rows`] is how a job is written and read, [`due`] are its timers, [`read_ahead`] has the jobs of those that are handed over.
//! - [`fault`] judges every error once.

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
/// How long to wait for another process (`carillon keys`) that is writing.
const WAIT_FOR_OTHERS: Duration = Duration::from_secs(5);

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process, in whatever way; a power cut may take the last writes with it, and breaks nothing.
    #[default]
    Process,
    /// A power cut too. Every group of writes waits for the disk.
    Power,
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its folder.
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
        /// Why.
        #[source]
        source: PortError,
    },
}

/// The durable store.
#[derive(Debug)]
pub struct Store {
    // First, so that it is dropped first: what is under way is written before anything closes.
    writer: Writer,
    readers: Arc<Readers>,
    effects: Effects,
    /// How long a run stays in the history, ms.
    pub(crate) kept_ms: i64,
    /// How long a request's name is kept, ms.
    pub(crate) requests_kept_ms: i64,
}

/// Who has to know of what was committed.
#[derive(Clone, Debug)]
struct Effects {
    due_queue: Arc<DueQueue>,
    catalogs: Arc<Catalogs>,
    ahead: Arc<ReadAhead>,
}

impl Store {
    /// Opens the store of a folder beside whoever serves it, for looking after its keys: no job is run, no lease ended.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn beside(folder: &Path) -> Result<Self, OpenError> {
        folder::create(folder)?;
        // An unattended due queue keeps nothing.
        Self::open(folder, Durability::Process, Arc::new(DueQueue::new(0)), None)
    }

    /// Opens the store of a folder. `alone_since` says that every lease was left behind by a process that is dead.
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

    /// A store that lives in memory.
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

/// What every connection needs.
fn set_up(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(WAIT_FOR_OTHERS)?;
    db.set_prepared_statement_cache_capacity(64);
    // A plan does not depend on the values: otherwise binding them would make SQLite plan again each time.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

fn configure(db: &Connection, durability: Durability) -> rusqlite::Result<()> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match durability {
        Durability::Process => "NORMAL",
        Durability::Power => "FULL",
    };
    db.pragma_update(None, "synchronous", synchronous)?;
    // KiB, as it is negative. More costs more: a COMMIT after a page was split walks the whole cache.
    db.pragma_update(None, "cache_size", -16_384)?;
    // What a burst made of the log is given back.
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
