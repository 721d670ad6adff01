//! The exclusive right to serve a folder.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// An error that keeps a server from using a folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another server uses it.
    #[error("another Carillon server is running on {}: stop it first, or choose another folder", .folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
    },
    /// It cannot be created or used.
    #[error("the folder {} cannot be used", .folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
}

/// The lock on a folder, held until dropped. The system releases it when the process ends in any way.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl FolderLock {
    pub(crate) fn take(folder: &Path) -> Result<Self, FolderError> {
        create(folder)?;
        let unusable = |source| FolderError::Unusable { folder: folder.to_owned(), source };
        let file = File::options().create(true).truncate(false).write(true).open(folder.join("lock"));
        let file = file.map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(FolderError::Taken { folder: folder.to_owned() }),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }
}

/// Creates the folder if it is missing. Only its owner has access, because jobs hold private data.
pub(crate) fn create(folder: &Path) -> Result<(), FolderError> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.recursive(true).create(folder);
    made.map_err(|source| FolderError::Unusable { folder: folder.to_owned(), source })
}
