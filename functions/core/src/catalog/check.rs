//! The rules across a catalog: every named tag exists, every environment is declared, and nothing calls itself.

use std::collections::BTreeSet;

use super::cycles;
use super::document::{BrokerProvider, Catalog, DatabaseEnv, Engine};
use super::event::EventRef;
use super::messages;
use super::resolve::{Resolver, Unresolved};
use super::statement::Statement;
use super::tag::{PerEnv, Tag, Tagged};
use crate::error::{Faults, FieldCode};
use crate::json::child;

/// Notes everything that does not hold.
pub(super) fn check(catalog: &Catalog, faults: &mut Faults) {
    // A component that could not be read is missing from the catalog, but naming it is no second fault.
    let unread = faults.segments();
    let envs_unread = faults.stand_under("/envs");
    let resolver = Resolver::new(catalog);
    let envs = catalog.envs.iter().collect();
    Check { catalog, resolver, envs, faults, unread, envs_unread }.everything();
}

struct Check<'a> {
    catalog: &'a Catalog,
    resolver: Resolver<'a>,
    /// The declared environments.
    envs: BTreeSet<&'a Tag>,
    faults: &'a mut Faults,
    /// Names that stand in the pointers of what could not be read.
    unread: BTreeSet<String>,
    /// True if the list of environments could not be read.
    envs_unread: bool,
}

impl Check<'_> {
    fn everything(&mut self) {
        self.environments();
        self.sessions();
        self.notifications();
        self.databases();
        self.brokers();
        self.functions();
        self.references();
    }

    fn fault(&mut self, pointer: &[&str], code: FieldCode, detail: impl Into<String>) {
        if self.faults.is_full() {
            return;
        }
        let pointer = pointer.iter().fold(String::new(), |pointer, name| child(&pointer, name));
        self.faults.add(pointer, code, detail);
    }

    fn environments(&mut self) {
        let catalog = self.catalog;
        if catalog.envs.is_empty() && !self.envs_unread {
            self.fault(&["envs"], FieldCode::OutOfRange, "must name at least one environment");
        }
        let mut seen = BTreeSet::new();
        for (index, env) in catalog.envs.iter().enumerate() {
            if !seen.insert(env) {
                self.fault(&["envs", &index.to_string()], FieldCode::Duplicate, format!("{env} stands twice"));
            }
        }
        self.declared_in_components();
    }

    /// The environments of every kind of component. A new kind does not compile until it stands here.
    fn declared_in_components(&mut self) {
        let Catalog {
            sessions,
            apps,
            notifications,
            databases,
            storages,
            brokers,
            functions,
            envs: _,
            caches: _,
            jobs: _,
            quotas: _,
            fallbacks: _,
            features: _,
        } = self.catalog;
        self.declared("sessions", sessions, |it| &it.envs);
        self.declared("apps", apps, |it| &it.envs);
        self.declared("notifications", notifications, |it| &it.envs);
        self.declared("databases", databases, |it| &it.envs);
        self.declared("storages", storages, |it| &it.envs);
        self.declared("brokers", brokers, |it| &it.envs);
        self.declared("functions", functions, |it| &it.envs);
    }

    fn declared<T, E>(&mut self, kind: &str, components: &Tagged<T>, envs: impl Fn(&T) -> &PerEnv<E>) {
        for (tag, component) in components {
            self.declared_envs(&[kind, tag.as_str()], envs(component));
        }
    }

    fn declared_envs<E>(&mut self, pointer: &[&str], envs: &PerEnv<E>) {
        if self.envs_unread {
            return;
        }
        let undeclared: Vec<_> = envs.keys().filter(|env| !self.envs.contains(env)).collect();
        for env in undeclared {
            let pointer = [pointer, &["envs", env.as_str()]].concat();
            self.fault(&pointer, FieldCode::UnknownTag, format!("the product has no environment {env}"));
        }
    }

    fn sessions(&mut self) {
        for (tag, session) in &self.catalog.sessions {
            for (env, settings) in &session.envs {
                if settings.key.is_some() == settings.jwks_url.is_some() {
                    let pointer = ["sessions", tag.as_str(), "envs", env.as_str()];
                    self.fault(&pointer, FieldCode::Conflict, "must have exactly one of key and jwks_url");
                }
            }
        }
    }

    fn notifications(&mut self) {
        for (tag, notification) in &self.catalog.notifications {
            let at = |rest: &[&str]| {
                ["notifications", tag.as_str()].iter().chain(rest).fold(String::new(), |at, name| child(&at, name))
            };
            messages::check(notification, at, self.faults);
        }
    }

    fn databases(&mut self) {
        for (tag, database) in &self.catalog.databases {
            if database.engine == Engine::Postgresql {
                for (env, place) in &database.envs {
                    self.postgres(&["databases", tag.as_str(), "envs", env.as_str()], place);
                }
            }
            let by_data_api = database.envs.values().any(|place| place.resource_arn.is_some());
            for (part, action) in &database.actions {
                if let Some(detail) = unfit(database.engine, by_data_api, &action.statement) {
                    let at = ["databases", tag.as_str(), "actions", part.as_str(), "statement"];
                    self.fault(&at, FieldCode::Malformed, detail);
                }
            }
        }
    }

    fn postgres(&mut self, at: &[&str], place: &DatabaseEnv) {
        let direct = place.url.is_some();
        let data_api = (place.resource_arn.is_some(), place.secret_arn.is_some());
        if !matches!((direct, data_api), (true, (false, false)) | (false, (true, true))) {
            self.fault(at, FieldCode::Conflict, "must have url, or resource_arn with secret_arn");
        }
        if place.root_certificate.is_some() && !direct {
            self.fault(&[at, &["root_certificate"]].concat(), FieldCode::Conflict, "goes with url");
        }
    }

    fn brokers(&mut self) {
        for (tag, broker) in &self.catalog.brokers {
            for (topic_tag, topic) in &broker.topics {
                let at = ["brokers", tag.as_str(), "topics", topic_tag.as_str()];
                self.declared_envs(&at, &topic.envs);
                for (env, address) in &topic.envs {
                    let Some(provider) = broker.envs.get(env).map(|it| it.provider) else { continue };
                    let needed = match provider {
                        BrokerProvider::Sns => (address.arn.is_some(), "arn"),
                        BrokerProvider::Sqs | BrokerProvider::Http => (address.url.is_some(), "url"),
                        BrokerProvider::Eventbridge => (topic.detail_type.is_some(), "detail_type"),
                    };
                    if let (false, name) = needed {
                        let inner: &[&str] =
                            if name == "detail_type" { &[name] } else { &["envs", env.as_str(), name] };
                        let pointer = [&at[..], inner].concat();
                        self.fault(&pointer, FieldCode::Required, "is required by the broker's provider");
                    }
                }
            }
            for (part, subscription) in &broker.subscriptions {
                let topic = &subscription.topic;
                if !broker.topics.contains_key(topic) && !self.unread.contains(topic.as_str()) {
                    let at = ["brokers", tag.as_str(), "subscriptions", part.as_str(), "topic"];
                    self.fault(&at, FieldCode::UnknownTag, format!("the broker has no topic {topic}"));
                }
            }
        }
    }

    fn functions(&mut self) {
        for (tag, function) in &self.catalog.functions {
            for (env, place) in &function.envs {
                let at = ["functions", tag.as_str(), "envs", env.as_str()];
                if place.arn.is_some() == place.url.is_some() {
                    self.fault(&at, FieldCode::Conflict, "must have exactly one of arn and url");
                }
                if place.url.is_none() && (place.auth.is_some() || !place.signing_secrets.0.is_empty()) {
                    self.fault(&at, FieldCode::Conflict, "auth and signing_secrets go with url");
                }
            }
        }
    }

    fn references(&mut self) {
        let catalog = self.catalog;
        for (tag, broker) in &catalog.brokers {
            for (part, it) in &broker.subscriptions {
                self.refers(&["brokers", tag.as_str(), "subscriptions", part.as_str()], it.event_ref());
            }
        }
        for (tag, it) in &catalog.jobs {
            self.refers(&["jobs", tag.as_str()], it.event_ref());
        }
        for (tag, it) in &catalog.fallbacks {
            self.filled(&["fallbacks", tag.as_str(), "options"], it.options.is_empty());
            for (index, option) in it.options.iter().enumerate() {
                self.refers(&["fallbacks", tag.as_str(), "options", &index.to_string()], option.event_ref());
            }
        }
        for (tag, it) in &catalog.features {
            self.filled(&["features", tag.as_str(), "steps"], it.steps.is_empty());
            let mut tags: BTreeSet<&Tag> = BTreeSet::new();
            for (index, step) in it.steps.iter().enumerate() {
                let index = index.to_string();
                self.refers(&["features", tag.as_str(), "steps", &index], step.event_ref());
                if let Some(name) = step.tag.as_ref().filter(|name| !tags.insert(name)) {
                    let at = ["features", tag.as_str(), "steps", &index, "tag"];
                    self.fault(&at, FieldCode::Duplicate, format!("another step is tagged {name}"));
                }
            }
        }
        self.cycles();
    }

    fn filled(&mut self, pointer: &[&str], is_empty: bool) {
        let unread = pointer.iter().all(|segment| self.unread.contains(*segment));
        if is_empty && !unread {
            self.fault(pointer, FieldCode::OutOfRange, "must have at least one element");
        }
    }

    fn refers(&mut self, pointer: &[&str], wanted: EventRef<'_>) {
        // Each hint costs a look at every tag: the first few faults have one.
        const HINTS: usize = 20;
        if self.faults.is_full() {
            return;
        }
        let Some(unresolved) = self.resolver.unresolved(wanted, self.faults.len() < HINTS) else { return };
        let (name, code, detail) = match unresolved {
            Unresolved::Unknown(hint) => {
                if wanted.event.split(':').any(|part| self.unread.contains(part)) {
                    return;
                }
                ("event", FieldCode::UnknownTag, format!("the catalog has no event {:?}{hint}", wanted.event))
            }
            Unresolved::UnknownApp(hint) => {
                if wanted.app.is_some_and(|app| self.unread.contains(app)) {
                    return;
                }
                ("app", FieldCode::UnknownTag, format!("the catalog has no such app{hint}"))
            }
            Unresolved::Ambiguous(candidates) => {
                ("event", FieldCode::Ambiguous, format!("may be {}: say type or app", candidates.join(", ")))
            }
        };
        self.fault(&[pointer, &[name]].concat(), code, detail);
    }

    fn cycles(&mut self) {
        for (pointer, detail) in cycles::find(&self.resolver) {
            self.faults.add(pointer, FieldCode::Conflict, detail);
        }
    }
}

/// Why a database cannot run the statement, if it cannot.
fn unfit(engine: Engine, by_data_api: bool, statement: &Statement) -> Option<String> {
    let foreign = |spelling: &str| Some(format!("parameters are written as {{{{name:TYPE}}}}, not as {spelling}"));
    let verb = statement.verb.as_str();
    match (engine, verb) {
        (Engine::Dynamodb, _) if statement.natives.question_mark => foreign("?"),
        (Engine::Postgresql, _) if by_data_api && statement.natives.colon => foreign(":name"),
        (Engine::Postgresql, "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE") => {
            Some(format!("{verb} cannot stand alone: each statement is a transaction of its own"))
        }
        (Engine::Postgresql, "COPY") => Some("COPY needs a stream, and a job has none".to_owned()),
        _ => None,
    }
}
