//! Checks of quotas: each counter is the sum of what distinct parts of runs had counted since its reset.

use std::collections::{BTreeMap, BTreeSet};

use carillon_core::progress::{CheckpointId, Counted, CounterId};

/// Watches the counters.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    /// A part that counted an amount, or reset a counter.
    had: BTreeSet<CheckpointId>,
    /// The amounts counted since each counter's reset.
    counted: BTreeMap<CounterId, BTreeMap<CheckpointId, u64>>,
}

/// A part's request to a counter, and its result.
pub(crate) struct Tally<'a> {
    pub(crate) counter: &'a CounterId,
    pub(crate) by: &'a CheckpointId,
    /// The amount used, as the store says.
    pub(crate) stored: u64,
}

impl Tallies {
    fn sum(&self, counter: &CounterId) -> u64 {
        self.counted.get(counter).into_iter().flatten().map(|(_, amount)| amount).sum()
    }

    /// True if the amount of a part was counted.
    pub(crate) fn has(&self, by: &CheckpointId) -> bool {
        self.had.contains(by)
    }

    /// An amount was counted, or not. Says what is wrong with that.
    pub(crate) fn added(&mut self, tally: &Tally<'_>, (amount, limit): (u64, u64), told: Counted) -> Option<String> {
        let Tally { counter, by, stored } = *tally;
        let (before, is_new) = (self.sum(counter), !self.had.contains(by));
        let fits = before + amount <= limit;
        if is_new && fits {
            self.had.insert(by.clone());
            self.counted.entry(counter.clone()).or_default().insert(by.clone(), amount);
        }
        let used = self.sum(counter);
        let right = if is_new && !fits { Counted::Over { used } } else { Counted::Counted { used } };
        let is_so = told == right && stored == used && stored <= limit;
        (!is_so)
            .then(|| format!("{by:?} adds {amount} to {before} of {limit}, is told {told:?}, and {stored} is stored"))
    }

    /// Checks a counter after a reset.
    pub(crate) fn reset(&mut self, tally: &Tally<'_>) -> Option<String> {
        let Tally { counter, by, stored } = *tally;
        if self.had.insert(by.clone()) {
            self.counted.remove(counter);
        }
        let used = self.sum(counter);
        (stored != used).then(|| format!("{counter:?} begins anew by {by:?}: {stored} is stored, and {used} counted"))
    }
}
