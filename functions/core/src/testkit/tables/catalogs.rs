//! Catalogs.

use std::sync::Arc;

use super::Tables;
use crate::ports::{Condition, Published, WriteOutcome};

impl Tables {
    /// [`CatalogStore::get`](crate::ports::CatalogStore::get).
    pub fn catalog(&self, product: &str) -> Option<Arc<Published>> {
        let cached = self.cached_catalogs.get(product).cloned();
        cached.unwrap_or_else(|| self.fresh_catalog(product))
    }

    /// [`CatalogStore::fresh`](crate::ports::CatalogStore::fresh).
    pub fn fresh_catalog(&self, product: &str) -> Option<Arc<Published>> {
        self.catalogs.get(product).cloned()
    }

    /// [`CatalogStore::put`](crate::ports::CatalogStore::put).
    pub fn put_catalog(&mut self, product: &str, new: &Arc<Published>, condition: &Condition) -> WriteOutcome {
        if !self.holds(product, condition) {
            return WriteOutcome::Conflict;
        }
        self.catalogs.insert(product.to_owned(), Arc::clone(new));
        WriteOutcome::Done
    }

    /// [`CatalogStore::delete`](crate::ports::CatalogStore::delete).
    pub fn delete_catalog(&mut self, product: &str, condition: &Condition) -> WriteOutcome {
        if !self.holds(product, condition) {
            return WriteOutcome::Conflict;
        }
        self.catalogs.remove(product);
        WriteOutcome::Done
    }

    fn holds(&self, product: &str, condition: &Condition) -> bool {
        condition.holds(self.catalogs.get(product).map(|published| &published.revision))
    }
}
