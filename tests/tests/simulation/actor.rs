//! An actor: one request of the API, or one invocation of the executor. It has its own clock, luck and life.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use carillon_core::ids::JobId;
use carillon_core::job::Job;
use carillon_core::time::UnixMillis;
use tokio::sync::Notify;

use crate::dice::{Dice, Fate, FaultId};
use crate::plan::Plan;

/// An actor.
#[derive(Debug)]
pub(crate) struct Actor {
    /// Its number, in order of creation.
    pub(crate) id: u64,
    pub(crate) name: String,
    /// The key of its luck.
    key: u64,
    /// The offset of its clock, ms.
    pub(crate) skew_ms: i64,
    /// When it began.
    pub(crate) born_at: UnixMillis,
    /// The instance of its function, whose caches it uses.
    pub(crate) instance: usize,
    /// Number of changes that it made.
    pub(crate) changes: AtomicU64,
    /// The revision that its edit is for; `u64::MAX` for any.
    pub(crate) only_if: AtomicU64,
    calls: AtomicU64,
    draws: AtomicU64,
    /// True if anything went wrong for it.
    pub(crate) has_met_fault: AtomicBool,
    /// True if a call of it was repeated later, which its client does not report.
    pub(crate) has_repeated: AtomicBool,
    /// The jobs of the list that it asked for last, where a mutant wants to know.
    pub(crate) listed: Mutex<BTreeMap<JobId, Job>>,
    /// True if its key is the one that is revoked.
    pub(crate) is_revocable: AtomicBool,
    is_dead: AtomicBool,
    death: Notify,
}

/// Keys of draws beside the calls.
const RANDOM: u64 = 0x5241_4e44;

impl Actor {
    pub(crate) fn new(id: u64, name: String, key: u64, skew_ms: i64, born_at: UnixMillis, instance: usize) -> Self {
        let zero = AtomicU64::default;
        let flag = AtomicBool::default;
        Self {
            id,
            name,
            key,
            skew_ms,
            born_at,
            instance,
            changes: zero(),
            only_if: AtomicU64::new(u64::MAX),
            calls: zero(),
            draws: zero(),
            has_met_fault: flag(),
            has_repeated: flag(),
            listed: Mutex::default(),
            is_revocable: flag(),
            is_dead: flag(),
            death: Notify::new(),
        }
    }

    /// A job as its list showed it.
    pub(crate) fn listed(&self, id: JobId) -> Option<Job> {
        self.listed.lock().expect("nobody panics with it in hand").get(&id).cloned()
    }

    /// Notes that it changed something.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// The luck of its next call, and the name of the fault if there is one.
    pub(crate) fn next_fate(&self, dice: Dice, plan: &Plan, is_calm: bool) -> (Fate, FaultId) {
        let id = (self.key, self.calls.fetch_add(1, Ordering::Relaxed));
        let mut fate = Fate::draw(&mut dice.roll(id.0, id.1), if is_calm { 0 } else { plan.faults_in_10_000 });
        if plan.without.contains(&id) {
            fate.fault = None;
        }
        if let Some(scripted) = plan.scripted.get(&id) {
            fate = *scripted;
        }
        if fate.fault.is_some() {
            self.has_met_fault.store(true, Ordering::Relaxed);
        }
        (fate, id)
    }

    /// Random bits of this actor.
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
