//! Moving the write-ahead log into the database, off the writer's way.
//!
//! SQLite by itself does it within a COMMIT, whose callers then wait until the disk was flushed twice. Here a thread of its
//! own does it while the writer goes on. As the writer keeps adding to the log meanwhile, that may never reach the log's end,
//! and only then the log starts anew; so when it is large, the writer moves what little the thread has just left.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::fault::Fault;
use super::set_up;
use super::thread::Thread;

/// The thread is woken each time that the log has grown by so many pages (of 4 KB).
const EVERY_PAGES: i32 = 2_000;
/// Pages in the log from which on the writer takes part.
const HELPED_AT_PAGES: i32 = 12_000;

/// The writer's side: tells the thread when there is something to do. The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpoints {
    wake: SyncSender<()>,
    _thread: Thread,
    /// Pages in the log after the last COMMIT.
    pages: Arc<AtomicI32>,
    /// Pages in the log at which the thread is woken next.
    next_at: i32,
    /// The thread has just moved all that was there when it began.
    moved: Arc<AtomicBool>,
}

impl Checkpoints {
    pub(super) fn start(db: &mut Connection, path: &Path) -> Result<Self, Fault> {
        let pages = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&pages);
        // This takes the place of SQLite's own hook, which is what would checkpoint within a COMMIT.
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

    /// To be called by the writer between transactions.
    pub(super) fn after_commit(&mut self, db: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.next_at - EVERY_PAGES {
            // The log started anew.
            self.next_at = EVERY_PAGES;
        }
        if pages >= HELPED_AT_PAGES && self.moved.swap(false, Ordering::Relaxed) {
            checkpoint(db);
        } else if pages >= self.next_at {
            self.next_at = pages + EVERY_PAGES;
            // When it is full, the thread has not come to the last one yet.
            let _ = self.wake.try_send(());
        }
    }
}

fn checkpoint(db: &Connection) {
    // PASSIVE waits for nobody; what it could not move is left for the next time.
    let done = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    if let Err(error) = done {
        tracing::warn!(%error, "the write-ahead log could not be moved into the database");
    }
}
