//! Holding an answer back until a job's first run has ended.

use std::time::Duration;

use carillon_core::access::Scope;
use carillon_core::ids::Fire;
use carillon_core::job::{Job, Run};
use carillon_core::operations::{self, OperationError};
use carillon_core::ports::Ports;
use tokio::time::{sleep, timeout};

use crate::operation::ApiRequest;

/// The first interval between two reads of the job. Most jobs that are waited for are quick.
const FIRST_INTERVAL: Duration = Duration::from_millis(20);
/// The longest one. Each is twice the one before.
const LAST_INTERVAL: Duration = Duration::from_millis(500);

/// Reads `job` again and again until its first run has ended or `seconds` are over, and gives both as they were read last.
///
/// The job is accepted already, so nothing may turn this into an error: a client would schedule it again. A key that may
/// not read jobs does not wait, as it would learn the result.
pub(super) async fn for_first_run<P: Ports>(request: &ApiRequest<P>, job: &Job, seconds: u64) -> Option<(Job, Run)> {
    if !request.caller.allows(Scope::JobsRead) {
        return None;
    }
    let looks = async {
        let mut interval = FIRST_INTERVAL;
        loop {
            sleep(interval).await;
            interval = LAST_INTERVAL.min(interval * 2);
            match look(request, job).await {
                Ok(None) => {}
                Ok(ended) => return ended,
                Err(error) => {
                    let error = crate::problem::chain(&error);
                    tracing::warn!(request_id = request.record.id(), job_id = %job.id, error, "waiting for a job was given up");
                    return None;
                }
            }
        }
    };
    match timeout(Duration::from_secs(seconds), looks).await {
        Ok(ended) => ended,
        // Anything since the last read counts, too.
        Err(_) => look(request, job).await.ok().flatten(),
    }
}

/// The job as it stands now, and its first run if that has ended.
async fn look<P: Ports>(request: &ApiRequest<P>, job: &Job) -> Result<Option<(Job, Run)>, OperationError> {
    // Not the job's own fire: one that an earlier request of the same name scheduled may have had its first run long ago.
    let first = Fire { job_id: job.id, generation: 1, run_no: 1 };
    let job = operations::get(request.service.ports(), &request.caller, job.id).await?;
    let run = if job.state.run.run_no == first.run_no {
        Some(job.state.run.clone())
    } else {
        operations::run(request.service.ports(), &request.caller, first).await?
    };
    Ok(run.filter(|run| run.outcome.is_some()).map(|run| (job, run)))
}
