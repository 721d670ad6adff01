//! The data folder and its first API key.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use carillon_core::access::{ApiKey, KeyHash, Scope, new_key};
use carillon_core::ports::{Clock, Entropy, KeyStore, Ports};
use carillon_embedded::Embedded;
use etcetera::{BaseStrategy, choose_base_strategy};

use crate::Failure;

/// Returns the named folder, or `carillon` in the platform's data directory. Creates it if it is missing.
pub(crate) fn directory(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let directory = match named {
        Some(named) => named.to_owned(),
        None => choose_base_strategy()?.data_dir().join("carillon"),
    };
    fs::create_dir_all(&directory)
        .map_err(|error| format!("cannot create the folder {}: {error}", directory.display()))?;
    Ok(directory)
}

/// The file with the first key, readable only by its owner, so that every start can print the key.
const FIRST_KEY: &str = "api-key";

/// Returns the first key of the folder, which has every scope on everything. Creates it in a new folder.
pub(crate) async fn first_key(embedded: &Embedded, directory: &Path) -> Result<String, Failure> {
    let path = directory.join(FIRST_KEY);
    if let Ok(kept) = fs::read_to_string(&path) {
        let key = kept.trim().to_owned();
        if embedded.keys().find(&KeyHash::of(&key)).await?.is_some() {
            return Ok(key);
        }
    }
    let all = ApiKey {
        id: "first".to_owned(),
        name: "made at the first start".to_owned(),
        products: vec!["*".to_owned()],
        envs: vec!["*".to_owned()],
        scopes: Scope::WORDS.map(|(_, scope)| scope).to_vec(),
        created_at: embedded.clock().now(),
    };
    let key = new_key(embedded.entropy().bits(), embedded.entropy().bits());
    embedded.keys().add(&KeyHash::of(&key), &all).await?;
    write_secret(&path, &key).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(key)
}

fn write_secret(path: &Path, key: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    writeln!(options.open(path)?, "{key}")
}
