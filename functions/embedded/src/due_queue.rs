//! The timers that are due soon, in memory.
//!
//! A stored job is its own timer: its row has the instant at which it is due (`wake_at`). The due queue holds the timers up to
//! its horizon; later ones stay in the store until a refill moves the horizon on. The writer notes every change after its
//! COMMIT, so the due queue never holds a change that a crash would lose. The end of a lease is in the due queue alone, because
//! the next process to open the store ends all leases.
//!
//! Products take turns: see [`turns`]. When the queue is full, the product that has most timers in it falls behind, and its latest
//! ones are left to the store.
//!
//! A timer that fires once too often is harmless, because the claim refuses it. So the due queue only has to ensure that no
//! timer is missed.

mod turns;

use std::collections::HashMap;
use std::sync::Mutex;

use carillon_core::ids::{Fire, JobId};
use carillon_core::time::UnixMillis;
use tokio::sync::Notify;

use crate::clock::Wait;
use crate::locked;
pub(crate) use turns::{DueFire, ProductNo};
use turns::{Timer, Turns};

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
    turns: Turns,
    by_job: HashMap<JobId, (UnixMillis, ProductNo)>,
    /// All stored timers up to this instant are held, or a refill is reading them, except those of products that have fallen
    /// behind.
    horizon: UnixMillis,
    /// A product has fallen behind, and there is no room for its timers.
    starved: bool,
    /// The instant for which the worker sleeps; `None` while it is awake.
    awaited: Option<UnixMillis>,
}

const NEVER: UnixMillis = UnixMillis(i64::MAX);

impl DueQueue {
    /// Creates an empty due queue. It keeps nothing before its first refill, because without a worker nothing would remove it.
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State {
            turns: Turns::default(),
            by_job: HashMap::new(),
            horizon: UnixMillis(i64::MIN),
            starved: false,
            awaited: None,
        };
        Self { state: Mutex::new(state), earlier: Notify::new(), room: Notify::new(), capacity }
    }

    /// Notes a stored change: the fire is due at `wake_at`, or no longer due.
    pub(crate) fn note(&self, product: &str, fire: Fire, wake_at: Option<UnixMillis>) {
        let mut state = locked(&self.state);
        state.remove(fire.job_id);
        let product = state.turns.number(product);
        if let Some(at) = wake_at.filter(|at| *at <= state.horizon_of(product)) {
            self.insert(&mut state, DueFire { fire, product }, at, false);
        }
        self.tell_of_room(&mut state);
    }

    /// Notes the lease of a stored claim. The store does not have the instant, so the queue holds it, however late it is.
    pub(crate) fn note_unstored(&self, product: &str, fire: Fire, at: UnixMillis) {
        let mut state = locked(&self.state);
        state.remove(fire.job_id);
        if state.horizon > UnixMillis(i64::MIN) {
            let product = state.turns.number(product);
            self.insert(&mut state, DueFire { fire, product }, at, true);
        }
        self.tell_of_room(&mut state);
    }

    /// Holds a fire that was read from the store, unless its job is held already, because the writer's note is newer, or its
    /// product has fallen behind. Returns false in the last case.
    pub(crate) fn hold(&self, product: &str, fire: Fire, at: UnixMillis) -> bool {
        let mut state = locked(&self.state);
        let product = state.turns.number(product);
        if at > state.horizon_of(product) {
            return false;
        }
        if !state.by_job.contains_key(&fire.job_id) {
            self.insert(&mut state, DueFire { fire, product }, at, false);
        }
        true
    }

    /// Makes a taken fire due again at `at`, unless a change that was stored meanwhile does so.
    pub(crate) fn bring_back(&self, due: DueFire, at: UnixMillis) {
        let mut state = locked(&self.state);
        if !state.by_job.contains_key(&due.fire.job_id) {
            self.insert(&mut state, due, at, true);
        }
    }

    fn insert(&self, state: &mut State, DueFire { fire, product }: DueFire, at: UnixMillis, moved: bool) {
        let timer = Timer { generation: fire.generation, run_no: fire.run_no, moved };
        state.turns.insert(product, at, fire.job_id, timer);
        state.by_job.insert(fire.job_id, (at, product));
        if state.turns.len() > self.capacity
            && let Some(left) = state.turns.leave_latest_to_the_store()
        {
            state.by_job.remove(&left);
            state.starved = true;
        }
        if state.awaited.is_some_and(|awaited| at < awaited) {
            state.awaited = None;
            self.earlier.notify_one();
        }
    }

    /// Takes a fire that is due at `now`: the earliest one of the product whose turn it is. The error is the instant of the next
    /// one.
    pub(crate) fn take_due(&self, now: UnixMillis) -> Result<DueFire, Option<UnixMillis>> {
        let mut state = locked(&self.state);
        match state.turns.take(now) {
            Ok(due) => {
                state.by_job.remove(&due.fire.job_id);
                state.awaited = None;
                self.tell_of_room(&mut state);
                Ok(due)
            }
            Err(next) => {
                state.awaited = Some(next.unwrap_or(NEVER));
                Err(next)
            }
        }
    }

    /// [`take_due`](Self::take_due) without the product.
    #[cfg(test)]
    pub(crate) fn take_fire(&self, now: UnixMillis) -> Result<Fire, Option<UnixMillis>> {
        self.take_due(now).map(|due| due.fire)
    }

    fn tell_of_room(&self, state: &mut State) {
        if state.starved && self.has_room(state) {
            state.starved = false;
            self.room.notify_one();
        }
    }

    /// True if timers of products that have fallen behind find room.
    fn has_room(&self, state: &State) -> bool {
        state.turns.len() <= self.capacity / 2
    }

    /// Waits for the next due fire and takes it.
    pub(crate) async fn next(&self, clock: &impl Wait) -> DueFire {
        loop {
            match self.take_due(clock.now()) {
                Ok(due) => return due,
                Err(None) => self.earlier.notified().await,
                Err(Some(at)) => tokio::select! {
                    () = clock.wait_until(at) => {}
                    () = self.earlier.notified() => {}
                },
            }
        }
    }

    /// Moves the horizon on, and returns the instant from which to read the store. `None` if it was as far already.
    pub(crate) fn begin_refill(&self, horizon: UnixMillis) -> Option<UnixMillis> {
        let mut state = locked(&self.state);
        (horizon > state.horizon).then(|| std::mem::replace(&mut state.horizon, horizon))
    }

    /// Returns a product that has fallen behind, with its name and the instant from which to read its timers. `None` if there is
    /// no such product, or no room.
    pub(crate) fn begin_catch_up(&self) -> Option<(ProductNo, Box<str>, UnixMillis)> {
        let mut state = locked(&self.state);
        if self.has_room(&state) {
            return state.turns.catch_up();
        }
        state.starved = state.turns.is_one_behind();
        None
    }

    /// Notes that a product's timers after `at` were not read.
    pub(crate) fn fall_behind(&self, product: ProductNo, at: UnixMillis) {
        let mut state = locked(&self.state);
        state.turns.fall_behind(product, at);
        state.starved = true;
        self.tell_of_room(&mut state);
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
        if let Some((at, product)) = self.by_job.remove(&job_id) {
            self.turns.remove(product, at, job_id);
        }
    }

    fn horizon_of(&self, product: ProductNo) -> UnixMillis {
        self.turns.horizon(product, self.horizon)
    }
}

#[cfg(test)]
mod tests;
