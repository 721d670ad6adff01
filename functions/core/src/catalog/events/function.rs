//! Cloud functions, named by their tag.

use crate::catalog::document::{Catalog, Function};
use crate::catalog::event::{CatalogEvent, Lookup, Runs, components};

/// A cloud function.
#[derive(Clone, Copy, Debug)]
pub struct FunctionEvent<'c> {
    /// The function.
    pub function: &'c Function,
}

impl<'c> CatalogEvent<'c> for FunctionEvent<'c> {
    fn find(lookup: &Lookup<'c, '_>) -> impl IntoIterator<Item = Self> {
        lookup.component(&lookup.catalog.functions).map(|(_, function)| Self { function })
    }

    fn all(catalog: &'c Catalog) -> impl IntoIterator<Item = (String, Self)> {
        components(&catalog.functions).map(|(tag, (_, function))| (tag, Self { function }))
    }

    fn is_in(&self, env: &str) -> bool {
        self.function.envs.contains_key(env)
    }

    fn runs(&self) -> Option<Runs<'c>> {
        None
    }
}
