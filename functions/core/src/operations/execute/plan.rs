//! Plans an attempt: its event, input, timeout and cache entry.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use serde_json::Value;

use crate::event_types::{Limits, ResolvedEvent};
use crate::job::{Job, JobSpec, RunError, codes};
use crate::json::Field;
use crate::operations::cache_lookup::CacheSlot;
use crate::operations::opened_session::OpenedSession;
use crate::ports::{CatalogStore, PortError, Ports, Published};
use crate::session::inject;
use crate::session::sealing::Unsealable;
use crate::time::UnixMillis;

/// An attempt before its claim: the lease has to outlast it.
pub(super) struct Planned {
    /// The work, or why the attempt fails without it.
    pub(super) work: Result<Work, RunError>,
    pub(super) timeout_ms: u32,
    /// The cache entry of the result, if the job names a cache.
    pub(super) cache: Option<CacheSlot>,
    /// When the attempt was due: the run's own time, or the end of a backoff or of a dead executor's lease.
    pub(super) due_at: UnixMillis,
}

/// An event that can be run, by a catalog as it was published.
pub(super) struct Work {
    pub(super) published: Arc<Published>,
    /// The input, laid over its defaults and filled in; `None` where that is the job's own.
    pub(super) input: Option<Value>,
}

/// Plans an attempt by the cached catalog, or by the published one where the cached one would fail it.
pub(super) async fn plan<P: Ports>(ports: &P, limits: &Limits, job: &Job) -> Result<Planned, PortError> {
    let session = OpenedSession::of(ports, job).await?;
    let product = &job.spec.product;
    let planned = plan_by(ports, limits, job, &session, ports.catalogs().get(product).await?.as_ref());
    if planned.work.is_ok() {
        return Ok(planned);
    }
    // A cached catalog may be older than the job: only the published one may fail it for good.
    Ok(plan_by(ports, limits, job, &session, ports.catalogs().fresh(product).await?.as_ref()))
}

type Session = Result<Option<OpenedSession>, Unsealable>;

fn plan_by<P: Ports>(
    ports: &P,
    limits: &Limits,
    job: &Job,
    session: &Session,
    published: Option<&Arc<Published>>,
) -> Planned {
    let due_at = job.state.wake_at.unwrap_or(job.state.run.due_at);
    let resolved = resolve(published.map(Arc::as_ref), &job.spec);
    let timeout_ms = limits.timeout_ms(&job.spec, resolved.as_ref().ok());
    let input = resolved.as_ref().map_err(RunError::clone).and_then(|it| input_of(it, &job.spec, session));
    let cache = CacheSlot::of(published.map(Arc::as_ref), &job.spec, input.as_deref().ok());
    let input = resolved.and_then(|resolved| sound(ports, job, &resolved, input?));
    let work = input.and_then(|input| Ok(Work { published: published.cloned().ok_or_else(gone)?, input }));
    Planned { cache: cache.filter(|_| work.is_ok()), work, timeout_ms, due_at }
}

/// The input, if this stack can run the event with it; `None` if it is the job's own.
fn sound<P: Ports>(
    ports: &P,
    job: &Job,
    resolved: &ResolvedEvent<'_>,
    input: Cow<'_, Value>,
) -> Result<Option<Value>, RunError> {
    // Without the input: each channel of a notification does its part, even if another one cannot be used.
    if let Some(lack) = resolved.lacks(&job.spec.env, None, ports.capabilities()).pop() {
        return Err(RunError::permanent(codes::EVENT_NOT_FOUND, lack.reason));
    }
    resolved.still_fits(&job.spec, &input)?;
    Ok(match input {
        Cow::Owned(input) => Some(input),
        Cow::Borrowed(_) => None,
    })
}

fn gone() -> RunError {
    RunError::permanent(codes::EVENT_NOT_FOUND, "the product has no catalog any more")
}

fn resolve<'c>(published: Option<&'c Published>, spec: &JobSpec) -> Result<ResolvedEvent<'c>, RunError> {
    ResolvedEvent::of_job(&published.ok_or_else(gone)?.catalog, spec)
}

/// The input of a job, laid over its defaults, with its annotations filled in.
fn input_of<'s>(
    resolved: &ResolvedEvent<'_>,
    spec: &'s JobSpec,
    session: &Session,
) -> Result<Cow<'s, Value>, RunError> {
    let unreadable = |detail: &str| RunError::permanent(codes::SESSION_UNREADABLE, detail);
    let session = session.as_ref().map_err(|_| unreadable("what the job's session said cannot be opened any more"))?;
    let faults = RefCell::default();
    let laid = resolved.input(&spec.input);
    let filled_in = inject::inject(&Field::root(&laid, &faults), session.as_ref().map(OpenedSession::session));
    // It was resolved when the job was scheduled. Since then only the defaults of a definition may have changed.
    match filled_in.ok_or_else(|| unreadable("the job's session does not resolve its input any more"))? {
        Cow::Owned(filled_in) => Ok(Cow::Owned(filled_in)),
        Cow::Borrowed(_) => Ok(laid),
    }
}
