//! Read-only connections.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use carillon_core::ports::PortError;
use rusqlite::{Connection, OpenFlags};

use super::fault::Fault;
use super::{locked, set_up};

/// Maximum number of idle connections.
const KEPT: usize = 8;

/// The connections for reads.
#[derive(Debug)]
pub(super) enum Readers {
    /// Connections to a file. Its write-ahead log lets them read while the writer writes.
    Pool {
        /// The file.
        path: PathBuf,
        /// Connections that are not in use.
        idle: Mutex<Vec<Connection>>,
    },
    /// The connection of the writer, the only one of a database in memory. The writer unlocks it between transactions.
    Writers(Arc<Mutex<Connection>>),
}

impl Readers {
    /// Reads in the calling thread. Sees all earlier commits.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, PortError> {
        match self {
            Self::Writers(connection) => Ok(read(&locked(connection))?),
            Self::Pool { path, idle } => {
                let pooled = locked(idle).pop();
                let connection = pooled.map_or_else(|| open(path), Ok)?;
                let result = read(&connection);
                let mut idle = locked(idle);
                if idle.len() < KEPT {
                    idle.push(connection);
                }
                drop(idle);
                Ok(result?)
            }
        }
    }

    /// Reads in a blocking thread, for pages, whose records may have 256 KB each.
    pub(super) async fn read_page<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, PortError> {
        let readers = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || readers.read(read));
        reading.await.unwrap_or_else(|_| Err(Fault::Ended("reader").into()))
    }
}

fn open(path: &PathBuf) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    set_up(&connection)?;
    Ok(connection)
}
