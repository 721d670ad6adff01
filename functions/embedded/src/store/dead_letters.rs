//! The dead letters. This stack has no queue for them: a fire that failed for good is a failed job in the store.

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

#[cfg(test)]
mod tests {
    use carillon_core::ids::Owner;
    use carillon_core::job::{Job, RunError, codes};
    use carillon_core::machine::Trigger;
    use carillon_core::ports::Ports as _;

    use super::*;
    use crate::clock::ManualClock;
    use crate::samples::{NOW, claim, commit, in_memory, insert, job};

    #[tokio::test]
    async fn the_dead_letters_are_the_fires_of_failed_jobs_up_to_the_limit_the_newest_of_a_product_first() {
        let embedded = in_memory(&ManualClock::new(NOW));
        let mut spent = Vec::new();
        for number in 0..5 {
            let mut spec = (*job(number, 0).spec).clone();
            spec.product = if number == 2 { "bank".into() } else { spec.product };
            let job = Job { spec: spec.into(), ..job(number, 0) };
            insert(&embedded, &job).await;
            let running = commit(&embedded, &job, &claim(&job), NOW).await;
            let error = RunError::permanent(codes::FORBIDDEN, "no");
            let fail = Trigger::Fail { owner: Owner::new(1), error, random: 0.0 };
            spent.push(commit(&embedded, &running, &fail, NOW).await);
        }
        insert(&embedded, &job(5, 0)).await;
        let revived = commit(&embedded, &spent[3], &Trigger::Retry { delay_ms: 0 }, NOW).await;
        let redriven = async |limit| match embedded.dead_letters().redrive_all(limit).await.unwrap() {
            Redriven::Fires(fires) => fires,
            other => panic!("{other:?}"),
        };
        let wanted = [4, 1, 0, 2].map(|number: usize| spent[number].fire());
        assert_eq!(redriven(100).await, wanted, "{} is not among them", revived.fire());
        assert_eq!(redriven(4).await, wanted);
        assert_eq!(redriven(2).await, wanted[..2]);
        assert_eq!(redriven(0).await, []);
    }

    #[test]
    fn the_dead_letters_are_found_without_a_look_at_other_jobs() {
        let mut db = Connection::open_in_memory().unwrap();
        super::super::schema::prepare(&mut db).unwrap();
        let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {SPENT}")).unwrap();
        let steps = plan.query_map([0, 0, 0], |row| row.get::<_, String>(3)).unwrap();
        for step in steps.map(Result::unwrap) {
            assert!(!step.contains("SCAN") && !step.contains("TEMP B-TREE"), "{step}");
        }
    }
}
