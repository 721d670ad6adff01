//! Runs a plan: callers, Scheduler, queue and Lambda, all in one thread and by a clock that jumps.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use carillon_api::{Service, router};
use carillon_aws::message::Message;
use carillon_core::access::{ApiKey, KeyHash, Scope};
use carillon_core::call::Limits;
use carillon_core::ids::JobId;
use carillon_core::machine::mutants;
use carillon_core::time::UnixMillis;
use carillon_executor::lambda::{Batch, Delivery};
use carillon_tests::client::catalog;
use http::{Method, Request, header};
use serde_json::{Value, json};
use tokio::time::{timeout, timeout_at};
use tower::ServiceExt as _;

use crate::actor::Actor;
use crate::dice::FaultId;
use crate::mutation::Mutation;
use crate::oracle::Violation;
use crate::plan::{BEGIN, END_MS, JobPlan, PRODUCTS, Plan, What};
use crate::ports::{CALLER, Shared, Sim, is_calm, key_of};
use crate::world::World;

const KEY: &str = "car_simulation";
/// What the executor has for an invocation, ms.
const INVOCATION_MS: i64 = 60_000;
/// API Gateway gives a request so long.
const REQUEST: Duration = Duration::from_secs(29);
/// Lambda takes so many messages at once.
const LARGEST_BATCH: usize = 10;

/// One job in so many is read back in the end.
const READ_BACK: usize = 7;

/// What came of a simulation.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) violations: Vec<Violation>,
    pub(crate) faults: Vec<FaultId>,
    pub(crate) trace: Vec<String>,
    pub(crate) jobs: usize,
    pub(crate) dispatches: u64,
    pub(crate) calls: u64,
}

/// Runs a plan, with something broken or with everything as it is.
pub(crate) fn run(plan: &Plan, mutation: Option<Mutation>, is_traced: bool) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime can be made");
    mutants::with(mutation.and_then(Mutation::rule), || runtime.block_on(play(plan.clone(), mutation, is_traced)))
}

async fn play(plan: Plan, mutation: Option<Mutation>, is_traced: bool) -> Report {
    let caller = ApiKey {
        id: "all".to_owned(),
        name: String::new(),
        products: vec!["*".to_owned()],
        envs: vec!["*".to_owned()],
        scopes: Scope::WORDS.map(|(_, scope)| scope).to_vec(),
        created_at: BEGIN,
    };
    let keys = vec![(KeyHash::of(KEY), Arc::new(caller))];
    let mut world = World { keys, mutation, trace: is_traced.then(Vec::new), ..World::default() };
    world.oracle.is_strict = plan.faults_in_10_000 == 0;
    let shared = Shared::new(plan, world);
    let router = router(Service::new(Arc::new(Sim { shared: Arc::clone(&shared), actor: None })));
    let simulation = Arc::new(Simulation { shared, router, state: Mutex::default() });
    for product in PRODUCTS {
        let document = catalog(([127, 0, 0, 1], 9).into());
        simulation.quietly(Method::PUT, &format!("/v1/products/{product}"), document).await;
    }
    simulation.drive().await;
    simulation.read_back().await;
    simulation.report()
}

#[derive(Default)]
struct State {
    /// Which jobs were accepted, by their numbers in the plan.
    accepted: Vec<(usize, JobId)>,
    actors: u64,
}

struct Simulation {
    shared: Arc<Shared>,
    router: Router,
    state: Mutex<State>,
}

/// One request of the plan.
type Due<'a> = (i64, &'a JobPlan, Option<usize>);

impl Simulation {
    async fn drive(self: &Arc<Self>) {
        let shared = &self.shared;
        let mut due: Vec<Due<'_>> = Vec::new();
        for job in &shared.plan.jobs {
            due.push((job.at_ms, job, None));
            due.extend(job.steps.iter().enumerate().map(|(index, step)| (step.at_ms, job, Some(index))));
        }
        due.sort_by_key(|(at_ms, job, step)| (*at_ms, job.number, *step));
        let (end, mut due) = (BEGIN.plus(END_MS), due.into_iter().peekable());
        loop {
            let now = shared.now();
            if now >= end {
                return;
            }
            while let Some((_, job, step)) = due.next_if(|(at_ms, ..)| BEGIN.plus(*at_ms) <= now) {
                tokio::spawn(Arc::clone(self).request((*job).clone(), step));
            }
            shared.world().fire_schedules(now, |fire| {
                let mut random = shared.dice.roll(key_of(fire), u64::MAX);
                let is_doubled = !is_calm(now) && random.below(10_000) < shared.plan.faults_in_10_000;
                is_doubled.then(|| i64::try_from(random.below(60_000)).unwrap_or(0))
            });
            self.receive(now);
            let next = [shared.world().queue.next_at(), due.peek().map(|(at_ms, ..)| BEGIN.plus(*at_ms))];
            let next = next.into_iter().flatten().fold(end, UnixMillis::min);
            // Whether it is time or there are news, there is something to look at.
            let _ = timeout_at(shared.instant(next), shared.news.notified()).await;
        }
    }

    /// Hands what is visible over to the executor, in no order.
    fn receive(self: &Arc<Self>, now: UnixMillis) {
        let mut world = self.shared.world();
        let mut numbers = world.queue.visible(now);
        let mut random = self.shared.dice.roll(0x0052_4543, now.0.unsigned_abs());
        while !numbers.is_empty() {
            let size = random.between(1, LARGEST_BATCH).min(numbers.len());
            let mut parcels = Vec::new();
            for _ in 0..size {
                let number = numbers.swap_remove(random.below(numbers.len()));
                parcels.extend(world.queue.receive(number, now).map(|parcel| (number, parcel)));
            }
            let Some((_, first)) = parcels.first() else { continue };
            let fire = Message::parse(&first.body).map_or(0, |message| key_of(message.fire));
            let mut key = fire ^ now.0.unsigned_abs() << 16 ^ u64::from(first.receive_count);
            while !world.keys_of_luck.insert(key) {
                key = key.wrapping_add(1);
            }
            let name = format!("executor {}", self.next_actor());
            let actor = self.actor(name, key);
            for (_, parcel) in &parcels {
                let count = parcel.receive_count;
                world.note(now, &actor.name, || format!("receives {}, {count}. time", parcel.body));
            }
            let deliveries = parcels.iter().map(|(number, parcel)| Delivery {
                message_id: number.to_string(),
                receipt_handle: number.to_string(),
                body: parcel.body.clone(),
                sent_at: Some(match world.mutation {
                    Some(Mutation::GraceDropped) => UnixMillis(0),
                    _ => parcel.sent_at,
                }),
                receive_count: parcel.receive_count,
                trace: None,
            });
            let deliveries: Vec<_> = deliveries.collect();
            if world.mutation == Some(Mutation::ForgottenAtReceipt) {
                for (number, _) in &parcels {
                    world.delete(*number);
                }
            }
            tokio::spawn(Arc::clone(self).invoke(actor, deliveries));
        }
    }

    fn next_actor(&self) -> u64 {
        let mut state = self.state.lock().expect("nobody panics with it in hand");
        state.actors += 1;
        state.actors
    }

    /// Somebody who acts, with a clock of their own.
    fn actor(&self, name: String, key: u64) -> Arc<Actor> {
        let skew_ms = i64::try_from(self.shared.dice.roll(key, u64::MAX).below(1_000)).unwrap_or(0) - 500;
        Arc::new(Actor::new(self.next_actor(), name, key, skew_ms))
    }

    /// One invocation of the executor, to its end or its death.
    async fn invoke(self: Arc<Self>, actor: Arc<Actor>, deliveries: Vec<Delivery>) {
        let ports = Arc::new(Sim { shared: Arc::clone(&self.shared), actor: Some(Arc::clone(&actor)) });
        let batch = Arc::new(Batch {
            ports: Arc::clone(&ports),
            targets: Sim::clone(&ports),
            carrier: ports,
            limits: Limits::default(),
            service: String::new(),
            metrics: |_| {},
        });
        let numbers: Vec<_> = deliveries.iter().map(|delivery| delivery.message_id.clone()).collect();
        let deadline = self.shared.now().plus(actor.skew_ms + INVOCATION_MS);
        let returned = tokio::select! {
            biased;
            () = actor.death() => return,
            returned = batch.work(deliveries, deadline) => returned,
        };
        let mut world = self.shared.world();
        let now = self.shared.now();
        for number in numbers.iter().filter(|number| !returned.contains(number)) {
            let (fate, id) = actor.next_fate(self.shared.dice, &self.shared.plan, is_calm(now));
            if fate.fault.is_some() {
                world.faults.push(id);
                world.note(now, &actor.name, || format!("message {number} is not deleted"));
                continue;
            }
            world.delete(number.parse().unwrap_or(0));
        }
    }

    /// One request of a caller.
    async fn request(self: Arc<Self>, job: JobPlan, step: Option<usize>) {
        let step = step.and_then(|index| job.steps.get(index));
        let number = step.map_or(0, |step| step.number);
        let Some((method, path, body)) = self.asked(&job, step.map(|step| &step.what)) else { return };
        let key = u64::try_from(job.number * 1_000 + number).unwrap_or(0);
        let actor = self.actor(format!("job{}, request {number}", job.number), key);
        let now = self.shared.now();
        self.shared.world().note(now, &actor.name, || format!("{method} {path} {body}"));
        let Some((status, answer)) = self.send(&actor, method, &path, &body).await else { return };
        let now = self.shared.now();
        let mut world = self.shared.world();
        world.note(now, &actor.name, || format!("is answered {status}"));
        let is_excused = status < 500 || actor.has_met_fault.load(Ordering::Relaxed);
        world.oracle.hold(is_excused, "API", || format!("{path} was answered {status} {answer} for no reason"));
        if let (202, Ok(id)) = (status, answer["job_id"].as_str().unwrap_or_default().parse::<JobId>()) {
            world.names.insert(id, format!("job{}", job.number));
            self.state.lock().expect("nobody panics with it in hand").accepted.push((job.number, id));
        }
    }

    /// What a step asks for; nothing when its job was not accepted.
    fn asked(&self, job: &JobPlan, what: Option<&What>) -> Option<(Method, String, Value)> {
        let Some(what) = what else { return Some((Method::POST, "/v1/jobs".to_owned(), job.body.clone())) };
        let accepted = self.state.lock().expect("nobody panics with it in hand").accepted.clone();
        let id = accepted.into_iter().find(|(number, _)| *number == job.number).map(|(_, id)| id)?;
        let of_job = |method, verb: &str, body| Some((method, format!("/v1/jobs/{id}{verb}"), body));
        match what {
            What::Cancel => of_job(Method::POST, "/cancel", json!({"reason": "no more"})),
            What::Pause => of_job(Method::POST, "/pause", Value::Null),
            What::Resume => of_job(Method::POST, "/resume", Value::Null),
            What::Run => of_job(Method::POST, "/run", Value::Null),
            What::Retry { delay_ms } => of_job(Method::POST, "/retry", json!({"delay": delay_ms})),
            What::Edit(body) => of_job(Method::PATCH, "", body.clone()),
            What::Look => of_job(Method::GET, "/runs", Value::Null),
            What::Redrive(body) => Some((Method::POST, "/v1/dead-letters/redrive".to_owned(), body.clone())),
        }
    }

    /// Sends a request; no answer when the process dies over it, or it takes too long.
    async fn send(&self, actor: &Arc<Actor>, method: Method, path: &str, body: &Value) -> Option<(u16, Value)> {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request =
            Request::builder().method(method).uri(path).header(header::AUTHORIZATION, format!("Bearer {KEY}"));
        let request = request.body(body).expect("a well-formed request");
        let answered = CALLER.scope(Arc::clone(actor), self.router.clone().oneshot(request));
        let answered = async {
            tokio::select! { biased; () = actor.death() => None, answer = answered => answer.ok() }
        };
        let response = timeout(REQUEST, answered).await.ok()??;
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.ok()?;
        Some((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    /// A request to which nothing happens.
    async fn quietly(&self, method: Method, path: &str, body: Value) -> Value {
        let mut key = 1 << 40;
        loop {
            // The luck of another key, until it is good.
            let actor = self.actor("caller".to_owned(), key);
            match self.send(&actor, method.clone(), path, &body).await {
                Some((status, answer)) if status < 300 => return answer,
                _ => key += 1,
            }
        }
    }

    /// Asks for the runs of some jobs, as anybody may: they are the recorded ones.
    async fn read_back(&self) {
        let accepted = self.state.lock().expect("nobody panics with it in hand").accepted.clone();
        for (_, id) in accepted.into_iter().filter(|(number, _)| number % READ_BACK == 0) {
            let before = self.shared.world().recorded(id);
            let page = self.quietly(Method::GET, &format!("/v1/jobs/{id}/runs?limit=100"), Value::Null).await;
            let runs = page["runs"].as_array().cloned().unwrap_or_default();
            let ended = runs.iter().filter(|run| !run["ended_at"].is_null());
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let told: BTreeSet<_> = ended.map(|run| (text(&run["webhook_id"]), text(&run["status"]))).collect();
            let mut world = self.shared.world();
            // One may have ended meanwhile.
            let is_so = before.is_subset(&told) && told.is_subset(&world.recorded(id));
            world.oracle.hold(is_so, "API", || format!("{id} has the runs {before:?}, and {told:?} are told of"));
        }
    }

    fn report(&self) -> Report {
        let accepted = self.state.lock().expect("nobody panics with it in hand").accepted.clone();
        let ids: Vec<_> = accepted.iter().map(|(_, id)| *id).collect();
        let mut world = self.shared.world();
        let now = self.shared.now();
        world.check_at_rest(&ids, now);
        let mut violations = std::mem::take(&mut world.oracle.violations);
        for violation in &mut violations {
            for (id, name) in &world.names {
                violation.text = violation.text.replace(&id.to_string(), name);
            }
        }
        Report {
            violations,
            faults: std::mem::take(&mut world.faults),
            trace: world.trace.take().unwrap_or_default(),
            jobs: world.jobs.len(),
            dispatches: world.dispatches,
            calls: world.calls,
        }
    }
}
