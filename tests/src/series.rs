//! Checks of a recurring job's history.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::client::Client;
use crate::receiver::Receiver;

/// Holds a series that has come to its end by completed runs alone against what `receiver` saw of it, and gives those runs, in
/// order.
///
/// - They are `runs` in number and numbered without a gap, and each is recorded once, with the answer to its own webhook id.
/// - Nothing else was received, and nothing more often than there were attempts.
/// - Each occurrence since `start_at` has its run, or is counted as skipped.
///
/// # Panics
/// When it is otherwise.
pub async fn check(client: &Client, receiver: &Receiver, id: &str, runs: usize) -> Vec<Value> {
    let job = client.job(id).await;
    assert_eq!(job["status"], "completed", "{job}");
    let entries = client.pages_of_runs(id, 100).await.concat();
    let (skipped, mut listed): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry["count"].is_number());
    listed.reverse();
    assert_eq!(listed.iter().filter_map(|run| run["run_no"].as_u64()).max(), u64::try_from(runs).ok(), "{listed:#?}");
    assert_eq!(listed.len(), runs, "a run is listed twice, or not at all: {listed:#?}");

    let counts = receiver.counts();
    let mut fires = BTreeSet::new();
    for (number, run) in (1_u64..).zip(&listed) {
        let fire = run["webhook_id"].as_str().unwrap_or_default();
        let (deliveries, attempts) = (counts.get(fire).copied().unwrap_or(0), &run["attempts"]);
        assert_eq!((&run["run_no"], &run["status"]), (&number.into(), &"completed".into()), "{run}");
        assert_eq!(run["result"]["body"]["id"], fire, "another run's answer was recorded: {run}");
        assert!(deliveries >= 1 && attempts.as_u64() >= Some(deliveries.into()), "received {deliveries} times: {run}");
        fires.insert(fire.to_owned());
    }
    let strangers: Vec<_> = counts.keys().filter(|fire| fire.starts_with(id) && !fires.contains(*fire)).collect();
    assert!(strangers.is_empty(), "received, and in no run: {strangers:?}");

    let missed = skipped.iter().filter_map(|entry| entry["count"].as_u64()).sum::<u64>();
    assert_eq!(job["missed"], missed, "{skipped:?}");
    let nominal: Vec<_> = listed.iter().filter_map(|run| run["nominal_at"].as_i64()).collect();
    assert!(nominal.is_sorted_by(|one, next| one < next), "{nominal:?}");
    if let (Some(every), Some(start_at), Some(last)) =
        (job["repeat"]["every"].as_i64(), job["start_at"].as_i64(), nominal.last())
    {
        assert!(nominal.iter().all(|at| (at - start_at) % every == 0), "{nominal:?} drifted from {start_at}");
        let passed = (last - start_at) / every + 1;
        let met = i64::try_from(nominal.len()).unwrap_or(i64::MAX);
        assert_eq!(i64::try_from(missed).ok(), Some(passed - met), "{nominal:?} and {skipped:?}");
    }
    listed
}
