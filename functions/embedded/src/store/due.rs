//! The timers in the rows of jobs.

use carillon_core::ids::{Fire, JobId};
use carillon_core::job::Status;
use carillon_core::machine::abandon;
use carillon_core::ports::PortError;
use carillon_core::time::UnixMillis;
use rusqlite::{Connection, TransactionBehavior, params};

use super::fault::Fault;
use super::rows::{AFTER_ALL, StateRow, StoredJob, change, code, ids, read, revision};
use super::{Store, sql};

/// A stored timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) at: UnixMillis,
    pub(crate) fire: Fire,
}

impl Store {
    /// Returns the timers after `after` (an instant and a job that is due then) up to `until`, earliest first.
    pub(crate) async fn due(
        &self,
        after: (UnixMillis, Option<JobId>),
        until: UnixMillis,
        limit: u32,
    ) -> Result<Vec<Due>, PortError> {
        self.readers.read_page(move |db| due(db, after, until, limit)).await
    }

    /// Reads jobs that are about to be needed, from one snapshot. Leaves errors to the later read of the job.
    pub(crate) fn read_ahead(&self, ids: &[JobId]) {
        let ahead = &self.effects.ahead;
        ahead.announce(ids);
        let read = self.readers.read(|db| {
            let snapshot = db.unchecked_transaction()?;
            let mut read_job = snapshot.prepare_cached(sql::READ_JOB)?;
            for id in ids {
                if let Some(stored) = StoredJob::find(&mut read_job, *id)? {
                    ahead.keep(*id, stored);
                }
            }
            Ok(())
        });
        if let Err(error) = read {
            tracing::debug!(error = &error as &dyn std::error::Error, "jobs cannot be read ahead");
        }
    }
}

fn due(db: &Connection, after: (UnixMillis, Option<JobId>), until: UnixMillis, limit: u32) -> Result<Vec<Due>, Fault> {
    let (after, job) = after;
    let job = job.map_or_else(|| AFTER_ALL.to_vec(), |id| id.to_bytes().to_vec());
    let mut statement = db.prepare_cached(sql::DUE)?;
    let rows = statement.query_map(params![after.0, job, until.0, limit], |row| {
        let job_id = JobId::from_bytes(row.get(1)?);
        Ok(Due { at: UnixMillis(row.get(0)?), fire: Fire { job_id, generation: row.get(2)?, run_no: row.get(3)? } })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Ends every lease. Only for the process that has the lock, before it runs jobs.
pub(super) fn abandon_all(db: &mut Connection, now: UnixMillis) -> Result<(), Fault> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let places: Vec<i64> =
        transaction.prepare(sql::PLACES)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for place in places {
        let mut leased = ids(&transaction, sql::LIST_RUNNING, params![place, AFTER_ALL, i64::MAX])?;
        let paused = params![place, AFTER_ALL, i64::MAX, code(Status::Paused)];
        leased.extend(ids(&transaction, sql::LIST_BY_STATUS, paused)?);
        for id in leased {
            match abandon_one(&transaction, id, now) {
                // A record that cannot be read must not keep the others from running.
                Err(fault @ Fault::Record { .. }) => {
                    tracing::error!(job_id = %id, %fault, "a job with an unreadable record is skipped");
                }
                result => result?,
            }
        }
    }
    Ok(transaction.commit()?)
}

fn abandon_one(db: &Connection, id: JobId, now: UnixMillis) -> Result<(), Fault> {
    if let Some(transition) = read(db, id)?.and_then(|job| abandon(&job, now)) {
        let row = StateRow::new(id, &transition.state)?;
        change(&mut *db.prepare_cached(sql::CHANGE_JOB)?, revision(transition.before.state.revision)?, &row)?;
    }
    Ok(())
}
