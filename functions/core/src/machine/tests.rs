//! The machine as one table, and what holds for every way through it (`properties`).

mod properties;

use std::sync::Arc;

use super::*;
use crate::ids::JobId;
use crate::job::{EventType, FailedAttempt, Lease, Skipped, codes};
use crate::retry::RetryPolicy;

/// The effect of a trigger on a job's status.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    /// The next status and the step.
    Becomes(Status, &'static str),
    /// The status stays; nothing follows.
    Stays,
    /// The refusal; the job stays as it is.
    Refused(&'static str),
}

const DISPATCH: Cell = Cell::Becomes(Status::Running, "dispatch");
const RETURN: Cell = Cell::Becomes(Status::Queued, "redeliver");
const COMPLETE: Cell = Cell::Becomes(Status::Completed, "acknowledge");
const DEAD_LETTER: Cell = Cell::Becomes(Status::Failed, "dead_letter");
const DISARM: Cell = Cell::Becomes(Status::Cancelled, "disarm");
const STAYS: Cell = Cell::Stays;
const HOLD: Cell = Cell::Becomes(Status::Paused, "acknowledge");
const RETRACT: Cell = Cell::Becomes(Status::Paused, "disarm");
const ARM: Cell = Cell::Becomes(Status::Queued, "arm");
const ARM_LATER: Cell = Cell::Becomes(Status::Scheduled, "arm");
const VOID: Cell = Cell::Refused("void");
const PAUSED: Cell = Cell::Refused("paused");
const SETTLED: Cell = Cell::Refused("already settled");
const EARLY: Cell = Cell::Refused("early");
const LEASED: Cell = Cell::Refused("leased");
const FOREIGN: Cell = Cell::Refused("not owner");
const REFUSED: Cell = Cell::Refused("status");

const COLUMNS: [Status; 7] = [
    Status::Scheduled,
    Status::Queued,
    Status::Running,
    Status::Completed,
    Status::Failed,
    Status::Cancelled,
    Status::Paused,
];

#[rustfmt::skip]
const TABLE: [(&str, [Cell; 7]); 35] = [
    //                                     scheduled  queued    running   completed failed     cancelled paused
    ("claim",                             [DISPATCH,  DISPATCH, LEASED,   SETTLED,  SETTLED,   VOID,     PAUSED]),
    ("claim before its time",             [EARLY,     EARLY,    LEASED,   SETTLED,  SETTLED,   VOID,     PAUSED]),
    ("claim again by the owner",          [DISPATCH,  DISPATCH, LEASED,   SETTLED,  SETTLED,   VOID,     PAUSED]),
    ("claim after the lease",             [DISPATCH,  DISPATCH, DISPATCH, SETTLED,  SETTLED,   VOID,     PAUSED]),
    ("claim after the last lease",        [DISPATCH,  DISPATCH, DEAD_LETTER,     SETTLED,  SETTLED,   VOID,     PAUSED]),
    ("claim, a loss is not retried",      [DISPATCH,  DISPATCH, DEAD_LETTER,     SETTLED,  SETTLED,   VOID,     PAUSED]),
    ("claim of an older generation",      [VOID,      VOID,     VOID,     VOID,     VOID,      VOID,     VOID]),
    ("claim of a newer generation",       [VOID,      VOID,     VOID,     VOID,     VOID,      VOID,     VOID]),
    ("claim of another run",              [VOID,      VOID,     VOID,     VOID,     VOID,      VOID,     VOID]),
    ("claim of another job",              [VOID,      VOID,     VOID,     VOID,     VOID,      VOID,     VOID]),
    ("recall",                            [COMPLETE,  COMPLETE, LEASED,   SETTLED,  SETTLED,   VOID,     PAUSED]),
    ("recall before its time",            [EARLY,     EARLY,    LEASED,   SETTLED,  SETTLED,   VOID,     PAUSED]),
    ("recall after the lease",            [COMPLETE,  COMPLETE, COMPLETE, SETTLED,  SETTLED,   VOID,     PAUSED]),
    ("recall after the last lease",       [COMPLETE,  COMPLETE, DEAD_LETTER,     SETTLED,  SETTLED,   VOID,     PAUSED]),
    ("succeed",                           [FOREIGN,   FOREIGN,  COMPLETE, FOREIGN,  FOREIGN,   FOREIGN,  FOREIGN]),
    ("succeed after the lease",           [FOREIGN,   FOREIGN,  COMPLETE, FOREIGN,  FOREIGN,   FOREIGN,  FOREIGN]),
    ("succeed by a stranger",             [FOREIGN,   FOREIGN,  FOREIGN,  FOREIGN,  FOREIGN,   FOREIGN,  FOREIGN]),
    ("fail, attempts left",               [FOREIGN,   FOREIGN,  RETURN,   FOREIGN,  FOREIGN,   FOREIGN,  FOREIGN]),
    ("fail after the lease",              [FOREIGN,   FOREIGN,  RETURN,   FOREIGN,  FOREIGN,   FOREIGN,  FOREIGN]),
    ("fail, not retryable",               [FOREIGN,   FOREIGN,  DEAD_LETTER,     FOREIGN,  FOREIGN,   FOREIGN,  FOREIGN]),
    ("fail, spent",                       [FOREIGN,   FOREIGN,  DEAD_LETTER,     FOREIGN,  FOREIGN,   FOREIGN,  FOREIGN]),
    ("fail by a stranger",                [FOREIGN,   FOREIGN,  FOREIGN,  FOREIGN,  FOREIGN,   FOREIGN,  FOREIGN]),
    ("suspend",                           [FOREIGN,   FOREIGN,  RETURN,   FOREIGN,  FOREIGN,   FOREIGN,  FOREIGN]),
    ("suspend by a stranger",             [FOREIGN,   FOREIGN,  FOREIGN,  FOREIGN,  FOREIGN,   FOREIGN,  FOREIGN]),
    ("cancel",                            [DISARM,    DISARM,   DISARM,   REFUSED,  REFUSED,   REFUSED,  DISARM]),
    ("retry at once",                     [REFUSED,   REFUSED,  REFUSED,  REFUSED,  ARM,       REFUSED,  REFUSED]),
    ("retry later",                       [REFUSED,   REFUSED,  REFUSED,  REFUSED,  ARM_LATER, REFUSED,  REFUSED]),
    ("retry of the last generation",      [REFUSED,   REFUSED,  REFUSED,  REFUSED,  REFUSED,   REFUSED,  REFUSED]),
    ("armed after all",                   [STAYS,     STAYS,    STAYS,    STAYS,    STAYS,     STAYS,    STAYS]),
    ("pause",                             [HOLD,      HOLD,     HOLD,     REFUSED,  REFUSED,   REFUSED,  REFUSED]),
    ("pause of a run that has not begun", [RETRACT,   RETRACT,  RETRACT,  REFUSED,  REFUSED,   REFUSED,  REFUSED]),
    ("resume",                            [REFUSED,   REFUSED,  REFUSED,  REFUSED,  REFUSED,   REFUSED,  ARM]),
    ("run now",                           [ARM,       ARM,      REFUSED,  REFUSED,  REFUSED,   REFUSED,  REFUSED]),
    ("edit",                              [STAYS,     STAYS,    STAYS,    REFUSED,  STAYS,     REFUSED,  STAYS]),
    ("edit of when a begun run is due",   [REFUSED,   REFUSED,  REFUSED,  REFUSED,  REFUSED,   REFUSED,  REFUSED]),
];

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const LEASE_MS: u32 = 40_000;

/// A job in its second generation and third run, of this status, whose time has come; one of three attempts is used.
fn job(status: Status) -> Job {
    let spec = JobSpec {
        product: "shop".into(),
        env: "prd".into(),
        event: "close".into(),
        event_type: EventType::Action,
        app: None,
        input: serde_json::json!({}),
        retries: 2,
        retry: RetryPolicy { jitter: false, ..RetryPolicy::default() },
        timeout: None,
        start_at: NOW,
        repeat: None,
        session: None,
        cache: None,
        created_at: NOW,
    };
    let is_running = status == Status::Running;
    let until = NOW.plus(i64::from(LEASE_MS));
    let outcome = match status {
        Status::Completed => Some(Outcome::Completed(Output::default())),
        Status::Failed => Some(Outcome::Failed(RunError::permanent(codes::NOT_FOUND, "no such order"))),
        Status::Cancelled => Some(Outcome::Cancelled { reason: None }),
        Status::Scheduled | Status::Queued | Status::Running | Status::Paused => None,
    };
    let state = JobState {
        revision: 7,
        status,
        run: Run { attempts: 1, started_at: Some(NOW), outcome, ..Run::new(2, 3, NOW) },
        wake_at: match status {
            Status::Scheduled | Status::Queued => Some(NOW),
            Status::Running => Some(until),
            Status::Completed | Status::Failed | Status::Cancelled | Status::Paused => None,
        },
        lease: is_running.then(|| Lease { owner: owner(), until }),
        planned_through: None,
        missed: 0,
        skipped: Vec::new(),
        last_run: None,
        timer_missing: false,
        updated_at: NOW,
    };
    Job { id: JobId::new(NOW, 1), spec: Arc::new(spec), state }
}

fn owner() -> Owner {
    Owner::new(1)
}

/// Puts the job into the situation that a row names, and gives its trigger.
fn happens(row: &str, job: &mut Job, now: &mut UnixMillis) -> Trigger {
    let after_lease = NOW.plus(i64::from(LEASE_MS));
    let claim = |fire, random| Trigger::Claim { fire, owner: Owner::new(random), lease_ms: LEASE_MS };
    let recall = |fire| Trigger::CacheHit { fire, output: Output::default(), made_at: NOW.plus(-1) };
    let succeed = |random| Trigger::Succeed { owner: Owner::new(random), output: Output::default() };
    let fail = |random, error| Trigger::Fail { owner: Owner::new(random), error, random: 0.5 };
    let transient = || RunError::transient(codes::TIMEOUT, "no answer");
    let fire = job.fire();
    if row.contains("after the") || row.contains("loss") {
        *now = after_lease;
    }
    match row {
        "claim" | "claim after the lease" => claim(fire, 2),
        "recall" | "recall after the lease" => recall(fire),
        "claim before its time" => {
            *now = NOW.plus(-1);
            claim(fire, 2)
        }
        "recall before its time" => {
            *now = NOW.plus(-1);
            recall(fire)
        }
        "recall after the last lease" => {
            job.state.run.attempts = 3;
            recall(fire)
        }
        "claim again by the owner" => claim(fire, 1),
        "claim after the last lease" => {
            job.state.run.attempts = 3;
            claim(fire, 2)
        }
        "claim, a loss is not retried" => {
            let retry =
                RetryPolicy { non_retryable_errors: vec![codes::EXECUTOR_LOST.into()], ..RetryPolicy::default() };
            job.spec = Arc::new(JobSpec { retry, ..JobSpec::clone(&job.spec) });
            claim(fire, 2)
        }
        "claim of an older generation" => claim(Fire { generation: 1, ..fire }, 2),
        "claim of a newer generation" => claim(Fire { generation: 3, ..fire }, 2),
        "claim of another run" => claim(Fire { run_no: 2, ..fire }, 2),
        "claim of another job" => claim(Fire { job_id: JobId::new(NOW, 2), ..fire }, 2),
        "succeed" | "succeed after the lease" => succeed(1),
        "succeed by a stranger" => succeed(2),
        "fail, attempts left" | "fail after the lease" => fail(1, transient()),
        "fail, not retryable" => fail(1, RunError::permanent(codes::FORBIDDEN, "no")),
        "fail, spent" => {
            job.state.run.attempts = 3;
            fail(1, transient())
        }
        "fail by a stranger" => fail(2, transient()),
        "suspend" => Trigger::Suspend { owner: Owner::new(1) },
        "suspend by a stranger" => Trigger::Suspend { owner: Owner::new(2) },
        "cancel" => Trigger::Cancel { reason: Some("changed my mind".into()) },
        "retry at once" => Trigger::Retry { delay_ms: 0 },
        "retry later" => Trigger::Retry { delay_ms: 1 },
        "retry of the last generation" => {
            job.state.run.generation = u32::MAX;
            Trigger::Retry { delay_ms: 0 }
        }
        "armed after all" => {
            job.state.timer_missing = true;
            Trigger::TimerArmed
        }
        "pause" => Trigger::Pause,
        "pause of a run that has not begun" => {
            job.state.run = Run { attempts: 0, started_at: None, ..job.state.run.clone() };
            Trigger::Pause
        }
        "resume" => Trigger::Resume,
        "run now" => Trigger::RunNow,
        "edit" => {
            Trigger::Edit { spec: Arc::new(JobSpec { retries: 9, ..JobSpec::clone(&job.spec) }), is_replanned: false }
        }
        "edit of when a begun run is due" => {
            let spec = JobSpec { start_at: NOW.plus(1), ..JobSpec::clone(&job.spec) };
            Trigger::Edit { spec: Arc::new(spec), is_replanned: true }
        }
        _ => panic!("the row {row:?} is not described"),
    }
}

fn cell(decided: &Result<Transition, Refusal>) -> Cell {
    match decided {
        Ok(transition) => {
            let step = match transition.effect {
                Effect::Dispatch { .. } => "dispatch",
                Effect::Redeliver { .. } => "redeliver",
                Effect::Acknowledge => "acknowledge",
                Effect::DeadLetter => "dead_letter",
                Effect::Disarm { .. } => "disarm",
                Effect::Arm { .. } => "arm",
            };
            let stays = transition.before.state.status == transition.state.status && step == "acknowledge";
            if stays { STAYS } else { Cell::Becomes(transition.state.status, step) }
        }
        Err(refusal) => Cell::Refused(match refusal {
            Refusal::Void => "void",
            Refusal::Paused => "paused",
            Refusal::AlreadySettled => "already settled",
            Refusal::Early { .. } => "early",
            Refusal::Leased { .. } => "leased",
            Refusal::NotOwner => "not owner",
            Refusal::Status { .. } => "status",
            Refusal::NoRunLeft => "no run left",
        }),
    }
}

#[test]
fn every_event_does_to_every_status_what_the_table_says() {
    for (row, cells) in TABLE {
        for (status, expected) in COLUMNS.into_iter().zip(cells) {
            let (mut job, mut now) = (job(status), NOW);
            let trigger = happens(row, &mut job, &mut now);
            let decided = decide(&job, &trigger, now);
            assert_eq!(cell(&decided), expected, "{row}, {status}");
        }
    }
}

#[test]
fn the_table_has_every_status_every_event_and_every_answer() {
    assert_eq!(COLUMNS, Status::WORDS.map(|(_, status)| status));
    // Exhaustive, so that a new trigger cannot be forgotten here.
    let kind = |trigger: &Trigger| match trigger {
        Trigger::Claim { .. } => 0,
        Trigger::Succeed { .. } => 1,
        Trigger::Fail { .. } => 2,
        Trigger::Cancel { .. } => 3,
        Trigger::Retry { .. } => 4,
        Trigger::TimerArmed => 5,
        Trigger::Pause => 6,
        Trigger::Resume => 7,
        Trigger::RunNow => 8,
        Trigger::Edit { .. } => 9,
        Trigger::CacheHit { .. } => 10,
        Trigger::Suspend { .. } => 11,
    };
    let kinds: std::collections::BTreeSet<_> =
        TABLE.iter().map(|(row, _)| kind(&happens(row, &mut job(Status::Running), &mut NOW.clone()))).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), (0..=11).collect::<Vec<_>>());
    let answers = [
        DISPATCH,
        RETURN,
        COMPLETE,
        DEAD_LETTER,
        DISARM,
        HOLD,
        RETRACT,
        ARM,
        ARM_LATER,
        STAYS,
        VOID,
        PAUSED,
        SETTLED,
        EARLY,
        LEASED,
        FOREIGN,
        REFUSED,
    ];
    for answer in answers {
        assert!(TABLE.iter().any(|(_, cells)| cells.contains(&answer)), "{answer:?} is nowhere");
    }
}

/// The fields that the table leaves out.
#[test]
fn answers_carry_what_the_caller_needs() {
    let decided = |row: &str, status: Status| {
        let (mut job, mut now) = (job(status), NOW);
        let trigger = happens(row, &mut job, &mut now);
        decide(&job, &trigger, now)
    };
    let until = NOW.plus(i64::from(LEASE_MS));
    assert_eq!(decided("claim before its time", Status::Queued), Err(Refusal::Early { due_at: NOW }));
    assert_eq!(decided("claim", Status::Running), Err(Refusal::Leased { until }));
    let text = |row, status| decided(row, status).unwrap_err().to_string();
    assert_eq!(text("cancel", Status::Failed), "a job that is failed cannot be cancelled");
    assert_eq!(text("retry at once", Status::Running), "a job that is running cannot be retried");
    assert_eq!(text("retry of the last generation", Status::Failed), "a job that is failed cannot be retried again");

    let claimed = decided("claim", Status::Queued).unwrap();
    assert_eq!(claimed.effect, Effect::Dispatch { attempt: 2 });
    assert_eq!((claimed.before.state.revision, claimed.state.revision), (7, 8));
    assert_eq!(claimed.state.lease, Some(Lease { owner: Owner::new(2), until }));
    assert_eq!((claimed.state.wake_at, claimed.state.run.started_at), (Some(until), Some(NOW)));

    let taken_over = decided("claim after the lease", Status::Running).unwrap();
    let lost = &taken_over.state.run.failures[0];
    assert_eq!((lost.attempt, lost.error.code.as_str(), lost.failed_at), (1, codes::EXECUTOR_LOST, until));
    assert_eq!(taken_over.effect, Effect::Dispatch { attempt: 2 });

    let recalled = decided("recall after the lease", Status::Running).unwrap();
    let run = &recalled.state.run;
    assert_eq!((run.cached_at, run.attempts, run.ended_at), (Some(NOW.plus(-1)), 1, Some(until)));
    assert_eq!((run.failures.len(), recalled.state.wake_at, &recalled.state.lease), (1, None, &None));

    let returned = decided("fail, attempts left", Status::Running).unwrap();
    assert_eq!(returned.effect, Effect::Redeliver { at: NOW.plus(1_000) }, "the first backoff");
    assert_eq!((returned.state.wake_at, &returned.state.lease), (Some(NOW.plus(1_000)), &None));

    let suspended = decided("suspend", Status::Running).unwrap();
    assert_eq!((suspended.effect, suspended.state.wake_at), (Effect::Redeliver { at: NOW }, Some(NOW)));
    assert_eq!((suspended.state.run.attempts, suspended.state.lease), (0, None), "it is not counted");

    let cancelled = decided("cancel", Status::Running).unwrap();
    assert_eq!(cancelled.effect, Effect::Disarm { fire: job(Status::Running).fire() });
    assert_eq!(cancelled.state.run.outcome, Some(Outcome::Cancelled { reason: Some("changed my mind".into()) }));

    let failed = job(Status::Failed);
    let retried = decided("retry later", Status::Failed).unwrap();
    let fire = Fire { generation: 3, ..failed.fire() };
    assert_eq!(retried.effect, Effect::Arm { fire, at: NOW.plus(1) });
    assert_eq!(retried.retired, Some(failed.state.run));
    assert_eq!(retried.state.run, Run::new(3, 3, NOW.plus(1)));
}

/// A feature that is paused between two steps continues under the same fire, with the attempts that it had.
#[test]
fn an_attempt_that_stops_for_a_pause_is_given_back_and_the_run_goes_on_under_its_fire() {
    let paused = decide(&job(Status::Running), &Trigger::Pause, NOW).unwrap().after();
    let suspended = decide(&paused, &Trigger::Suspend { owner: owner() }, NOW).unwrap();
    assert_eq!((&suspended.effect, suspended.state.status), (&Effect::Acknowledge, Status::Paused));
    let suspended = suspended.after();
    assert_eq!((suspended.state.run.attempts, &suspended.state.lease), (0, &None));
    let resumed = decide(&suspended, &Trigger::Resume, NOW).unwrap();
    assert_eq!(resumed.effect, Effect::Arm { fire: paused.fire(), at: NOW });
    let claim = Trigger::Claim { fire: paused.fire(), owner: Owner::new(2), lease_ms: LEASE_MS };
    assert_eq!(decide(&suspended, &claim, NOW), Err(Refusal::Paused), "nothing begins before that");
    assert_eq!(decide(&resumed.after(), &claim, NOW).unwrap().effect, Effect::Dispatch { attempt: 1 });
}
