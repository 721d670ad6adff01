//! From a job and its catalog to what its targets receive.
//!
//! Each type is one module here: the shape of its input, what it takes, and the request made of it, or how it is run where it
//! consists of others. The input is checked by the same code when a job is scheduled and when it runs.
//!
//! - [`kind`] is the interface of the types, with the list of them.
//! - [`context`] runs an event, alone or as a part of another; [`request`] has every kind of request that a provider carries out.
//! - [`limits`] is how long that may take, [`needs`] whether a stack can do it.

mod action;
mod context;
mod database;
mod fallback;
mod feature;
mod function;
mod job;
mod kind;
mod limits;
mod multipart;
mod needs;
pub mod notification;
mod publish;
mod quota;
mod request;
mod storage;
mod subscribe;

pub use context::{AttemptContext, Halt};
pub use job::ResolvedEvent;
pub use limits::Limits;
pub use needs::{Capabilities, Lack, not_available};
pub use request::*;

use std::cell::RefCell;

use http::{HeaderName, HeaderValue, Method, header};
use serde_json::Value;
use url::Url;

use self::kind::{EventKind as _, match_kind, with_kind};
use self::needs::Needs;
use crate::annotation;
use crate::catalog::{Catalog, EventRef, SigningSecrets};
use crate::error::{Faults, FieldError};
use crate::job::{JobSpec, RunError, codes};
use crate::json::Field;

/// Checks an input against the shape of its type, noting every fault. Some of a shape may depend on the environment: without a
/// known one that is not looked at.
pub fn check_input(followed: &ResolvedEvent<'_>, env: Option<&str>, input: &Field<'_>) {
    with_kind!(&followed.target, |kind| kind.check(env, input));
}

/// What an event comes to that the catalog names.
fn followed_by<'c>(catalog: &'c Catalog, event: EventRef<'_>) -> Option<ResolvedEvent<'c>> {
    ResolvedEvent::of(catalog, catalog.resolve(event).ok()?)
}

/// Finds the target of a job in the catalog as it is now.
///
/// # Errors
/// A permanent error when the catalog no longer defines the event.
pub fn resolve<'c>(catalog: &'c Catalog, spec: &JobSpec) -> Result<ResolvedEvent<'c>, RunError> {
    let wanted = EventRef { event: &spec.event, event_type: Some(spec.event_type), app: spec.app.as_deref() };
    let gone = |detail| RunError::permanent(codes::EVENT_NOT_FOUND, detail);
    let target = catalog.resolve(wanted).ok().and_then(|target| ResolvedEvent::of(catalog, target));
    let followed = target.ok_or_else(|| gone("the catalog no longer defines this event"))?;
    let is_in = followed.target.is_in(&spec.env);
    if is_in { Ok(followed) } else { Err(gone("the event is no longer defined in this environment")) }
}

/// Whether an input that is filled in still fits the event as the catalog defines it now.
///
/// # Errors
/// A permanent error that names the first thing that does not.
pub fn still_fits(followed: &ResolvedEvent<'_>, spec: &JobSpec, input: &Value) -> Result<(), RunError> {
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
