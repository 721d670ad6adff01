//! Topics to publish to, named by `broker:topic`.

use crate::catalog::document::{Broker, Catalog, Topic};
use crate::catalog::event::{CatalogEvent, Lookup, Runs, parts};

/// A topic of a broker.
#[derive(Clone, Copy, Debug)]
pub struct PublishEvent<'c> {
    /// The broker.
    pub broker: &'c Broker,
    /// The topic.
    pub topic: &'c Topic,
}

impl<'c> CatalogEvent<'c> for PublishEvent<'c> {
    fn find(lookup: &Lookup<'c, '_>) -> impl IntoIterator<Item = Self> {
        let found = lookup.part(&lookup.catalog.brokers, |broker| &broker.topics);
        found.map(|((_, broker), _, topic)| Self { broker, topic })
    }

    fn all(catalog: &'c Catalog) -> impl IntoIterator<Item = (String, Self)> {
        parts(&catalog.brokers, |broker| &broker.topics)
            .map(|(tag, ((_, broker), _, topic))| (tag, Self { broker, topic }))
    }

    fn is_in(&self, env: &str) -> bool {
        self.broker.envs.contains_key(env) && self.topic.envs.contains_key(env)
    }

    fn runs(&self) -> Option<Runs<'c>> {
        None
    }
}
