//! Ends the attempts that a crashed process left behind.

use super::{Effect, Transition, next, store};
use crate::job::{Job, Status};
use crate::time::UnixMillis;

/// Ends the lease of an attempt whose owner is known to be dead, so that the fire does not wait for the lease to run
/// out.
///
/// Safe only if no executor can be alive, as for the holder of a single process's data folder. The status stays: the
/// next claim finds the attempt abandoned and counts it. `None` if no lease outlasts `now`.
pub fn abandon(job: &Job, now: UnixMillis) -> Option<Transition> {
    let mut state = next(job, now);
    let lease = state.lease.as_mut().filter(|lease| lease.until > now)?;
    lease.until = now;
    if state.status == Status::Paused {
        // The resumption finds the attempt lost.
        return Some(store(job, state, Effect::Acknowledge));
    }
    state.wake_at = Some(now);
    Some(store(job, state, Effect::Redeliver { at: now }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ids::{JobId, Owner};
    use crate::job::{EventType, JobSpec, codes};
    use crate::machine::{Refusal, Trigger, decide, first_state};

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn job(retries: u32) -> Job {
        let spec = JobSpec {
            product: "shop".into(),
            env: "prd".into(),
            event: "order.close".into(),
            event_type: EventType::Action,
            app: None,
            input: serde_json::json!({}),
            retries,
            retry: crate::retry::RetryPolicy::default(),
            timeout: None,
            start_at: NOW,
            repeat: None,
            session: None,
            cache: None,
            created_at: NOW,
        };
        Job { id: JobId::new(NOW, 1), state: first_state(&spec, NOW).unwrap(), spec: Arc::new(spec) }
    }

    fn claim(job: &Job, owner: u128, now: UnixMillis) -> Result<Transition, Refusal> {
        decide(job, &Trigger::Claim { fire: job.fire(), owner: Owner::new(owner), lease_ms: 40_000 }, now)
    }

    #[test]
    fn an_abandoned_attempt_comes_back_at_once_and_is_counted() {
        let running = claim(&job(1), 1, NOW).unwrap().after();
        let later = NOW.plus(10);
        assert_eq!(claim(&running, 2, later), Err(Refusal::Leased { until: NOW.plus(40_000) }));

        let abandoned = abandon(&running, later).unwrap().after();
        assert_eq!((abandoned.state.status, abandoned.state.wake_at), (Status::Running, Some(later)));
        assert_eq!(abandon(&abandoned, later), None);

        let again = claim(&abandoned, 2, later).unwrap().after();
        assert_eq!(again.state.run.attempts, 2);
        assert_eq!(again.state.run.failures[0].error.code, codes::EXECUTOR_LOST);
        let last = abandon(&again, later).unwrap().after();
        assert_eq!(claim(&last, 3, later).unwrap().state.status, Status::Failed);
    }

    #[test]
    fn an_abandoned_attempt_of_a_paused_job_waits_for_whoever_resumes_it() {
        let running = claim(&job(1), 1, NOW).unwrap().after();
        let paused = decide(&running, &Trigger::Pause, NOW).unwrap().after();
        let abandoned = abandon(&paused, NOW).unwrap().after();
        assert_eq!((abandoned.state.status, abandoned.state.wake_at), (Status::Paused, None));
        let resumed = decide(&abandoned, &Trigger::Resume, NOW).unwrap().after();
        assert_eq!(resumed.state.wake_at, Some(NOW), "the lost attempt is found at once");
        assert_eq!(claim(&resumed, 2, NOW).unwrap().state.run.attempts, 2);
    }

    #[test]
    fn a_job_without_a_lease_is_not_abandoned() {
        assert_eq!(abandon(&job(0), NOW), None);
    }
}
