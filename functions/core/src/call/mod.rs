//! From a job and its catalog to the request that a target receives.
//!
//! Each type that runs is one module here, with the shape of its input and the request made of it. The input is checked
//! by the same code when a job is scheduled and when it runs.

mod action;
mod database;
mod dispatch;
mod fallback;
mod feature;
mod function;
mod job;
mod multipart;
pub mod notification;
mod publish;
mod quota;
mod request;
mod storage;
mod subscribe;

pub use dispatch::{Dispatch, Halt};
pub use job::Followed;
pub use request::*;

use std::cell::RefCell;

use http::{HeaderName, HeaderValue, Method, header};
use serde_json::Value;
use url::Url;

use crate::annotation;
use crate::catalog::{
    Auth, Catalog, EventRef, FallbackOption, FeatureStep, Keeper, Retries, SecretRef, SigningSecrets, Target, TimeoutMs,
};
use crate::error::{Faults, FieldError};
use crate::job::{JobSpec, RunError, codes};
use crate::json::Field;

/// What a stack can run.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    /// The keepers whose secrets it can fetch.
    pub keepers: &'static [Keeper],
    /// Whether it can call AWS services; if not, why not.
    pub aws: Result<(), &'static str>,
}

impl Capabilities {
    /// Why this stack cannot fetch a secret, if it cannot.
    pub fn without(&self, secret: &SecretRef) -> Option<String> {
        if self.keepers.contains(&secret.keeper) {
            return None;
        }
        let lack = format!("the secret {secret} cannot be fetched by this deployment");
        Some(match (secret.keeper, self.aws) {
            (Keeper::Ssm | Keeper::SecretsManager, Err(reason)) => format!("{lack}: {reason}"),
            _ => lack,
        })
    }
}

/// Bounds on attempts, ms.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// When neither the job nor the catalog says.
    pub default_timeout_ms: u32,
    /// The longest that this stack can wait.
    pub max_timeout_ms: u32,
    /// How much longer than the attempt its lease lasts: time to record the outcome.
    pub lease_margin_ms: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { default_timeout_ms: 30_000, max_timeout_ms: 900_000, lease_margin_ms: 10_000 }
    }
}

impl Limits {
    /// How long an attempt of a job may take, ms: the job's word before the catalog's before the type's.
    pub fn timeout_ms(&self, spec: &JobSpec, followed: Option<&Followed<'_>>) -> u32 {
        let own = followed.map(|followed| self.timeout_of(followed));
        spec.timeout.or(own).unwrap_or(self.default_timeout_ms).min(self.max_timeout_ms)
    }

    /// How long an event may take, ms: as the catalog says. What consists of others takes as long as all of them together.
    fn timeout_of(&self, followed: &Followed<'_>) -> u32 {
        let named = |event: EventRef<'_>, retries: Option<Retries>, timeout: Option<TimeoutMs>| {
            let own = || followed_by(followed.catalog, event).map_or(0, |followed| self.timeout_of(&followed));
            let tries = retries.map_or(0, |retries| retries.0).saturating_add(1);
            timeout.map_or_else(own, |timeout| timeout.0).saturating_mul(tries)
        };
        let all = |parts: &mut dyn Iterator<Item = u32>| parts.fold(0, u32::saturating_add);
        let own = match followed.target {
            Target::Action(_, action) => action.timeout.map(|timeout| timeout.0),
            Target::DatabaseAction(_, action) => action.timeout.map(|timeout| timeout.0),
            Target::Publish(_, topic) => topic.timeout.map(|timeout| timeout.0),
            Target::Function(function) => function.timeout.map(|timeout| timeout.0),
            Target::Feature(it) => {
                Some(all(&mut it.steps.iter().map(|step| named(step.event_ref(), step.retries, step.timeout))))
            }
            Target::Fallback(_, it) => Some(all(&mut it
                .options
                .iter()
                .map(|option| named(option.event_ref(), option.retries, option.timeout)))),
            // One request for each channel, and more where each receiver has one.
            Target::Notification(..) => Some(4 * notification::REQUEST_MS),
            Target::Subscribe(..) => Some(self.max_timeout_ms),
            _ => None,
        };
        followed.timeout_ms().or(own).unwrap_or(self.default_timeout_ms).min(self.max_timeout_ms)
    }
}

/// Why this stack cannot run an event, if it cannot.
pub fn not_available(followed: &Followed<'_>, env: &str, capabilities: Capabilities) -> Option<String> {
    match Needs::of(followed, env) {
        Ok(needs) => needs.beyond(capabilities),
        Err(reason) => Some(reason),
    }
}

/// The members of an input that this stack cannot run in an environment, and why, where an event asks for several things.
pub fn members_not_available(
    target: &Target<'_>,
    env: &str,
    input: &Value,
    capabilities: Capabilities,
) -> Vec<(&'static str, String)> {
    match target {
        Target::Notification(it, _) => it
            .envs
            .get(env)
            .map_or_else(Vec::new, |place| notification::members_not_available(place, input, capabilities)),
        _ => Vec::new(),
    }
}

/// What it takes to run something.
#[derive(Default)]
struct Needs<'c> {
    /// Secrets that are fetched for it.
    secrets: Vec<&'c SecretRef>,
    /// What is called of AWS, in words.
    aws: Option<&'static str>,
}

impl<'c> Needs<'c> {
    /// Of an event in an environment.
    ///
    /// # Errors
    /// Why there is none that could be run.
    fn of(followed: &Followed<'c>, env: &str) -> Result<Self, String> {
        let catalog = followed.catalog;
        let place = match followed.target {
            Target::Action(app, _) => {
                app.envs.get(env).map(|place| Self::http(place.auth.as_ref(), &place.signing_secrets))
            }
            Target::DatabaseAction(database, _) => database.envs.get(env).map(|place| database::needs(database, place)),
            Target::Publish(broker, _) => broker.envs.get(env).map(publish::needs),
            Target::Function(function) => function.envs.get(env).map(function::needs),
            Target::Storage(storage) => storage.envs.get(env).map(|_| storage::needs()),
            // It depends on the channels that an input asks for: see [`members_not_available`].
            Target::Quota(..) | Target::Notification(..) => Some(Self::default()),
            Target::Feature(it) => return Self::of_all(catalog, it.steps.iter().map(FeatureStep::event_ref), env),
            Target::Fallback(_, it) => {
                return Self::of_all(catalog, it.options.iter().map(FallbackOption::event_ref), env);
            }
            Target::Subscribe(broker, it) => {
                subscribe::queue_url(broker, it, env).map_err(|error| error.message)?;
                let handler = Self::of_all(catalog, [it.event_ref()], env)?;
                return Ok(Self { aws: Some("Amazon SQS"), ..handler });
            }
            // A definition was followed to its event.
            Target::Job(_) => None,
        };
        place.ok_or_else(|| format!("the event is not defined in {env}"))
    }

    /// Of several events that the catalog names.
    fn of_all(catalog: &'c Catalog, events: impl IntoIterator<Item = EventRef<'c>>, env: &str) -> Result<Self, String> {
        events.into_iter().try_fold(Self::default(), |mut all, event| {
            let followed = followed_by(catalog, event).filter(|followed| followed.target.is_in(env));
            let one = followed.ok_or_else(|| format!("its event {:?} is not defined in {env}", event.event))?;
            let one = Self::of(&one, env)?;
            all.secrets.extend(one.secrets);
            Ok(Self { aws: all.aws.or(one.aws), ..all })
        })
    }

    /// Of requests that are authorised and signed like this.
    fn http(auth: Option<&'c Auth>, signing: &'c SigningSecrets) -> Self {
        let own = auth.map(|auth| match auth {
            Auth::Bearer(secret) => secret,
            Auth::Basic(basic) => &basic.password,
            Auth::Header(header) => &header.value,
            Auth::Query(query) => &query.value,
            Auth::Oauth2(oauth2) => &oauth2.client_secret,
        });
        Self { secrets: own.into_iter().chain(&signing.0).collect(), aws: None }
    }

    /// Of an AWS service.
    fn aws(what: &'static str) -> Self {
        Self { secrets: Vec::new(), aws: Some(what) }
    }

    /// What a stack cannot do of it, if anything.
    fn beyond(&self, capabilities: Capabilities) -> Option<String> {
        if let (Some(what), Err(reason)) = (self.aws, capabilities.aws) {
            return Some(format!("{what} cannot be reached by this deployment: {reason}"));
        }
        self.secrets.iter().find_map(|secret| capabilities.without(secret))
    }
}

/// Checks an input against the shape of its type, noting every fault. Some of a shape may depend on the environment: without a
/// known one that is not looked at.
pub fn check_input(followed: &Followed<'_>, env: Option<&str>, input: &Field<'_>) {
    let catalog = followed.catalog;
    match followed.target {
        Target::Action(_, action) => drop(action::Input::read(action, input)),
        Target::DatabaseAction(database, action) => drop(database::Input::read(database.engine, action, input)),
        Target::Publish(broker, topic) => {
            let place = env.and_then(|env| broker.envs.get(env).zip(topic.envs.get(env)));
            drop(place.and_then(|(place, address)| publish::Input::read(place, address, input)));
        }
        Target::Function(_) => drop(function::Input::read(input)),
        Target::Storage(storage) => drop(storage::Input::read(storage, input)),
        Target::Quota(..) => drop(quota::Input::read(input)),
        Target::Subscribe(..) => drop(subscribe::Input::read(input)),
        Target::Fallback(_, fallback) => fallback::check(catalog, fallback, env, input),
        Target::Feature(feature) => feature::check(catalog, feature, env, input),
        Target::Notification(it, message) => {
            drop(env.and_then(|env| notification::channels(it, message, env, input)));
        }
        Target::Job(_) => {}
    }
}

/// What an event comes to that the catalog names.
fn followed_by<'c>(catalog: &'c Catalog, event: EventRef<'_>) -> Option<Followed<'c>> {
    Followed::of(catalog, catalog.resolve(event).ok()?)
}

/// Finds the target of a job in the catalog as it is now.
///
/// # Errors
/// A permanent error when the catalog no longer defines the event.
pub fn resolve<'c>(catalog: &'c Catalog, spec: &JobSpec) -> Result<Followed<'c>, RunError> {
    let wanted = EventRef { event: &spec.event, event_type: Some(spec.event_type), app: spec.app.as_deref() };
    let gone = |detail| RunError::permanent(codes::EVENT_NOT_FOUND, detail);
    let target = catalog.resolve(wanted).ok().and_then(|target| Followed::of(catalog, target));
    let followed = target.ok_or_else(|| gone("the catalog no longer defines this event"))?;
    let is_in = followed.target.is_in(&spec.env);
    if is_in { Ok(followed) } else { Err(gone("the event is no longer defined in this environment")) }
}

/// Whether an input that is filled in still fits the event as the catalog defines it now.
///
/// # Errors
/// A permanent error that names the first thing that does not.
pub fn still_fits(followed: &Followed<'_>, spec: &JobSpec, input: &Value) -> Result<(), RunError> {
    let faults = RefCell::<Faults>::default();
    check_input(followed, Some(&spec.env), &Field::root(input, &faults));
    match faults.borrow().first() {
        Some(fault) => Err(misfit(&followed.input(&spec.input), fault.clone())),
        None => Ok(()),
    }
}

/// A fault of an input that was sound when its job was scheduled. A job's runs are looked at by others than whom its session speaks
/// of: only what stands in the input as it is `written` is named.
fn misfit(written: &Value, fault: FieldError) -> RunError {
    let fault = annotation::outside(written, fault);
    RunError::permanent(codes::VALIDATION_ERROR, format!("{}: {}", fault.pointer, fault.detail))
}

/// The request of an event that stands alone. `None` after a fault of its input, or where the catalog says too little.
fn made(target: &Target<'_>, env: &str, input: &Field<'_>) -> Option<Request> {
    match target {
        Target::Action(app, action) => {
            let input = action::Input::read(action, input)?;
            action::request(app.envs.get(env)?, action, &input).map(Request::http_of)
        }
        Target::DatabaseAction(database, action) => {
            let input = database::Input::read(database.engine, action, input)?;
            database::request(database, database.envs.get(env)?, action, input)
        }
        Target::Publish(broker, topic) => {
            let (place, address) = (broker.envs.get(env)?, topic.envs.get(env)?);
            publish::request(place, topic, address, publish::Input::read(place, address, input)?)
        }
        Target::Function(function) => function::request(function.envs.get(env)?, &function::Input::read(input)?),
        Target::Storage(storage) => {
            Some(storage::request(storage, storage.envs.get(env)?, storage::Input::read(storage, input)?))
        }
        _ => None,
    }
}

/// A media type with its parameters, in visible ASCII.
fn media_type(field: &Field<'_>) -> Option<String> {
    field.parsed("a media type, such as image/png", |text| {
        let is_sound =
            text.contains('/') && text.len() <= 255 && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        is_sound.then(|| text.to_owned())
    })
}

/// The address of a path at a service: at `own` where that is given, otherwise at the provider's.
fn under(own: Option<&Url>, provider: &str, path: &str) -> Option<Url> {
    let mut url = own.cloned().or_else(|| Url::parse(provider).ok())?;
    let path = url.path().trim_end_matches('/').to_owned() + path;
    url.set_path(&path);
    Some(url)
}

/// A POST of a JSON document.
fn post_json(url: &Url, headers: &[(HeaderName, HeaderValue)], document: &Value) -> HttpRequest {
    let mut headers = headers.to_vec();
    default_header(&mut headers, header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    HttpRequest {
        method: Method::POST,
        url: url.clone(),
        headers,
        body: document.to_string().into_bytes(),
        auth: None,
        signing_secrets: SigningSecrets::default(),
    }
}

fn default_header(headers: &mut Vec<(HeaderName, HeaderValue)>, name: HeaderName, value: HeaderValue) {
    if !headers.iter().any(|(present, _)| *present == name) {
        headers.push((name, value));
    }
}

#[cfg(test)]
mod tests;
