//! Quotas, named by their tag, in every environment.

use crate::catalog::document::{Catalog, Quota};
use crate::catalog::event::{CatalogEvent, Lookup, Runs, components};
use crate::catalog::tag::Tag;

/// A quota.
#[derive(Clone, Copy, Debug)]
pub struct QuotaEvent<'c> {
    /// Its tag.
    pub tag: &'c Tag,
    /// The quota.
    pub quota: &'c Quota,
}

impl<'c> CatalogEvent<'c> for QuotaEvent<'c> {
    fn find(lookup: &Lookup<'c, '_>) -> impl IntoIterator<Item = Self> {
        lookup.component(&lookup.catalog.quotas).map(|(tag, quota)| Self { tag, quota })
    }

    fn all(catalog: &'c Catalog) -> impl IntoIterator<Item = (String, Self)> {
        components(&catalog.quotas).map(|(tag, (own, quota))| (tag, Self { tag: own, quota }))
    }

    fn is_in(&self, _: &str) -> bool {
        true
    }

    fn runs(&self) -> Option<Runs<'c>> {
        None
    }
}
