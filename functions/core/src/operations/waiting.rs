//! Waits of callers for a job.

use crate::ids::Owner;
use crate::job::Job;
use crate::ports::{Clock, Entropy, PortError, Ports, WaitSlots};
use crate::time::UnixMillis;

/// Callers that may wait for a job at the same time, unless the deployment says otherwise.
pub const DEFAULT_WAIT_SLOTS: u32 = 100;

/// Slots that a caller tries before it gives up. They are neighbours, from a random one on.
const TRIES: u32 = 3;

/// A slot that a waiting caller holds.
#[derive(Debug)]
pub struct WaitSlot {
    slot: u32,
    owner: Owner,
}

impl WaitSlot {
    /// Takes one of `slots` slots until `until`. `None` if none of those that were tried is free: at most 3, so that a refusal
    /// costs little. So the first callers may be refused when two thirds of the slots are taken, and nobody waits beyond them.
    ///
    /// # Errors
    /// [`PortError`]; the slot may be taken then, until `until`.
    pub async fn take<P: Ports>(ports: &P, slots: u32, until: UnixMillis) -> Result<Option<Self>, PortError> {
        if slots == 0 {
            return Ok(None);
        }
        let bits = ports.entropy().bits();
        let owner = Owner::new(bits);
        let first = u32::try_from(bits % u128::from(slots)).unwrap_or_default();
        for number in 0..slots.min(TRIES) {
            let slot = first.wrapping_add(number) % slots;
            if ports.wait_slots().take(slot, &owner, ports.clock().now(), until).await? {
                return Ok(Some(Self { slot, owner }));
            }
        }
        Ok(None)
    }

    /// Releases the slot before its time.
    ///
    /// # Errors
    /// [`PortError`]; the slot is free at its time anyway.
    pub async fn release<P: Ports>(self, ports: &P) -> Result<(), PortError> {
        ports.wait_slots().release(self.slot, &self.owner).await
    }
}

/// True if the first run of a job may end by `until`: it has begun, has ended, or is due by then.
pub fn may_end_by(job: &Job, until: UnixMillis) -> bool {
    let state = &job.state;
    state.run.run_no > 1 || state.run.outcome.is_some() || state.wake_at.is_some_and(|at| at <= until)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::HeldSlots;
    use crate::testkit::{Memory, turns};

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    #[test]
    fn a_slot_is_one_callers_until_it_is_released_or_its_time_is_over() {
        let [one, other] = [1, 2].map(Owner::new);
        let mut slots = HeldSlots::default();
        assert!(slots.take(0, &one, NOW, NOW.plus(10)));
        assert!(slots.take(0, &one, NOW, NOW.plus(10)), "a repeated request meets its own slot");
        assert!(!slots.take(0, &other, NOW.plus(9), NOW.plus(20)));
        slots.release(0, &other);
        assert!(!slots.take(0, &other, NOW.plus(9), NOW.plus(20)));
        assert!(slots.take(0, &other, NOW.plus(10), NOW.plus(20)));
        slots.release(0, &other);
        assert!(slots.take(0, &one, NOW.plus(11), NOW.plus(20)));
    }

    #[test]
    fn no_more_callers_wait_than_there_are_slots() {
        for slots in [0, 1, 3, 50] {
            let memory = Memory::new(NOW, 7);
            let mut held = Vec::new();
            for _ in 0..500 {
                held.extend(turns::block_on(WaitSlot::take(&memory, slots, NOW.plus(1_000))).unwrap());
            }
            assert_eq!(u32::try_from(held.len()).unwrap(), slots);
            for slot in held {
                turns::block_on(slot.release(&memory)).unwrap();
            }
            let again = turns::block_on(WaitSlot::take(&memory, slots, NOW.plus(1_000))).unwrap();
            assert_eq!(again.is_some(), slots > 0);
        }
    }
}
