//! The way from a tag to an event, and the interface of each event type to its catalog.

use super::document::{Catalog, FallbackOption, FeatureStep, JobDefinition, Subscription};
use super::tag::{Tag, Tagged};
use crate::event_type::EventType;

/// A reference to an event, in a request or a component.
#[derive(Clone, Copy, Debug)]
pub struct EventRef<'a> {
    /// The tag: of an action, notification, storage, function, job, quota, fallback or feature; or `database:action`,
    /// `broker:topic`, `broker:subscription`, `notification:message`.
    pub event: &'a str,
    /// Settles a tag that more than one type has.
    pub event_type: Option<EventType>,
    /// Settles an action's tag that more than one app has.
    pub app: Option<&'a str>,
}

macro_rules! refers_to_event {
    ($($name:ident),*) => {$(
        impl $name {
            /// The event that it refers to.
            pub fn event_ref(&self) -> EventRef<'_> {
                EventRef { event: &self.event, event_type: self.event_type, app: self.app.as_ref().map(Tag::as_str) }
            }
        }
    )*};
}
refers_to_event!(Subscription, JobDefinition, FallbackOption, FeatureStep);

/// The events of one type in a catalog.
pub(super) trait CatalogEvent<'c>: Copy {
    /// Finds the events with the tag of `lookup`: at most one, but for actions of several apps.
    fn find(lookup: &Lookup<'c, '_>) -> impl IntoIterator<Item = Self>;

    /// Every event of the type, with its tag.
    fn all(catalog: &'c Catalog) -> impl IntoIterator<Item = (String, Self)>;

    /// The app that the event belongs to.
    fn app(&self) -> Option<&'c Tag> {
        None
    }

    /// True if the event is defined for the environment.
    fn is_in(&self, env: &str) -> bool;

    /// The events that this one runs, where it consists of others.
    fn runs(&self) -> Option<Runs<'c>>;
}

/// The events that a component runs.
pub(super) struct Runs<'c> {
    /// The names on the way to the component in the document.
    pub(super) path: Vec<&'c str>,
    /// The events, read when they are asked for.
    pub(super) events: Box<dyn Iterator<Item = EventRef<'c>> + 'c>,
}

/// A search for the events of a tag.
pub(super) struct Lookup<'c, 'w> {
    /// The catalog.
    pub(super) catalog: &'c Catalog,
    /// The event's tag.
    pub(super) tag: &'w str,
    /// The app that an action has to belong to.
    pub(super) app: Option<&'w str>,
    /// The apps that have an action of this tag, where they are known: otherwise every app is searched.
    pub(super) apps: Option<&'w [&'c Tag]>,
}

impl<'c> Lookup<'c, '_> {
    /// The component with the tag, for events that are named by a tag alone.
    pub(super) fn component<T>(&self, components: &'c Tagged<T>) -> Option<(&'c Tag, &'c T)> {
        components.get_key_value(self.tag)
    }

    /// The part with the tag `owner:part`, and its owner, for events that are named so.
    pub(super) fn part<O, T>(
        &self,
        owners: &'c Tagged<O>,
        parts: impl FnOnce(&'c O) -> &'c Tagged<T>,
    ) -> Option<(Owner<'c, O>, &'c Tag, &'c T)> {
        let (owner, part) = self.tag.split_once(':')?;
        let (owner_tag, owner) = owners.get_key_value(owner)?;
        let (part_tag, part) = parts(owner).get_key_value(part)?;
        Some(((owner_tag, owner), part_tag, part))
    }
}

/// A component that others are parts of, with its tag.
pub(super) type Owner<'c, O> = (&'c Tag, &'c O);

/// Every component, with the tag of its event.
pub(super) fn components<T>(components: &Tagged<T>) -> impl Iterator<Item = (String, (&Tag, &T))> {
    components.iter().map(|(tag, component)| (tag.to_string(), (tag, component)))
}

/// Every part of every owner, with the tag `owner:part` of its event.
pub(super) fn parts<'c, O, T: 'c>(
    owners: &'c Tagged<O>,
    parts: impl Fn(&'c O) -> &'c Tagged<T>,
) -> impl Iterator<Item = (String, (Owner<'c, O>, &'c Tag, &'c T))> {
    owners.iter().flat_map(move |(owner_tag, owner)| {
        let named = move |(tag, part)| (format!("{owner_tag}:{tag}"), ((owner_tag, owner), tag, part));
        parts(owner).iter().map(named)
    })
}
