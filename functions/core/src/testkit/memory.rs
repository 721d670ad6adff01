//! One stack in memory.
//!
//! Every call of a port yields once, so that whoever polls several operations decides in which order their calls happen
//! ([`turns`](super::turns)).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::calls::{
    CatalogCalls, CheckpointCalls, CounterCalls, DeadLetterCalls, FallbackCalls, Gate, IdempotencyCalls, JobCalls,
    KeyCalls, ResultCalls, SealingKeyCalls, TimerCalls, WaitSlotCalls,
};
use super::script::{Fault, INNERMOST, Port, PortCall, Script, Trouble, When};
use super::tables::Tables;
use super::turns;
use crate::access::{ApiKey, KeyHash};
use crate::catalog::{Catalog, Revision, SecretStoreKind};
use crate::error::FieldError;
use crate::ports::{Clock, Entropy, PortError, Published};
use crate::request::Capabilities;
use crate::time::UnixMillis;

/// The ports of one stack in memory, whose calls fail by script. Clones are the same stack.
#[derive(Clone, Default)]
pub struct Memory(Arc<Shared>);

#[derive(Default)]
struct Shared {
    tables: Mutex<Tables>,
    script: Mutex<Script>,
    seed: Mutex<u64>,
    /// Tells the time instead of the tables.
    clock: Option<Box<dyn Clock>>,
    has_aws: AtomicBool,
}

impl Memory {
    /// An empty stack at `now`, whose randomness begins with `seed`.
    pub fn new(now: UnixMillis, seed: u64) -> Self {
        let tables = Mutex::new(Tables { now, ..Tables::default() });
        Self(Arc::new(Shared { tables, seed: Mutex::new(seed), ..Shared::default() }))
    }

    /// An empty stack with another clock than that of its tables.
    pub fn with_clock(clock: impl Clock + 'static, seed: u64) -> Self {
        Self(Arc::new(Shared { seed: Mutex::new(seed), clock: Some(Box::new(clock)), ..Shared::default() }))
    }

    /// All that is stored, to look at and to change past the ports.
    pub fn tables(&self) -> MutexGuard<'_, Tables> {
        locked(&self.0.tables)
    }

    /// Lets time pass.
    pub fn advance(&self, ms: i64) {
        let mut tables = self.tables();
        tables.now = tables.now.plus(ms);
    }

    /// Has one call go wrong.
    pub fn script(&self, when: When, fault: Fault) {
        locked(&self.0.script).faults.push((when, fault));
    }

    /// True if every scripted fault has happened.
    pub fn is_script_done(&self) -> bool {
        locked(&self.0.script).faults.is_empty()
    }

    /// Has every call of a port go wrong from here on.
    pub fn trouble(&self, port: Port, trouble: Trouble) {
        locked(&self.0.script).troubles.insert(port, trouble);
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<PortCall> {
        locked(&self.0.script).calls.clone()
    }

    /// Counts the calls from here on.
    pub fn forget_calls(&self) {
        locked(&self.0.script).calls.clear();
    }

    /// Lets the stack call AWS services, or no longer.
    pub fn set_aws(&self, has_aws: bool) {
        self.0.has_aws.store(has_aws, Ordering::Relaxed);
    }

    /// Stores a caller's key.
    pub fn admit(&self, text: &str, key: ApiKey) {
        self.tables().keys.insert(KeyHash::of(text).to_string(), Arc::new(key));
    }

    /// Stores a product's catalog.
    ///
    /// # Errors
    /// The fault of the document.
    pub fn publish(&self, product: &str, document: serde_json::Value) -> Result<(), Vec<FieldError>> {
        let (catalog, revision) = (Catalog::from_document(&document)?, Revision::of(&document));
        self.tables().catalogs.insert(product.to_owned(), Arc::new(Published { document, catalog, revision }));
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate for Memory {
    async fn pass<T: Send>(
        &self,
        call: PortCall,
        mut act: impl FnMut(&mut Tables) -> T + Send,
    ) -> Result<T, PortError> {
        let lost = || Err(PortError::Unavailable(INNERMOST.into()));
        turns::yield_once().await;
        let (fault, trouble) = {
            let mut script = locked(&self.0.script);
            (script.fault_of(call), script.troubles.get(&call.port()).copied())
        };
        if let Some(trouble) = trouble {
            trouble.meet(|ms| self.advance(ms)).await?;
        }
        let mut tables = self.tables();
        match fault {
            None => Ok(act(&mut tables)),
            Some(Fault::Before) => lost(),
            Some(Fault::After) => {
                act(&mut tables);
                lost()
            }
            Some(Fault::Twice) => {
                act(&mut tables);
                Ok(act(&mut tables))
            }
            Some(Fault::Overtaken(other)) => {
                other(&mut tables);
                Ok(act(&mut tables))
            }
        }
    }

    fn capabilities(&self) -> Capabilities {
        let has_aws = self.0.has_aws.load(Ordering::Relaxed);
        let aws = if has_aws { Ok(()) } else { Err("AWS services cannot be called here") };
        Capabilities { secret_stores: &[SecretStoreKind::Env], aws }
    }
}

impl JobCalls for Memory {}
impl CatalogCalls for Memory {}
impl KeyCalls for Memory {}
impl SealingKeyCalls for Memory {}
impl ResultCalls for Memory {}
impl IdempotencyCalls for Memory {}
impl CheckpointCalls for Memory {}
impl CounterCalls for Memory {}
impl FallbackCalls for Memory {}
impl TimerCalls for Memory {}
impl DeadLetterCalls for Memory {}
impl WaitSlotCalls for Memory {}

impl Clock for Memory {
    fn now(&self) -> UnixMillis {
        self.0.clock.as_ref().map_or_else(|| self.tables().now, |clock| clock.now())
    }
}

impl Entropy for Memory {
    /// Two steps of SplitMix64.
    fn bits(&self) -> u128 {
        let mut seed = locked(&self.0.seed);
        let mut step = || {
            *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        };
        u128::from(step()) << 64 | u128::from(step())
    }
}
