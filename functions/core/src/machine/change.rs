//! Changes that callers make.

use std::sync::Arc;

use super::{Effect, Refusal, Series, Transition, arm, before, next, series, settle, store, waiting};
use crate::job::{Job, JobSpec, JobState, Outcome, Run, SkipReason, Status};
use crate::time::UnixMillis;

/// Cancels the job. An attempt in progress cannot be stopped: it loses its lease, and with it its outcome. The status
/// alone makes every timer and message of the job void, because no transition leaves it.
pub(super) fn cancel(job: &Job, reason: Option<String>, now: UnixMillis) -> Result<Transition, Refusal> {
    if job.state.status.is_settled() {
        return refused(job, "cancelled");
    }
    let effect = Effect::Disarm { fire: job.fire() };
    Ok(settle(job, Status::Cancelled, Outcome::Cancelled { reason }, effect, now))
}

/// Gives a failed job a fresh budget under a new generation; the failed run moves to the history. The new run stands
/// for the same occurrence, so a series continues from there.
pub(super) fn retry(job: &Job, delay_ms: u32, now: UnixMillis) -> Result<Transition, Refusal> {
    if job.state.status != Status::Failed {
        return refused(job, "retried");
    }
    let at = now.plus(i64::from(delay_ms));
    let mut state = next(job, now);
    let old = &state.run;
    let fresh = Run::new(generation(job, "retried again")?, old.run_no, at);
    let fresh = Run { nominal_at: old.nominal_at, skipped: std::mem::take(&mut state.skipped), ..fresh };
    state.last_run = series::last_run(old, now);
    // The run stands for an occurrence that has come, which never comes again.
    state.planned_through = old.nominal_at.max(state.planned_through);
    let retired = std::mem::replace(&mut state.run, fresh);
    Ok(Transition { retired: Some(retired), ..wait(job, state, at, now) })
}

/// Records that the timer of the current fire is armed.
pub(super) fn timer_armed(job: &Job, now: UnixMillis) -> Result<Transition, Refusal> {
    if !job.state.timer_missing {
        return Err(Refusal::Void);
    }
    Ok(store(job, next(job, now), Effect::Acknowledge))
}

/// Pauses the job. An attempt in progress keeps its lease: its outcome is recorded, and nothing follows from it.
///
/// The timer of a run that has begun stays: a resumption arms the same fire, and may have done so before this pause
/// would remove the timer.
pub(super) fn pause(job: &Job, now: UnixMillis) -> Result<Transition, Refusal> {
    if !matches!(job.state.status, Status::Scheduled | Status::Queued | Status::Running) {
        return refused(job, "paused");
    }
    let mut state = next(job, now);
    state.status = Status::Paused;
    state.wake_at = None;
    let effect = if state.run.has_begun() { Effect::Acknowledge } else { Effect::Disarm { fire: job.fire() } };
    Ok(store(job, state, effect))
}

/// Resumes a paused job.
///
/// A run that has begun continues with the attempts that it has left, under the same fire, so that its receiver
/// recognises it. A run that has not begun is planned anew under a new fire: at the first occurrence that can still
/// be met, or when the job was to run. If the attempt that was in progress at the pause may still be running, the
/// fire waits until its lease ends.
pub(super) fn resume(job: &Job, now: UnixMillis) -> Result<Transition, Refusal> {
    if job.state.status != Status::Paused {
        return refused(job, "resumed");
    }
    let mut state = next(job, now);
    if let Some(lease) = &state.lease {
        let at = lease.until.max(now);
        state.status = Status::Running;
        state.wake_at = Some(at);
        return Ok(arm(job, state, at));
    }
    if state.run.has_begun() {
        return Ok(wait(job, state, now, now));
    }
    let generation = generation(job, "resumed again")?;
    let Some(repeat) = job.spec.repeat.as_ref().filter(|_| is_ahead(&state)) else {
        let at = state.run.due_at.max(now);
        state.run = Run { generation, due_at: at, ..state.run };
        return Ok(wait(job, state, at, now));
    };
    let series = Series::of(repeat, job.spec.start_at);
    let Some(at) = series.ahead(state.planned_through, now) else {
        return Ok(end_unrun(job, &series, now));
    };
    series.skip(&mut state, true, now, SkipReason::Paused);
    state.planned_through = Some(before(at));
    state.run = Run { generation, due_at: at, nominal_at: Some(at), ..state.run };
    Ok(wait(job, state, at, now))
}

/// True if the current run stands for an occurrence in the future: it has not begun, and is neither a retry nor a run
/// outside the schedule.
fn is_ahead(state: &JobState) -> bool {
    !state.run.has_begun() && state.run.nominal_at > state.planned_through
}

/// Ends a series that was over before the job was resumed: the paused run and what came after it are skipped.
fn end_unrun(job: &Job, series: &Series, now: UnixMillis) -> Transition {
    let reason = SkipReason::Paused;
    let mut ended = settle(job, Status::Completed, Outcome::Skipped(reason), Effect::Acknowledge, now);
    let state = &mut ended.state;
    let skipped = series.skipped(state.run.nominal_at, now, reason);
    let later = skipped.as_ref().map_or(0, |skipped| skipped.count);
    state.missed = state.missed.saturating_add(later.saturating_add(1));
    state.skipped.extend(skipped);
    state.planned_through = Some(before(now));
    ended
}

/// Makes the next run due now. If the run has begun, its next attempt is due now. Otherwise it becomes a run outside
/// the schedule, and the next occurrence stays where it was.
pub(super) fn run_now(job: &Job, now: UnixMillis) -> Result<Transition, Refusal> {
    if !matches!(job.state.status, Status::Scheduled | Status::Queued) {
        return refused(job, "run");
    }
    let mut state = next(job, now);
    let is_due = state.wake_at.is_some_and(|at| at <= now);
    if !state.run.has_begun() && !is_due {
        let generation = generation(job, "run again")?;
        // A retry still stands for its occurrence.
        let nominal_at = state.run.nominal_at.filter(|_| !is_ahead(&state));
        state.run = Run { generation, due_at: now, nominal_at, ..state.run };
    }
    Ok(wait(job, state, now, now))
}

/// Replaces the specification.
///
/// A new plan concerns future occurrences. A run continues if it has begun, is due, or stands for an occurrence that
/// has come; the new plan holds from the run after it.
pub(super) fn edit(job: &Job, spec: &Arc<JobSpec>, is_replanned: bool, now: UnixMillis) -> Result<Transition, Refusal> {
    if matches!(job.state.status, Status::Completed | Status::Cancelled) {
        return refused(job, "changed");
    }
    let mut state = JobState { timer_missing: job.state.timer_missing, ..next(job, now) };
    let edited = |planned: Transition| Ok(Transition { spec: Some(Arc::clone(spec)), ..planned });
    if !is_replanned {
        return edited(store(job, state, Effect::Acknowledge));
    }
    let is_due = state.wake_at.is_some_and(|at| at <= now);
    let goes_on = state.run.has_begun() || job.spec.repeat.is_some() && (is_due || !is_ahead(&state));
    if goes_on && spec.repeat.is_none() && spec.start_at != job.spec.start_at {
        return refused(job, "moved, as its run has begun");
    }
    // Occurrences of the old plan whose time has passed were missed. Those of the new one count from here on.
    let reason = if state.status == Status::Paused { SkipReason::Paused } else { SkipReason::Missed };
    if let Some(old) = &job.spec.repeat {
        Series::of(old, job.spec.start_at).skip(&mut state, !goes_on, now, reason);
    }
    if goes_on {
        state.planned_through = Some(before(now)).max(state.run.nominal_at).max(state.planned_through);
        return edited(store(job, state, Effect::Acknowledge));
    }
    let (due_at, nominal_at) = match &spec.repeat {
        None if spec.start_at == job.spec.start_at => (state.run.due_at, None),
        None => (spec.start_at, None),
        Some(repeat) if repeat.limit.is_some_and(|limit| state.run.run_no > limit) => return Err(Refusal::NoRunLeft),
        Some(repeat) => {
            let at = Series::of(repeat, spec.start_at).ahead(None, now).ok_or(Refusal::NoRunLeft)?;
            (at, Some(at))
        }
    };
    state.timer_missing = false;
    state.planned_through = nominal_at.map(before);
    state.run = Run { generation: generation(job, "changed again")?, due_at, nominal_at, ..state.run };
    match state.status {
        Status::Paused => edited(store(job, state, Effect::Acknowledge)),
        _ => edited(wait(job, state, due_at, now)),
    }
}

/// Waits for `at`, with a timer.
fn wait(job: &Job, mut state: JobState, at: UnixMillis, now: UnixMillis) -> Transition {
    state.status = waiting(at, now);
    state.wake_at = Some(at);
    arm(job, state, at)
}

/// The next generation, under which every timer and message of this one is void.
fn generation(job: &Job, verb: &'static str) -> Result<u32, Refusal> {
    job.state.run.generation.checked_add(1).ok_or(Refusal::Status { status: job.state.status, verb })
}

fn refused<T>(job: &Job, verb: &'static str) -> Result<T, Refusal> {
    Err(Refusal::Status { status: job.state.status, verb })
}
