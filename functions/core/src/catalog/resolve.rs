//! From an event tag to what it stands for.

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
    /// A quota.
    Quota(&'c Quota),
    /// A fallback.
    Fallback(&'c Fallback),
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
            Self::Quota(_) => EventType::Quota,
            Self::Fallback(_) => EventType::Fallback,
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
            Self::Job(_) | Self::Quota(_) | Self::Fallback(_) | Self::Feature(_) => true,
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
    /// More than one thing has the tag: each is named as the request would name it.
    Ambiguous(Vec<String>),
}

impl Catalog {
    /// Finds what an event tag stands for.
    ///
    /// # Errors
    /// [`Unresolved`], with what the caller needs to mend the request.
    pub fn resolve(&self, wanted: EventRef<'_>) -> Result<Target<'_>, Unresolved> {
        if let Some(app) = wanted.app.filter(|app| !self.apps.contains_key(*app)) {
            return Err(Unresolved::UnknownApp(did_you_mean(app, self.apps.keys().map(Tag::as_str))));
        }
        let mut found = match wanted.event.split_once(':') {
            Some((owner, part)) => self.composite(owner, part),
            None => self.simple(wanted.event),
        };
        if let Some(event_type) = wanted.event_type {
            found.retain(|(_, target)| target.event_type() == event_type);
        }
        let of_app = |(app, _): &(Option<&Tag>, Target<'_>)| app.map(Tag::as_str) == wanted.app;
        let is_action = |(app, _): &(Option<&Tag>, Target<'_>)| app.is_some();
        if wanted.app.is_some() {
            // The app settles which action is meant; what is no action belongs to no app.
            if found.iter().any(of_app) { found.retain(of_app) } else { found.retain(|entry| !is_action(entry)) }
        }
        match found.as_slice() {
            [] => Err(Unresolved::Unknown(did_you_mean(wanted.event, self.event_tags().iter().map(String::as_str)))),
            [(_, target)] => Ok(*target),
            several => Err(Unresolved::Ambiguous(several.iter().map(describe).collect())),
        }
    }

    fn simple(&self, tag: &str) -> Vec<(Option<&Tag>, Target<'_>)> {
        let actions = self.apps.iter().filter_map(|(app_tag, app)| {
            let action = app.actions.get(tag)?;
            Some((Some(app_tag), Target::Action(app, action)))
        });
        let others = [
            self.notifications.get(tag).map(|it| Target::Notification(it, None)),
            self.storages.get(tag).map(Target::Storage),
            self.functions.get(tag).map(Target::Function),
            self.jobs.get(tag).map(Target::Job),
            self.quotas.get(tag).map(Target::Quota),
            self.fallbacks.get(tag).map(Target::Fallback),
            self.features.get(tag).map(Target::Feature),
        ];
        actions.chain(others.into_iter().flatten().map(|target| (None, target))).collect()
    }

    fn composite(&self, owner: &str, part: &str) -> Vec<(Option<&Tag>, Target<'_>)> {
        let broker = self.brokers.get(owner);
        let database = self.databases.get(owner);
        let notification = self.notifications.get(owner);
        let found = [
            database.and_then(|it| Some(Target::DatabaseAction(it, it.actions.get(part)?))),
            broker.and_then(|it| Some(Target::Publish(it, it.topics.get(part)?))),
            broker.and_then(|it| Some(Target::Subscribe(it, it.subscriptions.get(part)?))),
            notification.and_then(|it| Some(Target::Notification(it, Some(it.messages.get_key_value(part)?.0)))),
        ];
        found.into_iter().flatten().map(|target| (None, target)).collect()
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

fn describe((app, target): &(Option<&Tag>, Target<'_>)) -> String {
    match app {
        Some(app) => format!("type {} of app {app}", target.event_type()),
        None => format!("type {}", target.event_type()),
    }
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
