//! The table's keys and access patterns. No other module names a key.
//!
//! | item | pk | sk | holds |
//! | --- | --- | --- | --- |
//! | job | `JOB#<job id>` | `JOB` | `spec` unless it is large, `state` (JSON), `revision`, the index keys |
//! | large spec | `JOB#<job id>` | `SPEC` | `spec` (JSON) |
//! | retired run | `JOB#<job id>` | `RUN#<generation>#<run number>` | `run` (JSON) |
//! | catalog | `PRODUCT#<product>` | `CATALOG` | `document` (JSON), `revision` |
//! | API key | `KEY#<SHA-256>` | `KEY` | `doc` (JSON) |
//!
//! | access | how | cost |
//! | --- | --- | --- |
//! | a job by id | GetItem, consistent; a second one for a large spec | 1 read unit per 4 KB |
//! | a new job | PutItem; with a large spec TransactWriteItems | 2 write units; with a large spec 2 per KB |
//! | claim, settle, cancel, retry | UpdateItem on the revision that was read | 1 write unit per KB |
//! | a retry, with the run that it retires | TransactWriteItems | twice that |
//! | runs of a job, latest first | Query backwards on `RUN#` | by page |
//! | jobs of a product's environment, newest first | Query of each shard of the index, merged | by page |
//!
//! The index `by_status` is partitioned by product, environment, class and shard. A job enters it once and moves once,
//! when it settles: a claim changes none of its keys, so an immediate job that succeeds writes 1 + 1 (insert), 1 (claim)
//! and 1 + 2 (settle) = 6 units. Shards keep a busy product from filling one partition, which takes 1,000 units a second.

use carillon_core::ids::JobId;
use carillon_core::job::Status;

/// Partition key.
pub const PK: &str = "pk";
/// Sort key.
pub const SK: &str = "sk";
/// The index over jobs.
pub const INDEX: &str = "by_status";
/// Partition key of the index.
pub const INDEX_PK: &str = "gsi1pk";
/// Sort key of the index: the job's id, whose order is the order of time.
pub const INDEX_SK: &str = "gsi1sk";

/// Sort key of a job.
pub const JOB: &str = "JOB";
/// Sort key of a job's large spec.
pub const SPEC: &str = "SPEC";
/// Sort key of a catalog.
pub const CATALOG: &str = "CATALOG";
/// Sort key of an API key.
pub const KEY: &str = "KEY";
/// What sort keys of retired runs start with.
pub const RUNS: &str = "RUN#";

/// Partitions of one product, environment and class in the index. One of 32 gets 3 % of a busy product's writes.
pub const SHARDS: u8 = 32;

/// Partition key of a job and its runs.
pub fn job(id: JobId) -> String {
    format!("JOB#{id}")
}

/// Sort key of a retired run. Its order is that of the numbers.
pub fn run(generation: u32, run_no: u32) -> String {
    format!("{RUNS}{generation:010}#{run_no:010}")
}

/// Partition key of a product's catalog.
pub fn product(product: &str) -> String {
    format!("PRODUCT#{product}")
}

/// Partition key of an API key.
pub fn key(hash: &impl std::fmt::Display) -> String {
    format!("KEY#{hash}")
}

/// The part of the index that a job stands in, by its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Scheduled, queued, running or paused.
    Active,
    /// Completed.
    Completed,
    /// Failed.
    Failed,
    /// Cancelled.
    Cancelled,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Active, Self::Completed, Self::Failed, Self::Cancelled];

    /// The class of a status.
    pub fn of(status: Status) -> Self {
        match status {
            Status::Scheduled | Status::Queued | Status::Running | Status::Paused => Self::Active,
            Status::Completed => Self::Completed,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

/// The shard of a job: spread evenly, and always the same for the same job.
pub fn shard(id: JobId) -> u8 {
    // FNV-1a over the id's text; its last characters are random.
    let hash = id
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    #[expect(clippy::cast_possible_truncation, reason = "a remainder of 32")]
    let shard = ((hash >> 32) % u64::from(SHARDS)) as u8;
    shard
}

/// Partition key in the index.
pub fn index(product: &str, env: &str, class: Class, shard: u8) -> String {
    let class = match class {
        Class::Active => "active",
        Class::Completed => "completed",
        Class::Failed => "failed",
        Class::Cancelled => "cancelled",
    };
    format!("JOBS#{product}#{env}#{class}#{shard:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use carillon_core::time::UnixMillis;

    #[test]
    fn runs_sort_as_their_numbers_do() {
        let mut keys = [run(10, 1), run(2, 9), run(2, 10), run(1, 4_000_000_000)];
        keys.sort();
        assert_eq!(keys, [run(1, 4_000_000_000), run(2, 9), run(2, 10), run(10, 1)]);
    }

    #[test]
    fn no_shard_takes_more_than_a_twentieth_of_the_jobs() {
        let mut counts = [0_u32; SHARDS as usize];
        for number in 0..100_000_u128 {
            // Random bits as a multiplicative sequence gives them; the time moves slowly, as under load.
            let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            counts[usize::from(shard(JobId::new(
                UnixMillis(1_800_000_000_000 + i64::try_from(number).unwrap() / 50),
                random,
            )))] += 1;
        }
        assert!(counts.iter().all(|count| *count < 5_000), "{counts:?}");
    }
}
