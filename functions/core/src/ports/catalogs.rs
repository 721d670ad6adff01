//! The store of catalogs.

use std::future::Future;
use std::sync::Arc;

use super::{PortError, WriteOutcome};
use crate::catalog::{Catalog, Revision};

/// Stores the catalogs of products.
pub trait CatalogStore: Send + Sync {
    /// Reads a product's catalog. An adapter may answer from a cache of at most 30 s.
    fn get(&self, product: &str) -> impl Future<Output = Result<Option<Arc<Published>>, PortError>> + Send;

    /// Reads a product's catalog without any cache.
    fn fresh(&self, product: &str) -> impl Future<Output = Result<Option<Arc<Published>>, PortError>> + Send {
        self.get(product)
    }

    /// Replaces a product's catalog if `condition` holds.
    fn put(
        &self,
        product: &str,
        published: Arc<Published>,
        condition: &Condition,
    ) -> impl Future<Output = Result<WriteOutcome, PortError>> + Send;

    /// Removes a product's catalog if `condition` holds.
    fn delete(
        &self,
        product: &str,
        condition: &Condition,
    ) -> impl Future<Output = Result<WriteOutcome, PortError>> + Send;
}

/// A catalog as it was published.
#[derive(Debug)]
pub struct Published {
    /// The document as it was sent, for answers.
    pub document: serde_json::Value,
    /// The catalog that the document defines.
    pub catalog: Catalog,
    /// Identifies this exact content.
    pub revision: Revision,
}

/// A precondition on what is stored now (RFC 9110, If-Match and If-None-Match).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Always true.
    Always,
    /// Something is stored.
    Exists,
    /// Nothing is stored.
    Absent,
    /// One of these revisions is stored.
    Is(Vec<Revision>),
}

impl Condition {
    /// True if the condition holds for the stored revision.
    pub fn holds(&self, stored: Option<&Revision>) -> bool {
        match self {
            Self::Always => true,
            Self::Exists => stored.is_some(),
            Self::Absent => stored.is_none(),
            Self::Is(revisions) => stored.is_some_and(|stored| revisions.contains(stored)),
        }
    }
}
