//! Requests with an `Idempotency-Key`: they are sent again when an answer is lost, and others race with the same key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use carillon_core::ids::JobId;
use carillon_core::time::UnixMillis;
use carillon_tests::random::Random;
use serde_json::Value;

use crate::drive::Simulation;
use crate::plan::{JobPlan, spread, within};
use crate::ports::pass;

/// Number of times that a client sends a request before it gives up.
const TRIES: usize = 4;
/// The part of the answer that is the same every time.
const SAID: [&str; 5] = ["job_id", "status", "scheduled_at", "recurring", "next_run_at"];

/// The same key once more.
#[derive(Clone, Debug)]
pub(crate) struct Again {
    /// Its number within its job.
    pub(crate) number: usize,
    /// When, ms from the beginning.
    pub(crate) at_ms: i64,
    /// True if another request is sent under the key.
    pub(crate) is_other: bool,
}

impl JobPlan {
    /// Gives some a key, and has some of those asked for again: at once, soon, or hours later.
    pub(crate) fn draw_key(&mut self, random: &mut Random) {
        if !random.once_in(3) {
            return;
        }
        // Some share theirs with the next one, which is of another product for the most part.
        let number = if random.once_in(2) { self.number / 2 * 2 } else { self.number };
        self.key = Some(format!("order {number}"));
        for number in 0..random.below(4) {
            let after_ms = match random.below(4) {
                0 | 1 => within(random, 60),
                2 => within(random, 60_000),
                _ => spread(random, 60_000, 10 * 3_600_000),
            };
            self.again.push(Again { number, at_ms: self.at_ms + after_ms, is_other: random.once_in(5) });
        }
    }

    /// The request, first or repeated.
    pub(crate) fn asked(&self, again: Option<&Again>) -> Value {
        let mut body = self.body.clone();
        if again.is_some_and(|again| again.is_other) {
            body["retries"] = 7.into();
        }
        body
    }
}

impl Simulation {
    /// Schedules a job. Without a key a lost answer is not retried; with one it is.
    pub(crate) async fn request_job(self: Arc<Self>, job: Arc<JobPlan>, again: Option<usize>) -> Option<()> {
        let again = again.and_then(|index| job.again.get(index));
        let tries = if job.key.is_some() { TRIES } else { 1 };
        for number in 0..tries {
            let request = match again {
                None if number == 0 => 0,
                None => 200 + number,
                Some(again) => 210 + again.number * 10 + number,
            };
            let actor = self.actor_for(&job, request);
            if number > 0 {
                self.shared.world().count("asked again as there was no answer");
            } else if let Some(again) = again {
                self.shared.world().count(match again.at_ms - job.at_ms {
                    ..=60 => "same key at the same time",
                    61..=3_600_000 => "same key soon after",
                    _ => "same key hours later",
                });
            }
            let is_first = number == 0 && again.is_none();
            match self.submit(&actor, &job, &job.asked(again), is_first).await {
                Some(status) if status < 500 => return Some(()),
                _ => {
                    let mut random = self.shared.dice.roll(u64::MAX - 5, (job.number * 1_000 + request) as u64);
                    pass(u64::try_from(random.pick(&[50, 1_000, 20_000, 600_000])).unwrap_or(0)).await;
                }
            }
        }
        None
    }

    /// The actor of this request.
    pub(crate) fn actor_for(&self, job: &JobPlan, request: usize) -> Arc<crate::actor::Actor> {
        let key = u64::try_from(job.number * 1_000 + request).unwrap_or(0);
        let actor = self.actor(format!("job{}, request {request}", job.number), key, 0);
        actor.is_revocable.store(job.is_revoked(), Ordering::Relaxed);
        actor
    }
}

/// A product and a key.
pub(crate) type Name = (String, String);

/// The answer to a request with a key.
#[derive(Debug)]
struct Accepted {
    /// Since when its caller knows it.
    at: UnixMillis,
    body: Value,
    job_id: Value,
    /// The whole answer, unless it waited for the first run.
    said: Option<Vec<Value>>,
}

/// The requests of a key.
#[derive(Debug, Default)]
struct Known {
    /// The request under it.
    asked: Vec<Value>,
    stored: BTreeSet<JobId>,
    accepted: Option<Accepted>,
    /// Number of callers that were told that they were first.
    firsts: u32,
}

/// An answer to a request that has a key.
pub(crate) struct Told<'a> {
    pub(crate) asked: &'a Value,
    pub(crate) asked_at: UnixMillis,
    pub(crate) status: u16,
    pub(crate) body: &'a Value,
    pub(crate) is_replayed: bool,
}

/// Watches the keys.
#[derive(Debug, Default)]
pub(crate) struct Named {
    asked_by: BTreeMap<u64, Name>,
    names: BTreeMap<Name, Known>,
    /// Counts of each event.
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

impl Named {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// An actor asks for something under a key.
    pub(crate) fn asked(&mut self, actor: u64, name: &Name, body: &Value) {
        self.asked_by.insert(actor, name.clone());
        self.names.entry(name.clone()).or_default().asked.push(body.clone());
    }

    /// A job was stored by an actor. Says what is wrong with that.
    pub(crate) fn stored(&mut self, actor: u64, id: JobId) -> Option<String> {
        let name = self.asked_by.get(&actor)?;
        let known = self.names.entry(name.clone()).or_default();
        let is_new = known.stored.insert(id);
        (!is_new || known.stored.len() > 1).then(|| format!("{name:?} has the jobs {:?}, {id} last", known.stored))
    }

    /// A request was answered. Says what is wrong with that.
    pub(crate) fn answered(&mut self, name: &Name, told: &Told<'_>, now: UnixMillis) -> Option<String> {
        let known = self.names.entry(name.clone()).or_default();
        let wrong = match told.status {
            200..300 => known.accepted(told, now),
            _ => known.refused(told),
        };
        if told.is_replayed {
            self.count("answered as an earlier one");
        }
        if told.status == 422 && is_conflict(told.body) {
            self.count("another body under a key");
        }
        wrong.map(|wrong| format!("{name:?}: {wrong}"))
    }
}

fn is_conflict(body: &Value) -> bool {
    body["errors"][0]["pointer"] == "header:Idempotency-Key"
}

impl Known {
    fn accepted(&mut self, told: &Told<'_>, now: UnixMillis) -> Option<String> {
        self.firsts += u32::from(!told.is_replayed);
        let said = || SAID.map(|field| told.body[field].clone()).to_vec();
        let said = (told.status == 202).then(said);
        let Some(first) = &mut self.accepted else {
            let (body, job_id) = (told.asked.clone(), told.body["job_id"].clone());
            self.accepted = Some(Accepted { at: now, body, job_id, said });
            return None;
        };
        let is_same = first.job_id == told.body["job_id"]
            && first.body == *told.asked
            && first.said.as_ref().is_none_or(|first| said.as_ref().is_none_or(|said| said == first));
        let text = (!is_same).then(|| format!("it was {first:?}, and is answered {} for {}", told.body, told.asked));
        if first.said.is_none() {
            first.said = said;
        }
        text.or_else(|| (self.firsts > 1).then(|| "two were told that they were the first".to_owned()))
    }

    fn refused(&self, told: &Told<'_>) -> Option<String> {
        let is_excused = told.status >= 500 || told.status == 401;
        let known = self.accepted.as_ref().filter(|first| first.at <= told.asked_at && first.body == *told.asked);
        if let Some(first) = known.filter(|_| !is_excused) {
            return Some(format!("{} is known, and asked for again it is answered {}", first.job_id, told.status));
        }
        let has_other = self.asked.iter().any(|other| other != told.asked);
        (is_conflict(told.body) && !has_other).then(|| "another body is said to stand under it".to_owned())
    }
}
