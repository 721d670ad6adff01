//! The tables, and the version of their layout.

use rusqlite::{Connection, TransactionBehavior};

/// The spec of a job may be large and rarely changes, so it is in `specs`, and a change of state rewrites only a narrow row of
/// `jobs`. Ids grow with time, so inserts are at the right edge of `jobs` and its indexes, and at the end of `specs`.
const FIRST: &str = "
    CREATE TABLE places (
        id INTEGER PRIMARY KEY, product TEXT NOT NULL, env TEXT NOT NULL, UNIQUE (product, env)
    ) STRICT;
    CREATE TABLE jobs (
        id BLOB PRIMARY KEY, spec INTEGER NOT NULL, place INTEGER NOT NULL, status INTEGER NOT NULL,
        revision INTEGER NOT NULL, generation INTEGER NOT NULL, run_no INTEGER NOT NULL, wake_at INTEGER,
        state TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX jobs_by_place ON jobs (place, status, id);
    CREATE INDEX jobs_due ON jobs (wake_at, id) WHERE wake_at IS NOT NULL;
    CREATE TABLE specs (id INTEGER PRIMARY KEY, spec TEXT NOT NULL) STRICT;
    CREATE TABLE runs (
        job BLOB NOT NULL, generation INTEGER NOT NULL, run_no INTEGER NOT NULL, run TEXT NOT NULL,
        PRIMARY KEY (job, generation, run_no)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE catalogs (
        product TEXT PRIMARY KEY, revision TEXT NOT NULL, document TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE keys (hash TEXT PRIMARY KEY, id TEXT NOT NULL, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX keys_by_id ON keys (id);
";

/// Runs leave the history after a while, except those from before this layout.
const RUNS_EXPIRE: &str = "
    ALTER TABLE runs ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 9223372036854775807;
    CREATE INDEX runs_by_expiry ON runs (expires_at, job, generation, run_no);
";

/// A result without an output is a lease. Both kinds of rows are valid until `expires_at`.
const RESULTS_AND_REQUESTS: &str = "
    CREATE TABLE results (
        product TEXT NOT NULL, env TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL, event TEXT NOT NULL,
        began_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, leader TEXT NOT NULL, output TEXT,
        PRIMARY KEY (product, env, tag, digest)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX results_by_expiry ON results (expires_at);
    CREATE TABLE requests (
        name TEXT PRIMARY KEY, expires_at INTEGER NOT NULL, record TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX requests_by_expiry ON requests (expires_at);
";

/// Parts of runs and counters are valid until `expires_at`.
const FLOWS: &str = "
    CREATE TABLE parts (
        job BLOB NOT NULL, run_no INTEGER NOT NULL, place TEXT NOT NULL, expires_at INTEGER NOT NULL, part TEXT NOT NULL,
        PRIMARY KEY (job, run_no, place)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX parts_by_expiry ON parts (expires_at);
    CREATE TABLE counters (
        product TEXT NOT NULL, env TEXT NOT NULL, quota TEXT NOT NULL, from_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (product, env, quota, from_at)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX counters_by_expiry ON counters (expires_at);
    CREATE TABLE counted (
        job BLOB NOT NULL, run_no INTEGER NOT NULL, place TEXT NOT NULL, expires_at INTEGER NOT NULL,
        PRIMARY KEY (job, run_no, place)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX counted_by_expiry ON counted (expires_at);
    CREATE TABLE health (
        product TEXT NOT NULL, env TEXT NOT NULL, tag TEXT NOT NULL, option TEXT NOT NULL, until INTEGER NOT NULL,
        PRIMARY KEY (product, env, tag, option)
    ) STRICT, WITHOUT ROWID;
";

/// A claim changes no column of an index of all jobs, because moving the job within two of them and back would be half of what a
/// run writes. So a claimed job keeps `status` and `wake_at` from before its claim, and `running` is 1. The running jobs have an
/// index of their own, which is as small as they are few. `wake_at` is then no later than the true instant, which is that of
/// the lease; a timer that fires early is harmless.
const RUNNING: &str = "
    ALTER TABLE jobs ADD COLUMN running INTEGER NOT NULL DEFAULT 0;
    UPDATE jobs SET running = 1 WHERE status = 2;
    CREATE INDEX jobs_running ON jobs (place, id) WHERE running = 1;
";

/// The statements that make each layout from the one before. The version of a layout is its number here, from 1.
const LAYOUTS: [&str; 5] = [FIRST, RUNS_EXPIRE, RESULTS_AND_REQUESTS, FLOWS, RUNNING];
/// The layout of this program.
const VERSION: i32 = 5;

/// An error that makes the tables unusable.
#[derive(Debug, thiserror::Error)]
pub(super) enum SchemaError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("layout {found} is newer than {VERSION}, the newest that this program knows")]
    Newer { found: i32 },
}

/// Creates missing tables.
pub(super) fn prepare(db: &mut Connection) -> Result<(), SchemaError> {
    if version(db)? == VERSION {
        return Ok(());
    }
    // Another process may do the same: the second one finds the version set.
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    let missing = usize::try_from(found).ok().and_then(|found| LAYOUTS.get(found..));
    for layout in missing.ok_or(SchemaError::Newer { found })? {
        transaction.execute_batch(layout)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}

fn version(db: &Connection) -> rusqlite::Result<i32> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}
