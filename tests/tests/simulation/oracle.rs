//! The invariants, checked only by what is stored, sent, dispatched and answered: the state machine is not consulted.

use std::collections::BTreeMap;

use carillon_core::ids::{Fire, JobId, Owner};
use carillon_core::job::{Job, JobState, Outcome, Output, Run, RunError, Status, codes};
use carillon_core::machine::Transition;
use carillon_core::progress::RunId;
use carillon_core::request::{DispatchId, DispatchRequest};
use carillon_core::time::UnixMillis;

use crate::actor::Actor;
use crate::catalogs::{Edition, REMEMBERED_MS, Shelf};
use crate::composites::{Composites, Wrong, is_composite};
use crate::named::Named;
use crate::recalls::Recalls;
use crate::series::Series;

/// Maximum difference between two clocks, ms.
pub(crate) const SKEW_MS: i64 = 1_000;

/// Maximum time from due to claim if nothing goes wrong, ms: the difference of clocks and the time of requests.
const PROMPT_MS: i64 = 3_000;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The invariant: I1 to I7 as functions/README.md numbers them, or a word.
    pub(crate) invariant: &'static str,
    /// The events.
    pub(crate) text: String,
}

/// The events of a fire.
#[derive(Debug, Default)]
struct Known {
    /// The last claim, its owner, and whether its dispatch has begun.
    claim: Option<(Owner, u64, bool)>,
    dispatches: u32,
    successes: Vec<Output>,
    errors: Vec<RunError>,
    outcome: Option<Outcome>,
}

/// Watches, and remembers what it needs to tell right from wrong.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// True if nothing goes wrong in this world, so that everything has to be on time.
    pub(crate) is_strict: bool,
    fires: BTreeMap<Fire, Known>,
    series: BTreeMap<JobId, Series>,
    /// The most attempts that a run of a job may have had by what was ever asked for.
    budgets: BTreeMap<JobId, u32>,
    /// Jobs that consist of others, or count.
    pub(crate) composites: Composites,
    /// Cached results.
    pub(crate) recalls: Recalls,
    /// The keys of requests.
    pub(crate) named: Named,
    pub(crate) violations: Vec<Violation>,
}

/// The fire that a run of a job has.
pub(crate) fn fire_of(job_id: JobId, run: &Run) -> Fire {
    Fire { job_id, generation: run.generation, run_no: run.run_no }
}

fn is_active(status: Status) -> bool {
    matches!(status, Status::Scheduled | Status::Queued | Status::Running)
}

fn owner_of(state: &JobState) -> Option<&Owner> {
    state.lease.as_ref().map(|lease| &lease.owner)
}

impl Oracle {
    pub(crate) fn hold(&mut self, holds: bool, invariant: &'static str, text: impl FnOnce() -> String) {
        // One is enough to look into, and the later ones may follow from it.
        if !holds && self.violations.len() < 20 {
            self.violations.push(Violation { invariant, text: text() });
        }
    }

    /// Holds that nothing is wrong.
    pub(crate) fn right(&mut self, wrong: Option<String>, invariant: &'static str) {
        self.hold(wrong.is_none(), invariant, || wrong.unwrap_or_default());
    }

    /// Holds that nothing is wrong, whatever the invariant is.
    pub(crate) fn blame(&mut self, wrong: Option<Wrong>) {
        if let Some((invariant, text)) = wrong {
            self.hold(false, invariant, || text);
        }
    }

    /// A job was stored.
    pub(crate) fn inserted(&mut self, job: &Job, actor: u64) {
        let wrong = self.named.stored(actor, job.id);
        self.right(wrong, "key of a request");
        self.budgets.insert(job.id, job.spec.retries + 1);
        self.series.extend(Series::begun(job).map(|series| (job.id, series)));
    }

    /// A change of a job was stored by an actor, on top of `old`.
    pub(crate) fn committed(
        &mut self,
        old: &Job,
        new: &Job,
        transition: &Transition,
        by: &Actor,
        published: &Shelf,
        now: UnixMillis,
    ) {
        let actor = by.id;
        let (fire, retired) = (old.fire(), transition.retired.as_ref());
        let (before, after) = (&old.state, &new.state);
        let budget = self.budgets.entry(old.id).or_default();
        *budget = (*budget).max(new.spec.retries + 1);
        let is_claim = after.lease.is_some() && owner_of(after) != owner_of(before);
        if is_claim {
            self.claimed(old, new, actor, now);
        }
        self.hold(!matches!(before.status, Status::Completed | Status::Cancelled), "I2", || {
            format!("{fire} is {}, and was changed", before.status)
        });
        self.hold(new.fire() >= fire, "I2", || format!("{fire} became {}, an earlier fire", new.fire()));
        self.hold(before.run.outcome.is_none() || !is_active(after.status) || new.fire() != fire, "I2", || {
            format!("{fire} has its outcome and goes on")
        });
        let ended = [retired, Some(&after.run)].into_iter().flatten().find(|run| fire_of(old.id, run) == fire);
        self.hold(
            before.run.outcome.is_none() || ended.is_some_and(|run| run.outcome == before.run.outcome),
            "I2",
            || format!("the outcome of {fire} is gone or another one"),
        );
        let outcome = ended.and_then(|run| run.outcome.as_ref()).filter(|_| before.run.outcome.is_none());
        if let Some(outcome) = outcome {
            let cached_at = ended.and_then(|run| run.cached_at.map(|at| (run, at)));
            if let (Some((run, at)), Outcome::Completed(output)) = (cached_at, outcome) {
                let wrong = self.recalls.recalled(old, run, output, at, by);
                self.right(wrong, "recall");
            }
            self.ended(old, new, outcome, cached_at.is_some(), by, now);
            self.told_by_the_catalog(old, outcome, by, published, now);
        } else if !is_claim && after.run.failures.len() > before.run.failures.len() {
            self.held_the_lease(fire, old, actor);
        }
        let lets_go = before.lease.is_some() && after.lease.is_none();
        let is_suspended = lets_go && outcome.is_none() && after.run.failures == before.run.failures;
        if is_suspended {
            self.held_the_lease(fire, old, actor);
            let wrong = self.composites.suspended(old, actor);
            self.blame(wrong);
        }
        let attempts = before.run.attempts - u32::from(is_suspended);
        self.hold(is_claim || after.run.attempts == attempts || new.fire() != fire, "I5", || {
            format!("{fire} has {} attempts without a claim, after {}", after.run.attempts, before.run.attempts)
        });
        if after.status == Status::Paused {
            self.composites.paused(old.id, now);
        }
        self.planned(old, new, transition.spec.is_some(), outcome.is_some());
    }

    fn claimed(&mut self, old: &Job, new: &Job, actor: u64, now: UnixMillis) {
        let (fire, before, run) = (old.fire(), &old.state, &new.state.run);
        match before.status {
            Status::Paused | Status::Cancelled => {
                self.hold(false, "I6", || format!("{fire} is claimed, and its job is {}", before.status));
            }
            Status::Completed | Status::Failed => {
                self.hold(false, "I2", || format!("{fire} is claimed, and has ended"));
            }
            Status::Running => {
                let until = before.lease.as_ref().map(|lease| lease.until);
                self.hold(until.is_none_or(|until| until <= now.plus(SKEW_MS)), "I2", || {
                    format!("{fire} is claimed while another holds the lease")
                });
            }
            Status::Scheduled | Status::Queued => {
                self.hold(before.wake_at.is_some_and(|at| at <= now.plus(SKEW_MS)), "on time", || {
                    format!("{fire} is claimed before {:?}", before.wake_at)
                });
                let late_ms = before.wake_at.map_or(0, |at| now.since(at));
                // Waiting for another job's result makes it late.
                let is_prompt = !self.is_strict || old.spec.cache.is_some() || late_ms <= PROMPT_MS;
                self.hold(is_prompt, "on time", || {
                    format!("{fire} is claimed {late_ms} ms late, and nothing went wrong")
                });
            }
        }
        self.hold(run.attempts == before.run.attempts + 1, "I5", || format!("the claim of {fire} counts no attempt"));
        let budget = self.budgets[&old.id];
        self.hold(run.attempts <= budget, "I5", || format!("{fire} has attempt {} of {budget}", run.attempts));
        self.composites.claimed(new, actor, now);
        let owner = owner_of(&new.state).cloned();
        if let Some(owner) = &owner {
            self.recalls.claimed(new, actor, owner);
        }
        self.fires.entry(fire).or_default().claim = owner.map(|owner| (owner, actor, false));
    }

    /// A run that fails as its catalog has no such event any more is right only if that was so while its executor was at it.
    fn told_by_the_catalog(&mut self, old: &Job, outcome: &Outcome, by: &Actor, published: &Shelf, now: UnixMillis) {
        let Outcome::Failed(error) = outcome else { return };
        if error.code == codes::EVENT_NOT_FOUND {
            let was_so = published.had(&old.spec.product, by.born_at, now, |edition| !edition.has_action);
            self.hold(was_so, "catalog", || {
                format!("{} failed for an event that was there all the time: {}", old.fire(), error.message)
            });
        }
    }

    /// A dispatch follows a catalog that was valid half a minute ago or later.
    pub(crate) fn called(
        &mut self,
        published: &Shelf,
        stored: Option<&Job>,
        call: &DispatchRequest,
        by: &Actor,
        now: UnixMillis,
    ) {
        let number =
            call.request.http().and_then(|it| it.url.path().split('/').nth(1)?.parse().ok()).unwrap_or(u64::MAX);
        let from = by.born_at.plus(-REMEMBERED_MS - SKEW_MS);
        let spec = stored.map(|job| &job.spec);
        let product = spec.map_or("", |spec| spec.product.as_str());
        let is_part = !call.id.place.is_empty();
        let longest = |edition: &Edition| match (spec.and_then(|spec| spec.timeout), edition.timeout) {
            (Some(whole), Some(own)) if is_part => whole.min(own),
            (whole, own) => whole.or(own).unwrap_or(u32::MAX),
        };
        let is_so = published.had(product, from, now, |edition| {
            edition.number == number && edition.has_action && call.timeout_ms <= longest(edition)
        });
        self.hold(is_so, "catalog", || format!("{} is dispatched to edition {number} of {product}", call.id));
    }

    fn held_the_lease(&mut self, fire: Fire, old: &Job, actor: u64) {
        let claim = self.fires.get(&fire).and_then(|known| known.claim.as_ref());
        let owner = owner_of(&old.state);
        let is_its = claim.is_some_and(|(name, by, _)| Some(name) == owner && *by == actor);
        self.hold(is_its, "I2", || format!("{fire} was settled by somebody without its lease"));
    }

    /// The outcome of a fire was recorded.
    fn ended(&mut self, old: &Job, new: &Job, outcome: &Outcome, is_recalled: bool, by: &Actor, now: UnixMillis) {
        let (fire, actor) = (old.fire(), by.id);
        let composes = is_composite(old);
        let is_composed = |outcome| composes && self.composites.explains(old.id, outcome, by, now);
        let known = self.fires.entry(fire).or_default();
        let is_first = known.outcome.is_none();
        known.outcome = Some(outcome.clone());
        let (dispatches, attempts) = (known.dispatches, old.state.run.attempts);
        let explained = match outcome {
            // Held against all dispatches of its question.
            Outcome::Completed(_) if is_recalled => true,
            Outcome::Completed(output) => is_composed(Ok(&output.value)) || known.successes.contains(output),
            Outcome::Failed(error) if error.code == codes::EXECUTOR_LOST => attempts > 0,
            Outcome::Failed(error) if error.code == codes::EVENT_NOT_FOUND => true,
            Outcome::Failed(error) => is_composed(Err(error)) || known.errors.contains(error),
            Outcome::Cancelled { .. } | Outcome::Skipped(_) => true,
        };
        self.hold(is_first, "I2", || format!("{fire} has two outcomes"));
        self.hold(explained, "I7", || format!("no dispatch of {fire} explains {outcome:?}"));
        self.hold(dispatches <= attempts, "I5", || format!("{fire}: {attempts} attempts, {dispatches} dispatches"));
        match outcome {
            Outcome::Failed(error) if error.code == codes::EXECUTOR_LOST => {
                let until = old.state.lease.as_ref().map(|lease| lease.until);
                self.hold(until.is_some_and(|until| until <= now.plus(SKEW_MS)), "I5", || {
                    format!("{fire} is given up while its lease lasts")
                });
            }
            Outcome::Completed(_) if is_recalled => {}
            Outcome::Completed(_) | Outcome::Failed(_) => self.held_the_lease(fire, old, actor),
            Outcome::Cancelled { .. } | Outcome::Skipped(_) => return,
        }
        if let Some(series) = self.series.get_mut(&old.id) {
            let wrong = series.ended(old, new, now);
            self.hold(wrong.is_none(), "I3", || format!("{fire}: {}", wrong.unwrap_or_default()));
        }
    }

    /// Holds a new plan against what was asked for.
    fn planned(&mut self, old: &Job, new: &Job, is_edited: bool, has_ended: bool) {
        let run = &new.state.run;
        let repeat = new.spec.repeat.as_ref();
        if run.run_no != old.state.run.run_no {
            self.hold(run.run_no == old.state.run.run_no + 1 && has_ended, "I2", || {
                format!("{} came out of turn", new.fire())
            });
            let limit = repeat.and_then(|repeat| repeat.limit);
            self.hold(limit.is_none_or(|limit| run.run_no <= limit), "I3", || {
                format!("{} is past its limit", new.fire())
            });
        }
        if run.nominal_at != old.state.run.nominal_at {
            let end = repeat.and_then(|repeat| repeat.end_date);
            self.hold(run.nominal_at.is_none_or(|at| end.is_none_or(|end| at <= end)), "I3", || {
                format!("{} is planned after its end date", new.fire())
            });
        }
        let series = self.series.entry(new.id).or_default();
        if let Some(wrong) = series.planned(old, new, is_edited) {
            self.hold(false, "cadence", || format!("{}: {wrong}", new.fire()));
        }
    }

    /// An attempt begins at the target, or a part of it.
    pub(crate) fn dispatched(
        &mut self,
        call: &DispatchRequest,
        stored: Option<&Job>,
        by: &Actor,
        published: &Shelf,
        now: UnixMillis,
    ) {
        let fire = call.id.fire;
        if stored.is_some_and(is_composite) {
            let run = RunId { job_id: fire.job_id, run_no: fire.run_no };
            let wrong = self.composites.begins(run, by.id, &call.id.place);
            let wrong = wrong.or_else(|| self.composites.sent(call, by.id));
            self.blame(wrong);
            return;
        }
        let wrong = self.recalls.dispatched(fire, by, published, self.is_strict, now);
        self.right(wrong, "single flight");
        let actor = by.id;
        let known = self.fires.entry(fire).or_default();
        known.dispatches += 1;
        let dispatches = known.dispatches;
        let is_claimed = match &mut known.claim {
            Some((_, by, has_begun)) if *by == actor => !std::mem::replace(has_begun, true),
            // It has lost the lease since, on the way to the target.
            Some(_) => true,
            None => false,
        };
        self.hold(is_claimed, "I7", || format!("{fire} is dispatched without a claim of it"));
        let attempts = stored.filter(|job| job.fire() == fire).map(|job| job.state.run.attempts);
        self.hold(attempts.is_none_or(|attempts| dispatches <= attempts), "I5", || {
            format!("{fire} is dispatched for the {dispatches}. time, and {attempts:?} attempts are counted")
        });
    }

    /// The target answered.
    pub(crate) fn answered(&mut self, id: &DispatchId, answer: &Result<Output, RunError>, actor: u64, now: UnixMillis) {
        let fire = id.fire;
        self.composites.answered(id, answer, actor);
        self.recalls.answered(fire, actor, answer, now);
        let known = self.fires.entry(fire).or_default();
        match answer {
            Ok(output) => known.successes.push(output.clone()),
            Err(error) => known.errors.push(error.clone()),
        }
    }

    /// Nothing is under way any more: holds what is stored against everything that was seen.
    pub(crate) fn at_rest(&mut self, job: &Job, history: &[Run], now: UnixMillis) {
        let (state, fire) = (&job.state, job.fire());
        let late = state.wake_at.map_or(0, |at| now.since(at));
        self.hold(!is_active(state.status) || late < 900_000, "I4", || {
            format!("{fire} is {}, {late} ms late", state.status)
        });
        self.hold(!is_active(state.status) || state.wake_at.is_some(), "I4", || {
            format!("nothing is planned for {fire}")
        });
        let runs: Vec<_> = history.iter().chain([&state.run]).filter(|run| run.outcome.is_some()).collect();
        let seen: Vec<_> =
            self.of(job.id).filter(|(_, known)| known.outcome.is_some()).map(|(fire, _)| *fire).collect();
        let mut told: Vec<_> = runs.iter().map(|run| fire_of(job.id, run)).collect();
        told.sort_unstable();
        self.hold(seen == told, "I2", || format!("outcomes were recorded of {seen:?}, and the history has {told:?}"));
        for run in runs {
            let fire = fire_of(job.id, run);
            let known = self.fires.entry(fire).or_default();
            let (outcome, dispatches) = (known.outcome.clone(), known.dispatches);
            self.hold(outcome == run.outcome, "I2", || format!("{fire} had another outcome once"));
            self.hold(dispatches <= run.attempts, "I5", || {
                format!("{fire}: {dispatches} dispatches of {}", run.attempts)
            });
        }
    }

    fn of(&self, id: JobId) -> impl Iterator<Item = (&Fire, &Known)> {
        let fire = |number| Fire { job_id: id, generation: number, run_no: number };
        self.fires.range(fire(0)..=fire(u32::MAX))
    }
}
