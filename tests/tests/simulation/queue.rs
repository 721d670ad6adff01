//! The queue, its dead letters and the Scheduler, by their documented rules: at least once, in no order, a minute late.

use std::collections::{BTreeMap, BTreeSet};

use carillon_core::ids::Fire;
use carillon_core::ports::Message;
use carillon_core::time::UnixMillis;

/// Visibility timeout of a received message, ms: six times the executor's timeout, as in the Terraform module.
pub(crate) const HIDDEN_MS: i64 = 360_000;
/// Receives after which a message moves to the dead letters by itself, as in the Terraform module.
const MAX_RECEIVES: u32 = 1_000;

/// A dead letter takes so long to be moved back, ms, and a task that moves them takes at least this.
const MOVE_MS: i64 = 10;
const MIN_REDRIVE_MS: i64 = 600_000;

/// A message in the queue.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) message: Message,
    pub(crate) body: String,
    pub(crate) sent_at: UnixMillis,
    pub(crate) receive_count: u32,
    visible_at: UnixMillis,
}

/// A one-time schedule.
#[derive(Clone, Debug)]
struct Schedule {
    message: Message,
    /// The requested instant, to the second.
    at: UnixMillis,
    /// When it really fires.
    fires_at: UnixMillis,
}

/// Queue, dead letters and Scheduler.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    parcels: BTreeMap<u64, Parcel>,
    by_time: BTreeSet<(UnixMillis, u64)>,
    sent: u64,
    /// The last one sent of those that were received.
    received: u64,
    schedules: BTreeMap<Fire, Schedule>,
    schedules_by_time: BTreeSet<(UnixMillis, Fire)>,
    dead_letters: Vec<Message>,
    /// When those that were moved back last have all arrived.
    redriven_at: UnixMillis,
    /// Messages and schedules of each fire.
    carriers: BTreeMap<Fire, u32>,
    /// Every fire that was ever laid among the dead letters.
    dead_lettered: BTreeSet<Fire>,
}

impl Queue {
    /// Sends a message that can be received from `visible_at` on.
    pub(crate) fn send(&mut self, message: &Message, visible_at: UnixMillis, now: UnixMillis) {
        self.sent += 1;
        self.count(message, true);
        let (message, body) = (message.clone(), message.to_string());
        self.parcels.insert(self.sent, Parcel { message, body, sent_at: now, receive_count: 0, visible_at });
        self.by_time.insert((visible_at, self.sent));
    }

    fn count(&mut self, message: &Message, more: bool) {
        if !message.dead_lettered {
            self.count_fire(message.fire, more);
        }
    }

    fn count_fire(&mut self, fire: Fire, more: bool) {
        let count = self.carriers.entry(fire).or_default();
        *count = if more { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            self.carriers.remove(&fire);
        }
    }

    /// Takes what can be received now out of sight: the numbers of all of it, in the order of sending.
    pub(crate) fn visible(&self, now: UnixMillis) -> Vec<u64> {
        self.by_time.range(..=(now, u64::MAX)).map(|(_, number)| *number).collect()
    }

    /// Receives a message; `None` when that was once too often.
    pub(crate) fn receive(&mut self, number: u64, now: UnixMillis) -> Option<Parcel> {
        let parcel = self.parcels.get_mut(&number)?;
        if parcel.receive_count >= MAX_RECEIVES {
            let dead = self.delete(number);
            self.dead_letters.extend(dead);
            return None;
        }
        parcel.receive_count += 1;
        self.defer(number, now.plus(HIDDEN_MS));
        self.parcels.get(&number).cloned()
    }

    /// True if this message arrives after one that was sent later.
    pub(crate) fn is_overtaken(&mut self, number: u64) -> bool {
        self.received = self.received.max(number);
        number < self.received
    }

    /// Hides a message until an instant.
    pub(crate) fn defer(&mut self, number: u64, until: UnixMillis) {
        let Some(parcel) = self.parcels.get_mut(&number) else { return };
        self.by_time.remove(&(parcel.visible_at, number));
        parcel.visible_at = until;
        self.by_time.insert((until, number));
    }

    /// Forgets a message; gives what it carried.
    pub(crate) fn delete(&mut self, number: u64) -> Option<Message> {
        let parcel = self.parcels.remove(&number)?;
        self.by_time.remove(&(parcel.visible_at, number));
        self.count(&parcel.message, false);
        Some(parcel.message)
    }

    /// Sets a schedule; `false` when another one of this name stands, whatever its time.
    pub(crate) fn schedule(&mut self, message: &Message, at: UnixMillis, fires_at: UnixMillis) -> bool {
        let fire = message.fire;
        if self.schedules.contains_key(&fire) {
            return false;
        }
        self.schedules.insert(fire, Schedule { message: message.clone(), at, fires_at });
        self.schedules_by_time.insert((fires_at, fire));
        self.count_fire(fire, true);
        true
    }

    /// Sets a timer; of two for one fire the earlier one holds.
    pub(crate) fn arm(&mut self, message: &Message, at: UnixMillis, fires_at: UnixMillis) {
        if self.scheduled_at(message.fire).is_none_or(|standing| at < standing) {
            self.unschedule(message.fire);
            self.schedule(message, at, fires_at);
        }
    }

    /// When the schedule of this name is to fire, if there is one.
    pub(crate) fn scheduled_at(&self, fire: Fire) -> Option<UnixMillis> {
        self.schedules.get(&fire).map(|schedule| schedule.at)
    }

    /// Deletes a schedule.
    pub(crate) fn unschedule(&mut self, fire: Fire) -> Option<Message> {
        let schedule = self.schedules.remove(&fire)?;
        self.schedules_by_time.remove(&(schedule.fires_at, fire));
        self.count_fire(fire, false);
        Some(schedule.message)
    }

    /// The schedules that fire now; they are gone.
    pub(crate) fn fired(&mut self, now: UnixMillis) -> Vec<Message> {
        let due: Vec<_> =
            self.schedules_by_time.iter().take_while(|(at, _)| *at <= now).map(|(_, fire)| *fire).collect();
        due.into_iter().filter_map(|fire| self.unschedule(fire)).collect()
    }

    /// Lays a message among the dead letters.
    pub(crate) fn dead_letter(&mut self, message: Message) {
        self.dead_lettered.insert(message.fire);
        self.dead_letters.push(message);
    }

    /// True if a fire was ever a dead letter.
    pub(crate) fn was_dead_lettered(&self, fire: Fire) -> bool {
        self.dead_lettered.contains(&fire)
    }

    /// Moves the dead letters back, one after the other; `false` when that is under way already.
    pub(crate) fn redrive(&mut self, now: UnixMillis) -> bool {
        if now < self.redriven_at {
            return false;
        }
        let mut at = now;
        for message in std::mem::take(&mut self.dead_letters) {
            at = at.plus(MOVE_MS);
            self.send(&message, at, now);
        }
        self.redriven_at = at.plus(MIN_REDRIVE_MS);
        true
    }

    /// True if a timer or a message of this fire is on its way.
    pub(crate) fn carries(&self, fire: Fire) -> bool {
        self.carriers.contains_key(&fire)
    }

    /// True if a timer or a message of an earlier fire of the same job is on its way.
    pub(crate) fn carries_before(&self, fire: Fire) -> bool {
        let first = Fire { generation: 0, run_no: 0, ..fire };
        self.carriers.range(first..fire).next().is_some()
    }

    /// When something happens next.
    pub(crate) fn next_at(&self) -> Option<UnixMillis> {
        let parcel = self.by_time.first().map(|(at, _)| *at);
        let schedule = self.schedules_by_time.first().map(|(at, _)| *at);
        parcel.into_iter().chain(schedule).min()
    }
}
