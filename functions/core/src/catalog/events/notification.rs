//! Notifications, named by their tag, or by `notification:message`.

use crate::catalog::document::{Catalog, Notification};
use crate::catalog::event::{CatalogEvent, Lookup, Runs, components, parts};
use crate::catalog::tag::Tag;

/// A notification.
#[derive(Clone, Copy, Debug)]
pub struct NotificationEvent<'c> {
    /// The notification.
    pub notification: &'c Notification,
    /// The message, where the tag names one.
    pub message: Option<&'c Tag>,
}

impl<'c> CatalogEvent<'c> for NotificationEvent<'c> {
    fn find(lookup: &Lookup<'c, '_>) -> impl IntoIterator<Item = Self> {
        let notifications = &lookup.catalog.notifications;
        let alone = lookup.component(notifications).map(|(_, notification)| Self { notification, message: None });
        let message = lookup.part(notifications, |notification| &notification.messages);
        alone.or(message.map(|((_, notification), tag, _)| Self { notification, message: Some(tag) }))
    }

    fn all(catalog: &'c Catalog) -> impl IntoIterator<Item = (String, Self)> {
        let alone = components(&catalog.notifications)
            .map(|(tag, (_, notification))| (tag, Self { notification, message: None }));
        let messages = parts(&catalog.notifications, |notification| &notification.messages)
            .map(|(tag, ((_, notification), message, _))| (tag, Self { notification, message: Some(message) }));
        alone.chain(messages)
    }

    fn is_in(&self, env: &str) -> bool {
        self.notification.envs.contains_key(env)
    }

    fn runs(&self) -> Option<Runs<'c>> {
        None
    }
}
