//! Everything that is stored or under way, and what is done to it at one instant.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use carillon_core::access::{ApiKey, KeyHash};
use carillon_core::ids::{Fire, JobId};
use carillon_core::job::{Job, Outcome, Run, RunStatus, Status, codes};
use carillon_core::machine::Transition;
use carillon_core::ports::{Condition, Message, Published, WriteOutcome};
use carillon_core::testkit::Tables;
use carillon_core::time::UnixMillis;

use crate::actor::Actor;
use crate::catalogs::{Edition, Memory, Shelf};
use crate::dice::FaultId;
use crate::mutation::Mutation;
use crate::oracle::{Oracle, fire_of};
use crate::queue::Queue;
use crate::wall::set_forward;

/// A spent fire is among the dead letters so soon, ms.
const PARKING_MS: i64 = 60_000;

/// The world.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) begin: UnixMillis,
    /// The stored state.
    pub(crate) tables: Tables,
    /// The stored state of a job before its last change, and the time of the change.
    pub(crate) before: BTreeMap<JobId, (UnixMillis, Option<Job>)>,
    /// Every status that a job ever had, and since when.
    pub(crate) statuses: BTreeMap<JobId, Vec<(UnixMillis, Status)>>,
    /// All that was ever published.
    pub(crate) shelf: Shelf,
    /// The caches of each instance of a function.
    pub(crate) memories: BTreeMap<usize, Memory>,
    /// The keys that are revoked, each from when on.
    pub(crate) revoked: Vec<(KeyHash, UnixMillis)>,
    pub(crate) queue: Queue,
    pub(crate) oracle: Oracle,
    pub(crate) mutation: Option<Mutation>,
    /// Timers that a mutant arms only after the store has answered.
    pub(crate) deferred: BTreeMap<JobId, (Fire, UnixMillis)>,
    /// Counts of each fault and event.
    pub(crate) counts: BTreeMap<&'static str, u64>,
    /// The violations, in order.
    pub(crate) faults: Vec<FaultId>,
    /// The keys of luck that are taken.
    pub(crate) keys_of_luck: BTreeSet<u64>,
    pub(crate) dispatches: u64,
    pub(crate) calls: u64,
    /// The names of jobs in the trace.
    pub(crate) names: BTreeMap<JobId, String>,
    /// The trace, one line for each event, if it is wanted.
    pub(crate) trace: Option<Vec<String>>,
}

impl World {
    /// Writes a line into the trace, if there is one. Its job ids become the names of the plan.
    pub(crate) fn note(&mut self, now: UnixMillis, who: &str, text: impl FnOnce() -> String) {
        let Some(trace) = &mut self.trace else { return };
        let (ms, mut line) = (now.since(self.begin), String::new());
        let (seconds, rest) = (ms.div_euclid(1_000), ms.rem_euclid(1_000));
        // A string takes whatever is written.
        let _ = write!(line, "{seconds:>6}.{rest:03}  {who:<22} {}", text());
        for (id, name) in &self.names {
            line = line.replace(&id.to_string(), name);
        }
        trace.push(line);
    }

    /// Counts something.
    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Everything that was counted.
    pub(crate) fn all_counts(&mut self) -> BTreeMap<&'static str, u64> {
        let mut counts = std::mem::take(&mut self.counts);
        counts.append(&mut self.oracle.recalls.counts);
        counts.append(&mut self.oracle.named.counts);
        counts.append(&mut self.oracle.composites.counts);
        counts
    }

    /// Remembers what a job was before.
    fn remember(&mut self, job: JobId, status: Status, old: Option<Job>, now: UnixMillis) {
        self.before.insert(job, (now, old));
        self.statuses.entry(job).or_default().push((now, status));
    }

    pub(crate) fn insert(&mut self, job: &Job, actor: &Actor, now: UnixMillis) -> WriteOutcome {
        if self.mutation == Some(Mutation::InsertReplaces) {
            self.tables.jobs.remove(&job.id);
        }
        let is_new = !self.tables.jobs.contains_key(&job.id);
        let stored = self.tables.insert_job(job);
        if !is_new {
            return stored;
        }
        self.remember(job.id, job.state.status, None, now);
        actor.changed();
        self.note(now, &actor.name, || format!("stores {}, {}", job.fire(), job.state.status));
        self.oracle.inserted(job, actor.id);
        self.check_carried(job.id, "I1");
        WriteOutcome::Done
    }

    /// As a conditional update does it: only the revision is compared, and a repetition finds its own result in its
    /// place.
    pub(crate) fn commit(&mut self, transition: &Transition, actor: &Actor, now: UnixMillis) -> WriteOutcome {
        let id = transition.before.id;
        let Some(old) = self.tables.jobs.get(&id).cloned() else { return WriteOutcome::Conflict };
        let new = transition.after();
        let is_expected = old.state.revision == transition.before.state.revision;
        let is_trusted = self.mutation == Some(Mutation::ListedTrusted) && actor.listed(id).is_some();
        if !is_expected && !is_trusted && self.mutation != Some(Mutation::RevisionUnchecked) {
            let is_own = old == new;
            self.note(now, &actor.name, || format!("is too late to change {}", transition.before.fire()));
            return if is_own { WriteOutcome::Done } else { WriteOutcome::Conflict };
        }
        // The same change of the stored state, which a mutant may not have checked.
        let change = Transition { before: old.clone(), spec: Some(Arc::clone(&new.spec)), ..transition.clone() };
        let WriteOutcome::Done = self.tables.commit(&change) else { return WriteOutcome::Conflict };
        self.note(now, &actor.name, || {
            let state = &new.state;
            let timer_missing = if state.timer_missing { ", timer missing" } else { "" };
            let was = format!("{} {}", old.fire(), old.state.status);
            format!("{was} -> {} {}, attempt {}{timer_missing}", new.fire(), state.status, state.run.attempts)
        });
        actor.changed();
        let only_if = actor.only_if.load(Ordering::Relaxed);
        self.oracle.hold(only_if == u64::MAX || only_if == old.state.revision, "If-Match", || {
            format!("{} had revision {}, and was changed by an edit for {only_if}", old.fire(), old.state.revision)
        });
        let error = transition.outcome().and_then(|outcome| match outcome {
            Outcome::Failed(error) => Some(error.code.as_str()),
            _ => None,
        });
        if error == Some(codes::EVENT_NOT_FOUND) {
            self.count("event not found");
        }
        self.oracle.committed(&old, &new, transition, actor, &self.shelf, now);
        self.remember(id, new.state.status, Some(old), now);
        self.check_carried(id, "I4");
        WriteOutcome::Done
    }

    /// A catalog is replaced, or removed.
    pub(crate) fn publish(&mut self, product: &str, new: Option<Arc<Published>>, actor: &Actor, now: UnixMillis) {
        actor.changed();
        let (only_if, current) = (actor.only_if.load(Ordering::Relaxed), self.shelf.current(product));
        self.oracle.hold(only_if == u64::MAX || only_if == current, "If-Match", || {
            format!("edition {current} of {product} was replaced by {}, who had seen {only_if}", actor.name)
        });
        self.shelf.set(product, new.as_deref(), now);
        let memory = self.memories.entry(actor.instance).or_default();
        memory.set_catalog(product, new.as_ref(), now.plus(actor.skew_ms));
        self.note(now, &actor.name, || match &new {
            Some(new) => format!("publishes {product}: {:?}", Edition::of(&new.document)),
            None => format!("deletes {product}"),
        });
        let _ = match new {
            Some(new) => self.tables.put_catalog(product, &new, &Condition::Always),
            None => self.tables.delete_catalog(product, &Condition::Always),
        };
    }

    /// A key that is not revoked.
    pub(crate) fn key(&self, hash: &KeyHash, now: UnixMillis) -> Option<Arc<ApiKey>> {
        let is_revoked = self.revoked.iter().any(|(known, at)| known == hash && now >= *at);
        self.tables.find_key(hash).filter(|_| !is_revoked)
    }

    /// Forgets a message.
    pub(crate) fn delete(&mut self, number: u64) {
        if let Some(message) = self.queue.delete(number) {
            self.check_carried(message.fire.job_id, "I4");
        }
    }

    /// Deletes a schedule.
    pub(crate) fn unschedule(&mut self, fire: Fire) {
        self.queue.unschedule(fire);
        self.check_carried(fire.job_id, "I4");
    }

    /// The Scheduler sends what is due, some of it twice.
    pub(crate) fn fire_schedules(&mut self, now: UnixMillis, mut extra_ms: impl FnMut(Fire) -> Option<i64>) {
        for message in self.queue.fired(now) {
            self.note(now, "scheduler", || format!("fires {}", message.fire));
            self.queue.send(&message, now, now);
            if let Some(extra_ms) = extra_ms(message.fire) {
                self.count("schedule twice");
                self.note(now, "scheduler", || format!("fires {} again in {extra_ms} ms", message.fire));
                self.queue.send(&message, now.plus(extra_ms), now);
            }
        }
    }

    /// An active job has a timer or a message, or, where that is missing, the message of the fire before.
    fn check_carried(&mut self, id: JobId, invariant: &'static str) {
        let Some(job) = self.tables.jobs.get(&id) else { return };
        let fire = job.fire();
        let is_active = matches!(job.state.status, Status::Scheduled | Status::Queued | Status::Running);
        let queue = &self.queue;
        let is_carried = queue.carries(fire) || job.state.timer_missing && queue.carries_before(fire);
        let status = job.state.status;
        self.oracle
            .hold(!is_active || is_carried, invariant, || format!("{fire} is {status}, and nothing will wake it"));
    }

    /// The invariants at the end; `accepted` are the jobs that a caller was told of.
    pub(crate) fn check_at_rest(&mut self, accepted: &[JobId], now: UnixMillis) {
        let zones: Vec<_> = self.tables.jobs.values().filter_map(|job| job.spec.repeat.as_ref()?.tz.clone()).collect();
        for tz in zones {
            match set_forward(&tz, self.begin, now) {
                1.. => self.count("clock set forward"),
                0 => {}
                _ => self.count("clock set back"),
            }
        }
        for id in accepted {
            self.oracle.hold(self.tables.jobs.contains_key(id), "I1", || format!("{id} was accepted, and is lost"));
        }
        for (id, job) in &self.tables.jobs {
            let history = self.tables.retired.get(id).map_or(&[][..], Vec::as_slice);
            self.oracle.at_rest(job, history, now);
            // A job that has just failed may still be on its way there.
            let is_new = now.since(job.state.updated_at) < PARKING_MS;
            let is_dead_lettered =
                job.state.status != Status::Failed || self.queue.was_dead_lettered(job.fire()) || is_new;
            self.oracle
                .hold(is_dead_lettered, "dead_lettered", || format!("{} is spent, and no dead letter", job.fire()));
        }
        let ids: Vec<_> = self.tables.jobs.keys().copied().collect();
        for id in ids {
            self.check_carried(id, "I4");
        }
    }

    /// The runs of a job.
    pub(crate) fn runs(&self, id: JobId) -> impl Iterator<Item = &Run> {
        let history = self.tables.retired.get(&id).into_iter().flatten();
        history.chain(self.tables.jobs.get(&id).map(|job| &job.state.run))
    }

    /// The runs of a job that have ended, and how.
    pub(crate) fn recorded(&self, id: JobId) -> BTreeSet<(String, String)> {
        let ended = self.runs(id).filter_map(|run| Some((run, run.outcome.as_ref()?)));
        ended.map(|(run, outcome)| (fire_of(id, run).to_string(), RunStatus::from(outcome).to_string())).collect()
    }

    /// Takes a dead letter.
    pub(crate) fn dead_letter(&mut self, message: &Message, actor: &Actor, now: UnixMillis) {
        self.note(now, &actor.name, || format!("dead-letters {}", message.fire));
        self.queue.dead_letter(Message { dead_lettered: true, ..message.clone() });
    }
}
