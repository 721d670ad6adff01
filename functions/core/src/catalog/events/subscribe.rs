//! Subscriptions of brokers, named by `broker:subscription`.

use crate::catalog::document::{Broker, Catalog, Subscription};
use crate::catalog::event::{CatalogEvent, Lookup, Owner, Runs, parts};
use crate::catalog::tag::Tag;

/// A subscription of a broker.
#[derive(Clone, Copy, Debug)]
pub struct SubscribeEvent<'c> {
    /// The catalog, which has the event that gets the messages.
    pub catalog: &'c Catalog,
    /// The broker's tag.
    pub broker_tag: &'c Tag,
    /// The broker.
    pub broker: &'c Broker,
    /// The subscription's tag.
    pub tag: &'c Tag,
    /// The subscription.
    pub subscription: &'c Subscription,
}

impl<'c> SubscribeEvent<'c> {
    fn new(
        catalog: &'c Catalog,
        ((broker_tag, broker), tag, subscription): (Owner<'c, Broker>, &'c Tag, &'c Subscription),
    ) -> Self {
        Self { catalog, broker_tag, broker, tag, subscription }
    }
}

impl<'c> CatalogEvent<'c> for SubscribeEvent<'c> {
    fn find(lookup: &Lookup<'c, '_>) -> impl IntoIterator<Item = Self> {
        let found = lookup.part(&lookup.catalog.brokers, |broker| &broker.subscriptions);
        found.map(|found| Self::new(lookup.catalog, found))
    }

    fn all(catalog: &'c Catalog) -> impl IntoIterator<Item = (String, Self)> {
        parts(&catalog.brokers, |broker| &broker.subscriptions)
            .map(move |(tag, found)| (tag, Self::new(catalog, found)))
    }

    fn is_in(&self, env: &str) -> bool {
        self.broker.envs.contains_key(env)
    }

    fn runs(&self) -> Option<Runs<'c>> {
        let path = vec!["brokers", self.broker_tag.as_str(), "subscriptions", self.tag.as_str()];
        Some(Runs { path, events: Box::new(std::iter::once(self.subscription.event_ref())) })
    }
}
