//! Callers that keep sending requests while processes die.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::journal::Known;
use super::{Conduct, Journal};
use crate::client::{Answer, Client, job};
use crate::env::{epoch_ms, until};
use crate::random::Random;

/// Timeout for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// After a request that got no answer.
const PAUSE: Duration = Duration::from_millis(20);
/// Timeout for all jobs to end.
const REST: Duration = Duration::from_mins(2);

/// Callers at work.
#[derive(Debug)]
pub struct Callers {
    working: Vec<JoinHandle<Journal>>,
    stop: watch::Sender<bool>,
    last: Caller,
}

impl Callers {
    /// Starts callers that schedule and change jobs of `product`, each about once a `pace`. `client` changes when the
    /// API moves.
    pub fn start(count: u64, product: &str, client: &watch::Receiver<Client>, pace: Duration, seed: u64) -> Self {
        let (stop, stopped) = watch::channel(false);
        let caller = |number| Caller {
            client: client.clone(),
            product: product.to_owned(),
            pace,
            random: Random::of_case(seed, number),
            number: number * 1_000_000,
            journal: Journal::default(),
            recent: Vec::new(),
        };
        let work = |number| tokio::spawn(caller(number).work(stopped.clone()));
        Self { working: (0..count).map(work).collect(), stop, last: caller(count) }
    }

    /// Stops the callers, resumes what is paused, and waits until no job is left to run. Returns the answers that
    /// they received.
    ///
    /// # Panics
    ///
    /// If a caller received an impossible answer, or a job does not end.
    pub async fn rest(mut self) -> Journal {
        self.stop.send_replace(true);
        let mut journal = Journal::default();
        for caller in self.working {
            journal = journal.and(caller.await.expect("the caller met nothing that must not be"));
        }
        let now = epoch_ms();
        for id in journal.paused().collect::<Vec<_>>() {
            journal.let_go(&id, now);
        }
        let (product, client) = (self.last.product.clone(), self.last.client.borrow().clone());
        let open = RefCell::new(Vec::new());
        let look = async || {
            for paused in client.jobs(&product, Some("paused")).await {
                self.last.change(paused["job_id"].as_str().expect("a job has an id"), "resume", None).await;
            }
            let mut waited_for = Vec::new();
            for status in ["scheduled", "queued", "running"] {
                waited_for.extend(client.jobs(&product, Some(status)).await);
            }
            if waited_for.is_empty() {
                // A series goes from one of them to another and back while one is looked at after the other.
                let has_ended =
                    |job: &Value| ["completed", "failed", "cancelled"].map(Value::from).contains(&job["status"]);
                waited_for.extend(client.jobs(&product, None).await.into_iter().filter(|job| !has_ended(job)));
            }
            *open.borrow_mut() = waited_for;
            open.borrow().is_empty().then_some(())
        };
        let what = fmt::from_fn(|f| write!(f, "these have to end: {}", Value::from(open.borrow().clone())));
        until(what, REST, look).await;
        journal
    }
}

#[derive(Debug)]
struct Caller {
    client: watch::Receiver<Client>,
    product: String,
    pace: Duration,
    random: Random,
    number: u64,
    journal: Journal,
    /// The jobs that were acknowledged to this caller, and may still be changed.
    recent: Vec<String>,
}

impl Caller {
    async fn work(mut self, stopped: watch::Receiver<bool>) -> Journal {
        while !*stopped.borrow() {
            match self.random.below(10) {
                0..4 => self.schedule().await,
                4 => self.look().await,
                _ => self.change_some_job().await,
            }
            sleep(self.pace.mul_f64(2.0 * self.random.unit())).await;
        }
        self.journal
    }

    /// Asks until there is an answer. Nobody knows what became of a request that got none.
    async fn ask(&mut self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        loop {
            let client = self.client.borrow_and_update().clone();
            match timeout(PATIENCE, client.send(method.clone(), path, &[], body)).await {
                // 401 comes from another server that listens where this one did before it was killed.
                Ok(Ok(answer)) if !matches!(answer.status, 401 | 502..=504) => return answer,
                _ => self.journal.unanswered += 1,
            }
            sleep(PAUSE).await;
        }
    }

    async fn schedule(&mut self) {
        let body = self.job();
        let answer = self.ask(Method::POST, "/v1/jobs", Some(&body)).await;
        // The request needed so many tries that the series would be over.
        if answer.status == 422 && epoch_ms() > body["repeat"]["endDate"].as_i64().unwrap_or(i64::MAX) {
            return;
        }
        let id = answer.json(202)["job_id"].as_str().expect("an accepted job has an id").to_owned();
        let timeouts = body["timeout"].as_u64().into_iter().collect();
        let known = self.journal.jobs.insert(id.clone(), Known { timeouts, cancelled: None });
        assert!(known.is_none(), "an id was given twice: {id}");
        self.recent.push(id);
        if self.recent.len() > 12 {
            self.recent.remove(0);
        }
    }

    /// Half of them once and now, the others soon or several times.
    fn job(&mut self) -> Value {
        self.number += 1;
        let (number, now) = (self.number, epoch_ms());
        let soon = now + i64::try_from(self.random.between(100, 3_000)).unwrap_or_default();
        let start_at = if self.random.once_in(3) { soon } else { 0 };
        let mut body = job(&self.product, usize::try_from(number).unwrap_or_default(), start_at);
        body["retries"] = json!(Conduct::of(number).retries());
        body["retry"] = json!({"initialDelay": 20, "maxDelay": 200});
        body["timeout"] = json!(self.random.between(2_500, 3_000));
        if self.random.once_in(3) {
            let every = self.random.between(10, 15) * 100;
            body["repeat"] = json!({"every": every});
            let kind = self.random.below(3);
            if kind > 0 {
                body["repeat"]["limit"] = json!(self.random.between(1, 6));
            }
            if kind < 2 {
                body["repeat"]["endDate"] =
                    json!(soon + i64::try_from(self.random.between(1, 5) * every).unwrap_or_default());
            }
            if self.random.once_in(2) {
                body["repeat"]["onFailure"] = json!("continue");
            }
        }
        body
    }

    async fn look(&mut self) {
        if self.recent.is_empty() {
            return;
        }
        let path = format!("/v1/jobs/{}/runs?limit=100", self.random.pick(&self.recent));
        let mut page = self.ask(Method::GET, &path, None).await.json(200);
        if let Value::Array(runs) = page["runs"].take() {
            self.journal.saw(runs);
        }
    }

    async fn change_some_job(&mut self) {
        if self.recent.is_empty() {
            return;
        }
        let id = self.random.pick(&self.recent);
        let verb = match self.random.below(10) {
            0..3 => "pause",
            3..6 => {
                let paused: Vec<_> = self.journal.paused().collect();
                if !paused.is_empty() {
                    let id = self.random.pick(&paused);
                    self.change(&id, "resume", None).await;
                }
                return;
            }
            6 => "cancel",
            7 => "run",
            8 => "retry",
            _ => return self.edit(&id).await,
        };
        self.change(&id, verb, None).await;
    }

    /// Asks for a change, and notes what is acknowledged. False when it is refused.
    async fn change(&mut self, id: &str, verb: &'static str, body: Option<&Value>) -> bool {
        if matches!(verb, "resume" | "retry") {
            self.journal.let_go(id, epoch_ms());
        }
        let (method, path) = match verb {
            "edit" => (Method::PATCH, format!("/v1/jobs/{id}")),
            _ => (Method::POST, format!("/v1/jobs/{id}/{verb}")),
        };
        let answer = self.ask(method, &path, body).await;
        // It has ended, or is not paused, or nothing would be left of the plan.
        if matches!(answer.status, 409 | 422) {
            return false;
        }
        let job = answer.json(200);
        *self.journal.changes.entry(verb).or_default() += 1;
        if matches!(verb, "pause" | "cancel") {
            self.journal.held(&job);
        }
        if verb == "cancel"
            && let Some(known) = self.journal.jobs.get_mut(id)
        {
            known.cancelled = Some(job);
            self.recent.retain(|recent| recent != id);
        }
        true
    }

    /// Another bound on attempts; and of a series, where it has one, a higher limit.
    async fn edit(&mut self, id: &str) {
        let timeout = self.random.between(2_500, 3_000) as u64;
        let mut body = json!({ "timeout": timeout });
        let job = self.ask(Method::GET, &format!("/v1/jobs/{id}"), None).await.json(200);
        if let Some(limit) = job["repeat"]["limit"].as_u64() {
            body["repeat"] = job["repeat"].clone();
            body["repeat"]["limit"] = json!(limit + 1);
        }
        self.journal.jobs.entry(id.to_owned()).or_default().timeouts.insert(timeout);
        if self.change(id, "edit", Some(&body)).await
            && let Some(known) = self.journal.jobs.get_mut(id)
        {
            known.timeouts = BTreeSet::from([timeout]);
        }
    }
}
