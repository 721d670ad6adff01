//! The timers that are due soon, in memory.
//!
//! A stored job is its own timer: its row says when somebody has to look at it (`wake_at`). The due queue holds the rows that
//! are due up to its horizon; whatever is due later stays in the store alone until a refill moves the horizon on. The writer
//! notes every change after its COMMIT, so that the due queue never runs ahead of what a crash would leave.
//!
//! A timer that fires once too often does no harm, as the claim refuses it. So the due queue only has to make sure that none
//! fires too rarely.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use carillon_core::ids::{Fire, JobId};
use carillon_core::time::UnixMillis;
use tokio::sync::Notify;

use crate::clock::Wait;
use crate::locked;

/// The due timers up to a horizon, at most one per job.
#[derive(Debug)]
pub(crate) struct DueQueue {
    held: Mutex<Held>,
    /// A timer earlier than the one that is waited for.
    earlier: Notify,
    /// Room for a refill that was put off.
    room: Notify,
    capacity: usize,
}

#[derive(Debug)]
struct Held {
    due: BTreeMap<(UnixMillis, JobId), Timer>,
    by_job: HashMap<JobId, UnixMillis>,
    /// Everything that is stored and due up to here is held, or being read by a refill.
    horizon: UnixMillis,
    /// Something that is due within the window had to be left to the store.
    starved: bool,
    /// What the worker sleeps for; `None` while it is awake.
    awaited: Option<UnixMillis>,
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    generation: u32,
    run_no: u32,
    /// It fires at another time than the stored row says, so no refill would bring it back.
    moved: bool,
}

const NEVER: UnixMillis = UnixMillis(i64::MAX);

impl DueQueue {
    /// An empty due queue. It keeps nothing before its first refill: without a worker nobody would take it out again.
    pub(crate) fn new(capacity: usize) -> Self {
        let held = Held {
            due: BTreeMap::new(),
            by_job: HashMap::new(),
            horizon: UnixMillis(i64::MIN),
            starved: false,
            awaited: None,
        };
        Self { held: Mutex::new(held), earlier: Notify::new(), room: Notify::new(), capacity }
    }

    /// Notes what was just stored: the job's fire is to be woken at `wake_at`, or not any more.
    pub(crate) fn note(&self, fire: Fire, wake_at: Option<UnixMillis>) {
        let mut held = locked(&self.held);
        held.remove(fire.job_id);
        if let Some(at) = wake_at.filter(|at| *at <= held.horizon) {
            self.insert(&mut held, fire, at, false);
        }
        self.tell_of_room(&mut held);
    }

    /// Holds a fire as the store has it, unless its job is held already: what the writer noted is newer than what was read.
    pub(crate) fn hold(&self, fire: Fire, at: UnixMillis) {
        let mut held = locked(&self.held);
        if !held.by_job.contains_key(&fire.job_id) {
            self.insert(&mut held, fire, at, false);
        }
    }

    /// Has a fire that was taken come back at `at`, unless what was stored meanwhile brings it back.
    pub(crate) fn bring_back(&self, fire: Fire, at: UnixMillis) {
        let mut held = locked(&self.held);
        if !held.by_job.contains_key(&fire.job_id) {
            self.insert(&mut held, fire, at, true);
        }
    }

    fn insert(&self, held: &mut Held, fire: Fire, at: UnixMillis, moved: bool) {
        let timer = Timer { generation: fire.generation, run_no: fire.run_no, moved };
        held.due.insert((at, fire.job_id), timer);
        held.by_job.insert(fire.job_id, at);
        if held.due.len() > self.capacity {
            held.leave_latest_to_the_store();
        }
        if held.awaited.is_some_and(|awaited| at < awaited) {
            held.awaited = None;
            self.earlier.notify_one();
        }
    }

    /// Takes the earliest fire that is due at `now`.
    pub(crate) fn take_due(&self, now: UnixMillis) -> Result<Fire, Option<UnixMillis>> {
        let mut held = locked(&self.held);
        let first = held.due.first_entry();
        let at = first.as_ref().map(|first| first.key().0);
        let Some(first) = first.filter(|first| first.key().0 <= now) else {
            held.awaited = Some(at.unwrap_or(NEVER));
            return Err(at);
        };
        let ((_, job_id), Timer { generation, run_no, .. }) = first.remove_entry();
        held.by_job.remove(&job_id);
        held.awaited = None;
        self.tell_of_room(&mut held);
        Ok(Fire { job_id, generation, run_no })
    }

    fn tell_of_room(&self, held: &mut Held) {
        if held.starved && held.due.len() <= self.capacity / 2 {
            held.starved = false;
            self.room.notify_one();
        }
    }

    /// The next fire, once it is due.
    pub(crate) async fn next(&self, clock: &impl Wait) -> Fire {
        loop {
            match self.take_due(clock.now()) {
                Ok(fire) => return fire,
                Err(None) => self.earlier.notified().await,
                Err(Some(at)) => tokio::select! {
                    () = clock.wait_until(at) => {}
                    () = self.earlier.notified() => {}
                },
            }
        }
    }

    /// Moves the horizon on, and says from where the store has to be read. `None` while there is enough to do.
    pub(crate) fn begin_refill(&self, horizon: UnixMillis) -> Option<UnixMillis> {
        let mut held = locked(&self.held);
        held.starved = held.due.len() > self.capacity / 2;
        if held.starved || horizon <= held.horizon {
            return None;
        }
        Some(std::mem::replace(&mut held.horizon, horizon))
    }

    /// Takes the horizon back: what lies beyond `horizon` was not read after all.
    pub(crate) fn lower_horizon(&self, horizon: UnixMillis) {
        let mut held = locked(&self.held);
        held.horizon = held.horizon.min(horizon);
    }

    pub(crate) fn horizon(&self) -> UnixMillis {
        locked(&self.held).horizon
    }

    /// Returns once a refill that found no room may find some.
    pub(crate) async fn room(&self) {
        self.room.notified().await;
    }
}

impl Held {
    fn remove(&mut self, job_id: JobId) {
        if let Some(at) = self.by_job.remove(&job_id) {
            self.due.remove(&(at, job_id));
        }
    }

    fn leave_latest_to_the_store(&mut self) {
        let stored = self.due.iter().rev().find(|(_, timer)| !timer.moved);
        if let Some((&(at, job_id), _)) = stored {
            self.remove(job_id);
            self.horizon = self.horizon.min(UnixMillis(at.0.saturating_sub(1)));
            self.starved = true;
        }
    }
}

#[cfg(test)]
mod tests;
