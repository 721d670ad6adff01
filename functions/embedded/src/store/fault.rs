//! Faults of the store, and the only place that maps them to errors of the ports.

use std::sync::Arc;

use carillon_core::ports::PortError;
use rusqlite::ErrorCode;

/// A fault of the store, for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("SQLite: {0}")]
    Sqlite(#[source] Arc<rusqlite::Error>),
    #[error("{what} cannot be read or written as JSON")]
    Record { what: String, source: serde_json::Error },
    #[error("a {what} is too large for the store")]
    OutOfRange { what: &'static str },
    #[error("the stored catalog of {product} is not valid any more: {first}")]
    InvalidCatalog { product: String, first: String },
    #[error("the store's {name} thread cannot be started")]
    NotStarted { name: &'static str, source: std::io::Error },
    #[error("the store's {0} thread has ended")]
    Ended(&'static str),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Arc::new(error))
    }
}

impl From<Fault> for PortError {
    fn from(fault: Fault) -> Self {
        let passes = match &fault {
            Fault::Sqlite(error) => passes(error),
            Fault::NotStarted { .. } | Fault::Ended(_) => true,
            Fault::Record { .. } | Fault::OutOfRange { .. } | Fault::InvalidCatalog { .. } => false,
        };
        if passes { Self::Unavailable(Box::new(fault)) } else { Self::Permanent(Box::new(fault)) }
    }
}

/// True if the same statement may succeed in a moment, or after space is freed.
fn passes(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::SchemaChanged
        )
    )
}
