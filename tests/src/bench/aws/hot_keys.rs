//! Which partition key of the table and of its index takes the most writes, when all jobs are of one product and environment.

use std::collections::HashMap;

use carillon_aws::table::keys::{self, Class};
use carillon_core::ids::JobId;
use carillon_core::job::Status;
use carillon_core::time::UnixMillis;

use crate::random::Random;

/// Jobs.
pub(super) const JOBS: u32 = 1_000_000;
/// They are accepted at this rate, a second.
const RATE: u32 = 1_000;
const SEED: u64 = 20_270_115;

/// How the job stands after each write of its life.
const LIFE: [Status; 3] = [Status::Queued, Status::Running, Status::Completed];

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

/// Writes of so many jobs to the base table, and to the index.
pub(super) fn simulate(jobs: u32) -> [Writes; 2] {
    let mut random = Random::new(SEED);
    let (mut base, mut index) = (HashMap::new(), HashMap::new());
    for number in 0..jobs {
        let created_at = UnixMillis(1_800_000_000_000 + i64::from(number) * 1_000 / i64::from(RATE));
        let id = JobId::new(created_at, u128::from(random.bits()) << 64 | u128::from(random.bits()));
        let mut entry = None;
        for status in LIFE {
            *base.entry(keys::job(id)).or_default() += 1;
            let partition = index_partition(id, status);
            if entry.as_ref() == Some(&partition) {
                continue;
            }
            // An entry that moves is deleted where it stood, and put where it comes to.
            for key in entry.into_iter().chain([partition.clone()]) {
                *index.entry(key).or_default() += 1;
            }
            entry = Some(partition);
        }
    }
    [Writes::of(&base), Writes::of(&index)]
}

/// Where the index keeps a job of this status.
fn index_partition(id: JobId, status: Status) -> String {
    keys::index("shop", "prd", Class::of(status), keys::shard(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_takes_more_than_a_twentieth_of_one_products_writes() {
        let [base, index] = simulate(20_000);
        assert_eq!((base.total, base.keys, base.busiest), (60_000, 20_000, 3));
        assert!(index.total >= 20_000 && index.share() < 0.05, "{index:?}");
    }
}
