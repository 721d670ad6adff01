//! The slots of callers that wait for a job.

use std::collections::BTreeMap;
use std::future::Future;

use super::PortError;
use crate::ids::Owner;
use crate::time::UnixMillis;

/// Bounds the number of callers that wait for a job at the same time, in all processes of a deployment together: a caller
/// that waits holds one of a number of slots.
pub trait WaitSlots: Send + Sync {
    /// Takes a slot for `owner` until `until`, unless another owner has it at `now`.
    fn take(
        &self,
        slot: u32,
        owner: &Owner,
        now: UnixMillis,
        until: UnixMillis,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// Releases a slot that `owner` has. Does nothing if another owner has it.
    fn release(&self, slot: u32, owner: &Owner) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The slots of a stack that is one process. They are not stored: the waits end with the process.
#[derive(Debug, Default)]
pub struct HeldSlots(BTreeMap<u32, (Owner, UnixMillis)>);

impl HeldSlots {
    /// [`WaitSlots::take`].
    pub fn take(&mut self, slot: u32, owner: &Owner, now: UnixMillis, until: UnixMillis) -> bool {
        if self.0.get(&slot).is_some_and(|(other, until)| other != owner && *until > now) {
            return false;
        }
        self.0.insert(slot, (owner.clone(), until));
        true
    }

    /// [`WaitSlots::release`].
    pub fn release(&mut self, slot: u32, owner: &Owner) {
        if self.0.get(&slot).is_some_and(|(other, _)| other == owner) {
            self.0.remove(&slot);
        }
    }
}
