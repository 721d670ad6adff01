//! Makes a failure small: jobs, steps, changes of catalogs and faults go, one after the other, as long as it still fails in the same way.

use crate::drive::{Report, run};
use crate::mutation::Mutation;
use crate::plan::Plan;

/// Maximum number of runs for a small failure.
const MAX_RUNS: usize = 3_000;

/// The smallest plan that was found to break `invariant`.
pub(crate) fn shrunk(plan: &Plan, mutation: Option<Mutation>, invariant: &str) -> Plan {
    let mut shrink = Shrink { plan: plan.clone(), mutation, invariant, runs: 0 };
    loop {
        let before = shrink.size();
        shrink.drop_jobs();
        shrink.drop_steps();
        shrink.drop_changes();
        shrink.drop_faults();
        if before == shrink.size() || shrink.runs >= MAX_RUNS {
            return shrink.plan;
        }
    }
}

struct Shrink<'a> {
    plan: Plan,
    mutation: Option<Mutation>,
    invariant: &'a str,
    runs: usize,
}

impl Shrink<'_> {
    fn size(&self) -> [usize; 4] {
        let steps =
            self.plan.jobs.iter().map(|job| job.steps.len() + job.again.len() + usize::from(job.is_previewed)).sum();
        [self.plan.jobs.len(), steps, self.plan.changes.len(), self.plan.without.len()]
    }

    /// Takes the smaller plan if it fails as well.
    fn attempt(&mut self, smaller: Plan) -> bool {
        self.runs += 1;
        let fails = self.runs < MAX_RUNS && self.fails(&run(&smaller, self.mutation, false));
        if fails {
            self.plan = smaller;
        }
        fails
    }

    fn fails(&self, report: &Report) -> bool {
        report.violations.iter().any(|violation| violation.invariant == self.invariant)
    }

    /// Leaves out runs of jobs, half of them at first and one at last.
    fn drop_jobs(&mut self) {
        let mut length = self.plan.jobs.len().div_ceil(2);
        while length > 0 {
            let mut at = 0;
            while at < self.plan.jobs.len() {
                let mut smaller = self.plan.clone();
                let end = smaller.jobs.len().min(at + length);
                smaller.jobs.drain(at..end);
                if !self.attempt(smaller) {
                    at += length;
                }
            }
            length /= 2;
        }
    }

    fn drop_steps(&mut self) {
        for job in 0..self.plan.jobs.len() {
            for step in (0..self.plan.jobs[job].steps.len()).rev() {
                let mut smaller = self.plan.clone();
                smaller.jobs[job].steps.remove(step);
                self.attempt(smaller);
            }
            for again in (0..self.plan.jobs[job].again.len()).rev() {
                let mut smaller = self.plan.clone();
                smaller.jobs[job].again.remove(again);
                self.attempt(smaller);
            }
            if self.plan.jobs[job].is_previewed {
                let mut smaller = self.plan.clone();
                smaller.jobs[job].is_previewed = false;
                self.attempt(smaller);
            }
        }
    }

    fn drop_changes(&mut self) {
        for change in (0..self.plan.changes.len()).rev() {
            let mut smaller = self.plan.clone();
            smaller.changes.remove(change);
            self.attempt(smaller);
        }
    }

    fn drop_faults(&mut self) {
        let mut calm = self.plan.clone();
        calm.faults_in_10_000 = 0;
        if self.plan.faults_in_10_000 == 0 || self.attempt(calm) {
            return;
        }
        let mut kept = 0;
        loop {
            let faults = run(&self.plan, self.mutation, false).faults;
            let Some(fault) = faults.get(kept) else { return };
            let mut smaller = self.plan.clone();
            smaller.without.insert(*fault);
            if !self.attempt(smaller) {
                kept += 1;
            }
        }
    }
}
