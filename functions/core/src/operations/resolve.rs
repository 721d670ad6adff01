//! What a document asks for, by the product's catalog.

use std::cell::RefCell;
use std::sync::Arc;

use super::{OperationError, invalid};
use crate::access::ApiKey;
use crate::annotation::outside;
use crate::cache::DEFAULT_EXPIRY_MS;
use crate::catalog::{Catalog, EventRef, Session, SessionEnv, Tag, Unresolved};
use crate::error::{Faults, FieldCode, FieldError};
use crate::event_types::{self, Capabilities, ResolvedEvent};
use crate::job::{EventType, JobSpec, JobState};
use crate::json::{Field, child};
use crate::machine::first_state;
use crate::ports::{CatalogStore, DefinedSession, PortError, Ports, Published, Sessions, TokenRefusal};
use crate::session::{Claims, inject};
use crate::submission::{self, Submission};
use crate::time::UnixMillis;

/// What a document asks for.
pub(super) struct Resolved {
    /// All of it, but for the session.
    pub(super) spec: JobSpec,
    /// The state that such a job begins in.
    pub(super) state: JobState,
    /// The session's tag, and what its token said.
    pub(super) session: Option<(String, Claims)>,
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
            Some(Ok((tag, claims))) => check_input(target, env, input, Some(inject::SessionClaims { tag, claims })),
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
    let default_retries = followed.as_ref().and_then(ResolvedEvent::retries);
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
    followed: &ResolvedEvent<'_>,
    env: Option<&str>,
    input: &Field<'_>,
    session: Option<inject::SessionClaims<'_>>,
) {
    let (laid, faults) = (followed.input(input.value()), RefCell::default());
    if let Some(filled_in) = inject::inject(&Field::root(&laid, &faults), session) {
        event_types::check_input(followed, env, &Field::root(&filled_in, &faults));
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
) -> Option<(EventType, ResolvedEvent<'c>)> {
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
    let Some(followed) = ResolvedEvent::of(catalog, target) else {
        fault("/event", FieldCode::UnknownTag, format!("the event that {event:?} stands for is not in the catalog"));
        return None;
    };
    let target = &followed.target;
    if let Some(env) = known_env {
        if target.is_in(env) {
            let input = submission.input.as_ref().map(|input| followed.input(input.value()));
            for lack in event_types::not_available(&followed, env, input.as_deref(), capabilities) {
                let pointer = lack.member.map_or_else(|| "/event".to_owned(), |member| child("/input", member));
                fault(&pointer, FieldCode::NotAvailable, lack.reason);
            }
        } else {
            fault("/env", FieldCode::UnknownTag, format!("the event {event:?} is not defined in {env}"));
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
