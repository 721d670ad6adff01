//! Holding an answer back until a job has ended.

use std::time::Duration;

use carillon_core::access::Scope;
use carillon_core::job::Job;
use carillon_core::operations;
use carillon_core::ports::Ports;
use tokio::time::{sleep, timeout};

use crate::operation::Call;

/// The first interval between two looks at the job. Most jobs of somebody who waits are quick ones.
const FIRST_INTERVAL: Duration = Duration::from_millis(20);
/// The longest one. Each is twice the one before.
const LAST_INTERVAL: Duration = Duration::from_millis(500);

/// Reads `job` again and again until it has ended or `seconds` are over, and gives it back as it was read last.
///
/// The job is accepted already, so nothing may turn this into an error: a client would schedule it again. A key that may
/// not read jobs does not wait, as it would learn the result.
pub(super) async fn until_ended<P: Ports>(call: &Call<P>, job: Job, seconds: u64) -> Job {
    if !call.caller.allows(Scope::JobsRead) {
        return job;
    }
    let looks = async {
        let mut interval = FIRST_INTERVAL;
        loop {
            sleep(interval).await;
            interval = LAST_INTERVAL.min(interval * 2);
            match look(call, &job).await {
                Some(job) if !job.state.status.is_settled() => {}
                ended => return ended,
            }
        }
    };
    let ended = match timeout(Duration::from_secs(seconds), looks).await {
        Ok(ended) => ended,
        // What happened since the last look counts, too.
        Err(_) => look(call, &job).await,
    };
    ended.unwrap_or(job)
}

/// The job as it stands now; `None` when that cannot be told.
async fn look<P: Ports>(call: &Call<P>, job: &Job) -> Option<Job> {
    match operations::get(call.service.ports(), &call.caller, job.id).await {
        Ok(job) => Some(job),
        Err(error) => {
            let error = crate::problem::chain(&error);
            tracing::warn!(request_id = call.record.id(), job_id = %job.id, error, "waiting for a job was given up");
            None
        }
    }
}
