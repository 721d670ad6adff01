//! Jobs and their retired runs.

use super::Tables;
use crate::ids::{Fire, JobId};
use crate::job::{Job, Run};
use crate::machine::Transition;
use crate::ports::{History, JobQuery, ListedJobs, WriteOutcome};

impl Tables {
    /// [`JobStore::insert_new`](crate::ports::JobStore::insert_new).
    pub fn insert_job(&mut self, job: &Job) -> WriteOutcome {
        let stored = self.jobs.entry(job.id).or_insert_with(|| job.clone());
        if stored == job { WriteOutcome::Done } else { WriteOutcome::Conflict }
    }

    /// [`JobStore::commit`](crate::ports::JobStore::commit).
    ///
    /// # Panics
    /// If the transition begins at another job than the one that is stored with its revision.
    pub fn commit(&mut self, transition: &Transition) -> WriteOutcome {
        let Some(job) = self.jobs.get_mut(&transition.before.id) else { return WriteOutcome::Conflict };
        if job.state.revision != transition.before.state.revision {
            return WriteOutcome::Conflict;
        }
        assert_eq!(*job, transition.before, "it says what it leaves");
        *job = transition.after();
        let run = transition.retired.as_ref().unwrap_or(&job.state.run);
        let fire = Fire { job_id: job.id, generation: run.generation, run_no: run.run_no };
        self.outcomes.extend(transition.outcome().map(|outcome| (fire, outcome.clone())));
        self.retired.entry(job.id).or_default().extend(transition.retired.clone());
        WriteOutcome::Done
    }

    /// [`JobStore::list`](crate::ports::JobStore::list).
    pub fn list_jobs(&self, query: &JobQuery) -> ListedJobs {
        let wanted = self.jobs.values().rev().filter(|job| is_wanted(query, job));
        ListedJobs::full(wanted.take(query.limit).cloned().collect(), query.limit)
    }

    /// [`JobStore::retired_runs`](crate::ports::JobStore::retired_runs).
    pub fn retired_runs(&self, id: JobId, before: Option<(u32, u32)>, limit: usize) -> History {
        let place = |run: &Run| (run.generation, run.run_no);
        let runs = self.retired.get(&id).into_iter().flatten().rev();
        let wanted = runs.filter(|run| before.is_none_or(|before| place(run) < before));
        History::cut(wanted.take(limit + 1).cloned().collect(), limit)
    }
}

/// True for a job that a query asks for.
pub fn is_wanted(query: &JobQuery, job: &Job) -> bool {
    (&job.spec.product, &job.spec.env) == (&query.product, &query.env)
        && query.status.is_none_or(|status| status == job.state.status)
        && query.before.is_none_or(|before| job.id < before)
}
