//! Who acts: one request of the API, or one invocation of the executor. It has its own clock, luck and life.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::dice::{Dice, Fate, FaultId};
use crate::plan::Plan;

/// An actor.
#[derive(Debug)]
pub(crate) struct Actor {
    /// Which one it is, in the order of their births.
    pub(crate) id: u64,
    pub(crate) name: String,
    /// The key of its luck.
    key: u64,
    /// How much its clock is ahead, ms.
    pub(crate) skew_ms: i64,
    calls: AtomicU64,
    draws: AtomicU64,
    /// Whether anything went wrong for it.
    pub(crate) has_met_fault: AtomicBool,
    is_dead: AtomicBool,
    death: Notify,
}

/// Keys of what is drawn beside the calls.
const RANDOM: u64 = 0x5241_4e44;

impl Actor {
    pub(crate) fn new(id: u64, name: String, key: u64, skew_ms: i64) -> Self {
        let (calls, draws) = (AtomicU64::new(0), AtomicU64::new(0));
        let (has_met_fault, is_dead, death) = (AtomicBool::new(false), AtomicBool::new(false), Notify::new());
        Self { id, name, key, skew_ms, calls, draws, has_met_fault, is_dead, death }
    }

    /// What its next call meets, and the name of the fault if it meets one.
    pub(crate) fn next_fate(&self, dice: Dice, plan: &Plan, is_calm: bool) -> (Fate, FaultId) {
        let id = (self.key, self.calls.fetch_add(1, Ordering::Relaxed));
        let mut fate = Fate::draw(&mut dice.roll(id.0, id.1), if is_calm { 0 } else { plan.faults_in_10_000 });
        if plan.without.contains(&id) {
            fate.fault = None;
        }
        if fate.fault.is_some() {
            self.has_met_fault.store(true, Ordering::Relaxed);
        }
        (fate, id)
    }

    /// Random bits of its own.
    pub(crate) fn bits(&self, dice: Dice) -> u128 {
        let mut random = dice.roll(self.key ^ RANDOM, self.draws.fetch_add(1, Ordering::Relaxed));
        u128::from(random.bits()) << 64 | u128::from(random.bits())
    }

    /// Its process dies here and now: whatever belongs to it goes no further.
    pub(crate) async fn die<T>(&self) -> T {
        self.is_dead.store(true, Ordering::Relaxed);
        self.death.notify_one();
        pending().await
    }

    /// Goes on only if it lives.
    pub(crate) async fn live(&self) {
        if self.is_dead.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }

    /// Waits for its death.
    pub(crate) async fn death(&self) {
        self.death.notified().await;
    }
}
