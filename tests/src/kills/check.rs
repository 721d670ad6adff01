//! Checks after all jobs have ended.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use carillon_core::ids::Fire;
use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::journal::Hold;
use super::{Conduct, Journal};
use crate::client::Client;
use crate::receiver::Receiver;

/// Requests at a time.
const AT_ONCE: usize = 8;
/// The failures of a run that are kept.
const KEPT_FAILURES: u64 = 20;

/// When a process that may have been executing was killed, epoch ms: it lived at `from`, and was gone at `until`.
#[derive(Clone, Copy, Debug)]
pub struct Killed {
    /// Right before the kill.
    pub from: i64,
    /// Right after.
    pub until: i64,
}

/// The totals of the check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Jobs.
    pub jobs: usize,
    /// Jobs among them whose acknowledgement was lost.
    pub unacknowledged: usize,
    /// Runs with an outcome, by that.
    pub runs: BTreeMap<String, usize>,
    /// Failed attempts, by their code.
    pub failures: BTreeMap<String, usize>,
    /// Times that the app received what it had received before.
    pub repeated: u64,
    /// Occurrences that were skipped.
    pub skipped: u64,
    /// Changes that were acknowledged, by their verb.
    pub changes: BTreeMap<&'static str, u64>,
    /// Requests that got no answer.
    pub unanswered: u64,
}

impl Figures {
    /// Attempts that were lost to kills.
    pub fn lost(&self) -> usize {
        self.failures.get("EXECUTOR_LOST").copied().unwrap_or(0)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { jobs, unacknowledged, runs, failures, repeated, skipped, changes, unanswered } = self;
        write!(f, "{jobs} jobs ({unacknowledged} unacknowledged), runs {runs:?}, failed attempts {failures:?}, ")?;
        write!(f, "{repeated} repeated deliveries, {skipped} occurrences skipped, changes {changes:?}, ")?;
        write!(f, "{unanswered} requests unanswered")
    }
}

/// Holds what the API tells of a product's jobs, which have come to rest, against what callers were answered and what
/// `receiver` got.
///
/// - No acknowledged job is lost, nor an acknowledged change of one.
/// - Nobody waits for anything: each job has completed, failed or been cancelled.
/// - Each fire has one outcome, which explains what was received, and stays what it was when somebody saw it first.
/// - Each attempt is explained: it brought the result, was refused by the app, or was lost to a kill in its time.
/// - `limit` and `endDate` are exact, and each occurrence has its run, or is counted as skipped.
/// - What was paused or cancelled was not dispatched from the acknowledgement on.
///
/// # Panics
/// When it is otherwise.
pub async fn check(
    client: &Client,
    product: &str,
    journal: &Journal,
    receiver: &Receiver,
    kills: &[Killed],
) -> Figures {
    let jobs = client.jobs(product, None).await;
    let ids: BTreeSet<_> = jobs.iter().map(|job| text(&job["job_id"])).collect();
    assert_eq!(ids.len(), jobs.len(), "a job is listed twice");
    let lost: Vec<_> = journal.jobs.keys().filter(|id| !ids.contains(id.as_str())).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");

    let read = stream::iter(&ids).map(|id| async move {
        let (job, pages) = (client.job(id).await, client.pages_of_runs(id, 100).await);
        Found { job, entries: pages.concat(), counts: HashMap::new() }
    });
    let mut found: Vec<Found> = read.buffer_unordered(AT_ONCE).collect().await;
    let mut by_job: BTreeMap<String, HashMap<String, u64>> = BTreeMap::new();
    for (fire, count) in receiver.counts() {
        let id = fire.split("_g").next().unwrap_or_default().to_owned();
        by_job.entry(id).or_default().insert(fire, count.into());
    }
    let mut figures = Figures {
        jobs: jobs.len(),
        unacknowledged: jobs.len() - journal.jobs.len(),
        changes: journal.changes.clone(),
        unanswered: journal.unanswered,
        ..Figures::default()
    };
    for found in &mut found {
        found.counts = by_job.remove(text(&found.job["job_id"])).unwrap_or_default();
        found.is_as_answered(journal);
        for run in found.runs() {
            found.run_is_explained(run, kills);
            figures.add(run);
        }
        found.nothing_else_was_received();
        if found.job["repeat"].is_object() {
            found.is_true_to_its_plan();
        }
        figures.repeated += found.counts.values().map(|count| count - 1).sum::<u64>();
        figures.skipped += found.job["missed"].as_u64().unwrap_or(0);
    }
    assert!(by_job.is_empty(), "received, and in no store: {by_job:?}");
    let runs: HashMap<_, _> = found.iter().flat_map(Found::runs).map(|run| (text(&run["webhook_id"]), run)).collect();
    for (fire, seen) in &journal.ended {
        assert_eq!(runs.get(fire.as_str()), Some(&seen), "an outcome that somebody saw is gone, or another one");
    }
    for hold in &journal.holds {
        let of_it = found.iter().find(|found| found.job["job_id"] == *hold.fire.job_id.to_string());
        of_it.expect("no job is lost").was_held(hold, receiver);
    }
    figures
}

/// A job as it was found.
struct Found {
    job: Value,
    /// Its runs, latest first, and what was skipped between them.
    entries: Vec<Value>,
    /// Deliveries of each fire.
    counts: HashMap<String, u64>,
}

impl Found {
    fn runs(&self) -> impl Iterator<Item = &Value> {
        self.entries.iter().filter(|entry| entry["webhook_id"].is_string())
    }

    fn conduct(&self) -> Conduct {
        Conduct::of(self.job["input"]["params"]["number"].as_u64().unwrap_or_default())
    }

    fn is_as_answered(&self, journal: &Journal) {
        let (job, status) = (&self.job, text(&self.job["status"]));
        assert!(["completed", "failed", "cancelled"].contains(&status), "it does not rest: {job}");
        let Some(known) = journal.jobs.get(text(&job["job_id"])) else { return };
        let timeout = job["timeout"].as_u64().unwrap_or_default();
        assert!(known.timeouts.contains(&timeout), "of {:?} it has {timeout}: {job}", known.timeouts);
        if let Some(cancelled) = &known.cancelled {
            assert_eq!(job, cancelled, "a cancelled job was changed");
        }
    }

    /// One outcome, and a reason for each attempt that preceded it.
    fn run_is_explained(&self, run: &Value, kills: &[Killed]) {
        let (fire, status, attempts) = (text(&run["webhook_id"]), text(&run["status"]), number(&run["attempts"]));
        let same = self.runs().filter(|other| other["webhook_id"] == fire).count();
        assert_eq!(same, 1, "a fire has two outcomes: {:#?}", self.entries);
        let came_in = self.counts.get(fire).copied().unwrap_or(0);
        assert!(came_in <= attempts, "it was received {came_in} times: {run}");
        let (conduct, failures) = (self.conduct(), run["failures"].as_array().map_or(&[][..], Vec::as_slice));
        assert!(attempts <= conduct.retries() + 1, "more attempts than it may have: {run}");
        let count = |code: &str| failures.iter().filter(|failure| failure["error"]["code"] == code).count() as u64;
        let (lost, refused) = (count("EXECUTOR_LOST"), count("SERVICE_UNAVAILABLE"));
        assert_eq!(lost + refused, failures.len() as u64, "the app and the kills give no such reason: {run}");
        assert!(
            refused <= conduct.refused(came_in),
            "the app refused {} of {came_in}: {run}",
            conduct.refused(came_in)
        );
        let within = |killed: &&Killed| {
            run["started_at"].as_i64().is_some_and(|at| at <= killed.until)
                && run["ended_at"].as_i64().is_some_and(|at| at >= killed.from)
        };
        let kills = kills.iter().filter(within).count() as u64;
        assert!(lost <= kills, "{kills} kills in its time cost {lost} attempts: {run}");
        let ended_so = match status {
            "completed" => {
                assert_eq!(run["result"]["body"]["id"], fire, "another run's answer was recorded: {run}");
                let nth = number(&run["result"]["body"]["nth"]);
                assert!((1..=came_in).contains(&nth), "{came_in} came in, and it was not one of them: {run}");
                1
            }
            "failed" => {
                assert_eq!(attempts, conduct.retries() + 1, "it failed before its time: {run}");
                0
            }
            // An attempt in progress at the cancellation is not recorded.
            "cancelled" => attempts - lost - refused,
            "skipped" => 0,
            _ => panic!("it has no outcome: {run}"),
        };
        assert!(ended_so <= 1, "attempts of nobody: {run}");
        if attempts <= KEPT_FAILURES {
            assert_eq!(lost + refused + ended_so, attempts, "attempts without an end: {run}");
        }
    }

    fn nothing_else_was_received(&self) {
        let fires: BTreeSet<_> = self.runs().map(|run| text(&run["webhook_id"])).collect();
        let strangers: Vec<_> = self.counts.keys().filter(|fire| !fires.contains(fire.as_str())).collect();
        assert!(strangers.is_empty(), "received, and in no run: {strangers:?} of {:#?}", self.entries);
    }

    fn is_true_to_its_plan(&self) {
        let (job, repeat) = (&self.job, &self.job["repeat"]);
        let (limit, end) =
            (repeat["limit"].as_u64().unwrap_or(u64::MAX), repeat["endDate"].as_i64().unwrap_or(i64::MAX));
        let (every, start_at) =
            (repeat["every"].as_i64().expect("an interval"), job["start_at"].as_i64().expect("a start"));
        let numbers: BTreeSet<_> = self.runs().map(|run| number(&run["run_no"])).collect();
        let last = numbers.last().copied().unwrap_or(0);
        assert!(numbers.iter().copied().eq(1..=last) && last <= limit, "not 1 to {limit}: {:#?}", self.entries);
        let nominal: BTreeSet<_> = self.runs().filter_map(|run| run["nominal_at"].as_i64()).collect();
        let is_due = |at: &i64| *at >= start_at && *at <= end && (at - start_at) % every == 0;
        assert!(nominal.iter().all(is_due), "a run is no occurrence: {:#?}", self.entries);

        let skips = || self.entries.iter().filter(|entry| entry["count"].is_number());
        let unrun = self.runs().filter(|run| run["status"] == "skipped").count() as u64;
        let missed = skips().map(|entry| number(&entry["count"])).sum::<u64>() + unrun;
        assert_eq!(number(&job["missed"]), missed, "{:#?}", self.entries);
        let Some(latest) = nominal.last() else { return };
        let passed = u64::try_from((latest - start_at) / every).unwrap_or(0) + 1;
        let before =
            skips().filter(|entry| entry["due_at"].as_i64() < Some(*latest)).map(|entry| number(&entry["count"]));
        let had = nominal.len() as u64 + before.sum::<u64>();
        assert_eq!(had, passed, "of {passed} occurrences {had} have a run, or a reason: {:#?}", self.entries);
        if job["status"] == "completed" && last < limit {
            let ended_at = job["run"]["ended_at"].as_i64().expect("it has ended");
            let over = latest + every > end || ended_at + every > end;
            assert!(over, "it ended, and more was to come: {job}");
        }
    }

    /// No attempt of a paused fire, nor of a later one, begins until the resumption.
    fn was_held(&self, hold: &Hold, receiver: &Receiver) {
        let until = hold.until.unwrap_or(i64::MAX);
        for fire in self.counts.keys() {
            let parsed: Fire = fire.parse().unwrap_or_else(|error| panic!("{error}: {fire}"));
            let before = receiver.arrivals(fire).into_iter().filter(|at| *at < until).count() as u64;
            let may = match parsed.cmp(&hold.fire) {
                std::cmp::Ordering::Less => continue,
                std::cmp::Ordering::Equal => hold.attempts,
                std::cmp::Ordering::Greater => 0,
            };
            assert!(before <= may, "{fire} was received {before} times, and this holds: {hold:?}; {:#?}", self.entries);
        }
    }
}

impl Figures {
    fn add(&mut self, run: &Value) {
        *self.runs.entry(text(&run["status"]).to_owned()).or_default() += 1;
        for failure in run["failures"].as_array().into_iter().flatten() {
            *self.failures.entry(text(&failure["error"]["code"]).to_owned()).or_default() += 1;
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}
