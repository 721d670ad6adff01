//! Runs a plan: callers, Scheduler, queue and Lambda, all in one thread and by a clock that jumps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use carillon_api::{Service, router};
use carillon_core::access::{ApiKey, KeyHash, Scope};
use carillon_core::event_types::Limits;
use carillon_core::ids::JobId;
use carillon_core::machine::mutants;
use carillon_core::testkit::NoSessions;
use carillon_core::time::UnixMillis;
use carillon_executor::lambda::{Batch, Delivery};
use http::Method;
use tokio::time::timeout_at;

use crate::actor::Actor;
use crate::catalogs::{Change, Edition, INSTANCES};
use crate::dice::FaultId;
use crate::mutation::Mutation;
use crate::oracle::Violation;
use crate::plan::{END_MS, JobPlan, PRODUCTS, Plan};
use crate::ports::{Shared, Sim, key_of};
use crate::world::World;

/// The key that is good to the end, and the other one.
pub(crate) const KEY: &str = "car_simulation";
pub(crate) const REVOKED_KEY: &str = "car_revoked";
/// Duration of an executor's invocation, ms.
const INVOCATION_MS: i64 = 60_000;
/// API Gateway gives a request so long.
pub(crate) const REQUEST: Duration = Duration::from_secs(29);
/// Maximum number of messages in one invocation.
const MAX_BATCH: usize = 10;

/// Number of jobs at one instant that make a burst.
const BURST: usize = 5;
/// One job in this many is read back in the end.
const READ_BACK: usize = 7;

/// The result of a simulation.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) violations: Vec<Violation>,
    pub(crate) faults: Vec<FaultId>,
    pub(crate) trace: Vec<String>,
    pub(crate) jobs: usize,
    pub(crate) dispatches: u64,
    pub(crate) calls: u64,
    pub(crate) counts: BTreeMap<&'static str, u64>,
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
        created_at: plan.begin,
    };
    let begin = plan.begin;
    let revoked = vec![(KeyHash::of(REVOKED_KEY), begin.plus(plan.revoked_ms))];
    let mut world = World { begin, revoked, mutation, trace: is_traced.then(Vec::new), ..World::default() };
    for key in [KEY, REVOKED_KEY] {
        world.tables.add_key(&KeyHash::of(key), &caller);
    }
    world.oracle.is_strict = plan.faults_in_10_000 == 0;
    let shared = Shared::new(plan, world);
    let router = router(Service::new(Arc::new(Sim { shared: Arc::clone(&shared), actor: None }), Arc::new(NoSessions)));
    let simulation = Arc::new(Simulation { shared, router, state: Mutex::default() });
    for product in PRODUCTS {
        let document = Edition::FIRST.document();
        simulation.quietly(Method::PUT, &format!("/v1/products/{product}"), &document).await;
    }
    simulation.drive().await;
    let accepted = simulation.state.lock().expect("nobody panics with it in hand").accepted.clone();
    for (_, id) in accepted.into_iter().filter(|(number, _)| number % READ_BACK == 0) {
        simulation.read_back(id).await;
    }
    simulation.report()
}

#[derive(Default)]
struct State {
    /// The accepted jobs, by their numbers in the plan.
    accepted: Vec<(usize, JobId)>,
    actors: u64,
}

pub(crate) struct Simulation {
    pub(crate) shared: Arc<Shared>,
    pub(crate) router: Router,
    state: Mutex<State>,
}

/// One request of the plan.
#[derive(Clone)]
enum Due {
    /// One of a job's steps.
    Step(Arc<JobPlan>, usize),
    /// A job is asked for, or under its key again.
    Job(Arc<JobPlan>, Option<usize>),
    /// A change of a catalog.
    Change(Change),
}

impl Simulation {
    async fn drive(self: &Arc<Self>) {
        let shared = &self.shared;
        let (begin, mut due) = (shared.plan.begin, Vec::new());
        due.extend(shared.plan.changes.iter().map(|change| (change.at_ms, Due::Change(change.clone()))));
        for job in &shared.plan.jobs {
            let job = Arc::new(job.clone());
            due.push((job.at_ms, Due::Job(Arc::clone(&job), None)));
            let steps = job.steps.iter().enumerate();
            due.extend(steps.map(|(index, step)| (step.at_ms, Due::Step(Arc::clone(&job), index))));
            let again = job.again.iter().enumerate();
            due.extend(again.map(|(index, again)| (again.at_ms, Due::Job(Arc::clone(&job), Some(index)))));
        }
        // Those of one instant stay in the order of the plan.
        due.sort_by_key(|(at_ms, _)| *at_ms);
        let (end, mut due) = (begin.plus(END_MS), due.into_iter().peekable());
        loop {
            let now = shared.now();
            if now >= end {
                return;
            }
            let mut submitted = 0;
            while let Some((_, due)) = due.next_if(|(at_ms, _)| begin.plus(*at_ms) <= now) {
                submitted += usize::from(matches!(due, Due::Job(_, None)));
                match due {
                    Due::Job(job, again) => drop(tokio::spawn(Arc::clone(self).request_job(job, again))),
                    Due::Step(job, step) => drop(tokio::spawn(Arc::clone(self).request(job, step))),
                    Due::Change(change) => drop(tokio::spawn(Arc::clone(self).change(change))),
                }
            }
            if submitted >= BURST {
                shared.world().count("burst of jobs");
            }
            shared.world().fire_schedules(now, |fire| {
                let mut random = shared.dice.roll(key_of(fire), u64::MAX);
                let is_doubled = !shared.plan.is_calm(now) && random.below(10_000) < shared.plan.faults_in_10_000;
                is_doubled.then(|| i64::try_from(random.below(60_000)).unwrap_or(0))
            });
            self.receive(now);
            let next = [shared.world().queue.next_at(), due.peek().map(|(at_ms, _)| begin.plus(*at_ms))];
            let next = next.into_iter().flatten().fold(end, UnixMillis::min);
            // Either its time has come or there are news.
            let _ = timeout_at(shared.instant(next), shared.news.notified()).await;
        }
    }

    /// Hands what is visible over to the executor, in no order.
    fn receive(self: &Arc<Self>, now: UnixMillis) {
        let mut world = self.shared.world();
        let mut numbers = world.queue.visible(now);
        let mut random = self.shared.dice.roll(0x0052_4543, now.0.unsigned_abs());
        while !numbers.is_empty() {
            let size = random.between(1, MAX_BATCH).min(numbers.len());
            let mut parcels = Vec::new();
            for _ in 0..size {
                let number = numbers.swap_remove(random.below(numbers.len()));
                parcels.extend(world.queue.receive(number, now).map(|parcel| (number, parcel)));
            }
            let Some((_, first)) = parcels.first() else { continue };
            let fire = key_of(first.message.fire);
            let mut key = fire ^ now.0.unsigned_abs() << 16 ^ u64::from(first.receive_count);
            while !world.keys_of_luck.insert(key) {
                key = key.wrapping_add(1);
            }
            let name = format!("executor {}", self.next_actor());
            let actor = self.actor(name, key, INSTANCES);
            if actor.skew_ms.abs() >= 250 {
                world.count("clock wrong by a quarter of a second");
            }
            for (number, parcel) in &parcels {
                if world.queue.is_overtaken(*number) {
                    world.count("received out of order");
                }
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

    /// Somebody who acts, with a clock of their own, on one of a function's instances.
    pub(crate) fn actor(&self, name: String, key: u64, first_instance: usize) -> Arc<Actor> {
        let mut random = self.shared.dice.roll(key, u64::MAX);
        let drawn_ms = i64::try_from(random.below(1_000)).unwrap_or(0) - 500;
        let skew_ms = self.shared.plan.skews_ms.get(&key).copied().unwrap_or(drawn_ms);
        let instance = first_instance + random.below(INSTANCES);
        Arc::new(Actor::new(self.next_actor(), name, key, skew_ms, self.shared.now(), instance))
    }

    /// One invocation of the executor, to its end or its death.
    async fn invoke(self: Arc<Self>, actor: Arc<Actor>, deliveries: Vec<Delivery>) {
        let ports = Arc::new(Sim { shared: Arc::clone(&self.shared), actor: Some(Arc::clone(&actor)) });
        let batch = Arc::new(Batch {
            ports: Arc::clone(&ports),
            targets: Sim::clone(&ports),
            queue: ports,
            limits: Limits::default(),
            service: String::new(),
            metrics: |_, _, _| {},
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
            let (fate, id) = actor.next_fate(self.shared.dice, &self.shared.plan, self.shared.plan.is_calm(now));
            if fate.fault.is_some() {
                world.faults.push(id);
                world.count("acknowledgement lost");
                world.note(now, &actor.name, || format!("message {number} is not deleted"));
                continue;
            }
            world.delete(number.parse().unwrap_or(0));
        }
    }

    /// A job was accepted.
    pub(crate) fn accept(&self, number: usize, id: JobId) {
        let mut state = self.state.lock().expect("nobody panics with it in hand");
        if !state.accepted.contains(&(number, id)) {
            state.accepted.push((number, id));
        }
    }

    /// The job of this number in the plan, if it was accepted.
    pub(crate) fn accepted(&self, number: usize) -> Option<JobId> {
        let state = self.state.lock().expect("nobody panics with it in hand");
        state.accepted.iter().find(|(known, _)| *known == number).map(|(_, id)| *id)
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
            jobs: world.tables.jobs.len(),
            dispatches: world.dispatches,
            calls: world.calls,
            counts: world.all_counts(),
        }
    }
}
