//! The keys of callers, and those that seal what is confidential.

use std::future::Future;
use std::sync::Arc;

use super::PortError;
use crate::access::{ApiKey, KeyHash};
use crate::session::sealing::{SealingKey, SealingKeyId};

/// The callers' keys. Only hashes are known.
pub trait KeyStore: Send + Sync {
    /// The key of this hash. An adapter may answer from a cache of at most 30 s: a key that is revoked may open so long.
    fn find(&self, hash: &KeyHash) -> impl Future<Output = Result<Option<Arc<ApiKey>>, PortError>> + Send;

    /// Stores a key under its hash.
    fn add(&self, hash: &KeyHash, key: &ApiKey) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The keys under which what is confidential is sealed.
pub trait SealingKeys: Send + Sync {
    /// The key that seals today.
    fn current(&self) -> impl Future<Output = Result<SealingKey, PortError>> + Send;

    /// A key by its name; `None` when it is gone for good. An adapter may answer from its memory.
    fn find(&self, name: &SealingKeyId) -> impl Future<Output = Result<Option<SealingKey>, PortError>> + Send;
}
