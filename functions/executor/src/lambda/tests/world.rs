//! The ports in memory, by tokio's time, with the catalog of a shop.

use std::sync::Arc;

use carillon_core::access::{ApiKey, Scope};
use carillon_core::ids::JobId;
use carillon_core::job::Job;
use carillon_core::machine::{Trigger, decide};
use carillon_core::ports::{Clock, WriteOutcome};
use carillon_core::testkit::{Fault, Memory, Port, When};
use carillon_core::time::UnixMillis;
use serde_json::json;
use tokio::time::Instant;

pub(super) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// Tokio's time since it was made, after [`NOW`].
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> UnixMillis {
        NOW.plus(tokio_now().duration_since(self.0).as_millis().try_into().unwrap())
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests' time is tokio's")]
fn tokio_now() -> Instant {
    Instant::now()
}

pub(super) fn owner() -> ApiKey {
    ApiKey {
        id: "owner".into(),
        name: String::new(),
        products: vec!["shop".into()],
        envs: vec!["*".into()],
        scopes: Scope::WORDS.map(|(_, scope)| scope).to_vec(),
        created_at: NOW,
    }
}

pub(super) fn memory() -> Arc<Memory> {
    let memory = Memory::with_clock(TokioClock(tokio_now()), 1);
    let shop = json!({"envs": ["prd"], "apps": {"shop": {
        "envs": {"prd": {"base_url": "https://shop.example.com"}},
        "actions": {"do": {"method": "POST", "path": "/do/:what"}},
    }}});
    memory.publish("shop", shop).unwrap();
    Arc::new(memory)
}

pub(super) fn job(memory: &Memory, id: JobId) -> Job {
    memory.tables().jobs[&id].clone()
}

/// Something happens to a job.
pub(super) fn happens(memory: &Memory, id: JobId, trigger: &Trigger) {
    let transition = decide(&job(memory, id), trigger, memory.now()).unwrap();
    assert_eq!(memory.tables().commit(&transition), WriteOutcome::Done);
}

/// The next call of the job store fails.
pub(super) fn fails_once(memory: &Memory) {
    memory.script(When::Of(Port::Jobs, 0), Fault::Before);
}
