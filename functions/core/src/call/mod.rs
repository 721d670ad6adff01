//! From a job and its catalog to the request that a target receives.
//!
//! Each type that runs is one module here, with the shape of its input and the request made of it. The input is checked
//! by the same code when a job is scheduled and when it runs.

mod action;
mod function;
mod job;
mod multipart;
mod publish;
mod request;

pub use job::Followed;
pub use request::*;

use std::cell::RefCell;

use http::{HeaderName, HeaderValue, Method, header};
use serde_json::Value;
use url::Url;

use crate::annotation;
use crate::catalog::{Auth, Catalog, EventRef, Keeper, SecretRef, SigningSecrets, Target};
use crate::error::Faults;
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
    /// How long an attempt of a job may take, ms: the job's word before the catalog's before the default.
    pub fn timeout_ms(&self, spec: &JobSpec, followed: Option<&Followed<'_>>) -> u32 {
        let own = |followed: &Followed<'_>| {
            let timeout = match followed.target {
                Target::Action(_, action) => action.timeout,
                Target::Publish(_, topic) => topic.timeout,
                Target::Function(function) => function.timeout,
                _ => None,
            };
            followed.timeout_ms().or(timeout.map(|timeout| timeout.0))
        };
        spec.timeout.or_else(|| own(followed?)).unwrap_or(self.default_timeout_ms).min(self.max_timeout_ms)
    }
}

/// Why this stack cannot run the target, if it cannot.
pub fn not_available(target: &Target<'_>, env: &str, capabilities: Capabilities) -> Option<String> {
    let needs = match target {
        Target::Action(app, _) => {
            app.envs.get(env).map(|place| Needs::http(place.auth.as_ref(), &place.signing_secrets))?
        }
        Target::Publish(broker, _) => publish::needs(broker.envs.get(env)?),
        Target::Function(function) => function::needs(function.envs.get(env)?),
        other => return Some(format!("jobs of type {} are not available yet", other.event_type())),
    };
    needs.beyond(capabilities)
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
        let foreign = self.secrets.iter().find(|secret| !capabilities.keepers.contains(&secret.keeper))?;
        Some(format!("the secret {foreign} cannot be fetched by this deployment"))
    }
}

/// Checks an input against the shape of its type, noting every fault. Some of a shape may depend on the environment: without a
/// known one that is not looked at.
pub fn check_input(target: &Target<'_>, env: Option<&str>, input: &Field<'_>) {
    match target {
        Target::Action(_, action) => drop(action::Input::read(action, input)),
        Target::Publish(broker, topic) => {
            let place = env.and_then(|env| broker.envs.get(env).zip(topic.envs.get(env)));
            drop(place.and_then(|(place, address)| publish::Input::read(place, address, input)));
        }
        Target::Function(_) => drop(function::Input::read(input)),
        _ => {}
    }
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

/// Makes the request of one attempt, of an input that is filled in.
///
/// # Errors
/// A permanent error when the catalog changed so that the job's input does not fit any more.
pub fn request(followed: &Followed<'_>, spec: &JobSpec, input: &Value) -> Result<Request, RunError> {
    let faults = RefCell::<Faults>::default();
    let env = spec.env.as_str();
    let request = made(&followed.target, env, &Field::root(input, &faults));
    // A job's runs are looked at by others than whom its session speaks of.
    let first_fault = || {
        let fault = annotation::outside(&followed.input(&spec.input), faults.borrow().first()?.clone());
        Some(format!("{}: {}", fault.pointer, fault.detail))
    };
    request.ok_or_else(|| {
        let detail =
            first_fault().unwrap_or_else(|| "the event cannot be run as the catalog defines it now".to_owned());
        RunError::permanent(codes::VALIDATION_ERROR, detail)
    })
}

/// The request of an event that stands alone. `None` after a fault of its input, or where the catalog says too little.
fn made(target: &Target<'_>, env: &str, input: &Field<'_>) -> Option<Request> {
    match target {
        Target::Action(app, action) => {
            let input = action::Input::read(action, input)?;
            action::request(app.envs.get(env)?, action, &input).map(Request::http_of)
        }
        Target::Publish(broker, topic) => {
            let (place, address) = (broker.envs.get(env)?, topic.envs.get(env)?);
            publish::request(place, topic, address, publish::Input::read(place, address, input)?)
        }
        Target::Function(function) => function::request(function.envs.get(env)?, &function::Input::read(input)?),
        _ => None,
    }
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
