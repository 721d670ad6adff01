//! The timers that are due soon, in memory.
//!
//! A stored job is its own timer: its row has the instant at which it is due (`wake_at`). The due queue holds the timers up to
//! its horizon; later ones stay in the store until a refill moves the horizon on. The writer notes every change after its
//! COMMIT, so the due queue never holds a change that a crash would lose. The end of a lease is in the due queue alone, because
//! the next process to open the store ends all leases.
//!
//! A timer that fires once too often is harmless, because the claim refuses it. So the due queue only has to ensure that no
//! timer is missed.

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
    state: Mutex<State>,
    /// Notified of a timer that is earlier than the awaited one.
    earlier: Notify,
    /// Notified when a postponed refill has room.
    room: Notify,
    capacity: usize,
}

#[derive(Debug)]
struct State {
    due: BTreeMap<(UnixMillis, JobId), Timer>,
    by_job: HashMap<JobId, UnixMillis>,
    /// All stored timers up to this instant are held, or a refill is reading them.
    horizon: UnixMillis,
    /// A timer before the horizon had to be left in the store, because the queue was full.
    starved: bool,
    /// The instant for which the worker sleeps; `None` while it is awake.
    awaited: Option<UnixMillis>,
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    generation: u32,
    run_no: u32,
    /// Its instant differs from the stored one, so a refill would not restore it.
    moved: bool,
}

const NEVER: UnixMillis = UnixMillis(i64::MAX);

impl DueQueue {
    /// Creates an empty due queue. It keeps nothing before its first refill, because without a worker nothing would remove it.
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State {
            due: BTreeMap::new(),
            by_job: HashMap::new(),
            horizon: UnixMillis(i64::MIN),
            starved: false,
            awaited: None,
        };
        Self { state: Mutex::new(state), earlier: Notify::new(), room: Notify::new(), capacity }
    }

    /// Notes a stored change: the fire is due at `wake_at`, or no longer due.
    pub(crate) fn note(&self, fire: Fire, wake_at: Option<UnixMillis>) {
        let mut state = locked(&self.state);
        state.remove(fire.job_id);
        if let Some(at) = wake_at.filter(|at| *at <= state.horizon) {
            self.insert(&mut state, fire, at, false);
        }
        self.tell_of_room(&mut state);
    }

    /// Notes the lease of a stored claim. The store does not have the instant, so the queue holds it, however late it is.
    pub(crate) fn note_unstored(&self, fire: Fire, at: UnixMillis) {
        let mut state = locked(&self.state);
        state.remove(fire.job_id);
        if state.horizon > UnixMillis(i64::MIN) {
            self.insert(&mut state, fire, at, true);
        }
        self.tell_of_room(&mut state);
    }

    /// Holds a fire that was read from the store, unless its job is held already, because the writer's note is newer.
    pub(crate) fn hold(&self, fire: Fire, at: UnixMillis) {
        let mut state = locked(&self.state);
        if !state.by_job.contains_key(&fire.job_id) {
            self.insert(&mut state, fire, at, false);
        }
    }

    /// Makes a taken fire due again at `at`, unless a change that was stored meanwhile does so.
    pub(crate) fn bring_back(&self, fire: Fire, at: UnixMillis) {
        let mut state = locked(&self.state);
        if !state.by_job.contains_key(&fire.job_id) {
            self.insert(&mut state, fire, at, true);
        }
    }

    fn insert(&self, state: &mut State, fire: Fire, at: UnixMillis, moved: bool) {
        let timer = Timer { generation: fire.generation, run_no: fire.run_no, moved };
        state.due.insert((at, fire.job_id), timer);
        state.by_job.insert(fire.job_id, at);
        if state.due.len() > self.capacity {
            state.leave_latest_to_the_store();
        }
        if state.awaited.is_some_and(|awaited| at < awaited) {
            state.awaited = None;
            self.earlier.notify_one();
        }
    }

    /// Takes the earliest fire that is due at `now`. The error is the instant of the next one.
    pub(crate) fn take_due(&self, now: UnixMillis) -> Result<Fire, Option<UnixMillis>> {
        let mut state = locked(&self.state);
        let first = state.due.first_entry();
        let at = first.as_ref().map(|first| first.key().0);
        let Some(first) = first.filter(|first| first.key().0 <= now) else {
            state.awaited = Some(at.unwrap_or(NEVER));
            return Err(at);
        };
        let ((_, job_id), Timer { generation, run_no, .. }) = first.remove_entry();
        state.by_job.remove(&job_id);
        state.awaited = None;
        self.tell_of_room(&mut state);
        Ok(Fire { job_id, generation, run_no })
    }

    fn tell_of_room(&self, state: &mut State) {
        if state.starved && state.due.len() <= self.capacity / 2 {
            state.starved = false;
            self.room.notify_one();
        }
    }

    /// Waits for the next due fire and takes it.
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

    /// Moves the horizon on, and returns the instant from which to read the store. `None` while the queue holds enough.
    pub(crate) fn begin_refill(&self, horizon: UnixMillis) -> Option<UnixMillis> {
        let mut state = locked(&self.state);
        state.starved = state.due.len() > self.capacity / 2;
        if state.starved || horizon <= state.horizon {
            return None;
        }
        Some(std::mem::replace(&mut state.horizon, horizon))
    }

    /// Moves the horizon back, because timers beyond it were not read.
    pub(crate) fn lower_horizon(&self, horizon: UnixMillis) {
        let mut state = locked(&self.state);
        state.horizon = state.horizon.min(horizon);
    }

    pub(crate) fn horizon(&self) -> UnixMillis {
        locked(&self.state).horizon
    }

    /// Returns when a postponed refill may have room.
    pub(crate) async fn room(&self) {
        self.room.notified().await;
    }
}

impl State {
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
