//! Arming timers. That they fire is each stack's own test, as only the stack knows where its messages arrive.

use carillon_core::ports::{Ports, Timers};

use super::samples::job;

/// Both are idempotent, before and after the job is stored.
pub async fn arming_again_and_disarming_what_is_not_armed_does_no_harm(ports: &impl Ports) {
    let job = job("shop", "prd", 1);
    let fire = job.fire();
    ports.timers().disarm(fire).await;
    for delay in [0, 0, 60_000, 86_400_000] {
        ports.timers().arm(fire, job.spec.start_at.plus(delay)).await.unwrap();
    }
    super::jobs::insert(ports, &job).await;
    ports.timers().disarm(fire).await;
    ports.timers().disarm(fire).await;
}
