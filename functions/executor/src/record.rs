//! One message of a fire, and its one log line: the job's names and figures, never its payload or an error's text.

use carillon_core::ids::Fire;
use carillon_core::operations::{Execution, Executor, Verdict, execute};
use carillon_core::ports::{PortError, Ports, Targets};
use tracing::{error, info, warn};

/// Works on one message and logs what came of it.
///
/// # Errors
/// [`PortError`] when a dependency failed, after logging its cause: the message has to come back.
pub async fn work<P: Ports, T: Targets>(ports: &P, executor: &Executor<T>, fire: Fire) -> Result<Execution, PortError> {
    let worked = execute(ports, executor, fire).await;
    log(fire, &worked);
    worked
}

/// Writes the line of a message that was worked on.
pub fn log(fire: Fire, worked: &Result<Execution, PortError>) {
    let execution = match worked {
        Ok(execution) => execution,
        Err(fault) => return error!(%fire, cause = fault.causes(), "record: {fault}; the message comes back"),
    };
    if let Some(fault) = &execution.timer_fault {
        warn!(%fire, cause = fault.causes(), "record: the next run's timer could not be armed; the message comes back for it");
    }
    if let Some(fault) = &execution.cache_write_failed {
        warn!(%fire, cause = fault.causes(), "record: the cache could not be told of the result");
    }
    let Some(job) = &execution.job else {
        let what = if execution.verdict == Verdict::Unknown { "no such job" } else { "others keep changing the job" };
        return warn!(%fire, verdict = name(&execution.verdict), "record: {what}");
    };
    let spec = &job.spec;
    let Some(attempt) = &execution.attempt else {
        let refusal = execution.refusal.as_ref().map(ToString::to_string);
        return info!(%fire, product = spec.product, env = spec.env, event = spec.event, event_type = %spec.event_type,
            status = %job.state.status, verdict = name(&execution.verdict),
            run_status = execution.ended.as_ref().map(tracing::field::display), refusal, "record: nothing to attempt");
    };
    info!(%fire, product = spec.product, env = spec.env, event = spec.event, event_type = %spec.event_type,
        status = %job.state.status, verdict = name(&execution.verdict), attempt = attempt.number,
        run_status = execution.ended.as_ref().map(tracing::field::display),
        lateness_ms = attempt.lateness_ms, dispatch_ms = attempt.dispatch_ms, recorded = attempt.recorded,
        error_code = attempt.error.as_ref().map(|error| error.code.as_str()), "record: attempted");
}

fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Acknowledge => "acknowledge",
        Verdict::Redeliver { .. } => "redeliver",
        Verdict::DeadLetter(_) => "dead_letter",
        Verdict::Unknown => "unknown",
    }
}
