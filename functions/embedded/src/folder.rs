//! The exclusive right to serve a folder.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Why a folder cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another server has it.
    #[error("another Carillon server is running on {}: stop it first, or choose another folder", .folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
    },
    /// It cannot be made or used.
    #[error("the folder {} cannot be used", .folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// The lock on a folder, held until it is dropped. The system releases it when the process dies, in whatever way.
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

/// Makes the folder if there is none. It is for its owner alone: jobs hold what others may not see.
pub(crate) fn create(folder: &Path) -> Result<(), FolderError> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.recursive(true).create(folder);
    made.map_err(|source| FolderError::Unusable { folder: folder.to_owned(), source })
}
