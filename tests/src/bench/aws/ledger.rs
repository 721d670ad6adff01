//! The cost of jobs: each is sent to the real router and carried through the real executor, over the real adapters,
//! whose clients talk to [`super::endpoint`]. Their requests are counted.
//!
//! Two parts belong to the Lambda service and are counted by its rules: a batch is one receive and, unless all of it
//! comes back, one delete; and an invocation lasts as long as it took here, its CPU time stretched to the function's
//! share of a core, plus the assumed times of AWS and the target.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::Body;
use carillon_api::{Service, router};
use carillon_core::access::{ApiKey, KeyHash, Scope};
use carillon_core::event_types::Limits;
use carillon_core::job::{Output, RunError, codes};
use carillon_core::operations::put_catalog;
use carillon_core::ports::{Clock as _, Condition, KeyStore as _, Ports as _, Targets};
use carillon_core::request::DispatchRequest;
use carillon_core::testkit::NoSessions;
use carillon_executor::lambda::{Batch, Delivery};
use carillon_load::{KEY, body};
use http::{Request, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::account::{Account, MovedClock, account};
use super::counts::{Counts, assumed};
use super::endpoint::{Endpoint, Waiting};
use crate::bench::Failure;
use crate::bench::meter::{Cost, Meter};
use crate::client::catalog;

/// Memory of each function, MB: the defaults of the Terraform module.
pub(super) const MEMORY_MB: f64 = 256.0;
/// The memory at which a function has a whole core, MB (AWS Lambda Developer Guide, "Configure function memory").
const MEMORY_OF_A_CORE_MB: f64 = 1_769.0;
/// The time of the executor's invocation, ms: the default of the Terraform module.
const INVOCATION_MS: i64 = 60_000;

/// A job's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It is due at once and succeeds.
    Immediate,
    /// It is due in an hour, in the middle of a second as the average job is, and succeeds.
    InAnHour,
    /// It is due at once, fails, and succeeds at the second attempt.
    FailsOnce,
    /// It is due at once, and a cache knows its result: nothing is dispatched.
    Cached,
    /// It is due at once, and its result is stored in the cache.
    Caches,
    /// It is due at once, and its caller named the request (`Idempotency-Key`).
    Named,
}

impl Life {
    /// Those of the report.
    pub const REPORTED: [Self; 4] = [Self::Immediate, Self::InAnHour, Self::FailsOnce, Self::Cached];

    /// Its name in the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Immediate => "immediate",
            Self::InAnHour => "in an hour",
            Self::FailsOnce => "fails once",
            Self::Cached => "cached",
            Self::Caches => "caches",
            Self::Named => "named",
        }
    }
}

/// A target that refuses a number of attempts of each fire.
#[derive(Clone)]
struct Target {
    failures: u32,
    dispatched: Arc<AtomicU32>,
}

impl Target {
    fn dispatched(&self) -> u32 {
        self.dispatched.load(Ordering::Relaxed)
    }
}

impl Targets for Target {
    async fn dispatch(&self, call: DispatchRequest) -> Result<Output, RunError> {
        self.dispatched.fetch_add(1, Ordering::Relaxed);
        if call.attempt <= self.failures {
            return Err(RunError::transient(codes::SERVICE_UNAVAILABLE, "503 Service Unavailable"));
        }
        Ok(Output { value: json!({"status": 200, "body": {"confirmed": true}}), truncated: false })
    }

    async fn pause(&self, _: u32) {}
}

/// A deployment whose functions are warm.
pub struct Deployment {
    endpoint: Endpoint,
    account: Arc<Account>,
    clock: MovedClock,
    router: Router,
    jobs: usize,
}

impl Deployment {
    /// A deployment with a key and a product, through which one job has gone: a warm function has its connections and its
    /// catalog.
    ///
    /// # Errors
    /// Whatever kept it from coming about.
    pub async fn warm() -> Result<Self, Failure> {
        let clock = MovedClock::default();
        let endpoint = Endpoint::start(clock.clone()).await?;
        let account = Arc::new(account(&format!("http://{}", endpoint.address), clock.clone())?);
        let caller = ApiKey {
            id: "all".to_owned(),
            name: String::new(),
            products: vec!["*".to_owned()],
            envs: vec!["*".to_owned()],
            scopes: Scope::WORDS.map(|(_, scope)| scope).to_vec(),
            created_at: clock.now(),
        };
        account.keys().add(&KeyHash::of(KEY), &caller).await?;
        let document = catalog(([127, 0, 0, 1], 9).into()).to_string();
        put_catalog(&*account, &caller, "p", document.as_bytes(), &Condition::Always).await?;
        let router = router(Service::new(Arc::clone(&account), Arc::new(NoSessions)));
        let mut deployment = Self { endpoint, account, clock, router, jobs: 0 };
        deployment.run(Life::Immediate, 1).await?;
        Ok(deployment)
    }

    /// Runs `jobs` jobs of this life from their requests to their ends, as many in each batch, and counts.
    ///
    /// # Errors
    /// When a request is not answered as it should be, or a job does not end.
    pub async fn run(&mut self, life: Life, jobs: usize) -> Result<Counts, Failure> {
        if life == Life::Cached {
            // Of all these jobs with the same request, the first one is not counted.
            self.post(0, Life::Cached).await?;
            self.carry_through(1, Life::Caches).await?;
        }
        self.endpoint.state().counts = Counts::default();
        let in_an_hour = self.clock.now().0 / 1_000 * 1_000 + 3_600_500;
        let start_at = if life == Life::InAnHour { in_an_hour } else { 0 };
        for _ in 0..jobs {
            let (meter, answering) = (Meter::start(), self.endpoint.state().counts.answering_ms);
            self.post(start_at, life).await?;
            self.bill(meter.stop(1), answering, 0)?;
            self.endpoint.state().counts.api_requests += 1;
        }
        self.carry_through(jobs, life).await?;
        Ok(self.endpoint.state().counts)
    }

    /// Has the executor work on `jobs` jobs until none is left.
    async fn carry_through(&mut self, jobs: usize, life: Life) -> Result<(), Failure> {
        let failures = u32::from(life == Life::FailsOnce);
        let target = Target { failures, dispatched: Arc::default() };
        loop {
            let messages = self.due(jobs);
            if messages.is_empty() {
                break;
            }
            self.invoke(messages, &target).await?;
        }
        let (dispatched, attempts) = (usize::try_from(target.dispatched())?, 1 + usize::try_from(failures)?);
        if dispatched != if life == Life::Cached { 0 } else { jobs * attempts } {
            return Err(format!("{jobs} jobs were dispatched {dispatched} times").into());
        }
        Ok(())
    }

    async fn post(&mut self, start_at: i64, life: Life) -> Result<(), Failure> {
        self.jobs += 1;
        let mut request = Request::post("/v1/jobs").header(header::AUTHORIZATION, format!("Bearer {KEY}"));
        let mut body: Value = serde_json::from_slice(&body(self.jobs, start_at))?;
        match life {
            Life::Immediate | Life::InAnHour | Life::FailsOnce => {}
            Life::Cached => {
                body["cache"] = "greetings".into();
                body["input"] = json!({"params": {"number": 0}});
            }
            Life::Caches => body["cache"] = "greetings".into(),
            Life::Named => request = request.header("idempotency-key", self.jobs.to_string()),
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body.to_string()))?).await?;
        if response.status() == 202 { Ok(()) } else { Err(format!("a job was answered {}", response.status()).into()) }
    }

    /// Moves the clock on to the next messages, up to `size` of them; schedules send theirs on the way.
    fn due(&self, size: usize) -> Vec<Waiting> {
        let mut state = self.endpoint.state();
        loop {
            state.waiting.sort_by_key(|waiting| waiting.at);
            let count = state.waiting.len().min(size);
            let (schedules, messages): (Vec<_>, Vec<_>) =
                state.waiting.drain(..count).partition(|waiting| waiting.is_schedule);
            if let Some(last) = schedules.iter().chain(&messages).map(|waiting| waiting.at).max() {
                self.clock.reach(last);
            }
            if schedules.is_empty() {
                return messages;
            }
            state.waiting.extend(messages);
            for schedule in schedules {
                state.counts.fire();
                state.wait(schedule.at, schedule.body, false);
            }
        }
    }

    /// Has the executor work on a batch; what has to come back waits again.
    async fn invoke(&self, messages: Vec<Waiting>, target: &Target) -> Result<(), Failure> {
        let deliveries = messages.iter().map(|message| Delivery {
            message_id: message.receipt_handle.clone(),
            receipt_handle: message.receipt_handle.clone(),
            body: message.body.clone(),
            sent_at: Some(message.at),
            receive_count: message.receive_count + 1,
            trace: None,
        });
        let deliveries: Vec<_> = deliveries.collect();
        let batch = Arc::new(Batch {
            ports: Arc::clone(&self.account),
            targets: target.clone(),
            queue: Arc::new(self.account.queue().clone()),
            limits: Limits::default(),
            service: "carillon".to_owned(),
            metrics: |_, _, _| {},
        });
        let count = messages.len();
        self.endpoint.state().received = messages;
        let (before, deadline) = (target.dispatched(), self.clock.now().plus(INVOCATION_MS));
        let (meter, answering) = (Meter::start(), self.endpoint.state().counts.answering_ms);
        let returned = batch.work(deliveries, deadline).await;
        let target_ms = if target.dispatched() > before { assumed::TARGET_MS } else { 0 };
        self.bill(meter.stop(count), answering, target_ms)?;
        let mut state = self.endpoint.state();
        state.counts.sqs_requests += if returned.len() < count { 2 } else { 1 };
        for mut message in std::mem::take(&mut state.received) {
            if returned.contains(&message.receipt_handle) {
                message.receive_count += 1;
                state.waiting.push(message);
            }
        }
        Ok(())
    }

    /// Bills an invocation that took `cost` here; side by side its records wait for AWS as long as one of them does.
    fn bill(&self, cost: Cost, answering_before: u32, target_ms: u32) -> Result<(), Failure> {
        let counts = &mut self.endpoint.state().counts;
        let answering_ms = f64::from(counts.answering_ms - answering_before) / f64::from(u32::try_from(cost.count)?);
        let stretched = cost.cpu.as_secs_f64() * (MEMORY_OF_A_CORE_MB / MEMORY_MB - 1.0);
        let seconds = cost.wall.as_secs_f64() + stretched + (answering_ms + f64::from(target_ms)) / 1_000.0;
        counts.invocations += 1;
        counts.gb_seconds += seconds * MEMORY_MB / 1_024.0;
        Ok(())
    }
}
