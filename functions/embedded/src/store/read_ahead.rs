//! A cache of jobs that are read shortly before they are needed.
//!
//! Reading a single job takes a snapshot of the database, which costs as much as finding the job in it. So the jobs of fires that
//! are handed over together are read from one snapshot. The first read of a job takes it out.
//!
//! A job is announced before it is read, and a write withdraws the announcement before it is acknowledged, so a job from here is
//! never older than an acknowledged write.

use std::collections::HashMap;
use std::sync::Mutex;

use carillon_core::ids::JobId;

use super::locked;
use super::rows::StoredJob;

/// Maximum number of jobs; above it, unused jobs are dropped.
const MAX_KEPT: usize = 1_024;

/// The announced jobs, with their rows if they have been read.
#[derive(Debug, Default)]
pub(super) struct ReadAhead(Mutex<HashMap<JobId, Option<StoredJob>>>);

impl ReadAhead {
    /// Announces that jobs are about to be read.
    pub(super) fn announce(&self, ids: &[JobId]) {
        let mut announced = locked(&self.0);
        if announced.len() >= MAX_KEPT {
            announced.clear();
        }
        announced.extend(ids.iter().map(|id| (*id, None)));
    }

    /// Keeps the rows of a job, unless its announcement was withdrawn meanwhile.
    pub(super) fn keep(&self, id: JobId, read: StoredJob) {
        if let Some(kept) = locked(&self.0).get_mut(&id) {
            *kept = Some(read);
        }
    }

    /// Takes a job out and withdraws its announcement.
    pub(super) fn take(&self, id: JobId) -> Option<StoredJob> {
        locked(&self.0).remove(&id).flatten()
    }
}

#[cfg(test)]
mod tests {
    use carillon_core::time::UnixMillis;

    use super::*;

    fn read() -> StoredJob {
        StoredJob { state: b"{}".to_vec(), spec: b"{}".to_vec() }
    }

    #[test]
    fn a_job_is_given_out_once_and_never_when_it_was_written_after_it_was_announced() {
        let [read_before, written, unknown] = [1, 2, 3].map(|random| JobId::new(UnixMillis(0), random));
        let ahead = ReadAhead::default();
        ahead.announce(&[read_before, written]);
        ahead.take(written);
        for id in [read_before, written, unknown] {
            ahead.keep(id, read());
        }
        assert!(ahead.take(read_before).is_some());
        for id in [read_before, written, unknown] {
            assert!(ahead.take(id).is_none(), "{id}");
        }
    }

    #[test]
    fn jobs_that_nobody_asks_for_do_not_pile_up() {
        let ahead = ReadAhead::default();
        for random in 0..10 * MAX_KEPT {
            ahead.announce(&[JobId::new(UnixMillis(0), random as u128)]);
        }
        assert!(locked(&ahead.0).len() <= MAX_KEPT);
    }
}
