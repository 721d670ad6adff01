//! Object storages, named by their tag.

use crate::catalog::document::{Catalog, Storage};
use crate::catalog::event::{CatalogEvent, Lookup, Runs, components};

/// An object storage.
#[derive(Clone, Copy, Debug)]
pub struct StorageEvent<'c> {
    /// The storage.
    pub storage: &'c Storage,
}

impl<'c> CatalogEvent<'c> for StorageEvent<'c> {
    fn find(lookup: &Lookup<'c, '_>) -> impl IntoIterator<Item = Self> {
        lookup.component(&lookup.catalog.storages).map(|(_, storage)| Self { storage })
    }

    fn all(catalog: &'c Catalog) -> impl IntoIterator<Item = (String, Self)> {
        components(&catalog.storages).map(|(tag, (_, storage))| (tag, Self { storage }))
    }

    fn is_in(&self, env: &str) -> bool {
        self.storage.envs.contains_key(env)
    }

    fn runs(&self) -> Option<Runs<'c>> {
        None
    }
}
