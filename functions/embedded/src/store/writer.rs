//! The only thread that writes.
//!
//! It writes all waiting requests in one transaction, so that they share the cost of a COMMIT, and answers them after it. A write
//! must be repeatable until its transaction is committed: if one write of a batch fails, the batch is rolled back, and each of
//! its writes gets a transaction of its own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use carillon_core::ports::{PortError, WriteOutcome};
use rusqlite::{CachedStatement, Connection};
use tokio::sync::oneshot;

use super::batches::{Receiver, Sender, channel};
use super::checkpoint::Checkpoints;
use super::fault::Fault;
use super::places::Places;
use super::thread::Thread;
use super::{Effects, locked, sql};

/// Maximum number of writes in a transaction.
const BATCH: usize = 1_024;
/// Maximum time that a transaction waits for more writes.
const PATIENCE: Duration = Duration::from_micros(100);

/// A request to write.
pub(super) trait Write: Send {
    /// Writes within the current transaction. May be called again after a rollback.
    fn apply(&mut self, session: &mut WriteSession<'_>) -> Result<WriteOutcome, Fault>;

    /// Updates the parts in memory after the commit.
    fn take_effect(self: Box<Self>, effects: &Effects);
}

/// The state that writes of a transaction share.
pub(super) struct WriteSession<'a> {
    pub(super) db: &'a Connection,
    pub(super) places: &'a mut Places,
    /// The number of the next spec.
    pub(super) next_spec: &'a mut i64,
    pub(super) insert_job: LazyStatement<'a>,
    pub(super) insert_spec: LazyStatement<'a>,
    pub(super) change_job: LazyStatement<'a>,
    pub(super) claim_job: LazyStatement<'a>,
}

/// A statement for many writes of a transaction. The first of them prepares it.
pub(super) struct LazyStatement<'a> {
    sql: &'static str,
    statement: Option<CachedStatement<'a>>,
}

impl<'a> LazyStatement<'a> {
    fn new(sql: &'static str) -> Self {
        Self { sql, statement: None }
    }

    pub(super) fn of(&mut self, db: &'a Connection) -> rusqlite::Result<&mut CachedStatement<'a>> {
        let statement = match self.statement.take() {
            Some(statement) => statement,
            None => db.prepare_cached(self.sql)?,
        };
        Ok(self.statement.insert(statement))
    }
}

struct Request {
    write: Box<dyn Write>,
    reply: oneshot::Sender<Result<WriteOutcome, PortError>>,
}

/// The sender to the writing thread. Dropping it finishes pending writes and ends the thread.
#[derive(Debug)]
pub(super) struct Writer {
    requests: Sender<Request>,
    _thread: Thread,
}

impl Writer {
    pub(super) fn start(
        db: Arc<Mutex<Connection>>,
        next_spec: i64,
        effects: Effects,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Self, Fault> {
        let (requests, mut received) = channel(PATIENCE);
        let mut thread = WriterThread { db, places: Places::default(), next_spec, effects, checkpoints };
        let thread = Thread::start("writer", move || thread.run(&mut received))?;
        Ok(Self { requests, _thread: thread })
    }

    /// Writes, and returns after the commit.
    pub(super) async fn write(&self, write: impl Write + 'static) -> Result<WriteOutcome, PortError> {
        let (reply, written) = oneshot::channel();
        let request = Request { write: Box::new(write), reply };
        // A request that cannot be sent is dropped together with its reply.
        self.requests.send(request);
        written.await.unwrap_or_else(|_| Err(Fault::Ended("writer").into()))
    }
}

struct WriterThread {
    db: Arc<Mutex<Connection>>,
    places: Places,
    next_spec: i64,
    effects: Effects,
    checkpoints: Option<Checkpoints>,
}

impl WriterThread {
    fn run(&mut self, received: &mut Receiver<Request>) {
        while let Some(batch) = received.receive(BATCH) {
            self.write(batch);
            if let Some(checkpoints) = &mut self.checkpoints {
                checkpoints.after_commit(&locked(&self.db));
            }
        }
    }

    fn write(&mut self, mut batch: Vec<Request>) {
        match self.transaction(&mut batch) {
            Ok(outcomes) => {
                for (request, written) in batch.into_iter().zip(outcomes) {
                    if written == WriteOutcome::Done {
                        request.write.take_effect(&self.effects);
                    }
                    answer(request.reply, Ok(written));
                }
            }
            // One of the writes is at fault; the others are repeated.
            Err(Aborted::Write(_)) if batch.len() > 1 => {
                for request in batch {
                    self.write(vec![request]);
                }
            }
            Err(Aborted::Write(fault)) => {
                if let Some(request) = batch.pop() {
                    answer(request.reply, Err(fault.into()));
                }
            }
            Err(Aborted::Transaction(error)) => {
                for request in batch {
                    answer(request.reply, Err(Fault::Sqlite(Arc::clone(&error)).into()));
                }
            }
        }
    }

    fn transaction(&mut self, batch: &mut [Request]) -> Result<Vec<WriteOutcome>, Aborted> {
        let db = locked(&self.db);
        let execute = |sql| db.prepare_cached(sql)?.execute([]).map(drop);
        let mut next_spec = self.next_spec;
        let result = (|| {
            execute("BEGIN IMMEDIATE")?;
            let (places, next_spec) = (&mut self.places, &mut next_spec);
            let [insert_job, insert_spec, change_job, claim_job] =
                [sql::INSERT_JOB, sql::INSERT_SPEC, sql::CHANGE_JOB, sql::CLAIM_JOB].map(LazyStatement::new);
            let mut session =
                WriteSession { db: &db, places, next_spec, insert_job, insert_spec, change_job, claim_job };
            let mut outcomes = Vec::with_capacity(batch.len());
            for request in batch {
                outcomes.push(request.write.apply(&mut session).map_err(Aborted::Write)?);
            }
            execute("COMMIT")?;
            Ok(outcomes)
        })();
        if result.is_ok() {
            self.next_spec = next_spec;
        } else {
            self.places.forget();
            // Some faults roll back automatically.
            if !db.is_autocommit()
                && let Err(error) = execute("ROLLBACK")
            {
                tracing::error!(%error, "a transaction cannot be rolled back");
            }
        }
        result
    }
}

enum Aborted {
    /// One of its writes failed.
    Write(Fault),
    /// The transaction as a whole failed.
    Transaction(Arc<rusqlite::Error>),
}

impl From<rusqlite::Error> for Aborted {
    fn from(error: rusqlite::Error) -> Self {
        Self::Transaction(Arc::new(error))
    }
}

fn answer(reply: oneshot::Sender<Result<WriteOutcome, PortError>>, result: Result<WriteOutcome, PortError>) {
    // The caller may have been cancelled.
    let _ = reply.send(result);
}
