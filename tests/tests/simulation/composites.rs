//! Checks of composite events, from what is claimed, read, saved, dispatched, counted and answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use carillon_core::ids::JobId;
use carillon_core::job::{Job, Output, RunError, Status};
use carillon_core::progress::{Checkpoint, CheckpointId, Counted, CounterId, FallbackId, PartOutcome, RunId};
use carillon_core::request::{DispatchId, DispatchRequest};
use carillon_core::time::UnixMillis;
use serde_json::Value;

use crate::actor::Actor;
use crate::kinds::{Kind, Member, WORK};
use crate::oracle::SKEW_MS;
use crate::spot::{Spot, Step, within};
use crate::tallies::Tallies;

/// An invariant that does not hold, and how.
pub(crate) type Wrong = (&'static str, String);

/// The actions of one attempt, and the answers to it.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The job as it was claimed.
    pub(super) job: Job,
    pub(super) at: UnixMillis,
    /// The steps that have ended, of which it could know when it began, and those that it ended itself.
    pub(super) ended: BTreeMap<String, PartOutcome>,
    /// Checkpoints that it tried to save, whether the store took them or not.
    pub(super) told: BTreeMap<String, PartOutcome>,
    has_begun: bool,
    /// True if it has seen that it still holds the job, and has begun nothing since.
    may_begin: bool,
    /// Number of begun tries, by place.
    tries: BTreeMap<String, u32>,
    /// The options that it has tried, in order, by the fallback's place.
    passes: BTreeMap<String, Vec<usize>>,
    /// The answers, by place.
    pub(super) answers: BTreeMap<String, Vec<Result<Value, RunError>>>,
    /// The answers of counters, by place.
    pub(super) counted: BTreeMap<String, Vec<Counted>>,
    /// Places whose counter did not answer.
    pub(super) unreached: BTreeSet<String>,
}

/// A run, over all its attempts.
#[derive(Debug, Default)]
struct Known {
    /// The last note of each place, and the input that it was for.
    noted: BTreeMap<String, (Value, PartOutcome)>,
    /// Places that were begun and not answered.
    open: BTreeSet<String>,
}

type Claims = BTreeMap<u64, BTreeMap<JobId, Claim>>;

/// A fallback of a product, in the eyes of one actor.
type Choice = (u64, String, String);

/// Watches the jobs that consist of others.
#[derive(Debug, Default)]
pub(crate) struct Composites {
    /// The last one of each job, by actor.
    claims: Claims,
    /// When a job was paused last.
    paused: BTreeMap<JobId, UnixMillis>,
    runs: BTreeMap<RunId, Known>,
    /// The orders in which an actor may try the options, by what it was told of their health.
    orders: BTreeMap<Choice, Vec<Vec<usize>>>,
    /// The options that an actor reported as failing.
    marked: BTreeSet<(Choice, String)>,
    pub(crate) tallies: Tallies,
    /// Counts of each event.
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

/// The run that a job is at.
fn run_of(job: &Job) -> RunId {
    RunId { job_id: job.id, run_no: job.state.run.run_no }
}

fn claim_of(claims: &mut Claims, by: u64, job: JobId) -> Option<&mut Claim> {
    claims.get_mut(&by)?.get_mut(&job)
}

/// True if a job's event is composite, or counts.
pub(crate) fn is_composite(job: &Job) -> bool {
    job.spec.event != WORK
}

impl Composites {
    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// A job was claimed.
    pub(crate) fn claimed(&mut self, new: &Job, by: u64, now: UnixMillis) {
        if !is_composite(new) {
            return;
        }
        let claim = Claim {
            job: new.clone(),
            at: now,
            ended: self.noted_for(new),
            told: BTreeMap::new(),
            has_begun: false,
            may_begin: false,
            tries: BTreeMap::new(),
            passes: BTreeMap::new(),
            answers: BTreeMap::new(),
            counted: BTreeMap::new(),
            unreached: BTreeSet::new(),
        };
        self.claims.entry(by).or_default().insert(new.id, claim);
    }

    /// The steps of a job's run that are noted for its input as it is.
    fn noted_for(&self, job: &Job) -> BTreeMap<String, PartOutcome> {
        let noted = self.runs.get(&run_of(job)).into_iter().flat_map(|known| &known.noted);
        let own = noted.filter(|(_, (input, _))| *input == job.spec.input);
        own.map(|(place, (_, outcome))| (place.clone(), outcome.clone())).collect()
    }

    /// A job as an actor claimed it last.
    pub(crate) fn claimed_as(&self, by: u64, job: JobId) -> Option<&Job> {
        self.claim(by, job).map(|claim| &claim.job)
    }

    fn claim(&self, by: u64, job: JobId) -> Option<&Claim> {
        self.claims.get(&by)?.get(&job)
    }

    fn claims(&self, by: u64) -> impl Iterator<Item = &Claim> {
        self.claims.get(&by).into_iter().flat_map(BTreeMap::values)
    }

    /// An actor looked at a job.
    pub(crate) fn looked(&mut self, job: Option<&Job>, by: u64) {
        let Some((job, claim)) = job.and_then(|job| Some((job, claim_of(&mut self.claims, by, job.id)?))) else {
            return;
        };
        let owner = |job: &Job| job.state.lease.as_ref().map(|lease| lease.owner.clone());
        claim.may_begin |= job.state.status == Status::Running && owner(job) == owner(&claim.job);
    }

    /// A job was paused.
    pub(crate) fn paused(&mut self, job: JobId, now: UnixMillis) {
        self.paused.insert(job, now);
    }

    /// An attempt was given back, and is not counted. Says what is wrong with that.
    pub(crate) fn suspended(&mut self, old: &Job, by: u64) -> Option<Wrong> {
        self.count("stopped between two parts, as the job was paused");
        let paused_at = self.paused.get(&old.id).copied();
        let claim = self.claim(by, old.id);
        let is_so = claim.is_some_and(|claim| claim.has_begun && paused_at.is_some_and(|at| at >= claim.at));
        (!is_so).then(|| ("I5", format!("{} gives an attempt back, and was not paused in it", old.fire())))
    }

    /// An actor reads the finished parts of a run.
    pub(crate) fn read(&mut self, run: RunId, by: u64) {
        let Some(job) = self.claimed_as(by, run.job_id).cloned() else { return };
        let ended = self.noted_for(&job);
        if !ended.is_empty() {
            self.count("went on after the steps that are done");
        }
        if let Some(claim) = claim_of(&mut self.claims, by, run.job_id) {
            claim.ended = ended;
        }
    }

    /// An actor is about to note a part.
    pub(crate) fn notes(&mut self, run: RunId, part: &Checkpoint, by: u64) {
        if let Some(claim) = claim_of(&mut self.claims, by, run.job_id) {
            claim.told.insert(part.place.clone(), part.outcome.clone());
        }
    }

    /// A part is noted as done. Says what is wrong with that.
    pub(crate) fn noted(&mut self, run: RunId, part: &Checkpoint, by: u64) -> Option<Wrong> {
        let name = format!("{}_{}, part {}", run.job_id, run.run_no, part.place);
        let Some(claim) = claim_of(&mut self.claims, by, run.job_id).filter(|claim| run_of(&claim.job) == run) else {
            return Some(("steps", format!("{name} is noted without a claim of it")));
        };
        let member = Spot::of(&claim.job.spec.event, &part.place).and_then(|spot| spot.member);
        let is_so = member.is_some_and(|member| {
            let outcome = match &part.outcome {
                PartOutcome::Completed(output) => Ok(&output.value),
                PartOutcome::Failed(error) if member.may_fail => Err(error),
                PartOutcome::Failed(_) => return false,
            };
            claim.brings(member.event, &part.place, outcome)
        });
        claim.ended.insert(part.place.clone(), part.outcome.clone());
        let known = self.runs.entry(run).or_default();
        known.open.remove(&part.place);
        known.noted.insert(part.place.clone(), (claim.job.spec.input.clone(), part.outcome.clone()));
        (!is_so).then(|| ("I7", format!("{name} is noted as {:?}, and nothing explains that", part.outcome)))
    }

    /// A part begins: it is dispatched, or counted. Says what is wrong with that.
    pub(crate) fn begins(&mut self, run: RunId, by: u64, place: &str) -> Option<Wrong> {
        let name = format!("{}_{}, part {place:?}", run.job_id, run.run_no);
        let Some(claim) = claim_of(&mut self.claims, by, run.job_id).filter(|claim| run_of(&claim.job) == run) else {
            return Some(("I7", format!("{name} begins without a claim of it")));
        };
        let Some(spot) = Spot::of(&claim.job.spec.event, place) else {
            return Some(("I7", format!("{name} begins, and {} has no such part", claim.job.spec.event)));
        };
        // The first thing that an attempt does begins with its claim.
        let has_looked = std::mem::take(&mut claim.may_begin);
        if std::mem::replace(&mut claim.has_begun, true) && !has_looked {
            return Some(("I6", format!("{name} begins, and nobody looked whether the job is paused or called off")));
        }
        let tries = claim.tries.entry(place.to_owned()).or_default();
        *tries += 1;
        if *tries > spot.tries {
            return Some(("I5", format!("{name} begins for the {tries}. time of {} in one attempt", spot.tries)));
        }
        let is_first = *tries == 1;
        for Step { whole, index, .. } in &spot.steps {
            let mut before = (0..*index).map(|index| within(whole, index));
            if let Some(missing) = before.find(|before| !claim.ended.contains_key(before)) {
                return Some(("steps", format!("{name} begins before part {missing} has ended")));
            }
            if claim.ended.contains_key(&within(whole, *index)) {
                return Some(("steps", format!("{name} begins again, although it has ended")));
            }
        }
        if let Some((index, _, options)) = &spot.option {
            let whole = place.rsplit_once('_').map_or("", |(whole, _)| whole);
            let mut succeeded = (0..options.len()).filter(|option| claim.ended.contains_key(&within(whole, *option)));
            if let Some(option) = succeeded.next() {
                return Some(("fallback", format!("{name} begins, option {index}, and option {option} has succeeded")));
            }
        }
        let was_open = !self.runs.entry(run).or_default().open.insert(place.to_owned());
        if was_open && is_first && !spot.steps.is_empty() {
            self.count("step repeated after a crash");
        }
        self.chosen((by, run.job_id), place, spot.option?).map(|wrong| ("fallback", format!("{name}{wrong}")))
    }

    /// An option is tried. Says what is wrong with that.
    fn chosen(
        &mut self,
        key: (u64, JobId),
        place: &str,
        (index, tag, options): (usize, String, &'static [Member]),
    ) -> Option<&'static str> {
        let claim = claim_of(&mut self.claims, key.0, key.1)?;
        let whole = place.rsplit_once('_').map_or("", |(whole, _)| whole);
        let choice = (key.0, claim.job.spec.product.clone(), tag);
        let orders = self.orders.get(&choice).map_or(&[][..], Vec::as_slice);
        let is_told = |pass: &[usize]| orders.iter().any(|order| order.starts_with(pass));
        let pass = claim.passes.entry(whole.to_owned()).or_default();
        let before = pass.last().copied();
        if before == Some(index) {
            return None;
        }
        if pass.len() == options.len() {
            pass.clear();
        }
        pass.push(index);
        if !is_told(pass) {
            return Some(" is tried out of turn");
        }
        let before = before.filter(|_| pass.len() > 1)?;
        let answers = claim.answers.get(&within(whole, before));
        if !answers.and_then(|answers| answers.last()).is_some_and(Result::is_err) {
            return Some(" is tried, and the option before has not failed");
        }
        if !self.marked.contains(&(choice, options[before].event.to_owned())) {
            return Some(" is tried, and nobody said that the option before fails");
        }
        self.count("fallback went to a later option");
        None
    }

    /// Checks a dispatch: it is for the claimed fire, and carries the result of the step that it refers to.
    pub(crate) fn sent(&self, call: &DispatchRequest, by: u64) -> Option<Wrong> {
        let claim = self.claim(by, call.id.fire.job_id)?;
        if call.id.fire != claim.job.fire() {
            return Some(("I7", format!("{} is sent for {}", call.id, claim.job.fire())));
        }
        let spot = Spot::of(&claim.job.spec.event, &call.id.place)?;
        let step = spot.steps.last()?;
        let (before, path) = step.of[step.index].after(step.of)?;
        let brought = match claim.ended.get(&within(&step.whole, before)) {
            Some(PartOutcome::Completed(output)) => path.iter().fold(&output.value, |value, key| &value[*key]).clone(),
            _ => Value::Null,
        };
        let body: Value = serde_json::from_slice(&call.request.http()?.body).unwrap_or_default();
        (body["after"] != brought).then(|| ("I7", format!("{} is given {body}, and {brought} was brought", call.id)))
    }

    /// A target answered.
    pub(crate) fn answered(&mut self, id: &DispatchId, answer: &Result<Output, RunError>, by: u64) {
        let Some(claim) = claim_of(&mut self.claims, by, id.fire.job_id) else { return };
        let known = self.runs.entry(run_of(&claim.job)).or_default();
        known.open.remove(&id.place);
        let answer = answer.as_ref().map(|output| output.value.clone()).map_err(RunError::clone);
        claim.answers.entry(id.place.clone()).or_default().push(answer);
    }

    /// A counter is asked for a part. Says what is wrong with that.
    pub(crate) fn counts_for(
        &self,
        counter: &CounterId,
        by: &CheckpointId,
        asked: Option<(u64, u64)>,
        actor: u64,
        now: UnixMillis,
    ) -> Option<Wrong> {
        let claim = self.claim(actor, by.run.job_id).filter(|claim| run_of(&claim.job) == by.run);
        let is_so = claim.is_some_and(|claim| {
            let spec = &claim.job.spec;
            let named = (counter.product == spec.product, counter.env == spec.env);
            let Some(Kind::Quota(quota)) = Spot::of(&spec.event, &by.place).map(|spot| spot.kind) else { return false };
            let is_period =
                counter.from.0 % quota.period_ms == 0 && counter.until.since(counter.from) == quota.period_ms;
            let is_now = counter.from <= now.plus(SKEW_MS) && counter.until > claim.at.plus(-SKEW_MS);
            named == (true, true)
                && quota.tag == counter.quota
                && (is_period, is_now) == (true, true)
                && asked.is_none_or(|asked| asked == (claim.amount(&by.place), quota.limit))
        });
        (!is_so).then(|| ("quota", format!("{counter:?} is asked for {by:?}, with {asked:?}")))
    }

    /// A counter answered who has a part counted, or did not.
    pub(crate) fn told(&mut self, by: &CheckpointId, told: Option<Counted>, actor: u64) {
        let Some(claim) = claim_of(&mut self.claims, actor, by.run.job_id) else { return };
        match told {
            Some(told) => {
                claim.counted.entry(by.place.clone()).or_default().push(told);
                self.runs.entry(by.run).or_default().open.remove(&by.place);
            }
            None => drop(claim.unreached.insert(by.place.clone())),
        }
    }

    /// A counter told an actor how far it has come, or did not: that may be for any of its jobs that check this quota.
    pub(crate) fn checked(&mut self, counter: &CounterId, used: Option<u64>, by: u64) {
        for claim in self.claims.get_mut(&by).into_iter().flat_map(BTreeMap::values_mut) {
            let spec = &claim.job.spec;
            if (&spec.product, &spec.event) != (&counter.product, &counter.quota) || spec.input["action"] != "check" {
                continue;
            }
            match used {
                Some(used) => claim.counted.entry(String::new()).or_default().push(Counted::Counted { used }),
                None => drop(claim.unreached.insert(String::new())),
            }
        }
    }

    /// An actor reads the order of options: those that are marked as failing come last.
    pub(crate) fn advised(
        &mut self,
        name: &FallbackId,
        failing: &BTreeMap<String, UnixMillis>,
        by: u64,
        now: UnixMillis,
    ) {
        let Kind::Fallback(options) = Kind::of(&name.tag) else { return };
        let is_failing = |index: &usize| failing.get(options[*index].event).is_some_and(|until| *until > now);
        let (last, mut order): (Vec<_>, Vec<_>) = (0..options.len()).partition(is_failing);
        if !last.is_empty() && !order.is_empty() {
            self.count("option that fails comes last");
        }
        order.extend(last);
        self.orders.entry((by, name.product.clone(), name.tag.clone())).or_default().push(order);
    }

    /// An actor says of an option whether it fails. Says what is wrong with that.
    pub(crate) fn marks(&mut self, name: &FallbackId, option: &str, fails: bool, by: u64) -> Option<Wrong> {
        let is_so = self.claims(by).any(|claim| claim.says(name, option, fails));
        if fails {
            self.marked.insert(((by, name.product.clone(), name.tag.clone()), option.to_owned()));
        }
        let how = if fails { "fail" } else { "be well" };
        (!is_so).then(|| ("fallback", format!("{option} of {name} is said to {how}, and nothing says so")))
    }

    /// True if the answers to an actor explain the outcome that it recorded.
    pub(crate) fn explains(&self, job: JobId, outcome: Result<&Value, &RunError>, by: &Actor, now: UnixMillis) -> bool {
        let has_met_fault = by.has_met_fault.load(Ordering::Relaxed);
        self.claim(by.id, job).is_some_and(|claim| {
            let is_own = outcome.err().is_some_and(|error| claim.is_its_own(error, now, has_met_fault));
            is_own || claim.brings(&claim.job.spec.event, "", outcome)
        })
    }
}
