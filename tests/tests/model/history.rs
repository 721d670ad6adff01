//! The events so far, as far as the properties need them.

use std::collections::{BTreeMap, BTreeSet};

use carillon_core::ids::Fire;
use carillon_core::job::Run;
use carillon_core::machine::{Effect, Transition};

use crate::operation::{END, LIMIT, Operation};
use crate::properties::{HELD, IN_THE_PLAN};

/// The events so far, as far as the properties need them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct History {
    /// The caller has its 2xx.
    pub(crate) is_acknowledged: bool,
    /// A pause was acknowledged, and the job was neither resumed nor retried since.
    pub(crate) is_held: bool,
    /// A cancel was acknowledged.
    pub(crate) is_called_off: bool,
    /// Properties that a step broke.
    pub(crate) broken: BTreeSet<&'static str>,
    pub(crate) fires: BTreeMap<(u32, u32), Tally>,
}

/// The events of a fire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tally {
    /// The runs as last stored.
    pub(crate) attempts: u32,
    pub(crate) dispatches: u32,
    pub(crate) outcomes: u32,
}

impl History {
    /// A caller gets a 2xx.
    pub(crate) fn acknowledges(&mut self, operation: Operation, is_countered: bool) {
        match operation {
            Operation::Schedule => self.is_acknowledged = true,
            Operation::Pause => self.is_held |= !is_countered,
            Operation::Cancel => self.is_called_off = true,
            _ => {}
        }
    }

    /// The target sees an attempt.
    pub(crate) fn dispatches(&mut self, fire: Fire) {
        self.fires.entry((fire.generation, fire.run_no)).or_default().dispatches += 1;
    }

    /// Stores a transition. Its records are read from the runs themselves.
    pub(crate) fn stores(&mut self, transition: &Transition) {
        let (before, after) = (&transition.before.state.run, &transition.state.run);
        let worked_on = transition.retired.as_ref().unwrap_or(after);
        for run in [worked_on, after] {
            if run.attempts > 0 {
                self.tally(run).attempts = run.attempts;
            }
        }
        if worked_on.outcome.is_some() && before.outcome.is_none() {
            self.tally(worked_on).outcomes += 1;
            let is_beyond = worked_on.run_no > LIMIT || worked_on.nominal_at.is_some_and(|at| at > END);
            self.broken.extend(is_beyond.then_some(IN_THE_PLAN));
        }
        let claims = matches!(transition.effect, Effect::Dispatch { .. });
        self.broken.extend((claims && (self.is_held || self.is_called_off)).then_some(HELD));
    }

    fn tally(&mut self, run: &Run) -> &mut Tally {
        self.fires.entry((run.generation, run.run_no)).or_default()
    }
}
