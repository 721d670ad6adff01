//! The API keys of callers, and the keys that seal confidential data.

use std::future::Future;
use std::sync::Arc;

use super::PortError;
use crate::access::{ApiKey, KeyHash};
use crate::session::sealing::{SealingKey, SealingKeyId};

/// Stores API keys by their hashes.
pub trait KeyStore: Send + Sync {
    /// Finds the key of this hash. An adapter may answer from a cache of at most 30 s, so a revoked key may work for
    /// that long.
    fn find(&self, hash: &KeyHash) -> impl Future<Output = Result<Option<Arc<ApiKey>>, PortError>> + Send;

    /// Stores a key under its hash.
    fn add(&self, hash: &KeyHash, key: &ApiKey) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Provides the keys that seal confidential data.
pub trait SealingKeys: Send + Sync {
    /// The key to seal with.
    fn current(&self) -> impl Future<Output = Result<SealingKey, PortError>> + Send;

    /// Finds a key by its id; `None` if it is gone for good. An adapter may answer from memory.
    fn find(&self, name: &SealingKeyId) -> impl Future<Output = Result<Option<SealingKey>, PortError>> + Send;
}
