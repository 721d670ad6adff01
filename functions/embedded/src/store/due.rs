//! The timers in the rows of jobs.

use carillon_core::ids::{Fire, JobId};
use carillon_core::job::Status;
use carillon_core::machine::abandon;
use carillon_core::ports::PortError;
use carillon_core::time::UnixMillis;
use rusqlite::{Connection, Row, TransactionBehavior, params};

use super::fault::Fault;
use super::rows::{AFTER_ALL, StateRow, StoredJob, change, code, ids, read, revision};
use super::{Store, sql};

/// A stored timer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) at: UnixMillis,
    pub(crate) fire: Fire,
    pub(crate) product: String,
}

impl Store {
    /// Returns the timers of a product, or of all, after `after` (an instant and a job that is due then) up to `until`, earliest
    /// first.
    pub(crate) async fn due(
        &self,
        product: Option<&str>,
        after: (UnixMillis, Option<JobId>),
        until: UnixMillis,
        limit: u32,
    ) -> Result<Vec<Due>, PortError> {
        let product = product.map(str::to_owned);
        self.readers.read_page(move |db| due(db, product.as_deref(), after, until, limit)).await
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

fn due(
    db: &Connection,
    product: Option<&str>,
    (after, job): (UnixMillis, Option<JobId>),
    until: UnixMillis,
    limit: u32,
) -> Result<Vec<Due>, Fault> {
    let job = job.map_or_else(|| AFTER_ALL.to_vec(), |id| id.to_bytes().to_vec());
    let read = |row: &Row<'_>| {
        let job_id = JobId::from_bytes(row.get(1)?);
        let fire = Fire { job_id, generation: row.get(2)?, run_no: row.get(3)? };
        Ok(Due { at: UnixMillis(row.get(0)?), fire, product: row.get(4)? })
    };
    let rows: rusqlite::Result<_> = match product {
        Some(product) => {
            let mut statement = db.prepare_cached(sql::DUE_OF_PRODUCT)?;
            statement.query_map(params![after.0, job, until.0, limit, product], read)?.collect()
        }
        None => db.prepare_cached(sql::DUE)?.query_map(params![after.0, job, until.0, limit], read)?.collect(),
    };
    Ok(rows?)
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
