//! Calls of ports, and faults that are scripted for them.

use std::collections::BTreeMap;

use super::tables::Tables;
use crate::ports::PortError;

/// A call of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each names its method and what that is done to")]
pub enum PortCall {
    InsertJob,
    GetJob,
    Commit,
    ListJobs,
    RetiredRuns,
    GetCatalog,
    FreshCatalog,
    PutCatalog,
    DeleteCatalog,
    FindKey,
    AddKey,
    CurrentKey,
    FindSealingKey,
    LookupResult,
    FillResult,
    ReleaseResult,
    CacheEntries,
    ClearCache,
    FindRequest,
    ReserveRequest,
    FinishedParts,
    SavePart,
    CounterUsed,
    Count,
    ResetCounter,
    Failing,
    MarkOption,
    Arm,
    Disarm,
    RedriveAll,
    TakeSlot,
    ReleaseSlot,
}

impl PortCall {
    /// The port that it calls.
    pub fn port(self) -> Port {
        match self {
            Self::InsertJob | Self::GetJob | Self::Commit | Self::ListJobs | Self::RetiredRuns => Port::Jobs,
            Self::GetCatalog | Self::FreshCatalog | Self::PutCatalog | Self::DeleteCatalog => Port::Catalogs,
            Self::FindKey | Self::AddKey => Port::Keys,
            Self::CurrentKey | Self::FindSealingKey => Port::SealingKeys,
            Self::LookupResult | Self::FillResult | Self::ReleaseResult | Self::CacheEntries | Self::ClearCache => {
                Port::ResultCache
            }
            Self::FindRequest | Self::ReserveRequest => Port::Idempotency,
            Self::FinishedParts
            | Self::SavePart
            | Self::CounterUsed
            | Self::Count
            | Self::ResetCounter
            | Self::Failing
            | Self::MarkOption => Port::Progress,
            Self::Arm | Self::Disarm => Port::Timers,
            Self::RedriveAll => Port::DeadLetters,
            Self::TakeSlot | Self::ReleaseSlot => Port::WaitSlots,
        }
    }
}

/// A port whose calls can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named after its method of `Ports`")]
pub enum Port {
    Jobs,
    Catalogs,
    Keys,
    SealingKeys,
    ResultCache,
    Idempotency,
    Progress,
    Timers,
    DeadLetters,
    WaitSlots,
}

/// The cause of every scripted fault. A client must never see it.
pub const INNERMOST: &str = "table carillon-prd at 10.0.0.7 said no";

/// A fault that a port can have again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// It fails with [`PortError::Unavailable`], and nothing is done.
    Unavailable,
    /// It fails with [`PortError::Throttled`], and nothing is done.
    Throttled,
    /// It fails with [`PortError::Permanent`], and nothing is done.
    Permanent,
    /// It never answers, and nothing is done.
    Hang,
    /// It panics, and nothing is done.
    Panic,
    /// It is done, and takes this long, ms.
    Slow(i64),
}

impl Trouble {
    /// Meets the call: fails, hangs, panics, or lets the time pass.
    pub(super) async fn meet(self, let_pass: impl FnOnce(i64)) -> Result<(), PortError> {
        match self {
            Self::Unavailable => Err(PortError::Unavailable(INNERMOST.into())),
            Self::Throttled => Err(PortError::Throttled(INNERMOST.into())),
            Self::Permanent => Err(PortError::Permanent(INNERMOST.into())),
            Self::Hang => std::future::pending().await,
            Self::Panic => panic!("{INNERMOST}"),
            Self::Slow(ms) => {
                let_pass(ms);
                Ok(())
            }
        }
    }
}

/// A fault of one call.
pub enum Fault {
    /// It fails, and nothing was done.
    Before,
    /// It is done, and fails: the answer is lost.
    After,
    /// It is done twice, as by a client that repeats it: a conditional write then finds its own result in its place.
    Twice,
    /// Somebody else acts first.
    Overtaken(Box<dyn FnOnce(&mut Tables) + Send>),
}

/// The call that a fault is for, counted from when it was scripted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// This call, from 0.
    Nth(PortCall, usize),
    /// This call of any method of this port, from 0.
    Of(Port, usize),
    /// This call of any port, from 0.
    Any(usize),
}

impl When {
    /// Counts a call. True if it is the one.
    fn count(&mut self, call: PortCall) -> bool {
        let left = match self {
            Self::Nth(wanted, left) if *wanted == call => left,
            Self::Of(wanted, left) if *wanted == call.port() => left,
            Self::Any(left) => left,
            Self::Nth(..) | Self::Of(..) => return false,
        };
        let is_due = *left == 0;
        *left = left.saturating_sub(1);
        is_due
    }
}

/// The faults to come, and the calls so far.
#[derive(Default)]
pub(super) struct Script {
    pub(super) calls: Vec<PortCall>,
    pub(super) faults: Vec<(When, Fault)>,
    pub(super) troubles: BTreeMap<Port, Trouble>,
}

impl Script {
    /// Notes a call. Takes the fault that is scripted for it, and counts the others down.
    pub(super) fn fault_of(&mut self, call: PortCall) -> Option<Fault> {
        self.calls.push(call);
        let mut due = None;
        for (index, (when, _)) in self.faults.iter_mut().enumerate() {
            // A second one that is due stays for the next call.
            if when.count(call) {
                due = due.or(Some(index));
            }
        }
        due.map(|index| self.faults.remove(index).1)
    }
}
