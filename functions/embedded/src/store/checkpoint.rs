//! Checkpoints: a thread moves the write-ahead log into the database, without delaying the writer.
//!
//! By default, SQLite does this within a COMMIT, whose callers then wait for two flushes of the disk. Here a thread does it while
//! the writer goes on. The log starts anew only when a checkpoint reaches its end, which the thread may never do while the writer
//! adds to it. So when the log is large, the writer moves the few pages that the thread has left.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::fault::Fault;
use super::set_up;
use super::thread::Thread;

/// Growth of the log after which the thread is woken, in pages of 8 KB.
const EVERY_PAGES: i32 = 1_000;
/// Pages in the log above which the writer helps.
const HELPED_AT_PAGES: i32 = 6_000;

/// The writer's side, which wakes the thread. The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpoints {
    wake: SyncSender<()>,
    _thread: Thread,
    /// Pages in the log after the last COMMIT.
    pages: Arc<AtomicI32>,
    /// Pages in the log at which the thread is woken next.
    next_at: i32,
    /// The thread has moved all pages that were in the log when it began.
    moved: Arc<AtomicBool>,
}

impl Checkpoints {
    pub(super) fn start(db: &mut Connection, path: &Path) -> Result<Self, Fault> {
        let pages = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&pages);
        // Replaces the hook of SQLite, which would checkpoint within a COMMIT.
        db.wal_hook(Some(move |_: &mut Wal, pages| {
            seen.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        let own = Connection::open(path)?;
        set_up(&own)?;
        let (wake, woken) = sync_channel(1);
        let moved = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&moved);
        let thread = Thread::start("checkpoint", move || {
            while woken.recv().is_ok() {
                checkpoint(&own);
                done.store(true, Ordering::Relaxed);
            }
        })?;
        Ok(Self { wake, _thread: thread, pages, next_at: EVERY_PAGES, moved })
    }

    /// The writer calls this between transactions.
    pub(super) fn after_commit(&mut self, db: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.next_at - EVERY_PAGES {
            // The log has started anew.
            self.next_at = EVERY_PAGES;
        }
        if pages >= HELPED_AT_PAGES && self.moved.swap(false, Ordering::Relaxed) {
            checkpoint(db);
        } else if pages >= self.next_at {
            self.next_at = pages + EVERY_PAGES;
            // If the channel is full, the thread has yet to handle the last wake-up.
            let _ = self.wake.try_send(());
        }
    }
}

fn checkpoint(db: &Connection) {
    // PASSIVE does not wait for others; the next checkpoint moves the remaining pages.
    let done = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    if let Err(error) = done {
        tracing::warn!(%error, "the write-ahead log could not be moved into the database");
    }
}
