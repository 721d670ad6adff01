//! The slots of callers that wait for a job.

use std::sync::Mutex;

use carillon_core::ids::Owner;
use carillon_core::ports::{HeldSlots, PortError, WaitSlots};
use carillon_core::time::UnixMillis;

use crate::locked;

/// The slots of this process, in memory: a wait ends with the process.
#[derive(Debug, Default)]
pub(crate) struct ProcessSlots(Mutex<HeldSlots>);

impl WaitSlots for ProcessSlots {
    async fn take(&self, slot: u32, owner: &Owner, now: UnixMillis, until: UnixMillis) -> Result<bool, PortError> {
        Ok(locked(&self.0).take(slot, owner, now, until))
    }

    async fn release(&self, slot: u32, owner: &Owner) -> Result<(), PortError> {
        locked(&self.0).release(slot, owner);
        Ok(())
    }
}
