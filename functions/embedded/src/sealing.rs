//! The sealing keys, in a file of the folder: one line for each, of which the last one seals.
//!
//! The file is readable only by its owner, and is created at the first sealing. The sealed parts of a copy of the folder without
//! this file cannot be opened.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use carillon_core::ports::{Entropy, PortError, SealingKeys};
use carillon_core::session::sealing::{SealingKey, SealingKeyId};
use zeroize::Zeroizing;

use crate::entropy::OsEntropy;
use crate::folder::{self, FolderError};
use crate::locked;

const FILE: &str = "sealing-keys";

/// The keys of a folder; without a folder, keys that exist as long as the process.
#[derive(Debug)]
pub struct SealingKeyFile {
    path: Option<PathBuf>,
    /// The keys read so far, in the order of the file.
    known: Mutex<Vec<SealingKey>>,
}

impl SealingKeyFile {
    /// Creates the keys of a folder, or of this process.
    pub(crate) fn of(folder: Option<&Path>) -> Self {
        Self { path: folder.map(|folder| folder.join(FILE)), known: Mutex::default() }
    }

    /// Adds a key to a folder, also while a server uses it, and returns its id. From now on this key seals.
    ///
    /// # Errors
    /// [`FolderError`] if the folder or its file cannot be written.
    pub fn rotate(folder: &Path) -> Result<String, FolderError> {
        folder::create(folder)?;
        let unusable = |source| FolderError::Unusable { folder: folder.to_owned(), source };
        let key = Self::of(Some(folder)).add().map_err(unusable)?;
        Ok(key.name().id.clone())
    }

    /// Creates and stores a key, which is on the disk before it seals anything.
    fn add(&self) -> io::Result<SealingKey> {
        let entropy = [OsEntropy.bits(), OsEntropy.bits()];
        let secret = Zeroizing::new([entropy[0].to_be_bytes(), entropy[1].to_be_bytes()].concat());
        let line = Zeroizing::new(format!("seal_{:016x} {}\n", OsEntropy.bits() >> 64, STANDARD.encode(&*secret)));
        if let Some(path) = &self.path {
            let mut options = fs::OpenOptions::new();
            options.append(true).create(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(path)?;
            file.write_all(line.as_bytes())?;
            file.sync_all()?;
        }
        let key = read(&line).ok_or_else(|| io::Error::other("a key that was just made cannot be read"))?;
        locked(&self.known).push(key.clone());
        Ok(key)
    }

    /// Reads the file again, because another process may have added a key.
    fn refresh(&self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let text = match fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let keys: Option<Vec<_>> = text.lines().map(read).collect();
        *locked(&self.known) = keys.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{} has a line that is no key", path.display()))
        })?;
        Ok(())
    }

    fn named(&self, name: &SealingKeyId) -> Option<SealingKey> {
        locked(&self.known).iter().find(|key| key.name() == name).cloned()
    }
}

/// Parses a line: an id, a space, and 32 bytes in base64.
fn read(line: &str) -> Option<SealingKey> {
    let (id, secret) = line.trim_end().split_once(' ')?;
    let mut bytes = Zeroizing::new([0; 32]);
    let decoded = Zeroizing::new(STANDARD.decode(secret).ok()?);
    bytes.copy_from_slice(decoded.get(..32).filter(|_| decoded.len() == 32)?);
    Some(SealingKey::new(SealingKeyId { id: id.to_owned(), wrapped: None }, bytes))
}

fn fault(error: io::Error) -> PortError {
    if error.kind() == io::ErrorKind::InvalidData {
        PortError::Permanent(error.into())
    } else {
        PortError::Unavailable(error.into())
    }
}

impl SealingKeys for SealingKeyFile {
    async fn current(&self) -> Result<SealingKey, PortError> {
        self.refresh().map_err(fault)?;
        let last = locked(&self.known).last().cloned();
        last.map_or_else(|| self.add().map_err(fault), Ok)
    }

    async fn find(&self, name: &SealingKeyId) -> Result<Option<SealingKey>, PortError> {
        let known = self.named(name);
        if known.is_some() {
            return Ok(known);
        }
        self.refresh().map_err(fault)?;
        Ok(self.named(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_made_when_it_is_needed_and_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let keys = SealingKeyFile::of(Some(folder.path()));
        assert!(!folder.path().join(FILE).exists());
        let key = keys.current().await.unwrap();
        assert_eq!(keys.current().await.unwrap().name(), key.name());
        let restarted = SealingKeyFile::of(Some(folder.path()));
        assert_eq!(restarted.find(key.name()).await.unwrap().unwrap().name(), key.name());
        assert_eq!(restarted.current().await.unwrap().name(), key.name());
        let unknown = SealingKeyId { id: "seal_0".to_owned(), wrapped: None };
        assert!(restarted.find(&unknown).await.unwrap().is_none());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn a_key_that_is_added_beside_a_running_server_seals_from_then_on() {
        let folder = tempfile::tempdir().unwrap();
        let keys = SealingKeyFile::of(Some(folder.path()));
        let old = keys.current().await.unwrap();
        let id = SealingKeyFile::rotate(folder.path()).unwrap();
        let new = keys.current().await.unwrap();
        assert_eq!((&new.name().id, new.name() == old.name()), (&id, false));
        assert!(keys.find(old.name()).await.unwrap().is_some(), "what the old one sealed is opened all the same");
    }

    #[tokio::test]
    async fn a_file_that_is_not_understood_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["seal_1\n", "seal_1 AAAA\n", "\n"] {
            fs::write(folder.path().join(FILE), text).unwrap();
            let keys = SealingKeyFile::of(Some(folder.path()));
            assert!(matches!(keys.current().await, Err(PortError::Permanent(_))), "{text:?}");
            assert_eq!(fs::read_to_string(folder.path().join(FILE)).unwrap(), text);
        }
    }

    #[tokio::test]
    async fn without_a_folder_keys_last_as_long_as_the_process() {
        let keys = SealingKeyFile::of(None);
        let key = keys.current().await.unwrap();
        assert!(keys.find(key.name()).await.unwrap().is_some());
        assert!(SealingKeyFile::of(None).find(key.name()).await.unwrap().is_none());
    }
}
