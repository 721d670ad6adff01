//! Cached results: one fill lease at a time, and its result for everyone after it.

use std::time::Duration;

use carillon_core::cache::{CacheId, CacheKey};
use carillon_core::ids::Owner;
use carillon_core::job::Output;
use carillon_core::ports::{CacheAnswer, CacheEntry, CachedResult, Clock, Entropy, FillLease, Ports, ResultCache};
use carillon_core::time::UnixMillis;
use futures_util::future::join_all;
use serde_json::json;

use crate::env::until;

const HOUR_MS: i64 = 3_600_000;
const SOON: Duration = Duration::from_secs(10);

fn cache(tag: &str) -> CacheId {
    CacheId { product: "shop".into(), env: "dev".into(), tag: tag.into() }
}

fn key(cache: CacheId, number: u64) -> CacheKey {
    // Digests are spread evenly, as hashes are.
    let digest = format!("{:016x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).repeat(4);
    CacheKey { cache, digest, event: format!("event-{number}") }
}

fn lead<P: Ports>(ports: &P, now: UnixMillis) -> FillLease {
    FillLease { leader: Owner::new(ports.entropy().bits()), began_at: now, until: now.plus(HOUR_MS) }
}

fn result(text: &str, made_at: UnixMillis) -> CachedResult {
    let output = Output { value: json!({"body": text}), truncated: false };
    CachedResult { output, made_at, expires_at: made_at.plus(HOUR_MS) }
}

async fn leads<P: Ports>(ports: &P, key: &CacheKey, now: UnixMillis) -> FillLease {
    let lead = lead(ports, now);
    assert_eq!(ports.result_cache().lookup(key, &lead, now).await.unwrap(), CacheAnswer::Miss);
    lead
}

/// The answer to a new caller.
async fn asks<P: Ports>(ports: &P, key: &CacheKey, now: UnixMillis) -> CacheAnswer {
    ports.result_cache().lookup(key, &lead(ports, now), now).await.unwrap()
}

/// Waits until a new caller finds it: a read may be slightly stale.
async fn is_hit<P: Ports>(ports: &P, key: &CacheKey, wanted: &CachedResult) {
    let now = ports.clock().now();
    let look = async || (asks(ports, key, now).await == CacheAnswer::Hit(wanted.clone())).then_some(());
    until("the result is remembered", SOON, look).await;
}

/// A result is found under its own key only.
pub async fn a_result_is_remembered_under_its_key_and_no_other<P: Ports>(ports: &P) {
    let now = ports.clock().now();
    let own = key(cache("a"), 1);
    let lead = leads(ports, &own, now).await;
    let made = result("made", now);
    ports.result_cache().fill(&own, &lead.leader, &made).await.unwrap();
    is_hit(ports, &own, &made).await;
    let others = [
        key(cache("a"), 2),
        key(cache("b"), 1),
        key(CacheId { env: "prd".into(), ..cache("a") }, 1),
        key(CacheId { product: "bank".into(), ..cache("a") }, 1),
    ];
    for other in others {
        assert_eq!(asks(ports, &other, now).await, CacheAnswer::Miss, "{other:?}");
    }
}

/// A result of 256 KB is kept whole.
pub async fn a_result_of_256_kb_is_remembered_whole<P: Ports>(ports: &P) {
    let now = ports.clock().now();
    let own = key(cache("a"), 1);
    let lead = leads(ports, &own, now).await;
    let made = CachedResult {
        output: Output { value: json!({"body": "é".repeat(128 * 1024)}), truncated: true },
        ..result("", now)
    };
    ports.result_cache().fill(&own, &lead.leader, &made).await.unwrap();
    is_hit(ports, &own, &made).await;
}

/// After its time a result is not there any more, whatever is stored.
pub async fn a_result_is_forgotten_after_its_time<P: Ports>(ports: &P) {
    let now = ports.clock().now();
    let own = key(cache("a"), 1);
    let lead = leads(ports, &own, now).await;
    let made = result("made", now);
    ports.result_cache().fill(&own, &lead.leader, &made).await.unwrap();
    is_hit(ports, &own, &made).await;
    let after = now.plus(HOUR_MS);
    assert!(ports.result_cache().entries(&own.cache, None, 10, after).await.unwrap().entries.is_empty());
    let next = leads(ports, &own, after).await;
    let again = result("made again", after);
    ports.result_cache().fill(&own, &next.leader, &again).await.unwrap();
    let look = async || (asks(ports, &own, after).await == CacheAnswer::Hit(again.clone())).then_some(());
    until("the next result takes its place", SOON, look).await;
}

/// One of many concurrent lookups takes the lease, and the others are told its holder.
pub async fn exactly_one_of_many_leads<P: Ports>(ports: &P) {
    let now = ports.clock().now();
    let own = key(cache("a"), 1);
    let told = join_all((0..20).map(|_| asks(ports, &own, now))).await;
    let leading = told.iter().filter(|told| **told == CacheAnswer::Miss).count();
    assert_eq!(leading, 1, "{told:?}");
    let busy: Vec<_> =
        told.iter().filter_map(|told| if let CacheAnswer::Filling(lead) = told { Some(lead) } else { None }).collect();
    assert_eq!(busy.len(), 19);
    assert!(busy.iter().all(|lead| **lead == *busy[0] && lead.began_at == now && lead.until == now.plus(HOUR_MS)));
}

/// The holder of the lease that asks again is told so again: its first answer may have been lost.
pub async fn a_leader_that_asks_again_still_leads<P: Ports>(ports: &P) {
    let now = ports.clock().now();
    let own = key(cache("a"), 1);
    let lead = leads(ports, &own, now).await;
    assert_eq!(ports.result_cache().lookup(&own, &lead, now).await.unwrap(), CacheAnswer::Miss);
}

/// A lease that was given up, or whose time is over, is for the next one.
pub async fn a_lease_ends_when_it_is_given_up_or_its_time_is_over<P: Ports>(ports: &P) {
    let now = ports.clock().now();
    let own = key(cache("a"), 1);
    let first = leads(ports, &own, now).await;
    assert_eq!(asks(ports, &own, now).await, CacheAnswer::Filling(first.clone()));
    ports.result_cache().release(&own, &first.leader).await.unwrap();
    let second = leads(ports, &own, now).await;
    let after = second.until;
    let third = leads(ports, &own, after).await;
    // The second is not dead after all, and knows nothing of the third.
    ports.result_cache().release(&own, &second.leader).await.unwrap();
    ports.result_cache().fill(&own, &second.leader, &result("late", after)).await.unwrap();
    assert_eq!(asks(ports, &own, after).await, CacheAnswer::Filling(third.clone()));
    ports.result_cache().fill(&own, &third.leader, &result("made", after)).await.unwrap();
    ports.result_cache().release(&own, &third.leader).await.unwrap();
    let look = async || matches!(asks(ports, &own, after).await, CacheAnswer::Hit(_)).then_some(());
    until("a release leaves the result alone", SOON, look).await;
}

/// A cache's entries are listed by digest, in pages, without those of others and without leases.
pub async fn entries_are_listed_in_pages<P: Ports>(ports: &P) {
    let now = ports.clock().now();
    let mut expected = Vec::new();
    for number in 0..25 {
        let own = key(cache("a"), number);
        let lead = leads(ports, &own, now).await;
        let made = result("made", now);
        ports.result_cache().fill(&own, &lead.leader, &made).await.unwrap();
        let entry =
            CacheEntry { digest: own.digest, event: own.event, made_at: made.made_at, expires_at: made.expires_at };
        expected.push(entry);
    }
    expected.sort_by(|one, other| one.digest.cmp(&other.digest));
    leads(ports, &key(cache("a"), 100), now).await;
    let other = key(cache("b"), 1);
    let lead = leads(ports, &other, now).await;
    ports.result_cache().fill(&other, &lead.leader, &result("other", now)).await.unwrap();
    let look = async || {
        let (mut listed, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = ports.result_cache().entries(&cache("a"), after.as_deref(), 10, now).await.unwrap();
            assert!(page.entries.len() <= 10);
            listed.extend(page.entries);
            after = page.next;
            if after.is_none() {
                return (listed == expected).then_some(());
            }
        }
    };
    until("all entries are listed", SOON, look).await;
}

/// A cleared cache has no entries, and a result that was being made is not stored either.
pub async fn what_was_made_before_a_cache_was_emptied_is_forgotten<P: Ports>(ports: &P) {
    let now = ports.clock().now();
    let (filled, open, other) = (key(cache("a"), 1), key(cache("a"), 2), key(cache("b"), 1));
    for key in [&filled, &other] {
        let lead = leads(ports, key, now).await;
        ports.result_cache().fill(key, &lead.leader, &result("made", now)).await.unwrap();
        is_hit(ports, key, &result("made", now)).await;
    }
    let lead = leads(ports, &open, now).await;
    let after = now.plus(1);
    ports.result_cache().clear(&cache("a"), after).await.unwrap();
    ports.result_cache().fill(&open, &lead.leader, &result("late", after)).await.unwrap();
    let later = after.plus(1);
    let look = async || {
        let empty = ports.result_cache().entries(&cache("a"), None, 10, later).await.unwrap().entries.is_empty();
        let told = [asks(ports, &filled, later).await, asks(ports, &open, later).await];
        (empty && !told.iter().any(|told| matches!(told, CacheAnswer::Hit(_)))).then_some(())
    };
    until("the cache is empty", SOON, look).await;
    assert!(matches!(asks(ports, &other, later).await, CacheAnswer::Hit(_)), "another cache");
}
