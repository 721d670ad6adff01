//! The dead letters. This stack has no queue that keeps them: a spent fire is a row that says so.

use carillon_core::ids::{Fire, JobId};
use carillon_core::job::Status;
use carillon_core::ports::{DeadLetters, PortError, Redriven};
use rusqlite::{Connection, params};

use super::fault::Fault;
use super::rows::code;
use super::{Store, sql};

const SPENT: &str = "
    SELECT id, generation, run_no FROM jobs WHERE place = ?1 AND status = ?2 ORDER BY id DESC LIMIT ?3";

impl DeadLetters for Store {
    async fn redrive_all(&self, limit: usize) -> Result<Redriven, PortError> {
        Ok(Redriven::Fires(self.readers.read_page(move |db| spent(db, limit)).await?))
    }
}

fn spent(db: &Connection, limit: usize) -> Result<Vec<Fire>, Fault> {
    let places: Vec<i64> =
        db.prepare_cached(sql::PLACES)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut statement = db.prepare_cached(SPENT)?;
    let mut fires = Vec::new();
    for place in places {
        let left = i64::try_from(limit - fires.len()).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![place, code(Status::Failed), left], |row| {
            Ok(Fire { job_id: JobId::from_bytes(row.get(0)?), generation: row.get(1)?, run_no: row.get(2)? })
        })?;
        fires.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(fires)
}
