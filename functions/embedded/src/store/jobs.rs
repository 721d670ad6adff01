//! The jobs.

use std::sync::Arc;

use carillon_core::ids::JobId;
use carillon_core::job::{Job, JobSpec, Status};
use carillon_core::machine::Transition;
use carillon_core::ports::{History, JobQuery, JobStore, ListedJobs, PortError, WriteOutcome};
use rusqlite::{Connection, params};

use super::fault::Fault;
use super::rows::{AFTER_ALL, RetiredRow, StateRow, change, claim, code, ids, json, parsed, read, revision};
use super::writer::{Write, WriteSession};
use super::{Effects, Store, places, sql};

impl JobStore for Store {
    async fn insert_new(&self, job: &Job) -> Result<WriteOutcome, PortError> {
        let row = StateRow::new(job.id, &job.state)?;
        let text = spec_text(job.id, &job.spec)?;
        self.writer.write(Insert { spec: Arc::clone(&job.spec), row, text }).await
    }

    /// Reads in the caller's thread, because a point read costs less than passing it to another thread.
    async fn get(&self, id: JobId) -> Result<Option<Job>, PortError> {
        match self.effects.ahead.take(id) {
            Some(stored) => Ok(Some(stored.parsed(id)?)),
            None => self.readers.read(|db| read(db, id)),
        }
    }

    async fn commit(&self, transition: &Transition) -> Result<WriteOutcome, PortError> {
        let id = transition.before.id;
        let row = StateRow::new(id, &transition.state)?;
        let expected = revision(transition.before.state.revision)?;
        let spec = transition.spec.as_ref().map(|spec| spec_text(id, spec)).transpose()?;
        let retired = transition.retired.as_ref();
        let retired = retired.map(|run| RetiredRow::new(id, run, transition.state.updated_at, self.kept_ms));
        // A paused job has no timer that its row could keep.
        let is_claim = transition.state.status == Status::Running && transition.before.state.status != Status::Paused;
        let before = Arc::clone(&transition.before.spec);
        self.writer.write(Change { before, is_claim, expected, row, spec, retired: retired.transpose()? }).await
    }

    async fn list(&self, query: &JobQuery) -> Result<ListedJobs, PortError> {
        let (query, limit) = (query.clone(), query.limit);
        let jobs = self.readers.read_page(move |db| list(db, &query)).await?;
        Ok(ListedJobs::full(jobs, limit))
    }

    async fn retired_runs(&self, id: JobId, before: Option<(u32, u32)>, limit: usize) -> Result<History, PortError> {
        self.readers.read_page(move |db| retired_runs(db, id, before, limit)).await
    }
}

fn spec_text(id: JobId, spec: &JobSpec) -> Result<String, Fault> {
    json(|| format!("the spec of {id}"), spec)
}

/// A new job.
struct Insert {
    spec: Arc<JobSpec>,
    row: StateRow,
    /// The spec as it is stored.
    text: String,
}

impl Write for Insert {
    fn apply(&mut self, session: &mut WriteSession<'_>) -> Result<WriteOutcome, Fault> {
        let place = session.places.number(session.db, &self.spec.product, &self.spec.env)?;
        let row = &self.row;
        let inserted = session.insert_job.of(session.db)?.execute(params![
            row.id,
            *session.next_spec,
            place,
            row.status,
            row.revision,
            row.generation,
            row.run_no,
            row.wake_at,
            row.state
        ])?;
        if inserted == 0 {
            let is_own = session.db.prepare_cached(sql::HAS_JOB)?.exists(params![row.id, row.state, self.text])?;
            return Ok(if is_own { WriteOutcome::Done } else { WriteOutcome::Conflict });
        }
        session.insert_spec.of(session.db)?.execute(params![*session.next_spec, self.text])?;
        *session.next_spec += 1;
        Ok(WriteOutcome::Done)
    }

    fn take_effect(self: Box<Self>, effects: &Effects) {
        self.row.note(&self.spec.product, effects);
    }
}

/// A transition.
struct Change {
    before: Arc<JobSpec>,
    /// True if the job is running from here on, and had a timer before.
    is_claim: bool,
    expected: i64,
    row: StateRow,
    /// The stored form of the spec, if it changes.
    spec: Option<String>,
    retired: Option<RetiredRow>,
}

impl Write for Change {
    fn apply(&mut self, session: &mut WriteSession<'_>) -> Result<WriteOutcome, Fault> {
        let changed = if self.is_claim {
            claim(session.claim_job.of(session.db)?, self.expected, &self.row)?
        } else {
            change(session.change_job.of(session.db)?, self.expected, &self.row)?
        };
        if changed == 0 {
            return Ok(WriteOutcome::Conflict);
        }
        if let Some(spec) = &self.spec {
            session.db.prepare_cached(sql::CHANGE_SPEC)?.execute(params![self.row.id, spec])?;
        }
        if let Some(run) = &self.retired {
            let row = params![self.row.id, run.generation, run.run_no, run.run, run.expires_at];
            session.db.prepare_cached(sql::RETIRE_RUN)?.execute(row)?;
            session.db.prepare_cached(sql::FORGET_RUNS)?.execute([run.retired_at])?;
        }
        Ok(WriteOutcome::Done)
    }

    fn take_effect(self: Box<Self>, effects: &Effects) {
        let product = &self.before.product;
        if self.is_claim { self.row.note_claim(product, effects) } else { self.row.note(product, effects) }
    }
}

fn list(db: &Connection, query: &JobQuery) -> Result<Vec<Job>, Fault> {
    // One snapshot for the ids and their records, so that each job has the status by which it is listed.
    let snapshot = db.unchecked_transaction()?;
    let Some(place) = places::find(&snapshot, &query.product, &query.env)? else { return Ok(Vec::new()) };
    let before = query.before.map_or_else(|| AFTER_ALL.to_vec(), |id| id.to_bytes().to_vec());
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let ids = match query.status {
        Some(Status::Running) => ids(&snapshot, sql::LIST_RUNNING, params![place, before, limit])?,
        Some(status) => ids(&snapshot, sql::LIST_BY_STATUS, params![place, before, limit, code(status)])?,
        None => ids(&snapshot, sql::LIST, params![place, before, limit])?,
    };
    ids.into_iter().filter_map(|id| read(&snapshot, id).transpose()).collect()
}

fn retired_runs(db: &Connection, id: JobId, before: Option<(u32, u32)>, limit: usize) -> Result<History, Fault> {
    let before = before.map_or((i64::MAX, i64::MAX), |(generation, run_no)| (generation.into(), run_no.into()));
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut statement = db.prepare_cached(sql::RETIRED_RUNS)?;
    let mut rows = statement.query(params![id.to_bytes(), before.0, before.1, one_more])?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        runs.push(parsed(row, 0, || format!("a run of {id}"))?);
    }
    Ok(History::cut(runs, limit))
}
