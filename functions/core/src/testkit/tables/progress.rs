//! Progress of events that consist of others, counters, and the health of fallbacks.

use std::collections::{BTreeMap, BTreeSet};

use crate::progress::{Checkpoint, CheckpointId, Counted, CounterId, FallbackId, RunId};
use crate::time::UnixMillis;

/// Checkpoints, counters, and failing options.
#[derive(Clone, Debug, Default)]
pub struct ProgressTables {
    /// The parts that are done, by run and place.
    pub parts: BTreeMap<RunId, BTreeMap<String, Checkpoint>>,
    /// The amount used of each counter.
    pub used: BTreeMap<CounterId, u64>,
    /// The amounts counted.
    pub counted: BTreeSet<CheckpointId>,
    /// The options that are marked as failing.
    pub marks: BTreeMap<FallbackId, BTreeMap<String, UnixMillis>>,
}

impl ProgressTables {
    /// [`Checkpoints::finished`](crate::ports::Checkpoints::finished).
    pub fn finished(&self, run: RunId, under: &str) -> Vec<Checkpoint> {
        let parts = self.parts.get(&run).into_iter().flat_map(BTreeMap::values);
        parts.filter(|part| part.place.starts_with(under)).cloned().collect()
    }

    /// [`Checkpoints::save`](crate::ports::Checkpoints::save).
    pub fn save(&mut self, run: RunId, part: &Checkpoint, _: UnixMillis) {
        self.parts.entry(run).or_default().insert(part.place.clone(), part.clone());
    }

    /// [`Counters::used`](crate::ports::Counters::used).
    pub fn used(&self, counter: &CounterId) -> u64 {
        self.used.get(counter).copied().unwrap_or_default()
    }

    /// [`Counters::add`](crate::ports::Counters::add).
    pub fn add(&mut self, counter: &CounterId, by: &CheckpointId, amount: u64, limit: u64) -> Counted {
        let used = self.used.entry(counter.clone()).or_default();
        if self.counted.contains(by) {
            return Counted::Counted { used: *used };
        }
        let after = used.saturating_add(amount);
        if after > limit {
            return Counted::Over { used: *used };
        }
        *used = after;
        self.counted.insert(by.clone());
        Counted::Counted { used: after }
    }

    /// [`Counters::reset`](crate::ports::Counters::reset).
    pub fn reset(&mut self, counter: &CounterId, by: &CheckpointId) {
        if self.counted.insert(by.clone()) {
            self.used.remove(counter);
        }
    }

    /// [`FallbackHealth::failing`](crate::ports::FallbackHealth::failing).
    pub fn failing(&self, fallback: &FallbackId) -> BTreeMap<String, UnixMillis> {
        self.marks.get(fallback).cloned().unwrap_or_default()
    }

    /// [`FallbackHealth::mark`](crate::ports::FallbackHealth::mark).
    pub fn mark(&mut self, fallback: &FallbackId, option: &str, until: UnixMillis) {
        self.marks.entry(fallback.clone()).or_default().insert(option.to_owned(), until);
    }
}
