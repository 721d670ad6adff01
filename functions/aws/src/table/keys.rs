//! The table's keys and access patterns. No other module names a key.
//!
//! | item | pk | sk | holds |
//! | --- | --- | --- | --- |
//! | job | `JOB#<job id>` | `JOB` | `spec` unless it is large, `state` (JSON), `revision`, the index keys |
//! | large spec | `JOB#<job id>` | `SPEC` | `spec` (JSON) |
//! | retired run | `JOB#<job id>` | `RUN#<generation>#<run number>` | `run` (JSON), `expires_at` (Unix seconds) |
//! | catalog | `PRODUCT#<product>` | `CATALOG` | `document` (JSON), `revision` |
//! | API key | `KEY#<SHA-256>` | `KEY` | `doc` (JSON) |
//!
//! | access | how | cost |
//! | --- | --- | --- |
//! | a job by id | GetItem, consistent; a second one for a large spec | 1 read unit per 4 KB |
//! | a new job | PutItem; with a large spec TransactWriteItems | 2 write units; with a large spec 2 per KB |
//! | a change of a job | UpdateItem on the revision that was read | 1 write unit per KB |
//! | the same, with a run that it retires or a large spec | TransactWriteItems | twice that, and 2 per KB for the other item |
//! | runs of a job, latest first | Query backwards on `RUN#` | by page |
//! | jobs of a product's environment, newest first | Query of each shard of the index, merged | by page |
//!
//! The index `by_status` is partitioned by product, environment, class and shard. A claim changes none of a job's keys in
//! it, and a job that was due when it was accepted enters it where it will stand when its first attempt has succeeded. So
//! such a job writes 1 + 1 (insert), 1 (claim) and 1 (settle) = 4 units; one that has to wait, or is retried, moves in the
//! index, which takes 2 more. Shards keep a busy product from filling one partition, which takes 1,000 units a second.

use carillon_core::ids::JobId;
use carillon_core::job::{JobSpec, JobState, Status};

/// Partition key.
pub const PK: &str = "pk";
/// Sort key.
pub const SK: &str = "sk";
/// What DynamoDB's time to live goes by: after this, Unix seconds, the item is deleted.
pub const EXPIRES_AT: &str = "expires_at";
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

/// The part of the index that a job stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Scheduled, queued, running or paused, and not [`Class::Straight`].
    Active,
    /// Completed, or on the way there without a wait: in the first attempt of a job that was due when it was accepted.
    Straight,
    /// Failed.
    Failed,
    /// Cancelled.
    Cancelled,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Active, Self::Straight, Self::Failed, Self::Cancelled];

    /// The class of a job.
    pub fn of(spec: &JobSpec, state: &JobState) -> Self {
        let run = &state.run;
        let is_first_run = spec.repeat.is_none() && run.generation == 1;
        let was_due_at_once = is_first_run && run.due_at <= spec.created_at;
        match state.status {
            Status::Queued if was_due_at_once && run.attempts == 0 => Self::Straight,
            Status::Running if was_due_at_once && run.attempts == 1 => Self::Straight,
            Status::Scheduled | Status::Queued | Status::Running | Status::Paused => Self::Active,
            Status::Completed => Self::Straight,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
        }
    }

    /// The classes that a job of this status may stand in.
    pub fn that_hold(status: Status) -> &'static [Self] {
        match status {
            Status::Scheduled | Status::Paused => &[Self::Active],
            Status::Queued | Status::Running => &[Self::Active, Self::Straight],
            Status::Completed => &[Self::Straight],
            Status::Failed => &[Self::Failed],
            Status::Cancelled => &[Self::Cancelled],
        }
    }
}

/// A job that is on its way straight to completed was accepted this long ago at the most, ms: its message is kept 14 days.
pub const STRAIGHT_MS: i64 = 15 * 86_400_000;

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
        Class::Straight => "straight",
        Class::Failed => "failed",
        Class::Cancelled => "cancelled",
    };
    format!("JOBS#{product}#{env}#{class}#{shard:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use carillon_core::ids::Owner;
    use carillon_core::job::{EventType, Job, Output, RunError};
    use carillon_core::machine::{Event, decide, first_state};
    use carillon_core::retry::RetryPolicy;
    use carillon_core::time::UnixMillis;

    fn sample(now: UnixMillis, due_at: UnixMillis) -> Job {
        let spec = JobSpec {
            product: "shop".into(),
            env: "prd".into(),
            event: "order.close".into(),
            event_type: EventType::Action,
            app: None,
            input: serde_json::json!({}),
            retries: 1,
            retry: RetryPolicy::default(),
            timeout: None,
            start_at: due_at,
            repeat: None,
            session: None,
            cache: None,
            created_at: now,
        };
        Job { id: JobId::new(now, 1), state: first_state(&spec, now).unwrap(), spec: Arc::new(spec) }
    }

    #[test]
    fn runs_sort_as_their_numbers_do() {
        let mut keys = [run(10, 1), run(2, 9), run(2, 10), run(1, 4_000_000_000)];
        keys.sort();
        assert_eq!(keys, [run(1, 4_000_000_000), run(2, 9), run(2, 10), run(10, 1)]);
    }

    /// The classes that a job stands in on its way through these events, from when it was accepted.
    fn classes(wait_ms: i64, events: &[fn(&Job) -> Event]) -> Vec<Class> {
        let now = UnixMillis(1_800_000_000_000);
        let mut job = sample(now, now.plus(wait_ms));
        let mut classes = vec![Class::of(&job.spec, &job.state)];
        for event in events {
            // Each event an hour after the one before: backoffs and leases are over by then.
            let later = job.state.wake_at.map_or(now, |at| at.plus(3_600_000));
            let is_waiting = matches!(job.state.status, Status::Scheduled | Status::Queued);
            let at = if is_waiting { later } else { job.state.updated_at };
            job = decide(&job, &event(&job), at).unwrap().after();
            let class = Class::of(&job.spec, &job.state);
            assert!(Class::that_hold(job.state.status).contains(&class), "{class:?}: {:?}", job.state.status);
            classes.push(class);
        }
        classes
    }

    #[test]
    fn a_job_that_is_due_at_once_and_succeeds_never_moves_in_the_index() {
        use Class::{Active, Cancelled, Failed, Straight};
        let claim: fn(&Job) -> Event = |job| Event::Claim { fire: job.fire(), owner: Owner::new(1), lease_ms: 60_000 };
        let succeed: fn(&Job) -> Event = |_| Event::Succeed { owner: Owner::new(1), output: Output::default() };
        let fail: fn(&Job) -> Event =
            |_| Event::Fail { owner: Owner::new(1), error: RunError::transient("E", ""), random: 0.0 };
        let cancel: fn(&Job) -> Event = |_| Event::Cancel { reason: None };
        let retry: fn(&Job) -> Event = |_| Event::Retry { delay_ms: 0 };
        assert_eq!(classes(0, &[claim, succeed]), [Straight; 3]);
        assert_eq!(classes(1, &[claim, succeed]), [Active, Active, Straight]);
        assert_eq!(classes(0, &[claim, fail, claim, succeed]), [Straight, Straight, Active, Active, Straight]);
        assert_eq!(
            classes(0, &[claim, fail, claim, fail, retry, claim]),
            [Straight, Straight, Active, Active, Failed, Active, Active]
        );
        assert_eq!(classes(0, &[cancel]), [Straight, Cancelled]);
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
