//! From an event tag to what it stands for.

use std::collections::BTreeMap;

use super::document::{
    App, AppAction, Broker, Catalog, Database, DatabaseAction, Fallback, FallbackOption, Feature, FeatureStep,
    Function, JobDefinition, Notification, Quota, Storage, Subscription, Topic,
};
use super::read::Tag;
use crate::job::EventType;
use crate::json::did_you_mean;

/// How a request or a component names an event.
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

/// What an event tag stands for.
#[derive(Clone, Copy, Debug)]
pub enum Target<'c> {
    /// A request of an app.
    Action(&'c App, &'c AppAction),
    /// A notification, and the message where the tag names it.
    Notification(&'c Notification, Option<&'c Tag>),
    /// A statement of a database.
    DatabaseAction(&'c Database, &'c DatabaseAction),
    /// A storage.
    Storage(&'c Storage),
    /// A topic of a broker.
    Publish(&'c Broker, &'c Topic),
    /// A subscription of a broker.
    Subscribe(&'c Broker, &'c Subscription),
    /// A cloud function.
    Function(&'c Function),
    /// A job definition.
    Job(&'c JobDefinition),
    /// A quota, with its tag.
    Quota(&'c Tag, &'c Quota),
    /// A fallback, with its tag.
    Fallback(&'c Tag, &'c Fallback),
    /// A feature.
    Feature(&'c Feature),
}

impl Target<'_> {
    /// Its type.
    pub fn event_type(&self) -> EventType {
        match self {
            Self::Action(..) => EventType::Action,
            Self::Notification(..) => EventType::Notification,
            Self::DatabaseAction(..) => EventType::DatabaseAction,
            Self::Storage(_) => EventType::Storage,
            Self::Publish(..) => EventType::Publish,
            Self::Subscribe(..) => EventType::Subscribe,
            Self::Function(_) => EventType::Function,
            Self::Job(_) => EventType::Job,
            Self::Quota(..) => EventType::Quota,
            Self::Fallback(..) => EventType::Fallback,
            Self::Feature(_) => EventType::Feature,
        }
    }

    /// Whether it is defined for the environment.
    pub fn is_in(&self, env: &str) -> bool {
        match self {
            Self::Action(app, _) => app.envs.contains_key(env),
            Self::Notification(notification, _) => notification.envs.contains_key(env),
            Self::DatabaseAction(database, _) => database.envs.contains_key(env),
            Self::Storage(storage) => storage.envs.contains_key(env),
            Self::Publish(broker, topic) => broker.envs.contains_key(env) && topic.envs.contains_key(env),
            Self::Subscribe(broker, _) => broker.envs.contains_key(env),
            Self::Function(function) => function.envs.contains_key(env),
            Self::Job(_) | Self::Quota(..) | Self::Fallback(..) | Self::Feature(_) => true,
        }
    }
}

/// Why a tag stands for nothing.
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
    /// Finds what an event tag stands for.
    ///
    /// # Errors
    /// [`Unresolved`], with what the caller needs to mend the request.
    pub fn resolve(&self, wanted: EventRef<'_>) -> Result<Target<'_>, Unresolved> {
        let actions = |tag: &str| self.apps.keys().filter_map(|app| self.action(app.as_str(), tag)).collect();
        self.find(wanted, actions).map_err(|missing| self.explain(wanted, &missing))
    }

    /// Every action with its tag.
    fn actions(&self) -> impl Iterator<Item = (&Tag, Candidate<'_>)> {
        self.apps.iter().flat_map(|(app_tag, app)| {
            let candidate = move |action| Candidate { app: Some(app_tag), target: Target::Action(app, action) };
            app.actions.iter().map(move |(tag, action)| (tag, candidate(action)))
        })
    }

    /// Finds what an event tag stands for; `actions` gives every action of a tag.
    fn find<'c>(
        &'c self,
        wanted: EventRef<'_>,
        actions: impl Fn(&str) -> Vec<Candidate<'c>>,
    ) -> Result<Target<'c>, Missing<'c>> {
        if wanted.app.is_some_and(|app| !self.apps.contains_key(app)) {
            return Err(Missing::App);
        }
        let is_wanted = |event_type| wanted.event_type.is_none_or(|wanted| wanted == event_type);
        let (own, shared) = match wanted.event.split_once(':') {
            Some((owner, part)) => (Vec::new(), self.composite(owner, part)),
            None if !is_wanted(EventType::Action) => (Vec::new(), self.simple(wanted.event)),
            None => match wanted.app {
                Some(app) => (self.action(app, wanted.event).into_iter().collect(), self.simple(wanted.event)),
                None => (actions(wanted.event), self.simple(wanted.event)),
            },
        };
        // The app settles which action is meant; what is no action belongs to no app.
        let found: Vec<_> = match (wanted.app, own.as_slice()) {
            (Some(_), [action]) => vec![*action],
            _ => own.into_iter().chain(shared).filter(|it| is_wanted(it.target.event_type())).collect(),
        };
        match found.as_slice() {
            [] => Err(Missing::Event),
            [only] => Ok(only.target),
            _ => Err(Missing::Ambiguous(found)),
        }
    }

    fn action(&self, app: &str, tag: &str) -> Option<Candidate<'_>> {
        let (app_tag, app) = self.apps.get_key_value(app)?;
        Some(Candidate { app: Some(app_tag), target: Target::Action(app, app.actions.get(tag)?) })
    }

    fn simple(&self, tag: &str) -> Vec<Candidate<'_>> {
        let found = [
            self.notifications.get(tag).map(|it| Target::Notification(it, None)),
            self.storages.get(tag).map(Target::Storage),
            self.functions.get(tag).map(Target::Function),
            self.jobs.get(tag).map(Target::Job),
            self.quotas.get_key_value(tag).map(|(tag, it)| Target::Quota(tag, it)),
            self.fallbacks.get_key_value(tag).map(|(tag, it)| Target::Fallback(tag, it)),
            self.features.get(tag).map(Target::Feature),
        ];
        found.into_iter().flatten().map(|target| Candidate { app: None, target }).collect()
    }

    fn composite(&self, owner: &str, part: &str) -> Vec<Candidate<'_>> {
        let broker = self.brokers.get(owner);
        let database = self.databases.get(owner);
        let notification = self.notifications.get(owner);
        let found = [
            database.and_then(|it| Some(Target::DatabaseAction(it, it.actions.get(part)?))),
            broker.and_then(|it| Some(Target::Publish(it, it.topics.get(part)?))),
            broker.and_then(|it| Some(Target::Subscribe(it, it.subscriptions.get(part)?))),
            notification.and_then(|it| Some(Target::Notification(it, Some(it.messages.get_key_value(part)?.0)))),
        ];
        found.into_iter().flatten().map(|target| Candidate { app: None, target }).collect()
    }

    /// Says what is missing, with a hint. Looks at every tag of the catalog.
    fn explain(&self, wanted: EventRef<'_>, missing: &Missing<'_>) -> Unresolved {
        match (missing, wanted.app) {
            (Missing::App, Some(app)) => Unresolved::UnknownApp(did_you_mean(app, self.apps.keys().map(Tag::as_str))),
            (Missing::Ambiguous(candidates), _) => Unresolved::Ambiguous(describe(candidates)),
            _ => Unresolved::Unknown(did_you_mean(wanted.event, self.event_tags().iter().map(String::as_str))),
        }
    }

    /// Every event tag of the catalog, for suggestions.
    fn event_tags(&self) -> Vec<String> {
        let simple = self.apps.values().flat_map(|app| app.actions.keys());
        let simple = simple.chain(self.notifications.keys()).chain(self.storages.keys()).chain(self.functions.keys());
        let simple = simple.chain(self.jobs.keys()).chain(self.quotas.keys()).chain(self.fallbacks.keys());
        let simple = simple.chain(self.features.keys()).map(ToString::to_string);
        let statements = self.databases.iter().flat_map(|(owner, it)| it.actions.keys().map(move |part| (owner, part)));
        let topics = self
            .brokers
            .iter()
            .flat_map(|(owner, it)| it.topics.keys().chain(it.subscriptions.keys()).map(move |part| (owner, part)));
        let messages =
            self.notifications.iter().flat_map(|(owner, it)| it.messages.keys().map(move |part| (owner, part)));
        let composite = statements.chain(topics).chain(messages).map(|(owner, part)| format!("{owner}:{part}"));
        simple.chain(composite).collect()
    }
}

/// A catalog in which many tags are to be found: a tag costs no look at every app.
pub(super) struct Resolver<'c> {
    /// The catalog.
    pub(super) catalog: &'c Catalog,
    actions: BTreeMap<&'c str, Vec<Candidate<'c>>>,
}

impl<'c> Resolver<'c> {
    pub(super) fn new(catalog: &'c Catalog) -> Self {
        let mut actions: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (tag, candidate) in catalog.actions() {
            actions.entry(tag.as_str()).or_default().push(candidate);
        }
        Self { catalog, actions }
    }

    /// What the tag stands for, if it stands for one thing.
    pub(super) fn target(&self, wanted: EventRef<'_>) -> Option<Target<'c>> {
        self.find(wanted).ok()
    }

    /// Why the tag stands for nothing, if so. With a hint it looks at every tag of the catalog.
    pub(super) fn unresolved(&self, wanted: EventRef<'_>, with_hint: bool) -> Option<Unresolved> {
        Some(match self.find(wanted).err()? {
            Missing::Event if !with_hint => Unresolved::Unknown(String::new()),
            Missing::App if !with_hint => Unresolved::UnknownApp(String::new()),
            missing => self.catalog.explain(wanted, &missing),
        })
    }

    fn find(&self, wanted: EventRef<'_>) -> Result<Target<'c>, Missing<'c>> {
        self.catalog.find(wanted, |tag| self.actions.get(tag).cloned().unwrap_or_default())
    }
}

/// Something that has a wanted tag.
#[derive(Clone, Copy)]
struct Candidate<'c> {
    /// An action's app.
    app: Option<&'c Tag>,
    target: Target<'c>,
}

/// What there is not one of.
enum Missing<'c> {
    Event,
    App,
    Ambiguous(Vec<Candidate<'c>>),
}

/// As the request would name them; of very many only the first.
fn describe(candidates: &[Candidate<'_>]) -> Vec<String> {
    const NAMED: usize = 10;
    let name = |Candidate { app, target }: &Candidate<'_>| match app {
        Some(app) => format!("type {} of app {app}", target.event_type()),
        None => format!("type {}", target.event_type()),
    };
    let more = candidates.len().saturating_sub(NAMED);
    let rest = (more > 0).then(|| format!("{more} more"));
    candidates.iter().take(NAMED).map(name).chain(rest).collect()
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
