//! From an event tag to the event that it names.

use std::collections::BTreeMap;

use super::document::Catalog;
use super::event::{CatalogEvent, EventRef, Lookup, Runs};
use super::events;
use super::tag::Tag;
use crate::event_type::{EventType, for_each_event_type};
use crate::json::did_you_mean;

/// Defines the event that a tag names, from the registry of types.
macro_rules! define {
    ([] $($(#[$meta:meta])* $variant:ident = $word:literal: $event:ident,)*) => {
        /// The event that a tag names.
        #[derive(Clone, Copy, Debug)]
        pub enum Target<'c> { $($(#[$meta])* $variant(events::$event<'c>),)* }

        impl<'c> Target<'c> {
            /// Its type.
            pub fn event_type(&self) -> EventType {
                match self { $(Self::$variant(_) => EventType::$variant,)* }
            }

            /// True if the event is defined for the environment.
            pub fn is_in(&self, env: &str) -> bool {
                match self { $(Self::$variant(event) => event.is_in(env),)* }
            }

            /// The events that this one runs, where it consists of others.
            pub(super) fn runs(&self) -> Option<Runs<'c>> {
                match self { $(Self::$variant(event) => event.runs(),)* }
            }

            /// Every event of a catalog, with its tag.
            pub(super) fn all(catalog: &'c Catalog) -> Vec<(String, Self)> {
                let mut all = Vec::new();
                $(all.extend(events::$event::all(catalog).into_iter().map(|(tag, event)| (tag, Self::$variant(event))));)*
                all
            }

            fn app(&self) -> Option<&'c Tag> {
                match self { $(Self::$variant(event) => event.app(),)* }
            }

            /// The events with a tag, of one type or of every type.
            fn find(lookup: &Lookup<'c, '_>, wanted: Option<EventType>) -> Vec<Self> {
                let is_wanted = |event_type| wanted.is_none_or(|wanted| wanted == event_type);
                let mut found = Vec::new();
                $(if is_wanted(EventType::$variant) {
                    found.extend(events::$event::find(lookup).into_iter().map(Self::$variant));
                })*
                found
            }
        }
    };
}

for_each_event_type!(define);

/// Why a tag does not name an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// The catalog has no such event; the text is a hint for the caller, or empty.
    Unknown(String),
    /// The app is not in the catalog; the text is a hint for the caller, or empty.
    UnknownApp(String),
    /// More than one thing has the tag: each is named as the request would name it, and of very many the first ten.
    Ambiguous(Vec<String>),
}

impl Catalog {
    /// Finds the event that a tag names.
    ///
    /// # Errors
    /// [`Unresolved`], with what the caller needs to mend the request.
    pub fn resolve(&self, wanted: EventRef<'_>) -> Result<Target<'_>, Unresolved> {
        self.find(wanted, None).map_err(|missing| self.explain(wanted, &missing))
    }

    /// Finds the event that a tag names; `apps` are those that have an action of the tag, where they are known.
    fn find<'c>(&'c self, wanted: EventRef<'_>, apps: Option<&[&'c Tag]>) -> Result<Target<'c>, Missing<'c>> {
        if wanted.app.is_some_and(|app| !self.apps.contains_key(app)) {
            return Err(Missing::App);
        }
        let lookup = Lookup { catalog: self, tag: wanted.event, app: wanted.app, apps };
        let found = Target::find(&lookup, wanted.event_type);
        // The app settles which action is meant; events of other types belong to no app.
        let of_app = found.iter().find(|target| wanted.app.is_some() && target.app().is_some());
        match (of_app, found.as_slice()) {
            (Some(action), _) => Ok(*action),
            (None, []) => Err(Missing::Event),
            (None, [only]) => Ok(*only),
            (None, _) => Err(Missing::Ambiguous(found)),
        }
    }

    /// Says what is missing, with a hint. Looks at every tag of the catalog.
    fn explain(&self, wanted: EventRef<'_>, missing: &Missing<'_>) -> Unresolved {
        match (missing, wanted.app) {
            (Missing::App, Some(app)) => Unresolved::UnknownApp(did_you_mean(app, self.apps.keys().map(Tag::as_str))),
            (Missing::Ambiguous(candidates), _) => Unresolved::Ambiguous(describe(candidates)),
            _ => {
                let all = Target::all(self);
                Unresolved::Unknown(did_you_mean(wanted.event, all.iter().map(|(tag, _)| tag.as_str())))
            }
        }
    }
}

/// A catalog in which many tags are looked up: it does not search every app for each.
pub(super) struct Resolver<'c> {
    /// The catalog.
    pub(super) catalog: &'c Catalog,
    /// The apps that have an action, by the action's tag.
    apps: BTreeMap<&'c str, Vec<&'c Tag>>,
}

impl<'c> Resolver<'c> {
    pub(super) fn new(catalog: &'c Catalog) -> Self {
        let mut apps: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (app_tag, app) in &catalog.apps {
            for tag in app.actions.keys() {
                apps.entry(tag.as_str()).or_default().push(app_tag);
            }
        }
        Self { catalog, apps }
    }

    /// The event that the tag names, if it names one.
    pub(super) fn target(&self, wanted: EventRef<'_>) -> Option<Target<'c>> {
        self.find(wanted).ok()
    }

    /// Why the tag does not name an event. With a hint, every tag of the catalog is compared.
    pub(super) fn unresolved(&self, wanted: EventRef<'_>, with_hint: bool) -> Option<Unresolved> {
        Some(match self.find(wanted).err()? {
            Missing::Event if !with_hint => Unresolved::Unknown(String::new()),
            Missing::App if !with_hint => Unresolved::UnknownApp(String::new()),
            missing => self.catalog.explain(wanted, &missing),
        })
    }

    fn find(&self, wanted: EventRef<'_>) -> Result<Target<'c>, Missing<'c>> {
        let apps = self.apps.get(wanted.event).map_or(&[][..], Vec::as_slice);
        self.catalog.find(wanted, Some(apps))
    }
}

/// Why no event was found.
enum Missing<'c> {
    Event,
    App,
    Ambiguous(Vec<Target<'c>>),
}

/// The candidates as a request would name them, at most the first few.
fn describe(candidates: &[Target<'_>]) -> Vec<String> {
    const NAMED: usize = 10;
    let name = |target: &Target<'_>| match target.app() {
        Some(app) => format!("type {} of app {app}", target.event_type()),
        None => format!("type {}", target.event_type()),
    };
    let more = candidates.len().saturating_sub(NAMED);
    let rest = (more > 0).then(|| format!("{more} more"));
    candidates.iter().take(NAMED).map(name).chain(rest).collect()
}
