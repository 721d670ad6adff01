//! The state of a job.

use serde::{Deserialize, Serialize};

use super::{LastRun, Run, Skipped, Status};
use crate::ids::Owner;
use crate::time::UnixMillis;

/// The state of a job. Changed by [`crate::machine::decide`] alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobState {
    /// Number of changes so far. A change is stored only on top of the revision that it was decided on.
    pub revision: u64,
    /// The status.
    pub status: Status,
    /// The current run.
    pub run: Run,
    /// When the job needs attention next: the fire is due, an attempt returns, or a lease ends. `None` once settled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub wake_at: Option<UnixMillis>,
    /// The lease on the fire.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lease: Option<Lease>,
    /// Occurrences of a recurring job up to this instant are handled: they had their run, or were skipped.
    #[serde(skip_serializing_if = "Option::is_none", default, rename = "passed")]
    pub planned_through: Option<UnixMillis>,
    /// Number of occurrences skipped so far.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub missed: u64,
    /// The occurrences skipped after the current run, when the series ended with it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub skipped: Vec<Skipped>,
    /// The previous run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_run: Option<LastRun>,
    /// True if the current fire's timer could not be armed when this was stored. The message of the previous fire
    /// arms it when it comes back (I4).
    #[serde(skip_serializing_if = "std::ops::Not::not", default, rename = "unarmed")]
    pub timer_missing: bool,
    /// When the job last changed.
    pub updated_at: UnixMillis,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The exclusive right to settle a fire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The holder.
    pub owner: Owner,
    /// From here on another executor may claim the fire, because the owner must be dead.
    pub until: UnixMillis,
}
