//! All ports in memory, for tests and benches of what stands on them. Compiled with the feature `testkit` only, which no binary
//! that is deployed has.
//!
//! - [`Memory`] is one stack: a clock that moves only when it is told to, seeded randomness, and faults by script ([`Fault`],
//!   [`Trouble`]). The contract suite holds it to what it holds the real stores to.
//! - [`Tables`] is what it stores.
//! - [`Gate`] puts something else between the ports and the tables, such as latency and crashes. Whoever implements it has
//!   every port, and overrides the calls that differ, such as [`JobCalls`].
//! - [`turns`] runs operations without a runtime: the same seed, script and turns give the same history.

mod calls;
mod memory;
mod script;
mod sessions;
mod tables;
pub mod turns;

pub use self::calls::{
    CatalogCalls, CheckpointCalls, CounterCalls, DeadLetterCalls, FallbackCalls, Gate, IdempotencyCalls, JobCalls,
    KeyCalls, ResultCalls, SealingKeyCalls, TimerCalls, WaitSlotCalls,
};
pub use self::memory::Memory;
pub use self::script::{Fault, INNERMOST, Port, PortCall, Trouble, When};
pub use self::sessions::NoSessions;
pub use self::tables::{Keyring, ProgressTables, Requests, Results, Tables, is_wanted};
