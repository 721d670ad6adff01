//! Properties of every sequence of triggers.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::cadence::{Cadence, OnFailure, Repeat};

/// One thing that happens to a job, told by what it is aimed at.
#[derive(Clone, Debug)]
enum Move {
    /// A message whose fire is off by these generations and runs.
    Claim {
        generation: i8,
        run: i8,
        lease_ms: u32,
    },
    /// The fire completes with a cached result.
    Recall {
        generation: i8,
        run: i8,
    },
    /// Ends the attempt of an earlier claim, counted backwards; with an error if there is one.
    End {
        claims_ago: usize,
        error: Option<(bool, Option<u64>)>,
    },
    /// The attempt of that claim stops between two of its parts.
    Suspend {
        claims_ago: usize,
    },
    Cancel,
    Retry {
        delay_ms: u32,
    },
    Pause,
    Resume,
    RunNow,
    /// Another plan: when the job starts from now, whether and how it recurs.
    Edit {
        start_in_ms: Option<u32>,
        replans: Option<Replan>,
    },
    /// The timer of the current fire could not be armed, and is now.
    Armed,
    /// A restart finds the attempt of a dead process.
    Abandon,
    Wait {
        ms: u32,
    },
}

/// The recurrence after the edit, if any.
#[derive(Clone, Debug)]
struct Replan(Option<Repeat>);

fn a_move() -> impl Strategy<Value = Move> {
    let off = || prop_oneof![8 => Just(0_i8), 1 => Just(-1), 1 => Just(1)];
    prop_oneof![
        6 => (off(), off(), 0..60_000_u32)
            .prop_map(|(generation, run, lease_ms)| Move::Claim { generation, run, lease_ms }),
        2 => (off(), off()).prop_map(|(generation, run)| Move::Recall { generation, run }),
        6 => (prop_oneof![4 => Just(0_usize), 1 => 1..3_usize], option::of((any::<bool>(), option::of(any::<u64>()))))
            .prop_map(|(claims_ago, error)| Move::End { claims_ago, error }),
        1 => (0..2_usize).prop_map(|claims_ago| Move::Suspend { claims_ago }),
        1 => Just(Move::Cancel),
        2 => prop_oneof![Just(0), 0..100_000_u32, Just(u32::MAX)].prop_map(|delay_ms| Move::Retry { delay_ms }),
        1 => Just(Move::Pause),
        2 => Just(Move::Resume),
        1 => Just(Move::RunNow),
        1 => (option::of(0..100_000_u32), option::of(option::of(repeats())))
            .prop_map(|(start_in_ms, repeat)| Move::Edit { start_in_ms, replans: repeat.map(Replan) }),
        1 => Just(Move::Armed),
        1 => Just(Move::Abandon),
        6 => (0..600_000_u32).prop_map(|ms| Move::Wait { ms }),
    ]
}

fn repeats() -> impl Strategy<Value = Repeat> {
    let every = 1_000..600_000_u64;
    let crons = proptest::sample::select(vec!["* * * * *", "*/7 * * * * *", "30 2 * * *", "0 0 1 1 *"]);
    let plan = prop_oneof![3 => every.prop_map(Err), 1 => crons.prop_map(Ok)];
    let ends = (option::of(1..5_u32), option::of(0..3_000_000_i64));
    (plan, ends, any::<bool>(), any::<bool>()).prop_map(|(plan, (limit, end_ms), immediately, goes_on)| Repeat {
        cron: plan.ok().map(str::to_owned),
        every: plan.err(),
        limit,
        end_date: end_ms.map(|ms| NOW.plus(ms)),
        immediately,
        on_failure: if goes_on { OnFailure::Continue } else { OnFailure::Stop },
        ..Repeat::default()
    })
}

/// A job, the time, and who has claimed so far.
struct Life {
    job: Job,
    now: UnixMillis,
    owners: Vec<Owner>,
}

impl Life {
    fn new(retries: u32, retry: RetryPolicy, repeat: Option<Repeat>) -> Self {
        let job = job(Status::Scheduled);
        let repeat = repeat.filter(|repeat| Cadence::of(repeat, NOW).next_from(NOW).is_some());
        let spec = Arc::new(JobSpec { retries, retry, repeat, ..JobSpec::clone(&job.spec) });
        let state = first_state(&spec, NOW).unwrap();
        Self { job: Job { spec, state, ..job }, now: NOW, owners: Vec::new() }
    }

    fn claim(&mut self, fire: Fire, lease_ms: u32) -> Trigger {
        let owner = Owner::new(self.owners.len() as u128);
        self.owners.push(owner.clone());
        Trigger::Claim { fire, owner, lease_ms }
    }

    /// Applies a move to the machine.
    fn decide(&mut self, a_move: &Move) -> Option<Transition> {
        let fire = self.job.fire();
        let trigger = match *a_move {
            Move::Claim { generation, run, lease_ms } => self.claim(off_by(fire, generation, run), lease_ms),
            Move::Recall { generation, run } => {
                Trigger::CacheHit { fire: off_by(fire, generation, run), output: Output::default(), made_at: self.now }
            }
            Move::End { claims_ago, error } => {
                let owner = self.owners.iter().rev().nth(claims_ago)?.clone();
                match error {
                    None => Trigger::Succeed { owner, output: Output::default() },
                    Some((retryable, retry_after_ms)) => {
                        let error = RunError { retryable, retry_after_ms, ..RunError::transient(codes::TIMEOUT, "") };
                        Trigger::Fail { owner, error, random: 0.5 }
                    }
                }
            }
            Move::Suspend { claims_ago } => {
                Trigger::Suspend { owner: self.owners.iter().rev().nth(claims_ago)?.clone() }
            }
            Move::Cancel => Trigger::Cancel { reason: None },
            Move::Retry { delay_ms } => Trigger::Retry { delay_ms },
            Move::Pause => Trigger::Pause,
            Move::Resume => Trigger::Resume,
            Move::RunNow => Trigger::RunNow,
            Move::Edit { start_in_ms, ref replans } => {
                let mut spec = JobSpec::clone(&self.job.spec);
                spec.start_at = start_in_ms.map_or(spec.start_at, |ms| self.now.plus(ms.into()));
                if let Some(Replan(repeat)) = replans {
                    spec.repeat.clone_from(repeat);
                }
                Trigger::Edit { spec: Arc::new(spec), is_replanned: start_in_ms.is_some() || replans.is_some() }
            }
            Move::Armed => Trigger::TimerArmed,
            Move::Abandon => return abandon(&self.job, self.now),
            Move::Wait { ms } => {
                self.now = self.now.plus(ms.into());
                return None;
            }
        };
        decide(&self.job, &trigger, self.now).ok()
    }
}

fn off_by(fire: Fire, generation: i8, run: i8) -> Fire {
    let generation = fire.generation.saturating_add_signed(generation.into());
    Fire { generation, run_no: fire.run_no.saturating_add_signed(run.into()), ..fire }
}

fn check_state(state: &JobState, retries: u32) {
    let run = &state.run;
    let is_open = matches!(state.status, Status::Scheduled | Status::Queued | Status::Running);
    assert_eq!(state.wake_at.is_some(), is_open, "somebody looks again exactly at what is open");
    let is_lease_right = match state.status {
        Status::Running => state.lease.is_some(),
        // The attempt that was under way when the job was paused goes on, and keeps its lease.
        Status::Paused => true,
        _ => state.lease.is_none(),
    };
    assert!(is_lease_right, "a lease means an attempt: {:?} with {:?}", state.status, state.lease);
    assert_eq!(run.outcome.is_some(), state.status.is_settled(), "an outcome means the end");
    assert_eq!(run.ended_at.is_some(), run.outcome.is_some());
    assert!(run.has_begun() || run.attempts == 0);
    assert!(
        run.cached_at.is_none() || matches!(run.outcome, Some(Outcome::Completed(_))),
        "what is recalled is complete"
    );
    assert!(run.attempts <= retries + 1, "{} attempts of {}", run.attempts, retries + 1);
    assert!(run.failures.len() <= Run::KEPT_FAILURES);
    assert!(run.failures.windows(2).all(|pair| pair[0].attempt < pair[1].attempt), "each attempt fails once");
}

fn check_transition(before: &Job, transition: &Transition, trigger: &Move) {
    let (old, new) = (&before.state, &transition.state);
    let after = transition.after();
    assert_eq!((&transition.before, new.revision), (before, old.revision + 1));
    assert_ne!(old.status, Status::Cancelled, "cancelled never changes");
    assert_eq!(
        transition.spec.is_some(),
        matches!(trigger, Move::Edit { .. }),
        "only an edit changes what is asked for"
    );
    let (was, is) = (&old.run, &new.run);
    assert!(before.fire() <= after.fire(), "a fire that was left never comes back");
    let has_moved = before.fire() != after.fire();
    assert!(has_moved || was.outcome.is_none() || was == is, "what has its outcome keeps it, within its fire");
    assert!(!has_moved || is.attempts == 0, "a new fire has its whole budget");
    let dispatches = matches!(transition.effect, Effect::Dispatch { .. });
    assert_eq!(!has_moved && is.attempts == was.attempts + 1, dispatches, "an attempt is counted at the claim");
    let is_given_back = matches!(trigger, Move::Suspend { .. }) && is.attempts + 1 == was.attempts;
    assert!(has_moved || dispatches || is.attempts == was.attempts || is_given_back);
    assert!(
        !dispatches || matches!(old.status, Status::Scheduled | Status::Queued | Status::Running),
        "only what may run"
    );
    // A run leaves for the history exactly when it has an outcome.
    let left = (is.run_no != was.run_no || old.status == Status::Failed) && has_moved;
    assert_eq!(transition.retired.is_some(), left);
    if let Some(retired) = &transition.retired {
        assert!(retired.outcome.is_some() && (retired.generation, retired.run_no) == (was.generation, was.run_no));
    }
    let timer = after.state.wake_at.filter(|_| has_moved);
    let arms = matches!(&transition.effect, Effect::Arm { fire, at } if *fire == after.fire() && Some(*at) == after.state.wake_at);
    assert!(timer.is_none() || arms, "a new fire that is due has a timer (I4)");
    check_series(before, &after);
    check_skipped(transition);
}

/// Properties of a series.
fn check_series(before: &Job, after: &Job) {
    assert!(before.state.missed <= after.state.missed);
    let Some(repeat) = after.spec.repeat.as_ref().filter(|_| before.spec.repeat == after.spec.repeat) else { return };
    let (was, is) = (&before.state.run, &after.state.run);
    let began = after.state.run.run_no > was.run_no;
    if began {
        assert_eq!(is.run_no, was.run_no + 1, "runs are counted one by one");
        assert!(repeat.limit.is_none_or(|limit| is.run_no <= limit), "the limit holds (I3)");
    }
    if let Some(nominal_at) = is.nominal_at.filter(|_| began) {
        assert!(was.nominal_at.is_none_or(|last| last < nominal_at), "no occurrence comes twice");
        assert!(nominal_at >= after.state.updated_at, "what has passed is not made up for");
        assert!(repeat.end_date.is_none_or(|end| nominal_at <= end), "nothing is due after the end (I3)");
        let cadence = Cadence::of(repeat, after.spec.start_at);
        assert_eq!(cadence.next_from(nominal_at), Some(nominal_at), "an occurrence of the cadence, to the instant");
        if let Some(last) = was.nominal_at.filter(|_| before.spec.start_at == after.spec.start_at) {
            let (newly, between) = (after.state.missed - before.state.missed, cadence.count_between(last, nominal_at));
            assert!(newly <= between, "{newly} of {between} were skipped");
        }
    }
}

/// Every occurrence that is counted as missed has its place in the history, and is counted once.
fn check_skipped(transition: &Transition) {
    let sum = |skipped: &[Skipped]| skipped.iter().map(|skipped| skipped.count).sum::<u64>();
    let told = |state: &JobState| sum(&state.run.skipped) + sum(&state.skipped);
    let (old, new) = (&transition.before.state, &transition.state);
    let left = transition.retired.as_ref().map_or(0, |run| sum(&run.skipped));
    let unrun = u64::from(matches!(transition.outcome(), Some(Outcome::Skipped(_))));
    assert_eq!(new.missed - old.missed, told(new) + left + unrun - told(old));
}

fn policies() -> impl Strategy<Value = RetryPolicy> {
    let only = option::of(prop_oneof![Just(vec![]), Just(vec![codes::TIMEOUT.to_owned()])]);
    let never = prop_oneof![Just(vec![]), Just(vec![codes::EXECUTOR_LOST.to_owned()])];
    (0..=43_200_000_u32, only, never).prop_map(|(initial_delay, retryable_errors, non_retryable_errors)| RetryPolicy {
        initial_delay,
        retryable_errors,
        non_retryable_errors,
        ..RetryPolicy::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_way_through_the_machine_keeps_its_invariants(
        retries in prop_oneof![4 => 0..4_u32, 1 => 22..=100_u32], retry in policies(), repeat in option::of(repeats()),
        moves in vec(a_move(), 1..120),
    ) {
        let mut life = Life::new(retries, retry, repeat);
        let mut outcomes: HashMap<Fire, Outcome> = HashMap::new();
        check_state(&life.job.state, retries);
        for a_move in &moves {
            let Some(transition) = life.decide(a_move) else { continue };
            check_transition(&life.job, &transition, a_move);
            check_state(&transition.state, retries);
            if let Some(outcome) = transition.outcome() {
                let run = transition.retired.as_ref().unwrap_or(&transition.state.run);
                let fire = Fire { job_id: life.job.id, generation: run.generation, run_no: run.run_no };
                prop_assert_eq!(outcomes.insert(fire, outcome.clone()), None, "one outcome for each fire");
            }
            life.job = transition.after();
        }
    }

    #[test]
    fn a_job_that_kills_every_executor_ends_after_its_attempts(
        retries in 0..=100_u32, retry in policies(), lease_ms in 0..60_000_u32,
    ) {
        let mut life = Life::new(retries, retry, None);
        let lost = RunError::transient(codes::EXECUTOR_LOST, "");
        let allowed = if life.job.spec.retry.retries(&lost) { retries + 1 } else { 1 };
        let mut dispatched = 0;
        // The message comes back when the lease ends; nothing else ever happens.
        while let Some(at) = life.job.state.wake_at {
            prop_assert!(dispatched <= allowed, "it loops");
            life.now = at;
            let claim = life.claim(life.job.fire(), lease_ms);
            let transition = decide(&life.job, &claim, life.now).unwrap();
            dispatched += u32::from(matches!(transition.effect, Effect::Dispatch { .. }));
            life.job.state = transition.state;
        }
        prop_assert_eq!((life.job.state.status, dispatched), (Status::Failed, allowed));
        let Some(Outcome::Failed(error)) = &life.job.state.run.outcome else { panic!("it failed") };
        prop_assert_eq!(error.code.as_str(), codes::EXECUTOR_LOST);
    }

    #[test]
    fn no_job_however_it_came_to_be_makes_the_machine_panic(
        job in any_job(), trigger in any_trigger(), now in any::<i64>(),
    ) {
        let now = UnixMillis(now);
        abandon(&job, now);
        let fire = job.fire();
        let recall = Trigger::CacheHit { fire, output: Output::default(), made_at: NOW };
        for trigger in [trigger, recall, Trigger::Claim { fire, owner: owner(), lease_ms: u32::MAX }] {
            if let Ok(transition) = decide(&job, &trigger, now) {
                prop_assert_eq!(&transition.before, &job);
                let (before, after) = (job.state.run.failures.len(), transition.state.run.failures.len());
                prop_assert!(after <= Run::KEPT_FAILURES.max(before));
            }
        }
    }
}

fn any_status() -> impl Strategy<Value = Status> {
    proptest::sample::select(&COLUMNS[..])
}

fn any_instant() -> impl Strategy<Value = UnixMillis> {
    prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), Just(NOW.0)].prop_map(UnixMillis)
}

fn any_error() -> impl Strategy<Value = RunError> {
    (any::<bool>(), option::of(any::<u64>())).prop_map(|(retryable, retry_after_ms)| RunError {
        retryable,
        retry_after_ms,
        ..RunError::transient(codes::TIMEOUT, "")
    })
}

/// A job in any state that a store could hold, sensible or not.
fn any_job() -> impl Strategy<Value = Job> {
    let extreme = || prop_oneof![any::<u32>(), Just(0), Just(1), Just(u32::MAX)];
    let run = (extreme(), extreme(), extreme(), any_instant(), 0..30_u32);
    let lease = option::of((0..3_u128, any_instant()));
    let state = (any_status(), prop_oneof![any::<u64>(), Just(u64::MAX)], option::of(any_instant()));
    let series = (option::of(repeats()), option::of(any_instant()), option::of(any_instant()));
    (state, run, lease, extreme(), policies(), series).prop_map(
        |(
            (status, revision, wake_at),
            (generation, run_no, attempts, due_at, failures),
            lease,
            retries,
            retry,
            series,
        )| {
            let (repeat, nominal_at, planned_through) = series;
            let job = job(status);
            let failure = |attempt| FailedAttempt { attempt, failed_at: NOW, error: RunError::transient("X", "") };
            let failures = (0..failures).map(failure).collect();
            let run = Run { nominal_at, attempts, failures, ..Run::new(generation, run_no, due_at) };
            let lease = lease.map(|(owner, until)| Lease { owner: Owner::new(owner), until });
            let spec = Arc::new(JobSpec { retries, retry, repeat, ..JobSpec::clone(&job.spec) });
            Job { spec, state: JobState { revision, run, wake_at, lease, planned_through, ..job.state }, ..job }
        },
    )
}

fn any_trigger() -> impl Strategy<Value = Trigger> {
    let owner = || (0..3_u128).prop_map(Owner::new);
    prop_oneof![
        owner().prop_map(|owner| Trigger::Succeed { owner, output: Output::default() }),
        (owner(), any_error(), any::<f64>()).prop_map(|(owner, error, random)| Trigger::Fail { owner, error, random }),
        owner().prop_map(|owner| Trigger::Suspend { owner }),
        Just(Trigger::Cancel { reason: None }),
        any::<u32>().prop_map(|delay_ms| Trigger::Retry { delay_ms }),
        proptest::sample::select(vec![Trigger::TimerArmed, Trigger::Pause, Trigger::Resume, Trigger::RunNow]),
        (option::of(repeats()), any_instant()).prop_map(|(repeat, start_at)| {
            let spec = JobSpec { start_at, repeat, ..JobSpec::clone(&job(Status::Queued).spec) };
            Trigger::Edit { spec: Arc::new(spec), is_replanned: true }
        }),
    ]
}
