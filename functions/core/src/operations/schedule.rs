//! Accepting a job.

use std::cell::RefCell;
use std::sync::Arc;

use super::{ATTEMPTS_AT_A_CHANGE, OperationError, invalid, require};
use crate::access::{ApiKey, Scope};
use crate::annotation::outside;
use crate::cache::DEFAULT_EXPIRY_MS;
use crate::call::{self, Capabilities, Followed};
use crate::catalog::{Catalog, EventRef, Session, SessionEnv, Tag, Unresolved};
use crate::error::{Faults, FieldCode, FieldError};
use crate::hash::sha256_hex;
use crate::idempotency::{Accepted, RequestName, Reservation};
use crate::ids::{JobId, Owner};
use crate::job::{EventType, Job, JobSpec, JobState};
use crate::json::{Field, child, parse};
use crate::machine::first_state;
use crate::ports::{
    CatalogStore, Clock, DefinedSession, Entropy, JobStore, PortError, Ports, Published, Reservations, SealingKeys,
    Sessions, Timers, TokenRefusal, Written,
};
use crate::session::{Claims, JobSession, annotation};
use crate::submission::{self, Submission};
use crate::time::UnixMillis;

/// A job that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduled {
    /// The job as it stands.
    pub job: Job,
    /// What was said of it when it was accepted.
    pub accepted: Accepted,
    /// Whether that was an earlier request of the same name: this one changed nothing.
    pub is_replayed: bool,
    /// What the caller may not have meant.
    pub warnings: Vec<String>,
}

/// Accepts the job that `body` describes: arms its timer, then stores it, and only then answers.
///
/// A crash between the two leaves a timer that finds no job, which is harmless; the other order could leave a job that
/// nothing wakes (invariant I1).
///
/// A request that has a `key` (`Idempotency-Key`) is carried out once: its name is reserved first, and with it the job's id and
/// the instant from which the job is reckoned. So whoever sends it again, at once or after a crash, asks for the same job.
///
/// # Errors
/// [`OperationError`]; nothing is stored then, unless the store's answer was lost and could not be looked up. `Invalid`
/// names every bad field at once.
pub async fn schedule<P: Ports>(
    ports: &P,
    sessions: &dyn Sessions,
    caller: &ApiKey,
    body: &[u8],
    key: Option<&str>,
) -> Result<Scheduled, OperationError> {
    require(caller, Scope::JobsWrite)?;
    let document = parse(body)?;
    let now = ports.clock().now();
    let Some(request) = key.and_then(|key| Request::of(&document, caller, key)) else {
        let resolved = resolved(ports, sessions, caller, &document, now).await?;
        let id = JobId::new(now, ports.entropy().bits());
        return store(ports, id, resolved, None).await;
    };
    let mut standing = ports.reservations().find(&request.name, now).await?;
    for _ in 0..ATTEMPTS_AT_A_CHANGE {
        if let Some(standing) = &standing {
            if standing.body != request.body {
                let detail = "this key was given to another request, with another body, a while ago";
                return Err(invalid("header:Idempotency-Key", FieldCode::Conflict, detail));
            }
            if let Some(job) = ports.jobs().get(standing.accepted.job_id).await? {
                let accepted = standing.accepted;
                return Ok(Scheduled { job, accepted, is_replayed: true, warnings: Vec::new() });
            }
        }
        let at = standing.as_ref().map_or(now, |standing| standing.at);
        let resolved = resolved(ports, sessions, caller, &document, at).await?;
        let id = request.name.job_id(at);
        let accepted = accepted(id, &resolved.spec, &resolved.state);
        let Some(standing_before) = &standing else {
            let by = Owner::new(ports.entropy().bits());
            let new = Reservation { by, at, body: request.body.clone(), accepted };
            let stands = ports.reservations().reserve(&request.name, &new).await?;
            if stands == new {
                return store(ports, id, resolved, Some(Named { accepted, is_first: true })).await;
            }
            // Another one was faster: its instant counts, and perhaps its job is there already.
            standing = Some(stands);
            continue;
        };
        let accepted = standing_before.accepted;
        return store(ports, id, resolved, Some(Named { accepted, is_first: false })).await;
    }
    Err(OperationError::Contended)
}

/// A request that its caller gave a key.
struct Request {
    name: RequestName,
    body: String,
}

impl Request {
    /// Nothing where it does not say what it is for, or asks for what the caller may not: it will be refused.
    fn of(document: &serde_json::Value, caller: &ApiKey, key: &str) -> Option<Self> {
        let named = |field: &str| document.get(field).and_then(serde_json::Value::as_str);
        let (product, env) = (named("product_tag")?, named("env")?);
        // As parsed: what a proxy does to white space does not make another request of it.
        let request = Self { name: RequestName::of(product, env, key), body: sha256_hex(document.to_string()) };
        caller.opens(product, env).then_some(request)
    }
}

fn accepted(job_id: JobId, spec: &JobSpec, state: &JobState) -> Accepted {
    Accepted { job_id, status: state.status, due_at: state.run.due_at, recurring: spec.repeat.is_some() }
}

/// What is known of a request that has a name.
struct Named {
    /// What was said first.
    accepted: Accepted,
    /// Whether this request reserved the name. The store cannot tell: two that carry the same request out store the same job,
    /// and each is told that it did.
    is_first: bool,
}

/// Arms the timer of a new job, and stores it. Of a request that has a name others may do so too.
async fn store<P: Ports>(
    ports: &P,
    id: JobId,
    resolved: Resolved,
    named: Option<Named>,
) -> Result<Scheduled, OperationError> {
    let Resolved { mut spec, state, session, warnings } = resolved;
    if let Some((tag, claims)) = &session {
        let (key, nonce) = (ports.sealing_keys().current().await?, [ports.entropy().bits(), ports.entropy().bits()]);
        let sealed = JobSession::seal(id, tag, claims, &key, nonce);
        spec.session = Some(sealed.map_err(|unsealable| PortError::Permanent(unsealable.into()))?);
    }
    let accepted = named.as_ref().map_or_else(|| accepted(id, &spec, &state), |named| named.accepted);
    let (is_named, is_replayed) = (named.is_some(), named.is_some_and(|named| !named.is_first));
    let job = Job { id, spec: Arc::new(spec), state };
    let scheduled = |job| Scheduled { job, accepted, is_replayed, warnings };
    ports.timers().arm(job.fire(), job.state.run.due_at).await?;
    let answer = ports.jobs().insert_new(&job).await;
    if let Ok(Written::Done) = answer {
        return Ok(scheduled(job));
    }
    // Either the write happened and its answer was lost or says that a repetition below us found the job in its place; or
    // another request of the same name was faster; or 80 random bits were met twice in one millisecond.
    match (answer, ports.jobs().get(job.id).await) {
        (_, Ok(Some(stored))) if is_named || stored.spec == job.spec => Ok(scheduled(stored)),
        (Ok(_), Ok(_)) => Err(OperationError::Contended),
        (Err(error), _) | (Ok(_), Err(error)) => Err(error.into()),
    }
}

/// What a document asks for.
pub(super) struct Resolved {
    /// All of it, but for the session.
    pub(super) spec: JobSpec,
    /// The state that such a job begins in.
    pub(super) state: JobState,
    /// The session's tag, and what its token said.
    session: Option<(String, Claims)>,
    /// What the caller may not have meant.
    pub(super) warnings: Vec<String>,
}

/// Reads and checks a document that asks for a job at `now`.
pub(super) async fn resolved<P: Ports>(
    ports: &P,
    sessions: &dyn Sessions,
    caller: &ApiKey,
    document: &serde_json::Value,
    now: UnixMillis,
) -> Result<Resolved, OperationError> {
    // Who is asked for comes first: what a product's catalog holds is nobody else's business.
    let named = |field: &str| document.get(field).and_then(serde_json::Value::as_str);
    let opened = |product: &str| named("env").map_or(caller.opens_product(product), |env| caller.opens(product, env));
    let asked = Asked { document, session: AskedSession::of(document, now), capabilities: ports.capabilities(), now };
    match named("product_tag") {
        Some(product) if !opened(product) => Err(OperationError::NotOpened),
        Some(product) if Tag::parse(product).is_some() => {
            let cached = ports.catalogs().get(product).await?;
            let checked = asked.check(sessions, cached.as_deref()).await;
            match published_since(ports, product, cached.as_deref(), &checked).await? {
                Some(fresh) => asked.check(sessions, fresh.as_deref()).await,
                None => checked,
            }
        }
        _ => asked.check(sessions, None).await,
    }
}

/// What has to be checked against a catalog.
struct Asked<'a> {
    document: &'a serde_json::Value,
    session: Option<AskedSession>,
    capabilities: Capabilities,
    now: UnixMillis,
}

impl Asked<'_> {
    async fn check(&self, sessions: &dyn Sessions, published: Option<&Published>) -> Result<Resolved, OperationError> {
        let session = match (&self.session, published) {
            (Some(asked), Some(published)) => {
                Some(asked.verified(sessions, &published.catalog, self.capabilities).await?)
            }
            _ => None,
        };
        check(self.document, published, self.capabilities, session, self.now)
    }
}

/// The session that a document asks for, as far as it can be read.
struct AskedSession {
    product: String,
    env: String,
    tag: String,
    token: String,
    at: [&'static str; 2],
}

impl AskedSession {
    fn of(document: &serde_json::Value, now: UnixMillis) -> Option<Self> {
        document.get("session")?;
        let faults = RefCell::default();
        let submission = submission::read(document, now, &faults);
        let session = submission.session?;
        let (tag, token, at) = (session.tag, session.token.to_owned(), session.at);
        Some(Self { product: submission.product?, env: submission.env?, tag, token, at })
    }

    /// What its token says, or what is wrong with it.
    async fn verified(
        &self,
        sessions: &dyn Sessions,
        catalog: &Catalog,
        capabilities: Capabilities,
    ) -> Result<Result<(String, Claims), FieldError>, PortError> {
        let fault = |at: &str, code, detail: String| FieldError { pointer: at.to_owned(), code, detail };
        let [at_tag, at_token] = self.at;
        let found = defined(catalog, &self.tag, &self.env, capabilities);
        let (definition, place) = match found {
            Ok(found) => found,
            Err((code, detail)) => return Ok(Err(fault(at_tag, code, detail))),
        };
        let name = session_name(&self.product, &self.env, &self.tag);
        match sessions.verify(DefinedSession { name: &name, definition, place }, &self.token).await {
            Ok(claims) => Ok(Ok((self.tag.clone(), claims))),
            Err(TokenRefusal::Bad(code, detail)) => Ok(Err(fault(at_token, code, detail))),
            Err(TokenRefusal::Port(error)) => Err(error),
        }
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
    match published_since(ports, product, cached.as_deref(), &checked).await? {
        Some(fresh) => check(fresh.as_deref()),
        None => checked,
    }
}

/// The catalog that was published since the cached one, if what that refuses is for it to say.
async fn published_since<P: Ports, T>(
    ports: &P,
    product: &str,
    cached: Option<&Published>,
    checked: &Result<T, OperationError>,
) -> Result<Option<Option<Arc<Published>>>, PortError> {
    if !checked.as_ref().is_err_and(is_for_the_catalog_to_say) {
        return Ok(None);
    }
    let fresh = ports.catalogs().fresh(product).await?;
    let is_same = cached.map(|it| &it.revision) == fresh.as_ref().map(|it| &it.revision);
    Ok(if is_same { None } else { Some(fresh) })
}

/// Whether another catalog might have nothing against the document.
fn is_for_the_catalog_to_say(error: &OperationError) -> bool {
    let stands_under = |pointer: &str, part: &str| {
        pointer.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let said_by_it = ["/product_tag", "/env", "/event", "/app", "/input", "/session"];
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
    session: Option<Result<(String, Claims), FieldError>>,
    now: UnixMillis,
) -> Result<Resolved, OperationError> {
    let faults = RefCell::<Faults>::default();
    let submission = submission::read(document, now, &faults);
    let found = published.and_then(|published| find(&published.catalog, &submission, capabilities, &faults));
    let (event_type, followed) = found.unzip();
    if let (Some(target), Some(input)) = (&followed, &submission.input) {
        let env = submission.env.as_deref();
        match &session {
            // What is wrong with an input is not known before its session is.
            Some(Err(_)) => {}
            Some(Ok((tag, claims))) => check_input(target, env, input, Some(annotation::Session { tag, claims })),
            None if document.get("session").is_some_and(|asked| *asked != serde_json::json!({})) => {}
            None => check_input(target, env, input, None),
        }
    }
    let session = session.transpose().unwrap_or_else(|fault| {
        faults.borrow_mut().add(fault.pointer, fault.code, fault.detail);
        None
    });
    if let (Some(product), None) = (&submission.product, published) {
        let detail = format!("there is no product {product}: publish its catalog first");
        faults.borrow_mut().add("/product_tag", FieldCode::UnknownTag, detail);
    }
    let mut faults = faults.take().into_vec();
    if let [only] = faults.as_slice()
        && only.code == FieldCode::Ambiguous
    {
        return Err(OperationError::Ambiguous(faults.remove(0)));
    }
    let default_retries = followed.as_ref().and_then(Followed::retries);
    let known_caches = published.map(|published| &published.catalog.caches);
    let unknown =
        submission.cache.iter().filter(|tag| known_caches.is_some_and(|known| !known.contains_key(tag.as_str())));
    let unknown = unknown.map(|tag| {
        format!("the catalog has no cache {tag}: its results are kept for {} hours", DEFAULT_EXPIRY_MS / 3_600_000)
    });
    let warnings = unknown.collect();
    let spec = spec(submission, event_type, default_retries, now).filter(|_| faults.is_empty());
    let spec = spec.ok_or(OperationError::Invalid(faults))?;
    let state = first_state(&spec, now).ok_or_else(|| no_run_left(&spec, 1))?;
    Ok(Resolved { spec, state, session, warnings })
}

/// Checks an input as it will be once it is laid over its defaults and the session has filled it in.
pub(super) fn check_input(
    followed: &Followed<'_>,
    env: Option<&str>,
    input: &Field<'_>,
    session: Option<annotation::Session<'_>>,
) {
    let (laid, faults) = (followed.input(input.value()), RefCell::default());
    if let Some(filled_in) = annotation::inject(&Field::root(&laid, &faults), session) {
        call::check_input(followed, env, &Field::root(&filled_in, &faults));
    }
    for fault in faults.take().into_vec() {
        input.fault_inside(outside(&laid, fault));
    }
}

/// A session's definition in an environment, or why there is none that could be used.
pub(super) fn defined<'c>(
    catalog: &'c Catalog,
    tag: &str,
    env: &str,
    capabilities: Capabilities,
) -> Result<(&'c Session, &'c SessionEnv), (FieldCode, String)> {
    let unknown = |detail| (FieldCode::UnknownTag, detail);
    let definition = catalog.sessions.get(tag).ok_or_else(|| unknown(format!("the catalog has no session {tag}")))?;
    let place = definition.envs.get(env);
    let place = place.ok_or_else(|| unknown(format!("the session {tag} is not defined in {env}")))?;
    match place.key.as_ref().and_then(|key| capabilities.without(key)) {
        Some(reason) => Err((FieldCode::NotAvailable, reason)),
        None => Ok((definition, place)),
    }
}

/// What a token of a session that was minted here is for.
pub(super) fn session_name(product: &str, env: &str, tag: &str) -> String {
    format!("{product}/{env}/{tag}")
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

/// Finds the event with its type, and checks what depends on it.
fn find<'c>(
    catalog: &'c Catalog,
    submission: &Submission<'_>,
    capabilities: Capabilities,
    faults: &RefCell<Faults>,
) -> Option<(EventType, Followed<'c>)> {
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
    let event_type = target.event_type();
    let Some(followed) = Followed::of(catalog, target) else {
        fault("/event", FieldCode::UnknownTag, format!("the event that {event:?} stands for is not in the catalog"));
        return None;
    };
    let target = &followed.target;
    if let Some(env) = known_env {
        if !target.is_in(env) {
            fault("/env", FieldCode::UnknownTag, format!("the event {event:?} is not defined in {env}"));
        } else if let Some(reason) = call::not_available(&followed, env, capabilities) {
            fault("/event", FieldCode::NotAvailable, reason);
        } else if let Some(input) = &submission.input {
            for (member, reason) in
                call::members_not_available(target, env, &followed.input(input.value()), capabilities)
            {
                fault(&child("/input", member), FieldCode::NotAvailable, reason);
            }
        }
    }
    Some((event_type, followed))
}

fn spec(
    submission: Submission<'_>,
    event_type: Option<EventType>,
    default_retries: Option<u32>,
    now: UnixMillis,
) -> Option<JobSpec> {
    Some(JobSpec {
        product: submission.product?,
        env: submission.env?,
        event: submission.event?,
        event_type: event_type?,
        app: submission.app,
        input: submission.input?.value().clone(),
        retries: submission.retries.or(default_retries).unwrap_or(0),
        retry: submission.retry,
        timeout: submission.timeout,
        start_at: submission.start_at?,
        repeat: submission.repeat,
        session: None,
        cache: submission.cache,
        created_at: now,
    })
}
