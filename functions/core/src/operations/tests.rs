//! The operations over ports that fail by script. What every test needs is here, the tests are in the modules.

mod cache_lookup;
mod catalogs;
mod change;
mod composites;
mod definitions;
mod execute;
mod faults;
mod idempotency;
mod look;
mod notifications;
mod plans;
mod preview;
mod races;
mod revive;
mod schedule;
mod series;
mod sessions;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::access::Scope;
use crate::event_types::Limits;
use crate::ids::{Fire, JobId, Owner};
use crate::job::{Outcome, Output, RunError, RunStatus, Status, codes};
use crate::machine::{Trigger, decide};
use crate::ports::{BoxFuture, Condition, DefinedSession, Sessions, Targets, TokenRefusal};
use crate::request::DispatchRequest;
use crate::session::Claims;
use crate::testkit::turns::{block_on, yield_once};
use crate::testkit::{Fault, Memory, PortCall, Tables, When};
use crate::time::UnixMillis;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn shop() -> Value {
    json!({
        "envs": ["dev", "prd"],
        "apps": {
            "shop": {
                "envs": {"prd": {"base_url": "https://shop.example.com"}},
                "actions": {
                    "order.close": {"method": "POST", "path": "/orders/:id/close", "timeout": 10_000},
                    "ping": {"method": "GET", "path": "/ping"},
                },
            },
            "bank": {
                "envs": {"prd": {"base_url": "https://bank.example.com"}},
                "actions": {"ping": {"method": "GET", "path": "/ping"}},
            },
        },
        "notifications": {"welcome": {"envs": {"prd": {"email": {"provider": "ses", "from": "a@example.com"}}}}},
    })
}

/// A sound body that `extra` is laid over.
fn body(extra: &Value) -> Vec<u8> {
    let mut body = json!({
        "product_tag": "shop", "env": "prd", "event": "order.close", "start_at": 0, "input": {"params": {"id": "7"}},
    });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body.to_string().into_bytes()
}

fn key(product: &str, env: &str) -> ApiKey {
    ApiKey {
        id: "key".into(),
        name: String::new(),
        products: vec![product.into()],
        envs: vec![env.into()],
        scopes: vec![Scope::JobsRead, Scope::JobsWrite, Scope::CatalogWrite],
        created_at: NOW,
    }
}

fn owner_of_shop() -> ApiKey {
    key("shop", "*")
}

/// Sessions whose tokens say their claims in plain JSON.
struct Texts;

impl Sessions for Texts {
    fn verify<'a>(&'a self, _: DefinedSession<'a>, token: &'a str) -> BoxFuture<'a, Result<Claims, TokenRefusal>> {
        Box::pin(async move {
            match serde_json::from_str(token) {
                Ok(claims) => Ok(claims),
                Err(_) if token == "down" => Err(TokenRefusal::Port(PortError::Unavailable("scripted".into()))),
                Err(_) => Err(TokenRefusal::Bad(FieldCode::TokenSignature, "the signature is wrong".to_owned())),
            }
        })
    }

    fn mint<'a>(&'a self, _: DefinedSession<'a>, claims: &'a Claims) -> BoxFuture<'a, Result<String, TokenRefusal>> {
        Box::pin(async move { Ok(Value::Object(claims.clone()).to_string()) })
    }
}

/// The target's answer to one request.
struct Answer {
    result: Result<Output, RunError>,
    takes_ms: i64,
    meanwhile: Box<dyn FnOnce(&mut Tables) + Send>,
}

impl Answer {
    fn new(result: Result<Output, RunError>) -> Self {
        Self { result, takes_ms: 10, meanwhile: Box::new(|_| ()) }
    }
}

fn transient() -> Answer {
    Answer::new(Err(RunError::transient(codes::TIMEOUT, "no answer in time")))
}

/// A target that answers by script, and after that always well.
#[derive(Clone, Default)]
struct Target {
    memory: Memory,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    requests: Arc<Mutex<Vec<DispatchRequest>>>,
}

impl Targets for Target {
    async fn dispatch(&self, call: DispatchRequest) -> Result<Output, RunError> {
        self.requests.lock().unwrap().push(call);
        yield_once().await;
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or_else(|| Answer::new(Ok(Output::default())));
        let mut world = self.memory.tables();
        world.now = world.now.plus(answer.takes_ms);
        (answer.meanwhile)(&mut world);
        answer.result
    }

    async fn pause(&self, _: u32) {}
}

/// One stack: the ports with the catalog of the shop, and an executor.
struct Stack {
    memory: Memory,
    executor: Executor<Target>,
    /// The dead letters of the executor.
    dead_lettered: Mutex<Vec<Fire>>,
}

impl Stack {
    fn new() -> Self {
        let memory = Memory::new(NOW, 1);
        let targets = Target { memory: memory.clone(), ..Target::default() };
        let limits = Limits { default_timeout_ms: 30_000, max_timeout_ms: 60_000, lease_margin_ms: 5_000 };
        let stack = Self {
            memory,
            executor: Executor { targets, limits, trace: Some("Root=1-2-3".into()) },
            dead_lettered: Mutex::default(),
        };
        stack.publish(&shop());
        stack.memory.forget_calls();
        stack
    }

    fn publish(&self, document: &Value) {
        let (owner, body) = (owner_of_shop(), document.to_string());
        block_on(put_catalog(&self.memory, &owner, "shop", body.as_bytes(), &Condition::Always)).unwrap();
    }

    fn answers(&self, answers: impl IntoIterator<Item = Answer>) {
        self.executor.targets.answers.lock().unwrap().extend(answers);
    }

    fn schedule(&self, extra: &Value) -> Result<Job, OperationError> {
        block_on(schedule(&self.memory, &Texts, &owner_of_shop(), &body(extra), None)).map(|scheduled| scheduled.job)
    }

    fn scheduled(&self, extra: &Value) -> Job {
        self.schedule(extra).unwrap()
    }

    fn execute(&self, fire: Fire) -> Result<Execution, PortError> {
        block_on(execute(&self.memory, &self.executor, fire))
    }

    fn job(&self, id: JobId) -> Job {
        self.memory.tables().jobs[&id].clone()
    }

    fn status(&self, id: JobId) -> Status {
        self.job(id).state.status
    }

    fn wait(&self, ms: i64) {
        let mut world = self.memory.tables();
        world.now = world.now.plus(ms);
    }

    fn stored_and_armed(&self) -> (usize, usize) {
        let world = self.memory.tables();
        (world.jobs.len(), world.armed.len())
    }

    /// Number of requests to the target.
    fn dispatched(&self) -> usize {
        self.executor.targets.requests.lock().unwrap().len()
    }

    fn script(&self, call: PortCall, fault: Fault) {
        self.memory.script(When::Nth(call, 0), fault);
    }

    /// Delivers every message when it is due, until none is left, as a queue with a visibility timeout of 30 s and a
    /// grace of a minute for fires that are not stored.
    fn drive(&self) {
        let mut unknown_since: BTreeMap<Fire, UnixMillis> = BTreeMap::new();
        for _ in 0..1_000 {
            let Some((at, fire)) = self.memory.tables().armed.pop_first() else { return };
            let now = self.memory.tables().now.max(at);
            self.memory.tables().now = now;
            let again_at = match self.execute(fire).map(|execution| execution.verdict) {
                Ok(Verdict::Acknowledge) => None,
                Ok(Verdict::Redeliver { at }) => Some(at),
                Ok(Verdict::DeadLetter(_)) => {
                    self.dead_lettered.lock().unwrap().push(fire);
                    None
                }
                Ok(Verdict::Unknown) => {
                    let since = *unknown_since.entry(fire).or_insert(now);
                    (now.since(since) < 60_000).then(|| now.plus(1_000))
                }
                Err(_) => Some(now.plus(30_000)),
            };
            self.memory.tables().armed.extend(again_at.map(|at| (at, fire)));
        }
        panic!("messages go round for ever");
    }
}

/// An executor elsewhere claims the job, and its answer is still out.
fn claimed_elsewhere(world: &mut Tables, id: JobId) {
    let job = world.jobs[&id].clone();
    let event = Trigger::Claim { fire: job.fire(), owner: Owner::new(99), lease_ms: 60_000 };
    happens(world, id, &event);
}

fn happens(world: &mut Tables, id: JobId, trigger: &Trigger) {
    let transition = decide(&world.jobs[&id], trigger, world.now).unwrap();
    assert_eq!(world.commit(&transition), WriteOutcome::Done);
}

/// The outcomes that were recorded for a fire: never more than one.
fn outcomes(stack: &Stack, fire: Fire) -> Vec<Outcome> {
    let world = stack.memory.tables();
    world.outcomes.iter().filter(|(of, _)| *of == fire).map(|(_, outcome)| outcome.clone()).collect()
}
