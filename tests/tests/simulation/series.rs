//! The expected runs of a recurring job: computed by plain division, or read off a wall clock minute by minute, not
//! by the crate's own search.

use std::collections::BTreeSet;
use std::rc::Rc;

use carillon_core::job::{Job, Status};
use carillon_core::time::UnixMillis;

use crate::oracle::SKEW_MS;
use crate::wall;

const MINUTE_MS: i64 = 60_000;

/// The instants that a series may run at.
#[derive(Clone, Debug)]
pub(crate) enum Grid {
    /// Those from one on that leave one of these rests when divided.
    Even { from: i64, interval: i64, offsets: Vec<i64> },
    /// These, from one on: they cover the days around the simulation.
    ListedJobs { from: i64, instants: Rc<[i64]> },
}

impl Grid {
    pub(crate) fn of(job: &Job) -> Option<Self> {
        let repeat = job.spec.repeat.as_ref()?;
        let from = job.spec.start_at.0;
        let hour = 60 * MINUTE_MS;
        Some(match (&repeat.cron, &repeat.tz, repeat.every) {
            (Some(cron), Some(tz), _) => {
                Self::ListedJobs { from, instants: wall::instants(cron, tz, job.spec.created_at) }
            }
            (Some(cron), None, _) => {
                let minutes: &[i64] = match cron.as_str() {
                    "*/20 * * * *" => &[0, 20, 40],
                    "0 * * * *" => &[0],
                    _ => &[5, 35],
                };
                Self::Even { from, interval: hour, offsets: minutes.iter().map(|minute| minute * MINUTE_MS).collect() }
            }
            (None, _, every) => {
                let interval = i64::try_from(every?).ok()?;
                Self::Even { from, interval, offsets: vec![from.rem_euclid(interval)] }
            }
        })
    }

    fn has(&self, at: i64) -> bool {
        match self {
            Self::Even { from, interval, offsets } => at >= *from && offsets.contains(&at.rem_euclid(*interval)),
            Self::ListedJobs { from, instants } => at >= *from && instants.binary_search(&at).is_ok(),
        }
    }

    /// The first instant at or after one.
    pub(crate) fn from(&self, at: i64) -> i64 {
        match self {
            Self::Even { from, interval, offsets } => {
                let at = at.max(*from);
                let rest = at.rem_euclid(*interval);
                let ahead = offsets.iter().map(|offset| (offset - rest).rem_euclid(*interval)).min();
                at + ahead.unwrap_or(0)
            }
            Self::ListedJobs { from, instants } => {
                let next = instants.partition_point(|instant| *instant < at.max(*from));
                instants.get(next).copied().unwrap_or(i64::MAX)
            }
        }
    }

    /// Number of occurrences from one instant until another.
    fn between(&self, since: i64, until: i64) -> u64 {
        let count = match self {
            Self::Even { from, interval, offsets } => {
                let below =
                    |at: i64| -> i64 { offsets.iter().map(|offset| (at - 1 - offset).div_euclid(*interval)).sum() };
                below(until) - below(since.max(*from))
            }
            Self::ListedJobs { from, instants } => {
                let below = |at: i64| instants.partition_point(|instant| *instant < at);
                i64::try_from(below(until)).unwrap_or(0) - i64::try_from(below(since.max(*from))).unwrap_or(0)
            }
        };
        u64::try_from(count).unwrap_or(0)
    }
}

/// A job's series since it was last planned.
#[derive(Debug, Default)]
pub(crate) struct Series {
    /// The first occurrence of the plan; `None` when the plan changed under a run, and cannot be told from outside.
    first: Option<i64>,
    /// The number of missed occurrences until then.
    missed: u64,
    /// Occurrences that had their run.
    had: BTreeSet<i64>,
}

impl Series {
    /// The series of a new job.
    pub(crate) fn begun(job: &Job) -> Option<Self> {
        let first = job.state.run.nominal_at?;
        Some(Self { first: Some(first.0), ..Self::default() })
    }

    /// The current run of `old` ended. Says what is wrong with that, if the series ended with it.
    pub(crate) fn ended(&mut self, old: &Job, new: &Job, now: UnixMillis) -> Option<String> {
        self.had.extend(old.state.run.nominal_at.map(|at| at.0));
        let repeat = new.spec.repeat.as_ref()?;
        if new.state.status != Status::Completed || repeat.limit.is_some_and(|limit| old.state.run.run_no >= limit) {
            return None;
        }
        let passed = old.state.run.nominal_at.max(old.state.planned_through).map_or(0, |at| at.0 + 1);
        let next = Grid::of(new)?.from(passed.max(now.0 + SKEW_MS));
        let is_over = repeat.end_date.is_some_and(|end| next > end.0);
        (!is_over).then(|| format!("it ended, and {} was to come", UnixMillis(next)))
    }

    /// Another plan may have been made. Says what is wrong with it.
    pub(crate) fn planned(&mut self, old: &Job, new: &Job, is_edited: bool) -> Option<String> {
        let (before, after) = (&old.state, &new.state);
        if is_edited && before.run.attempts == 0 && before.run.generation != after.run.generation {
            *self = Self { first: after.run.nominal_at.map(|at| at.0), missed: after.missed, had: BTreeSet::new() };
        } else if is_edited && (&old.spec.repeat, old.spec.start_at) != (&new.spec.repeat, new.spec.start_at) {
            self.first = None;
            return None;
        }
        let at = after.run.nominal_at.filter(|at| Some(*at) != before.run.nominal_at)?.0;
        let grid = Grid::of(new)?;
        if !grid.has(at) {
            return Some(format!("{} is no occurrence", UnixMillis(at)));
        }
        let first = self.first?;
        let passed = grid.between(first, at);
        let had = u64::try_from(self.had.range(first..at).count()).unwrap_or(0);
        let missed = self.missed + passed - had.min(passed);
        (after.missed != missed)
            .then(|| format!("{} occurrences are said to be missed, and {missed} were", after.missed))
    }
}
