//! Accepting a job.

use std::cell::RefCell;
use std::sync::Arc;

use super::{OperationError, invalid, require};
use crate::access::{ApiKey, Scope};
use crate::call::{self, Capabilities};
use crate::catalog::{Catalog, EventRef, Tag, Target, Unresolved};
use crate::error::{Faults, FieldCode};
use crate::ids::JobId;
use crate::job::{Job, JobSpec, JobState};
use crate::json::{child, parse};
use crate::machine::first_state;
use crate::ports::{CatalogStore, Clock, Entropy, JobStore, Ports, Published, Timers, Written};
use crate::submission::{self, Submission};
use crate::time::UnixMillis;

/// Accepts the job that `body` describes: arms its timer, then stores it, and only then answers.
///
/// A crash between the two leaves a timer that finds no job, which is harmless; the other order could leave a job that
/// nothing wakes (invariant I1).
///
/// # Errors
/// [`OperationError`]; nothing is stored then, unless the store's answer was lost and could not be looked up. `Invalid`
/// names every bad field at once.
pub async fn schedule<P: Ports>(ports: &P, caller: &ApiKey, body: &[u8]) -> Result<Job, OperationError> {
    require(caller, Scope::JobsWrite)?;
    let document = parse(body)?;
    let now = ports.clock().now();
    let (spec, state) = resolved(ports, caller, &document, now).await?;
    let due_at = state.run.due_at;
    let job = Job { id: JobId::new(now, ports.entropy().bits()), spec: Arc::new(spec), state };
    ports.timers().arm(job.fire(), due_at).await?;
    let answer = ports.jobs().insert_new(&job).await;
    if let Ok(Written::Done) = answer {
        return Ok(job);
    }
    // Either 80 random bits were met twice in one millisecond, or the write happened and its answer was lost or says
    // that a repetition below us found the job in its place.
    match (answer, ports.jobs().get(job.id).await) {
        (_, Ok(Some(stored))) if stored.spec == job.spec => Ok(stored),
        (Ok(_), Ok(_)) => Err(OperationError::Contended),
        (Err(error), _) | (Ok(_), Err(error)) => Err(error.into()),
    }
}

/// What a document asks for, and the state that such a job begins in.
pub(super) async fn resolved<P: Ports>(
    ports: &P,
    caller: &ApiKey,
    document: &serde_json::Value,
    now: UnixMillis,
) -> Result<(JobSpec, JobState), OperationError> {
    // Who is asked for comes first: what a product's catalog holds is nobody else's business.
    let named = |field: &str| document.get(field).and_then(serde_json::Value::as_str);
    let opened = |product: &str| named("env").map_or(caller.opens_product(product), |env| caller.opens(product, env));
    let capabilities = ports.capabilities();
    match named("product_tag") {
        Some(product) if !opened(product) => Err(OperationError::NotOpened),
        Some(product) if Tag::parse(product).is_some() => {
            with_catalog(ports, product, |published| check(document, published, capabilities, now)).await
        }
        _ => check(document, None, capabilities, now),
    }
}

/// Checks something against the product's catalog. What a cached one refuses, the one that was published since may take.
pub(super) async fn with_catalog<P: Ports, T>(
    ports: &P,
    product: &str,
    check: impl Fn(Option<&Published>) -> Result<T, OperationError>,
) -> Result<T, OperationError> {
    let cached = ports.catalogs().get(product).await?;
    let checked = check(cached.as_deref());
    if !checked.as_ref().is_err_and(is_for_the_catalog_to_say) {
        return checked;
    }
    let fresh = ports.catalogs().fresh(product).await?;
    let is_same = cached.as_ref().map(|it| &it.revision) == fresh.as_ref().map(|it| &it.revision);
    if is_same { checked } else { check(fresh.as_deref()) }
}

/// Whether another catalog might have nothing against the document.
fn is_for_the_catalog_to_say(error: &OperationError) -> bool {
    let stands_under = |pointer: &str, part: &str| {
        pointer.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let said_by_it = ["/product_tag", "/env", "/event", "/app", "/input"];
    match error {
        OperationError::Ambiguous(_) => true,
        OperationError::Invalid(faults) => {
            faults.iter().any(|fault| said_by_it.iter().any(|part| stands_under(&fault.pointer, part)))
        }
        _ => false,
    }
}

/// Checks the document as far as it can be read, against the catalog as far as that is known.
fn check(
    document: &serde_json::Value,
    published: Option<&Published>,
    capabilities: Capabilities,
    now: UnixMillis,
) -> Result<(JobSpec, JobState), OperationError> {
    let faults = RefCell::default();
    let submission = submission::read(document, now, &faults);
    let target = published.and_then(|published| find(&published.catalog, &submission, capabilities, &faults));
    if let (Some(product), None) = (&submission.product, published) {
        let detail = format!("there is no product {product}: publish its catalog first");
        faults.borrow_mut().add("/product_tag", FieldCode::UnknownTag, detail);
    }
    for name in &submission.not_available {
        let detail = format!("{name} is not available yet");
        faults.borrow_mut().add(child("", name), FieldCode::NotAvailable, detail);
    }
    let mut faults = faults.take().into_vec();
    if let [only] = faults.as_slice()
        && only.code == FieldCode::Ambiguous
    {
        return Err(OperationError::Ambiguous(faults.remove(0)));
    }
    let event_type = target.map(|target| target.event_type());
    let spec = spec(submission, event_type, now).filter(|_| faults.is_empty());
    let spec = spec.ok_or(OperationError::Invalid(faults))?;
    let state = first_state(&spec, now).ok_or_else(|| no_run_left(&spec, 1))?;
    Ok((spec, state))
}

/// The fault of a plan by which the run of this number never comes.
pub(super) fn no_run_left(spec: &JobSpec, run_no: u32) -> OperationError {
    let fault = |pointer, detail: String| invalid(pointer, FieldCode::OutOfRange, detail);
    match spec.repeat.as_ref().map(|repeat| (repeat.limit, repeat.end_date)) {
        Some((Some(limit), _)) if limit < run_no => {
            fault("/repeat/limit", format!("the job has had {} runs already", run_no - 1))
        }
        Some((_, Some(_))) => fault("/repeat/endDate", "no run is due by then".to_owned()),
        _ => fault("/repeat", "no run is ever due".to_owned()),
    }
}

/// Finds the event, and checks what depends on it.
fn find<'c>(
    catalog: &'c Catalog,
    submission: &Submission<'_>,
    capabilities: Capabilities,
    faults: &RefCell<Faults>,
) -> Option<Target<'c>> {
    let fault = |pointer: &str, code, detail: String| faults.borrow_mut().add(pointer, code, detail);
    let env = submission.env.as_deref();
    let known_env = env.filter(|env| catalog.envs.iter().any(|known| known.as_str() == *env));
    if let (Some(env), None) = (env, known_env) {
        fault("/env", FieldCode::UnknownTag, format!("the product has no environment {env}"));
    }
    let event = submission.event.as_deref()?;
    let wanted = EventRef { event, event_type: submission.event_type, app: submission.app.as_deref() };
    let target = match catalog.resolve(wanted) {
        Ok(target) => target,
        Err(Unresolved::Unknown(hint)) => {
            fault("/event", FieldCode::UnknownTag, format!("the catalog has no event {event:?}{hint}"));
            return None;
        }
        Err(Unresolved::UnknownApp(hint)) => {
            fault("/app", FieldCode::UnknownTag, format!("the catalog has no such app{hint}"));
            return None;
        }
        Err(Unresolved::Ambiguous(candidates)) => {
            fault("/event", FieldCode::Ambiguous, format!("may be {}: say type or app", candidates.join(", ")));
            return None;
        }
    };
    if let Some(env) = known_env {
        if !target.is_in(env) {
            fault("/env", FieldCode::UnknownTag, format!("the event {event:?} is not defined in {env}"));
        } else if let Some(reason) = call::not_available(&target, env, capabilities) {
            fault("/event", FieldCode::NotAvailable, reason);
        }
    }
    if let Some(input) = &submission.input {
        call::check_input(&target, input);
    }
    Some(target)
}

fn spec(submission: Submission<'_>, event_type: Option<crate::job::EventType>, now: UnixMillis) -> Option<JobSpec> {
    Some(JobSpec {
        product: submission.product?,
        env: submission.env?,
        event: submission.event?,
        event_type: event_type?,
        app: submission.app,
        input: submission.input?.value().clone(),
        retries: submission.retries.unwrap_or(0),
        retry: submission.retry,
        timeout: submission.timeout,
        start_at: submission.start_at?,
        repeat: submission.repeat,
        session: None,
        cache: None,
        created_at: now,
    })
}
