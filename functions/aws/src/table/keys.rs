//! The table's keys and access patterns. No other module names a key.
//!
//! | item | pk | sk | holds |
//! | --- | --- | --- | --- |
//! | job | `JOB#<job id>` | `JOB` | `spec` unless it is large, `state` (JSON), `revision`, the index keys |
//! | large spec | `JOB#<job id>` | `SPEC` | `spec` (JSON) |
//! | retired run | `JOB#<job id>` | `RUN#<generation>#<run number>` | `run` (JSON), `expires_at` (Unix seconds) |
//! | catalog | `PRODUCT#<product>` | `CATALOG` | `document` (JSON), `revision` |
//! | API key | `KEY#<SHA-256>` | `KEY` | `doc` (JSON) |
//! | lease of a result | `RESULT#<product>#<env>#<tag>#<digest>` | `RESULT` | `leader`, `began_at`, `ends_at` (ms), `expires_at` |
//! | remembered result | the same | the same | `output` (JSON), `began_at`, `made_at`, `ends_at`, `expires_at`, the index keys |
//! | mark of an emptied cache | `CACHE#<product>#<env>#<tag>` | `CACHE` | `cleared_at` (ms), `expires_at` |
//! | named request | `REQUEST#<SHA-256>` | `REQUEST` | `record` (JSON), `ends_at` (ms), `expires_at` |
//! | part that is done | `JOB#<job id>` | `PART#<run number>#<place>` | `part` (JSON), `expires_at` |
//! | mark of what was counted | `JOB#<job id>` | `COUNTED#<run number>#<place>` | `expires_at` |
//! | counter of a quota | `COUNTER#<product>#<env>#<tag>#<from, ms>` | `COUNTER` | `used`, `expires_at` |
//! | health of a fallback | `FALLBACK#<product>#<env>#<tag>` | `FALLBACK` | `failing<option>` (ms), for each that has failed |
//! | slot of a caller that waits | `WAIT#<number>` | `WAIT` | `owner`, `until_at` (ms), `expires_at` |
//!
//! A session is part of its job's spec, sealed, with the data key that KMS has wrapped: it takes no item of its own.
//!
//! | access | how | cost |
//! | --- | --- | --- |
//! | a job by id | GetItem, consistent; a second one for a large spec | 1 read unit per 4 KB |
//! | a new job | PutItem; with a large spec TransactWriteItems | 2 write units; with a large spec 2 per KB |
//! | a change of a job | UpdateItem on the revision that was read | 1 write unit per KB |
//! | the same, with a run that it retires or a large spec | TransactWriteItems | twice that, and 2 per KB for the other item |
//! | runs of a job, latest first | Query backwards on `RUN#` | by page |
//! | jobs of a product's environment, newest first | Query of each shard of the index, merged | by page |
//! | a result, with the mark of its cache | BatchGetItem, not consistent | half a read unit per 4 KB, and half a unit |
//! | the lease of a result | PutItem, unless there is a result or another's lease | 1 write unit, more on top of an expired result |
//! | filling it | GetItem, consistent; UpdateItem by the leader | 1 read unit; 1 write unit per KB, and 1 for the index |
//! | giving it up | UpdateItem by the leader | 1 write unit |
//! | emptying a cache | PutItem of its mark | 1 write unit |
//! | results of a cache, by digest | GetItem of the mark; Query of the index, shard after shard | by page |
//! | a named request | GetItem, consistent | 1 read unit |
//! | naming it | PutItem, unless it stands there | 1 write unit |
//! | parts of a run | Query on `PART#`, consistent, from the second attempt on | 1 read unit per 4 KB |
//! | a part that is done | PutItem | 1 write unit per KB |
//! | counting | TransactWriteItems of the counter and a mark; GetItem | 4 write units, 1 read unit |
//! | health of a fallback | GetItem, not consistent; UpdateItem when an option fails | half a read unit; 1 write unit |
//! | a slot for a wait, and its release | PutItem, up to 3 times, unless it is taken; DeleteItem | 1 write unit each |
//!
//! The index `by_status` is partitioned by product, environment, class and shard. A claim changes none of a job's keys in
//! it, and a job that was due when it was accepted enters it where it will stand when its first attempt has succeeded. So
//! such a job writes 1 + 1 (insert), 1 (claim) and 1 (settle) = 4 units; one that has to wait, or is retried, moves in the
//! index, which takes 2 more. Shards keep a busy product from filling one partition, which takes 1,000 units a second.
//!
//! A result is in the index from when it is filled, under the beginning of its digest: those are spread as evenly as shards,
//! and a list goes through them in their order. All that a list shows is in the index's keys. Of a cache's items only the
//! mark is read by all; one partition gives 3,000 read units a second, and so 6,000 hits.

use std::fmt;

use carillon_core::cache::{CacheId, CacheKey};
use carillon_core::idempotency::IdempotencyKey;
use carillon_core::ids::JobId;
use carillon_core::job::{JobSpec, JobState, Status};
use carillon_core::progress::{CounterId, FallbackId};
use carillon_core::time::UnixMillis;

/// Partition key.
pub const PK: &str = "pk";
/// Sort key.
pub const SK: &str = "sk";
/// The attribute of DynamoDB's time to live, in Unix seconds: the item is deleted after it.
pub const EXPIRES_AT: &str = "expires_at";
/// The index over jobs and cached results.
pub const INDEX: &str = "by_status";
/// Partition key of the index.
pub const INDEX_PK: &str = "gsi1pk";
/// Sort key of the index: a job's id, whose order is the order of time; of a result, its entry in a listing.
pub const INDEX_SK: &str = "gsi1sk";

/// Sort key of a job.
pub const JOB: &str = "JOB";
/// Sort key of a job's large spec.
pub const SPEC: &str = "SPEC";
/// Sort key of a catalog.
pub const CATALOG: &str = "CATALOG";
/// Sort key of an API key.
pub const KEY: &str = "KEY";
/// Sort key of a result, or of its lease.
pub const RESULT: &str = "RESULT";
/// Sort key of the mark of a cleared cache.
pub const CACHE: &str = "CACHE";
/// Sort key of a request with an `Idempotency-Key`.
pub const REQUEST: &str = "REQUEST";
/// Sort key of a counter.
pub const COUNTER: &str = "COUNTER";
/// Sort key of a fallback's health.
pub const FALLBACK: &str = "FALLBACK";
/// Sort key of the slot of a caller that waits for a job.
pub const WAIT: &str = "WAIT";
/// Prefix of the sort keys of retired runs.
pub const RUNS: &str = "RUN#";

/// Partitions of one product, environment and class in the index. Each of 32 gets 3 % of a busy product's writes.
pub const SHARDS: u8 = 32;

/// Partitions of one cache in the index: enough for 4,000 new results a second.
pub const RESULT_SHARDS: u8 = 4;

/// Partition key of a job and its runs.
pub fn job(id: JobId) -> String {
    format!("JOB#{id}")
}

/// Sort key of a retired run, ordered by the numbers.
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

/// Partition key of a result.
pub fn result(key: &CacheKey) -> String {
    let CacheKey { cache: CacheId { product, env, tag }, digest, .. } = key;
    format!("RESULT#{product}#{env}#{tag}#{digest}")
}

/// Partition key of the mark of a cleared cache.
pub fn cache(cache: &CacheId) -> String {
    let CacheId { product, env, tag } = cache;
    format!("CACHE#{product}#{env}#{tag}")
}

/// Sort key of a part of a job's run.
pub fn part(run_no: u32, place: &str) -> String {
    format!("PART#{run_no:010}#{place}")
}

/// Sort key of the mark that a part of a job's run has counted its amount.
pub fn counted(run_no: u32, place: &str) -> String {
    format!("COUNTED#{run_no:010}#{place}")
}

/// Partition key of a counter.
pub fn counter(counter: &CounterId) -> String {
    let CounterId { product, env, quota, from, .. } = counter;
    format!("COUNTER#{product}#{env}#{quota}#{}", from.0)
}

/// Partition key of a fallback's health.
pub fn fallback(fallback: &FallbackId) -> String {
    let FallbackId { product, env, tag } = fallback;
    format!("FALLBACK#{product}#{env}#{tag}")
}

/// Partition key of a request with an `Idempotency-Key`.
pub fn request(name: &IdempotencyKey) -> String {
    format!("REQUEST#{name}")
}

/// Partition key of a slot of callers that wait.
pub fn wait_slot(slot: u32) -> String {
    format!("WAIT#{slot}")
}

/// Partition key of a cache's results in the index.
pub fn results(cache: &CacheId, shard: u8) -> String {
    let CacheId { product, env, tag } = cache;
    format!("RESULTS#{product}#{env}#{tag}#{shard:02}")
}

/// The shard of a result, by the first hex digit of its digest: shards are ordered as digests are.
pub fn result_shard(digest: &str) -> u8 {
    let first = digest.chars().next().and_then(|digit| digit.to_digit(16)).unwrap_or(0);
    #[expect(clippy::cast_possible_truncation, reason = "less than 16")]
    let first = first as u8;
    first / (16 / RESULT_SHARDS)
}

/// A sort key after those of this digest and before those of later ones: `$` is the character after `#`.
pub fn after_digest(digest: &str) -> String {
    format!("{digest}$")
}

/// A result's sort key in the index: `<digest>#<made>#<begun>#<expires>#<event>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheListing<'a> {
    /// The digest of its key.
    pub digest: &'a str,
    /// When it was made.
    pub made_at: UnixMillis,
    /// When its dispatch began.
    pub began_at: UnixMillis,
    /// From here on it is not used any more.
    pub expires_at: UnixMillis,
    /// The event that produced it.
    pub event: &'a str,
}

impl<'a> CacheListing<'a> {
    /// Parses a sort key.
    pub fn parse(key: &'a str) -> Option<Self> {
        let mut parts = key.splitn(5, '#');
        let digest = parts.next()?;
        let mut instant = || parts.next()?.parse().ok().map(UnixMillis);
        let (made_at, began_at, expires_at) = (instant()?, instant()?, instant()?);
        Some(Self { digest, made_at, began_at, expires_at, event: parts.next()? })
    }
}

impl fmt::Display for CacheListing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { digest, made_at, began_at, expires_at, event } = self;
        write!(f, "{digest}#{}#{}#{}#{event}", made_at.0, began_at.0, expires_at.0)
    }
}

/// The part of the index that holds a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Scheduled, queued, running or paused, and not [`Class::FastPath`].
    Active,
    /// Completed, or in the first attempt of a job that was due when accepted.
    FastPath,
    /// Failed.
    Failed,
    /// Cancelled.
    Cancelled,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 4] = [Self::Active, Self::FastPath, Self::Failed, Self::Cancelled];

    /// The class of a job.
    pub fn of(spec: &JobSpec, state: &JobState) -> Self {
        let run = &state.run;
        let is_first_run = spec.repeat.is_none() && run.generation == 1;
        let was_due_at_once = is_first_run && run.due_at <= spec.created_at;
        match state.status {
            Status::Queued if was_due_at_once && run.attempts == 0 => Self::FastPath,
            Status::Running if was_due_at_once && run.attempts == 1 => Self::FastPath,
            Status::Scheduled | Status::Queued | Status::Running | Status::Paused => Self::Active,
            Status::Completed => Self::FastPath,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
        }
    }

    /// The classes that may hold a job of this status.
    pub fn that_hold(status: Status) -> &'static [Self] {
        match status {
            Status::Scheduled | Status::Paused => &[Self::Active],
            Status::Queued | Status::Running => &[Self::Active, Self::FastPath],
            Status::Completed => &[Self::FastPath],
            Status::Failed => &[Self::Failed],
            Status::Cancelled => &[Self::Cancelled],
        }
    }
}

/// The greatest age of a job on the fast path that has not completed, ms: its message is kept for 14 days.
pub const STRAIGHT_MS: i64 = 15 * 86_400_000;

/// The shard of a job: spread evenly, and stable.
pub fn shard(id: JobId) -> u8 {
    // FNV-1a over the id's text, whose last characters are random.
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
        Class::FastPath => "straight",
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
    use carillon_core::machine::{Trigger, decide, first_state};
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
    fn classes(wait_ms: i64, events: &[fn(&Job) -> Trigger]) -> Vec<Class> {
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
        use Class::{Active, Cancelled, Failed, FastPath};
        let claim: fn(&Job) -> Trigger =
            |job| Trigger::Claim { fire: job.fire(), owner: Owner::new(1), lease_ms: 60_000 };
        let succeed: fn(&Job) -> Trigger = |_| Trigger::Succeed { owner: Owner::new(1), output: Output::default() };
        let fail: fn(&Job) -> Trigger =
            |_| Trigger::Fail { owner: Owner::new(1), error: RunError::transient("E", ""), random: 0.0 };
        let cancel: fn(&Job) -> Trigger = |_| Trigger::Cancel { reason: None };
        let retry: fn(&Job) -> Trigger = |_| Trigger::Retry { delay_ms: 0 };
        assert_eq!(classes(0, &[claim, succeed]), [FastPath; 3]);
        assert_eq!(classes(1, &[claim, succeed]), [Active, Active, FastPath]);
        assert_eq!(classes(0, &[claim, fail, claim, succeed]), [FastPath, FastPath, Active, Active, FastPath]);
        assert_eq!(
            classes(0, &[claim, fail, claim, fail, retry, claim]),
            [FastPath, FastPath, Active, Active, Failed, Active, Active]
        );
        assert_eq!(classes(0, &[cancel]), [FastPath, Cancelled]);
    }

    #[test]
    fn the_index_says_of_a_result_what_a_list_shows() {
        let (digest, event) = ("ab".repeat(32), "a#b:c");
        let (made_at, began_at, expires_at) = (UnixMillis(3), UnixMillis(2), UnixMillis(i64::MAX));
        let listed = CacheListing { digest: &digest, made_at, began_at, expires_at, event };
        let key = listed.to_string();
        assert_eq!(CacheListing::parse(&key), Some(listed));
        assert_eq!(CacheListing::parse("ab#1#2#3"), None);
        assert!(after_digest(&digest) > key && after_digest("") < key && after_digest(&digest) < format!("{digest}0"));
    }

    #[test]
    fn shards_of_results_are_in_the_order_of_digests() {
        let shards: Vec<u8> = "0123456789abcdef".chars().map(|digit| result_shard(&digit.to_string())).collect();
        assert!(shards.is_sorted() && result_shard("") == 0, "{shards:?}");
        let of_each = shards.chunk_by(|one, other| one == other).map(<[u8]>::len);
        assert_eq!(of_each.collect::<Vec<_>>(), [16 / usize::from(RESULT_SHARDS); RESULT_SHARDS as usize]);
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
