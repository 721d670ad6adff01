//! The claims of a job's session.

use crate::job::Job;
use crate::ports::{PortError, Ports, SealingKeys};
use crate::session::Claims;
use crate::session::inject::SessionClaims;
use crate::session::sealing::Unsealable;

/// The session of a job, opened for as long as it is needed.
pub(super) struct OpenedSession {
    tag: String,
    claims: Claims,
}

impl OpenedSession {
    /// The session of a job; `None` when it has none.
    pub(super) async fn of<P: Ports>(ports: &P, job: &Job) -> Result<Result<Option<Self>, Unsealable>, PortError> {
        let Some(session) = &job.spec.session else { return Ok(Ok(None)) };
        let Some(key) = ports.sealing_keys().find(&session.claims.key).await? else { return Ok(Err(Unsealable)) };
        let claims = session.open(job.id, &key);
        Ok(claims.map(|claims| Some(Self { tag: session.tag.clone(), claims })))
    }

    /// The session in the form that annotations need.
    pub(super) fn session(&self) -> SessionClaims<'_> {
        SessionClaims { tag: &self.tag, claims: &self.claims }
    }
}
