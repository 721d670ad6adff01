//! Statements of databases, named by `database:action`.

use crate::catalog::document::{Catalog, Database, DatabaseAction};
use crate::catalog::event::{CatalogEvent, Lookup, Runs, parts};

/// A statement of a database.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseActionEvent<'c> {
    /// The database.
    pub database: &'c Database,
    /// The action.
    pub action: &'c DatabaseAction,
}

impl<'c> CatalogEvent<'c> for DatabaseActionEvent<'c> {
    fn find(lookup: &Lookup<'c, '_>) -> impl IntoIterator<Item = Self> {
        let found = lookup.part(&lookup.catalog.databases, |database| &database.actions);
        found.map(|((_, database), _, action)| Self { database, action })
    }

    fn all(catalog: &'c Catalog) -> impl IntoIterator<Item = (String, Self)> {
        parts(&catalog.databases, |database| &database.actions)
            .map(|(tag, ((_, database), _, action))| (tag, Self { database, action }))
    }

    fn is_in(&self, env: &str) -> bool {
        self.database.envs.contains_key(env)
    }

    fn runs(&self) -> Option<Runs<'c>> {
        None
    }
}
