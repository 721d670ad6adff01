//! Validates requests for jobs against the product's catalog.

use std::cell::RefCell;
use std::sync::Arc;

use super::{OperationError, invalid};
use crate::access::ApiKey;
use crate::annotation::outside;
use crate::bodies::{self, Input, JobRequest, OrEmpty};
use crate::cache::DEFAULT_EXPIRY_MS;
use crate::cadence::Repeat;
use crate::catalog::{Catalog, EventRef, Session, SessionEnv, Tag, Unresolved};
use crate::error::{Faults, FieldCode, FieldError};
use crate::event_types::ResolvedEvent;
use crate::job::{EventType, JobSpec, JobState};
use crate::json::{Field, child};
use crate::machine::first_state;
use crate::ports::{CatalogStore, DefinedSession, PortError, Ports, Published, Sessions, TokenRefusal};
use crate::request::Capabilities;
use crate::session::{Claims, inject};
use crate::time::UnixMillis;

/// A job that may be scheduled.
pub(super) struct ValidJob {
    /// All that is asked for, but for the session.
    pub(super) spec: JobSpec,
    /// The state that such a job begins in.
    pub(super) state: JobState,
    /// The session's tag, and the claims of its token.
    pub(super) session: Option<(String, Claims)>,
    /// Settings that are valid, but may not be meant.
    pub(super) warnings: Vec<String>,
}

/// The product and the environment that a body names, as they stand there: before it is known whether they can be tags.
pub(super) fn addressed(document: &serde_json::Value) -> (Option<&str>, Option<&str>) {
    let named = |field: &str| document.get(field).and_then(serde_json::Value::as_str);
    (named("product_tag"), named("env"))
}

/// A request for a job, as it was sent.
pub(super) struct Requested<'a> {
    /// The product and the environment that it is addressed to.
    pub(super) addressed: (Option<&'a str>, Option<&'a str>),
    /// The body, as far as it is sound.
    pub(super) body: JobRequest,
    /// The faults of the rest of it.
    pub(super) faults: Faults,
}

impl<'a> Requested<'a> {
    /// Reads the body of a request to schedule a job.
    pub(super) fn read(document: &'a serde_json::Value) -> Self {
        let (body, faults) = bodies::read(document);
        Self { addressed: addressed(document), body, faults }
    }

    /// Checks the request at `now` by the product's catalog.
    pub(super) async fn validate<P: Ports>(
        self,
        ports: &P,
        sessions: &dyn Sessions,
        caller: &ApiKey,
        now: UnixMillis,
    ) -> Result<ValidJob, OperationError> {
        // The caller's permission comes first: the content of a catalog is for its own callers.
        if let (Some(product), env) = self.addressed
            && !env.map_or(caller.opens_product(product), |env| caller.opens(product, env))
        {
            return Err(OperationError::NotOpened);
        }
        let capabilities = ports.capabilities();
        let verdict = match &self.body.product_tag.0 {
            Some(product) => {
                let cached = ports.catalogs().get(product.as_str()).await?;
                let checked = self.check(sessions, cached.as_deref(), capabilities).await;
                match published_since(ports, product.as_str(), cached.as_deref(), &checked).await? {
                    Some(fresh) => self.check(sessions, fresh.as_deref(), capabilities).await?,
                    None => checked?,
                }
            }
            None => self.check(sessions, None, capabilities).await?,
        };
        self.valid(verdict, now)
    }

    /// Checks the request as far as it is sound, against the catalog as far as that is known.
    async fn check(
        &self,
        sessions: &dyn Sessions,
        published: Option<&Published>,
        capabilities: Capabilities,
    ) -> Result<Verdict, OperationError> {
        let faults = RefCell::new(self.faults.clone());
        let session = match published {
            Some(published) => self.session(sessions, &published.catalog, capabilities).await?,
            None => None,
        };
        let event = published.and_then(|published| find_event(&published.catalog, &self.body, capabilities, &faults));
        let (event_type, event) = event.unzip();
        if let (Some(event), Some(Input(input))) = (&event, &self.body.input.0) {
            self.check_input(event, input, session.as_ref(), &faults);
        }
        let session = session.transpose().unwrap_or_else(|fault| {
            faults.borrow_mut().add(fault.pointer, fault.code, fault.detail);
            None
        });
        if let (Some(product), None) = (&self.body.product_tag.0, published) {
            let detail = format!("there is no product {product}: publish its catalog first");
            faults.borrow_mut().add("/product_tag", FieldCode::UnknownTag, detail);
        }
        let mut faults = faults.take().into_vec();
        if let [only] = faults.as_slice()
            && only.code == FieldCode::Ambiguous
        {
            return Err(OperationError::Ambiguous(faults.remove(0)));
        }
        let default_retries = event.as_ref().and_then(ResolvedEvent::retries);
        let warnings = self.unknown_cache(published).into_iter().collect();
        match event_type.filter(|_| faults.is_empty()) {
            Some(event_type) => Ok(Verdict { event_type, default_retries, session, warnings }),
            None => Err(OperationError::Invalid(faults)),
        }
    }

    /// The session's tag and the claims of its token, or what is wrong with it; nothing where none can be asked for.
    async fn session(
        &self,
        sessions: &dyn Sessions,
        catalog: &Catalog,
        capabilities: Capabilities,
    ) -> Result<Option<Result<(String, Claims), FieldError>>, PortError> {
        let JobRequest { product_tag, env, session, .. } = &self.body;
        let session = session.as_ref().and_then(OrEmpty::as_value);
        let (Some(product), Some(env), Some(session)) = (&product_tag.0, &env.0, session) else { return Ok(None) };
        let fault = |at: &str, code, detail: String| FieldError { pointer: at.to_owned(), code, detail };
        let ([at_tag, at_token], tag) = (session.pointers(), session.named().tag.as_str());
        let (definition, place) = match defined(catalog, tag, env.as_str(), capabilities) {
            Ok(found) => found,
            Err((code, detail)) => return Ok(Some(Err(fault(at_tag, code, detail)))),
        };
        let name = session_name(product.as_str(), env.as_str(), tag);
        let defined = DefinedSession { name: &name, definition, place };
        match sessions.verify(defined, session.named().token.as_str()).await {
            Ok(claims) => Ok(Some(Ok((tag.to_owned(), claims)))),
            Err(TokenRefusal::Bad(code, detail)) => Ok(Some(Err(fault(at_token, code, detail)))),
            Err(TokenRefusal::Port(error)) => Err(error),
        }
    }

    /// Checks the input, unless the claims that may fill it in are not known.
    fn check_input(
        &self,
        event: &ResolvedEvent<'_>,
        input: &serde_json::Value,
        session: Option<&Result<(String, Claims), FieldError>>,
        faults: &RefCell<Faults>,
    ) {
        let claims = match session {
            Some(Ok((tag, claims))) => Some(inject::SessionClaims { tag, claims }),
            None if self.has_no_session() => None,
            Some(Err(_)) | None => return,
        };
        let env = self.body.env.0.as_ref().map(Tag::as_str);
        for fault in input_faults(event, env, input, claims) {
            faults.borrow_mut().add(format!("/input{}", fault.pointer), fault.code, fault.detail);
        }
    }

    /// True if the body asks for no session; false also where what it asks for could not be read.
    fn has_no_session(&self) -> bool {
        match &self.body.session {
            Some(session) => session.as_value().is_none(),
            None => !self.faults.stand_under("/session"),
        }
    }

    /// The warning about a cache that the catalog does not define.
    fn unknown_cache(&self, published: Option<&Published>) -> Option<String> {
        let tag = self.body.cache.as_ref().and_then(OrEmpty::as_value)?;
        let is_unknown = !published?.catalog.caches.contains_key(tag);
        let hours = DEFAULT_EXPIRY_MS / 3_600_000;
        is_unknown.then(|| format!("the catalog has no cache {tag}: its results are kept for {hours} hours"))
    }

    /// The job that a sound request asks for at `now`.
    fn valid(self, verdict: Verdict, now: UnixMillis) -> Result<ValidJob, OperationError> {
        let Verdict { event_type, default_retries, session, warnings } = verdict;
        let spec = spec(self.body, event_type, default_retries, now);
        let spec = spec.ok_or_else(|| OperationError::Invalid(self.faults.into_vec()))?;
        let state = first_state(&spec, now).ok_or_else(|| no_run_left(&spec, 1))?;
        Ok(ValidJob { spec, state, session, warnings })
    }
}

/// The part that a catalog has in a job.
struct Verdict {
    event_type: EventType,
    default_retries: Option<u32>,
    session: Option<(String, Claims)>,
    warnings: Vec<String>,
}

/// Checks something against the product's catalog: the cached one, and after a refusal the newest one.
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

/// True if another catalog might accept the document.
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

/// The faults of an input once it is laid over its defaults and the session has filled it in, with pointers into the input.
pub(super) fn input_faults(
    event: &ResolvedEvent<'_>,
    env: Option<&str>,
    input: &serde_json::Value,
    session: Option<inject::SessionClaims<'_>>,
) -> Vec<FieldError> {
    let (laid, faults) = (event.input(input), RefCell::<Faults>::default());
    if let Some(filled_in) = inject::inject(&Field::root(&laid, &faults), session) {
        event.check(env, &Field::root(&filled_in, &faults));
    }
    faults.take().into_vec().into_iter().map(|fault| outside(&laid, fault)).collect()
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

/// The name of a session, as minted tokens state it.
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
fn find_event<'c>(
    catalog: &'c Catalog,
    body: &JobRequest,
    capabilities: Capabilities,
    faults: &RefCell<Faults>,
) -> Option<(EventType, ResolvedEvent<'c>)> {
    let fault = |pointer: &str, code, detail: String| faults.borrow_mut().add(pointer, code, detail);
    let env = body.env.0.as_ref();
    let known_env = env.filter(|env| catalog.envs.contains(env)).map(Tag::as_str);
    if let (Some(env), None) = (env, known_env) {
        fault("/env", FieldCode::UnknownTag, format!("the product has no environment {env}"));
    }
    let event = body.event.0.as_ref()?.0.as_str();
    let app = body.app.as_ref().and_then(OrEmpty::as_value).map(Tag::as_str);
    let target = match catalog.resolve(EventRef { event, event_type: body.event_type, app }) {
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
    let Some(resolved) = ResolvedEvent::of(catalog, target) else {
        fault("/event", FieldCode::UnknownTag, format!("the event that {event:?} stands for is not in the catalog"));
        return None;
    };
    match known_env {
        Some(env) if resolved.target.is_in(env) => {
            let input = body.input.0.as_ref().map(|input| resolved.input(&input.0));
            for lack in resolved.lacks(env, input.as_deref(), capabilities) {
                let pointer = lack.member.map_or_else(|| "/event".to_owned(), |member| child("/input", member));
                fault(&pointer, FieldCode::NotAvailable, lack.reason);
            }
        }
        Some(env) => fault("/env", FieldCode::UnknownTag, format!("the event {event:?} is not defined in {env}")),
        None => {}
    }
    Some((event_type, resolved))
}

/// All that a sound body asks for, but for the session.
fn spec(body: JobRequest, event_type: EventType, default_retries: Option<u32>, now: UnixMillis) -> Option<JobSpec> {
    let text = |tag: Option<OrEmpty<Tag>>| tag.and_then(OrEmpty::value).map(Tag::into_string);
    Some(JobSpec {
        product: body.product_tag.0?.into_string(),
        env: body.env.0?.into_string(),
        event: body.event.0?.0,
        event_type,
        app: text(body.app),
        input: body.input.0?.0,
        retries: body.retries.map(|retries| retries.0).or(default_retries).unwrap_or(0),
        retry: body.retry.unwrap_or_default(),
        timeout: body.timeout.map(|timeout| timeout.0),
        start_at: body.start_at.0?.from(now),
        repeat: body.repeat.and_then(OrEmpty::value).map(Repeat::from),
        session: None,
        cache: text(body.cache),
        created_at: now,
    })
}
