//! The partition key of the table and of its index that takes the most writes, when all jobs are of one product and
//! environment.

use std::collections::HashMap;
use std::sync::Arc;

use carillon_aws::table::keys::{self, Class};
use carillon_core::ids::{JobId, Owner};
use carillon_core::job::{EventType, Job, JobSpec, Output};
use carillon_core::machine::{Trigger, decide, first_state};
use carillon_core::retry::RetryPolicy;
use carillon_core::time::UnixMillis;

use crate::random::Random;

/// Jobs.
pub(super) const JOBS: u32 = 1_000_000;
/// They are accepted at this rate, a second.
const RATE: u32 = 1_000;
const SEED: u64 = 20_270_115;

/// The writes of one part of the table.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// All of them.
    pub(super) total: u32,
    /// Partition keys that took some.
    pub(super) keys: usize,
    /// Those of the key that took the most.
    pub(super) busiest: u32,
}

impl Writes {
    fn of(by_key: &HashMap<String, u32>) -> Self {
        let busiest = by_key.values().max().copied().unwrap_or_default();
        Self { total: by_key.values().sum(), keys: by_key.len(), busiest }
    }

    /// The part of all writes that the busiest key took, 0 to 1.
    pub(super) fn share(&self) -> f64 {
        f64::from(self.busiest) / f64::from(self.total)
    }
}

/// Writes of a number of jobs to the base table, and to the index.
pub(super) fn simulate(jobs: u32) -> [Writes; 2] {
    let mut random = Random::new(SEED);
    let (mut base, mut index) = (HashMap::new(), HashMap::new());
    for number in 0..jobs {
        let created_at = UnixMillis(1_800_000_000_000 + i64::from(number) * 1_000 / i64::from(RATE));
        let id = JobId::new(created_at, u128::from(random.bits()) << 64 | u128::from(random.bits()));
        let mut entry = None;
        // Every other one has to wait, and moves in the index when it completes.
        for job in life(id, created_at, number % 2 == 0) {
            *base.entry(keys::job(id)).or_default() += 1;
            let partition = index_partition(&job);
            if entry.as_ref() == Some(&partition) {
                continue;
            }
            // An entry that moves is deleted at its old key, and put at the new one.
            for key in entry.into_iter().chain([partition.clone()]) {
                *index.entry(key).or_default() += 1;
            }
            entry = Some(partition);
        }
    }
    [Writes::of(&base), Writes::of(&index)]
}

/// The job after each write of its life.
fn life(id: JobId, created_at: UnixMillis, waits: bool) -> Vec<Job> {
    let start_at = created_at.plus(i64::from(waits));
    let spec = JobSpec {
        product: "shop".to_owned(),
        env: "prd".to_owned(),
        event: "order.close".to_owned(),
        event_type: EventType::Action,
        app: None,
        input: serde_json::Value::Null,
        retries: 0,
        retry: RetryPolicy::default(),
        timeout: None,
        start_at,
        repeat: None,
        session: None,
        cache: None,
        created_at,
    };
    let owner = Owner::new(1);
    let mut life: Vec<Job> =
        first_state(&spec, created_at).map(|state| Job { id, spec: Arc::new(spec), state }).into_iter().collect();
    let claim = |job: &Job| Trigger::Claim { fire: job.fire(), owner: owner.clone(), lease_ms: 60_000 };
    let succeed = |_: &Job| Trigger::Succeed { owner: owner.clone(), output: Output::default() };
    for event in [&claim as &dyn Fn(&Job) -> Trigger, &succeed] {
        let next = life.last().and_then(|job| decide(job, &event(job), start_at).ok());
        life.extend(next.map(|transition| transition.after()));
    }
    life
}

/// The index key of a job.
fn index_partition(job: &Job) -> String {
    keys::index(&job.spec.product, &job.spec.env, Class::of(&job.spec, &job.state), keys::shard(job.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_takes_more_than_a_twentieth_of_one_products_writes() {
        let [base, index] = simulate(20_000);
        assert_eq!((base.total, base.keys, base.busiest), (60_000, 20_000, 3));
        assert!(index.total == 40_000 && index.share() < 0.05, "{index:?}");
    }
}
