//! Jobs for the tests of this crate.

use std::sync::Arc;

use carillon_core::ids::{JobId, Owner};
use carillon_core::job::{EventType, Job, JobSpec};
use carillon_core::machine::{Trigger, decide, first_state};
use carillon_core::ports::{JobStore, Ports, WriteOutcome};
use carillon_core::retry::RetryPolicy;
use carillon_core::time::UnixMillis;

use crate::clock::{ManualClock, Wait};
use crate::embedded::Embedded;

pub(crate) const NOW: UnixMillis = UnixMillis(1_767_225_600_000);

/// Returns job `number`, due `due_in_ms` after [`NOW`].
pub(crate) fn job(number: u32, due_in_ms: i64) -> Job {
    job_of("shop", number, due_in_ms)
}

/// Returns job `number` of a product.
pub(crate) fn job_of(product: &str, number: u32, due_in_ms: i64) -> Job {
    let due_at = NOW.plus(due_in_ms);
    let spec = JobSpec {
        product: product.into(),
        env: "prd".into(),
        event: "user.signup".into(),
        event_type: EventType::Action,
        app: None,
        input: serde_json::json!({"number": number}),
        retries: 1,
        retry: RetryPolicy::default(),
        timeout: None,
        start_at: due_at,
        repeat: None,
        session: None,
        cache: None,
        created_at: NOW,
    };
    let id = JobId::new(NOW.plus(number.into()), number.into());
    Job { id, state: first_state(&spec, NOW).unwrap(), spec: Arc::new(spec) }
}

pub(crate) async fn insert<C: Wait>(embedded: &Embedded<C>, job: &Job) {
    assert_eq!(embedded.jobs().insert_new(job).await.unwrap(), WriteOutcome::Done);
}

pub(crate) async fn commit<C: Wait>(embedded: &Embedded<C>, job: &Job, trigger: &Trigger, now: UnixMillis) -> Job {
    let transition = decide(job, trigger, now).unwrap();
    assert_eq!(embedded.jobs().commit(&transition).await.unwrap(), WriteOutcome::Done);
    Job { state: transition.state, ..job.clone() }
}

pub(crate) fn claim(job: &Job) -> Trigger {
    Trigger::Claim { fire: job.fire(), owner: Owner::new(1), lease_ms: 40_000 }
}

pub(crate) fn in_memory(clock: &ManualClock) -> Arc<Embedded<ManualClock>> {
    Arc::new(Embedded::in_memory_at(clock.clone()).unwrap())
}
