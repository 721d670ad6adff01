//! Mutants: the rules with one of them broken, to prove that a test notices.
//!
//! Compiled only with the feature `mutants`, which no binary has. [`with`] breaks a rule for one thread and one piece
//! of work. The rules themselves know nothing of this: a mutant changes the input or the answer of [`super::decide`].

use std::cell::Cell;
use std::sync::Arc;

use super::{Effect, Refusal, Transition, Trigger, rules};
use crate::job::{Job, JobSpec, JobState, Run, Status};
use crate::time::UnixMillis;

/// A broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// A fire is claimed although another executor's lease on it lasts.
    LeaseIgnored,
    /// An attempt is settled without a check of the lease's owner.
    OwnerUnchecked,
    /// A claim does not count its attempt.
    AttemptUncounted,
    /// An attempt whose executor died costs nothing.
    LostAttemptFree,
    /// One run more than `limit` allows.
    LimitOffByOne,
    /// Runs continue after `endDate`.
    EndDateIgnored,
    /// A paused job is claimed.
    PauseIgnored,
    /// The message of a paused job is void at once, instead of kept for a resumption that is about to be stored.
    PausedVoid,
    /// A cancelled job is claimed.
    CancelIgnored,
    /// A job that ended is claimed once more.
    OutcomeIgnored,
    /// A fire of an older generation or run is claimed for the current one.
    VoidFireClaimed,
    /// A fire is claimed before it is due.
    EarlyClaimed,
    /// A retry, an edit, a resumption and a run outside the schedule stay in the generation that they should make
    /// void.
    GenerationKept,
    /// Skipped occurrences are not counted.
    SkippedUncounted,
    /// The next run is due an interval after the end of the previous one, instead of at its nominal time.
    NextFromCompletion,
    /// A fire with no attempt left is no dead letter.
    SpentNotDeadLettered,
    /// A pause removes the timer of a run that has begun, which a resumption may have armed again.
    PauseDisarms,
    /// A retried run stands for an occurrence in the future.
    RetriedAhead,
    /// Runs follow UTC, whatever `tz` says.
    ZoneIgnored,
    /// Runs follow a clock that is never set forward or back.
    ClockChangesIgnored,
    /// A cached result costs an attempt.
    RecallCounted,
    /// An attempt that stops because its job is paused costs one.
    SuspensionCounted,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::LeaseIgnored,
        Self::OwnerUnchecked,
        Self::AttemptUncounted,
        Self::LostAttemptFree,
        Self::LimitOffByOne,
        Self::EndDateIgnored,
        Self::PauseIgnored,
        Self::PausedVoid,
        Self::CancelIgnored,
        Self::OutcomeIgnored,
        Self::VoidFireClaimed,
        Self::EarlyClaimed,
        Self::GenerationKept,
        Self::SkippedUncounted,
        Self::NextFromCompletion,
        Self::SpentNotDeadLettered,
        Self::PauseDisarms,
        Self::RetriedAhead,
        Self::ZoneIgnored,
        Self::ClockChangesIgnored,
        Self::RecallCounted,
        Self::SuspensionCounted,
    ];
}

thread_local! {
    static CURRENT: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// Runs `work` on this thread with a rule broken, or with none.
pub fn with<T>(mutant: Option<Mutant>, work: impl FnOnce() -> T) -> T {
    let before = CURRENT.replace(mutant);
    let done = work();
    CURRENT.set(before);
    done
}

/// Applies the rules with the current mutant.
pub(super) fn decide(job: &Job, trigger: &Trigger, now: UnixMillis) -> Result<Transition, Refusal> {
    let Some(mutant) = CURRENT.get() else { return rules(job, trigger, now) };
    let asked = asked(mutant, job, trigger);
    let trigger = match trigger {
        Trigger::Claim { owner, lease_ms, .. } if mutant == Mutant::VoidFireClaimed => {
            &Trigger::Claim { fire: asked.fire(), owner: owner.clone(), lease_ms: *lease_ms }
        }
        trigger => trigger,
    };
    let mut decided = rules(&asked, trigger, now).map_err(|refusal| match refusal {
        Refusal::Paused if mutant == Mutant::PausedVoid => Refusal::Void,
        refusal => refusal,
    })?;
    decided.before = job.clone();
    answered(mutant, job, trigger, &mut decided, now);
    Ok(decided)
}

/// Zones, each with one whose clock always shows the winter time of the first.
const WINTER: [(&str, &str); 2] = [("America/New_York", "Etc/GMT+5"), ("Europe/Amsterdam", "Etc/GMT-1")];

/// The job as the mutant shows it to the rules.
fn asked(mutant: Mutant, job: &Job, trigger: &Trigger) -> Job {
    let (mut state, mut spec) = (job.state.clone(), JobSpec::clone(&job.spec));
    match (mutant, trigger) {
        (Mutant::LeaseIgnored, Trigger::Claim { .. }) if state.status == Status::Running => {
            state = JobState { status: Status::Queued, wake_at: None, lease: None, ..state };
        }
        (
            Mutant::OwnerUnchecked,
            Trigger::Succeed { owner, .. } | Trigger::Fail { owner, .. } | Trigger::Suspend { owner },
        ) => {
            state.lease.iter_mut().for_each(|lease| lease.owner = owner.clone());
        }
        (Mutant::LostAttemptFree, Trigger::Claim { .. }) => spec.retries = u32::MAX,
        (Mutant::LimitOffByOne, _) => {
            spec.repeat.iter_mut().for_each(|it| it.limit = it.limit.map(|limit| limit + 1));
        }
        (Mutant::ZoneIgnored, _) => spec.repeat.iter_mut().for_each(|it| it.tz = None),
        (Mutant::ClockChangesIgnored, _) => {
            for tz in spec.repeat.iter_mut().filter_map(|it| it.tz.as_mut()) {
                if let Some((_, winter)) = WINTER.iter().find(|(zone, _)| zone == tz) {
                    (*winter).clone_into(tz);
                }
            }
        }
        (Mutant::EndDateIgnored, _) => spec.repeat.iter_mut().for_each(|it| it.end_date = None),
        (Mutant::PauseIgnored, Trigger::Claim { .. }) if state.status == Status::Paused => {
            state.status = Status::Queued;
        }
        (Mutant::CancelIgnored, Trigger::Claim { .. }) if state.status == Status::Cancelled => {
            state.status = Status::Queued;
        }
        (Mutant::OutcomeIgnored, Trigger::Claim { .. })
            if matches!(state.status, Status::Completed | Status::Failed) =>
        {
            let run = Run { outcome: None, ended_at: None, ..state.run };
            state = JobState { status: Status::Queued, run, ..state };
        }
        (Mutant::EarlyClaimed, Trigger::Claim { .. }) if matches!(state.status, Status::Scheduled | Status::Queued) => {
            state.wake_at = None;
        }
        _ => {}
    }
    Job { id: job.id, spec: Arc::new(spec), state }
}

/// Changes the rules' answer as the mutant says.
fn answered(mutant: Mutant, job: &Job, trigger: &Trigger, decided: &mut Transition, now: UnixMillis) {
    let state = &mut decided.state;
    match (mutant, &mut decided.effect) {
        (Mutant::AttemptUncounted, Effect::Dispatch { attempt }) => {
            state.run.attempts = job.state.run.attempts;
            *attempt = state.run.attempts;
        }
        (Mutant::GenerationKept, effect) if !matches!(trigger, Trigger::Claim { .. }) => {
            state.run.generation = job.state.run.generation;
            if let Effect::Arm { fire, .. } = effect {
                fire.generation = state.run.generation;
            }
        }
        (Mutant::RecallCounted, _) if matches!(trigger, Trigger::CacheHit { .. }) => {
            decided.retired.as_mut().unwrap_or(&mut state.run).attempts += 1;
        }
        (Mutant::SuspensionCounted, _) if matches!(trigger, Trigger::Suspend { .. }) => {
            state.run.attempts = job.state.run.attempts;
        }
        (Mutant::SkippedUncounted, _) => state.missed = job.state.missed,
        (Mutant::NextFromCompletion, Effect::Arm { at, .. })
            if matches!(trigger, Trigger::Succeed { .. }) && state.run.run_no > job.state.run.run_no =>
        {
            let every = job.spec.repeat.as_ref().and_then(|repeat| repeat.every);
            if let Some(every) = every.and_then(|every| i64::try_from(every).ok()) {
                *at = now.plus(every);
                state.run.due_at = *at;
                state.run.nominal_at = Some(*at);
                state.wake_at = Some(*at);
            }
        }
        (Mutant::PauseDisarms, effect) if *trigger == Trigger::Pause => *effect = Effect::Disarm { fire: job.fire() },
        (Mutant::RetriedAhead, _) if matches!(trigger, Trigger::Retry { .. }) => {
            state.planned_through = job.state.planned_through;
        }
        (Mutant::SpentNotDeadLettered, effect @ Effect::DeadLetter) => *effect = Effect::Acknowledge,
        _ => {}
    }
}
