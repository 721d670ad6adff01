//! Everything that ports in memory store. Each call happens at once, whole.

mod catalogs;
mod jobs;
mod keyring;
mod progress;
mod requests;
mod results;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use self::jobs::is_wanted;
pub use self::keyring::Keyring;
pub use self::progress::ProgressTables;
pub use self::requests::Requests;
pub use self::results::Results;
use crate::access::{ApiKey, KeyHash};
use crate::ids::{Fire, JobId};
use crate::job::{Job, Outcome, Run, Status};
use crate::ports::{HeldSlots, Published, Redriven};
use crate::time::UnixMillis;

/// Everything that is stored, armed, or has happened, and the time.
#[derive(Debug, Default)]
pub struct Tables {
    /// The time. It moves only when it is told to.
    pub now: UnixMillis,
    /// The jobs.
    pub jobs: BTreeMap<JobId, Job>,
    /// The retired runs of each job, in the order in which they were retired.
    pub retired: BTreeMap<JobId, Vec<Run>>,
    /// Every outcome that was ever recorded.
    pub outcomes: Vec<(Fire, Outcome)>,
    /// The catalogs.
    pub catalogs: BTreeMap<String, Arc<Published>>,
    /// The catalogs that readers get who ask for no fresh one, where those differ.
    pub cached_catalogs: BTreeMap<String, Option<Arc<Published>>>,
    /// The callers' keys.
    pub keys: BTreeMap<String, Arc<ApiKey>>,
    /// The sealing keys.
    pub sealing_keys: Keyring,
    /// The remembered results.
    pub results: Results,
    /// The requests that have a key.
    pub reservations: Requests,
    /// Progress of events that consist of others.
    pub progress: ProgressTables,
    /// The slots of callers that wait for a job.
    pub wait_slots: HeldSlots,
    /// Messages on their way to the executor.
    pub armed: BTreeSet<(UnixMillis, Fire)>,
    /// The answer to whoever asks for the dead letters. Without one, they are the jobs that failed.
    pub redriven: Option<Redriven>,
}

impl Tables {
    /// [`KeyStore::find`](crate::ports::KeyStore::find).
    pub fn find_key(&self, hash: &KeyHash) -> Option<Arc<ApiKey>> {
        self.keys.get(&hash.to_string()).cloned()
    }

    /// [`KeyStore::add`](crate::ports::KeyStore::add).
    pub fn add_key(&mut self, hash: &KeyHash, key: &ApiKey) {
        self.keys.insert(hash.to_string(), Arc::new(key.clone()));
    }

    /// [`Timers::arm`](crate::ports::Timers::arm).
    pub fn arm(&mut self, fire: Fire, at: UnixMillis) {
        self.armed.insert((at, fire));
    }

    /// [`Timers::disarm`](crate::ports::Timers::disarm).
    pub fn disarm(&mut self, fire: Fire) {
        self.armed.retain(|(_, armed)| *armed != fire);
    }

    /// [`DeadLetters::redrive_all`](crate::ports::DeadLetters::redrive_all).
    pub fn redrive_all(&self, limit: usize) -> Redriven {
        let failed = self.jobs.values().rev().filter(|job| job.state.status == Status::Failed);
        self.redriven.clone().unwrap_or_else(|| Redriven::Fires(failed.map(Job::fire).take(limit).collect()))
    }
}
