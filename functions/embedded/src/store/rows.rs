//! The rows of a job: writes its parts to columns and reads them back.

use std::sync::Arc;

use carillon_core::ids::{Fire, JobId};
use carillon_core::job::{Job, JobSpec, JobState, Run, Status};
use carillon_core::time::UnixMillis;
use rusqlite::{Connection, OptionalExtension, Params, Row, Statement, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fault::Fault;
use super::{Effects, sql};

/// Sorts after every id.
pub(super) const AFTER_ALL: [u8; 17] = [0xff; 17];

/// The columns that change with the state of a job.
pub(super) struct StateRow {
    pub(super) id: [u8; 16],
    pub(super) status: u8,
    pub(super) revision: i64,
    pub(super) generation: u32,
    pub(super) run_no: u32,
    pub(super) wake_at: Option<i64>,
    pub(super) state: String,
}

impl StateRow {
    pub(super) fn new(id: JobId, state: &JobState) -> Result<Self, Fault> {
        Ok(Self {
            id: id.to_bytes(),
            status: code(state.status),
            revision: revision(state.revision)?,
            generation: state.run.generation,
            run_no: state.run.run_no,
            wake_at: state.wake_at.map(|at| at.0),
            state: json(|| format!("the state of {id}"), state)?,
        })
    }

    /// Notes the timer in the due queue, and that records read ahead are outdated.
    pub(super) fn note(&self, product: &str, effects: &Effects) {
        effects.due_queue.note(product, self.fire(effects), self.wake_at.map(UnixMillis));
    }

    /// Notes a claim in the same way. Its timer is not in the store.
    pub(super) fn note_claim(&self, product: &str, effects: &Effects) {
        let fire = self.fire(effects);
        match self.wake_at {
            Some(at) => effects.due_queue.note_unstored(product, fire, UnixMillis(at)),
            None => effects.due_queue.note(product, fire, None),
        }
    }

    fn fire(&self, effects: &Effects) -> Fire {
        let job_id = JobId::from_bytes(self.id);
        effects.ahead.take(job_id);
        Fire { job_id, generation: self.generation, run_no: self.run_no }
    }
}

pub(super) struct RetiredRow {
    pub(super) generation: u32,
    pub(super) run_no: u32,
    pub(super) run: String,
    /// The instants at which the run enters and leaves the history, in Unix ms.
    pub(super) retired_at: i64,
    pub(super) expires_at: i64,
}

impl RetiredRow {
    pub(super) fn new(id: JobId, run: &Run, retired_at: UnixMillis, kept_ms: i64) -> Result<Self, Fault> {
        Ok(Self {
            generation: run.generation,
            run_no: run.run_no,
            run: json(|| format!("a run of {id}"), run)?,
            retired_at: retired_at.0,
            expires_at: retired_at.plus(kept_ms).0,
        })
    }
}

/// Returns the number of a status in the tables. It is part of their layout.
pub(super) const fn code(status: Status) -> u8 {
    match status {
        Status::Scheduled => 0,
        Status::Queued => 1,
        Status::Running => 2,
        Status::Completed => 3,
        Status::Failed => 4,
        Status::Cancelled => 5,
        Status::Paused => 6,
    }
}

pub(super) fn revision(revision: u64) -> Result<i64, Fault> {
    revision.try_into().map_err(|_| Fault::OutOfRange { what: "revision" })
}

pub(super) fn json(what: impl FnOnce() -> String, value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|source| Fault::Record { what: what(), source })
}

/// Parses the JSON of a column. `what` names the record for the log.
pub(super) fn parsed<T: DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
    what: impl FnOnce() -> String,
) -> Result<T, Fault> {
    parsed_bytes(row.get_ref(column)?.as_bytes().map_err(rusqlite::Error::from)?, what)
}

fn parsed_bytes<T: DeserializeOwned>(text: &[u8], what: impl FnOnce() -> String) -> Result<T, Fault> {
    // Checked as a whole, which costs less than string by string.
    let read = std::str::from_utf8(text).map_or_else(|_| serde_json::from_slice(text), serde_json::from_str);
    read.map_err(|source| Fault::Record { what: what(), source })
}

/// A job as its rows have it.
#[derive(Debug)]
pub(super) struct StoredJob {
    pub(super) state: Vec<u8>,
    pub(super) spec: Vec<u8>,
}

impl StoredJob {
    /// Finds a job's rows, by [`sql::READ_JOB`].
    pub(super) fn find(read_job: &mut Statement<'_>, id: JobId) -> Result<Option<Self>, Fault> {
        let mut rows = read_job.query([id.to_bytes()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let text = |column| Ok::<_, Fault>(row.get_ref(column)?.as_bytes().map_err(rusqlite::Error::from)?.to_owned());
        Ok(Some(Self { state: text(0)?, spec: text(1)? }))
    }

    pub(super) fn parsed(&self, id: JobId) -> Result<Job, Fault> {
        job(id, &self.state, &self.spec)
    }
}

fn job(id: JobId, state: &[u8], spec: &[u8]) -> Result<Job, Fault> {
    let state = parsed_bytes(state, || format!("the state of {id}"))?;
    let spec: JobSpec = parsed_bytes(spec, || format!("the spec of {id}"))?;
    Ok(Job { id, spec: Arc::new(spec), state })
}

/// Reads a job.
pub(super) fn read(db: &Connection, id: JobId) -> Result<Option<Job>, Fault> {
    let mut statement = db.prepare_cached(sql::READ_JOB)?;
    let mut rows = statement.query([id.to_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let text = |column| Ok::<_, Fault>(row.get_ref(column)?.as_bytes().map_err(rusqlite::Error::from)?);
    job(id, text(0)?, text(1)?).map(Some)
}

/// Returns the ids that a statement selects.
pub(super) fn ids(db: &Connection, statement: &str, parameters: impl Params) -> Result<Vec<JobId>, Fault> {
    let mut statement = db.prepare_cached(statement)?;
    let ids = statement.query_map(parameters, |row| row.get(0).map(JobId::from_bytes))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Stores a claim on top of this revision, by [`sql::CLAIM_JOB`]. Returns the number of jobs that had it, 0 or 1.
pub(super) fn claim(claim_job: &mut Statement<'_>, expected: i64, row: &StateRow) -> rusqlite::Result<usize> {
    claim_job.execute(params![row.id, expected, row.revision, row.generation, row.run_no, row.state])
}

/// Stores a state on top of this revision, by [`sql::CHANGE_JOB`]. Returns the number of jobs that had it, 0 or 1.
pub(super) fn change(change_job: &mut Statement<'_>, expected: i64, row: &StateRow) -> rusqlite::Result<usize> {
    change_job.execute(params![
        row.id,
        expected,
        row.status,
        row.revision,
        row.generation,
        row.run_no,
        row.wake_at,
        row.state
    ])
}

/// Returns the number of the next spec.
pub(super) fn next_spec(db: &Connection) -> rusqlite::Result<i64> {
    let last: Option<i64> = db.query_row(sql::LAST_SPEC, [], |row| row.get(0)).optional()?;
    Ok(last.unwrap_or(0) + 1)
}
