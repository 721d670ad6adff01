//! The step from a run that has ended to the next one.
//!
//! The next run is due at the first occurrence that can still be met: at or after now. It is computed from nominal
//! times, never from the end of a run, so nothing drifts. Occurrences whose time has passed meanwhile are skipped and
//! counted.

use super::{Effect, Transition, arm, before, waiting};
use crate::cadence::{Cadence, Repeat};
use crate::job::{JobState, LastRun, Run, SkipReason, Skipped, Status};
use crate::time::UnixMillis;

/// The occurrences of a job. Parsing an expression costs more than evaluating it, so it is done once a decision.
pub(super) struct Series {
    cadence: Cadence,
    start_at: UnixMillis,
}

impl Series {
    pub(super) fn of(repeat: &Repeat, start_at: UnixMillis) -> Self {
        Self { cadence: Cadence::of(repeat, start_at), start_at }
    }

    /// The first occurrence after `planned_through` that can still be met at `now`; `None` when the series is over.
    pub(super) fn ahead(&self, planned_through: Option<UnixMillis>, now: UnixMillis) -> Option<UnixMillis> {
        let from = planned_through.map_or(self.start_at, |planned_through| planned_through.plus(1));
        self.cadence.next_from(from.max(now))
    }

    /// The occurrences after `planned_through` whose time has passed at `now`.
    pub(super) fn skipped(
        &self,
        planned_through: Option<UnixMillis>,
        now: UnixMillis,
        reason: SkipReason,
    ) -> Option<Skipped> {
        let after = planned_through.unwrap_or(before(self.start_at));
        let from = self.cadence.next_after(after).filter(|first| *first < now)?;
        Some(Skipped { reason, from, count: self.cadence.count_between(after, now) })
    }

    /// Records the occurrences whose time has passed at `now`: before the current run if that is in the future and
    /// planned anew, otherwise after it.
    pub(super) fn skip(&self, state: &mut JobState, is_ahead: bool, now: UnixMillis, reason: SkipReason) {
        let planned_through =
            if is_ahead { state.planned_through } else { state.run.nominal_at.max(state.planned_through) };
        let Some(skipped) = self.skipped(planned_through, now, reason) else { return };
        state.missed = state.missed.saturating_add(skipped.count);
        let entries = if is_ahead { &mut state.run.skipped } else { &mut state.skipped };
        match entries.last_mut() {
            // One entry for each stretch, however often the job was paused in it.
            Some(last) if last.reason == reason => last.count = last.count.saturating_add(skipped.count),
            _ => entries.push(skipped),
        }
    }
}

/// Takes a job whose run was just settled to its next run, if there is one.
pub(super) fn go_on(settled: Transition, now: UnixMillis) -> Transition {
    if settled.before.spec.repeat.is_none() {
        return settled;
    }
    let Transition { before: job, mut state, .. } = settled.clone();
    let (Some(repeat), run) = (&job.spec.repeat, &state.run) else { return settled };
    let run_no = run.run_no.checked_add(1).filter(|next| repeat.limit.is_none_or(|limit| *next <= limit));
    let Some(run_no) = run_no else { return settled };
    let series = Series::of(repeat, job.spec.start_at);
    let planned_through = run.nominal_at.max(state.planned_through);
    series.skip(&mut state, false, now, SkipReason::Missed);
    let Some(at) = series.ahead(planned_through, now) else {
        state.planned_through = Some(before(now)).max(planned_through);
        return Transition { state, ..settled };
    };
    state.planned_through = Some(before(at));
    state.last_run = last_run(&state.run, now);
    let fresh = Run::new(state.run.generation, run_no, at);
    let next = Run { nominal_at: Some(at), skipped: std::mem::take(&mut state.skipped), ..fresh };
    let ended = std::mem::replace(&mut state.run, next);
    // A pause during the run holds the next one back.
    if job.state.status == Status::Paused {
        state.status = Status::Paused;
        return Transition { state, retired: Some(ended), effect: Effect::Acknowledge, ..settled };
    }
    state.status = waiting(at, now);
    state.wake_at = Some(at);
    Transition { retired: Some(ended), ..arm(&job, state, at) }
}

/// The summary of a run that ended.
pub(super) fn last_run(run: &Run, now: UnixMillis) -> Option<LastRun> {
    let ended_at = run.ended_at.unwrap_or(now);
    run.outcome.as_ref().map(|outcome| LastRun { run_no: run.run_no, status: outcome.into(), ended_at })
}
