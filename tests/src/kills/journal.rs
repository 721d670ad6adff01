//! The answers that callers received.

use std::collections::{BTreeMap, BTreeSet};

use carillon_core::ids::Fire;
use serde_json::Value;

/// The answers to one caller, or to several.
#[derive(Debug, Default)]
pub struct Journal {
    /// Jobs that were acknowledged, and what else is known of each.
    pub(super) jobs: BTreeMap<String, Known>,
    /// Runs that had ended, as they were shown then.
    pub(super) ended: BTreeMap<String, Value>,
    /// Jobs that were paused or cancelled.
    pub(super) holds: Vec<Hold>,
    /// Changes that were made, by their verb.
    pub(super) changes: BTreeMap<&'static str, u64>,
    /// Requests that got no answer.
    pub(super) unanswered: u64,
}

/// A job as a caller knows it.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The values that its `timeout` can have: the last one that was acknowledged, and those that were asked for since.
    pub(super) timeouts: BTreeSet<u64>,
    /// Its state when its cancellation was acknowledged.
    pub(super) cancelled: Option<Value>,
}

/// A job that was paused or cancelled.
#[derive(Debug)]
pub(super) struct Hold {
    /// The fire that it waited for, or that was under way.
    pub(super) fire: Fire,
    /// The attempts of it that had begun.
    pub(super) attempts: u64,
    /// When its resumption was first requested, epoch ms.
    pub(super) until: Option<i64>,
}

impl Journal {
    /// Merges the answers of another caller.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.jobs.extend(other.jobs);
        self.ended.extend(other.ended);
        self.holds.extend(other.holds);
        for (verb, count) in other.changes {
            *self.changes.entry(verb).or_default() += count;
        }
        self.unanswered += other.unanswered;
        self
    }

    /// Records a pause or a cancellation from its answer.
    pub(super) fn held(&mut self, job: &Value) {
        let fire =
            format!("{}_g{}_r{}", job["job_id"].as_str().unwrap_or_default(), job["generation"], job["run"]["run_no"]);
        let fire = fire.parse().unwrap_or_else(|error| panic!("{error}: {job}"));
        let attempts = job["run"]["attempts"].as_u64().unwrap_or_default();
        self.holds.push(Hold { fire, attempts, until: None });
    }

    /// Jobs that are paused, without the cancelled ones.
    pub(super) fn paused(&self) -> impl Iterator<Item = String> {
        let held = self.holds.iter().filter(|hold| hold.until.is_none()).map(|hold| hold.fire.job_id.to_string());
        held.filter(|id| self.jobs.get(id).is_none_or(|known| known.cancelled.is_none()))
    }

    /// Records that a resumption is about to be requested, if the job was paused.
    pub(super) fn let_go(&mut self, id: &str, now: i64) {
        let of_it = self.holds.iter_mut().filter(|hold| hold.until.is_none() && hold.fire.job_id.to_string() == id);
        of_it.for_each(|hold| hold.until = Some(now));
    }

    /// Notes the runs of a list that have ended.
    pub(super) fn saw(&mut self, runs: Vec<Value>) {
        for run in runs {
            let fire = run["webhook_id"].as_str().map(str::to_owned);
            if let Some(fire) = fire.filter(|_| run["ended_at"].is_number()) {
                self.ended.insert(fire, run);
            }
        }
    }
}
