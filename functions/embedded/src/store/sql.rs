//! All statements on the tables of jobs. Each reads only the rows that it returns; a test checks that with SQLite's planner.

pub(super) const INSERT_JOB: &str = "
    INSERT INTO jobs (id, spec, place, status, revision, generation, run_no, wake_at, state)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING";

/// A job just as it would be inserted.
pub(super) const HAS_JOB: &str = "
    SELECT 1 FROM jobs JOIN specs ON specs.id = jobs.spec WHERE jobs.id = ?1 AND jobs.state = ?2 AND specs.spec = ?3";

pub(super) const INSERT_SPEC: &str = "INSERT INTO specs (id, spec) VALUES (?1, ?2)";

pub(super) const LAST_SPEC: &str = "SELECT id FROM specs ORDER BY id DESC LIMIT 1";

pub(super) const CHANGE_JOB: &str = "
    UPDATE jobs SET status = ?3, revision = ?4, generation = ?5, run_no = ?6, wake_at = ?7, state = ?8,
        running = (?3 = 2)
    WHERE id = ?1 AND revision = ?2";

/// Stores a claim, with the status and the timer left as they were. Only the small index of running jobs changes.
pub(super) const CLAIM_JOB: &str = "
    UPDATE jobs SET revision = ?3, generation = ?4, run_no = ?5, state = ?6, running = 1
    WHERE id = ?1 AND revision = ?2";

pub(super) const CHANGE_SPEC: &str = "UPDATE specs SET spec = ?2 WHERE id = (SELECT spec FROM jobs WHERE id = ?1)";

pub(super) const RETIRE_RUN: &str =
    "INSERT OR REPLACE INTO runs (job, generation, run_no, run, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)";

/// Deletes a few expired runs from the history. Each retired run deletes more than it adds, so they never pile up.
pub(super) const FORGET_RUNS: &str = "
    DELETE FROM runs WHERE (job, generation, run_no) IN
    (SELECT job, generation, run_no FROM runs WHERE expires_at < ?1 ORDER BY expires_at LIMIT 8)";

pub(super) const READ_JOB: &str =
    "SELECT jobs.state, specs.spec FROM jobs JOIN specs ON specs.id = jobs.spec WHERE jobs.id = ?1";

pub(super) const LIST_BY_STATUS: &str =
    "SELECT id FROM jobs WHERE place = ?1 AND status = ?4 AND running = 0 AND id < ?2 ORDER BY id DESC LIMIT ?3";

pub(super) const LIST_RUNNING: &str =
    "SELECT id FROM jobs WHERE place = ?1 AND running = 1 AND id < ?2 ORDER BY id DESC LIMIT ?3";

/// Merges the lists of the values of `status`, which saves every insert another index.
pub(super) const LIST: &str = "
    SELECT id FROM jobs WHERE place = ?1 AND status = 0 AND id < ?2 UNION ALL
    SELECT id FROM jobs WHERE place = ?1 AND status = 1 AND id < ?2 UNION ALL
    SELECT id FROM jobs WHERE place = ?1 AND status = 2 AND id < ?2 UNION ALL
    SELECT id FROM jobs WHERE place = ?1 AND status = 3 AND id < ?2 UNION ALL
    SELECT id FROM jobs WHERE place = ?1 AND status = 4 AND id < ?2 UNION ALL
    SELECT id FROM jobs WHERE place = ?1 AND status = 5 AND id < ?2 UNION ALL
    SELECT id FROM jobs WHERE place = ?1 AND status = 6 AND id < ?2
    ORDER BY id DESC LIMIT ?3";

pub(super) const RETIRED_RUNS: &str = "
    SELECT run FROM runs WHERE job = ?1 AND (generation, run_no) < (?2, ?3)
    ORDER BY generation DESC, run_no DESC LIMIT ?4";

/// `CROSS JOIN` has SQLite begin with the timers.
pub(super) const DUE: &str = "
    SELECT wake_at, jobs.id, generation, run_no, product FROM jobs CROSS JOIN places ON places.id = place
    WHERE wake_at IS NOT NULL AND (wake_at, jobs.id) > (?1, ?2) AND wake_at <= ?3 ORDER BY wake_at, jobs.id LIMIT ?4";

/// Also reads the timers of other products between those. Only a product whose backlog fills the due queue is read so, and most
/// timers are its own then.
pub(super) const DUE_OF_PRODUCT: &str = "
    SELECT wake_at, jobs.id, generation, run_no, product FROM jobs CROSS JOIN places ON places.id = place
    WHERE wake_at IS NOT NULL AND (wake_at, jobs.id) > (?1, ?2) AND wake_at <= ?3 AND product = ?5
    ORDER BY wake_at, jobs.id LIMIT ?4";

/// All places, for the start. A deployment has few.
pub(super) const PLACES: &str = "SELECT id FROM places";
