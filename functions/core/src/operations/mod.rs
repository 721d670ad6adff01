//! The use cases of callers and of due messages.
//!
//! Each operation is written once over the [`crate::ports`] and runs on every stack. It also checks the caller's
//! permission, so that no route can forget it.

mod cache_lookup;
mod catalogs;
mod change;
mod edit;
mod execute;
mod opened_session;
mod preview;
mod read;
mod results;
mod schedule;
mod sessions;
mod validate;
mod waiting;

pub use catalogs::{delete_catalog, get_catalog, put_catalog};
pub use change::{Redriving, cancel, pause, redrive, redrive_all, redrive_product, resume, retry, revive, run_now};
pub use edit::{edit, revision};
pub use execute::{Attempt, Execution, Executor, Verdict, execute};
pub use preview::{End, PlannedAttempt, PlannedRun, Preview, preview};
pub use read::{JobCursor, JobPage, ListQuery, ListedRun, RunCursor, RunPage, get, list, run, runs};
pub use results::{CacheView, cache_entries, clear_cache};
pub use schedule::{Scheduled, schedule};
pub use sessions::{Minted, mint_session};
pub use waiting::{DEFAULT_WAIT_SLOTS, WaitSlot, may_end_by};

use crate::access::{ApiKey, Scope};
use crate::error::{FieldCode, FieldError};
use crate::job::Job;
use crate::json::ParseError;
use crate::machine::{Refusal, Transition};
use crate::ports::{JobStore, PortError, Ports, WriteOutcome};

/// Why an operation did not happen. Nothing was changed, unless a dependency failed after it did what it was asked
/// ([`OperationError::Port`]).
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The body is no acceptable JSON document.
    #[error("the body is not an acceptable JSON document")]
    Unreadable(#[from] ParseError),
    /// Fields are bad; all of them are named.
    #[error("the request has bad fields")]
    Invalid(Vec<FieldError>),
    /// The event's tag fits several events, and nothing else is wrong.
    #[error("the event is ambiguous")]
    Ambiguous(FieldError),
    /// The key lacks a scope.
    #[error("the key lacks the scope {0}")]
    MissingScope(Scope),
    /// The key is confined to other products or environments.
    #[error("the key does not open this product and environment")]
    NotOpened,
    /// There is no such thing, or the caller may not know of it.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The job's status does not allow it.
    #[error(transparent)]
    Refused(Refusal),
    /// The stored revision does not satisfy the caller's precondition.
    #[error("the precondition does not hold")]
    PreconditionFailed,
    /// Others change the same thing too fast.
    #[error("others keep changing this")]
    Contended,
    /// A dependency failed, and what it was asked for is not known to have happened.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Number of times that an operation decides again after losing a race.
const ATTEMPTS_AT_A_CHANGE: usize = 8;

/// Maximum number of entries on a page.
const MAX_PAGE: usize = 100;

/// The result of storing a transition.
enum Stored {
    /// It is stored.
    Done,
    /// Not stored: another write was first. The job as it is now; `None` when it is gone.
    Overtaken(Option<Box<Job>>),
}

/// Stores a transition. What the store leaves open is looked up: a write may have happened although its answer was lost,
/// and one that was repeated on the way finds its own result in its place.
async fn commit<P: Ports>(ports: &P, transition: &Transition) -> Result<Stored, PortError> {
    let answer = ports.jobs().commit(transition).await;
    if let Ok(WriteOutcome::Done) = answer {
        return Ok(Stored::Done);
    }
    match (answer, ports.jobs().get(transition.before.id).await) {
        (_, Ok(Some(job))) if job == transition.after() => Ok(Stored::Done),
        (Ok(_), Ok(job)) => Ok(Stored::Overtaken(job.map(Box::new))),
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
    }
}

fn require(caller: &ApiKey, scope: Scope) -> Result<(), OperationError> {
    if caller.allows(scope) { Ok(()) } else { Err(OperationError::MissingScope(scope)) }
}

/// The job, if the caller may see it: another tenant's looks like none.
fn visible(job: Option<Job>, caller: &ApiKey) -> Result<Job, OperationError> {
    job.filter(|job| caller.opens(&job.spec.product, &job.spec.env)).ok_or(OperationError::NotFound("job"))
}

fn invalid(pointer: &str, code: FieldCode, detail: impl Into<String>) -> OperationError {
    OperationError::Invalid(vec![FieldError { pointer: pointer.to_owned(), code, detail: detail.into() }])
}

#[cfg(test)]
mod tests;
