//! What holds for every way through the machine.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

/// One thing that happens to a job, told by what it is aimed at.
#[derive(Clone, Debug)]
enum Move {
    /// A message whose fire is off by these generations and runs.
    Claim {
        generation: i8,
        run: i8,
        lease_ms: u32,
    },
    /// The attempt of the claim that was made so many claims ago ends; an error if there is one.
    End {
        claims_ago: usize,
        error: Option<(bool, Option<u64>)>,
    },
    Cancel,
    Retry {
        delay_ms: u32,
    },
    /// A restart finds the attempt of a dead process.
    Abandon,
    Wait {
        ms: u32,
    },
}

fn a_move() -> impl Strategy<Value = Move> {
    let off = || prop_oneof![8 => Just(0_i8), 1 => Just(-1), 1 => Just(1)];
    prop_oneof![
        6 => (off(), off(), 0..60_000_u32)
            .prop_map(|(generation, run, lease_ms)| Move::Claim { generation, run, lease_ms }),
        6 => (prop_oneof![4 => Just(0_usize), 1 => 1..3_usize], option::of((any::<bool>(), option::of(any::<u64>()))))
            .prop_map(|(claims_ago, error)| Move::End { claims_ago, error }),
        1 => Just(Move::Cancel),
        2 => prop_oneof![Just(0), 0..100_000_u32, Just(u32::MAX)].prop_map(|delay_ms| Move::Retry { delay_ms }),
        1 => Just(Move::Abandon),
        6 => (0..600_000_u32).prop_map(|ms| Move::Wait { ms }),
    ]
}

/// A job, the time, and who has claimed so far.
struct Life {
    job: Job,
    now: UnixMillis,
    owners: Vec<Owner>,
}

impl Life {
    fn new(retries: u32, retry: RetryPolicy) -> Self {
        let job = job(Status::Scheduled);
        let spec = Arc::new(JobSpec { retries, retry, ..JobSpec::clone(&job.spec) });
        Self { job: Job { spec, state: first_state(NOW, NOW), ..job }, now: NOW, owners: Vec::new() }
    }

    fn claim(&mut self, fire: Fire, lease_ms: u32) -> Event {
        let owner = Owner::new(self.owners.len() as u128);
        self.owners.push(owner.clone());
        Event::Claim { fire, owner, lease_ms }
    }

    /// What the machine makes of a move.
    fn decide(&mut self, a_move: &Move) -> Option<Transition> {
        let fire = self.job.fire();
        let event = match *a_move {
            Move::Claim { generation, run, lease_ms } => {
                let fire = Fire {
                    generation: fire.generation.saturating_add_signed(generation.into()),
                    run_no: fire.run_no.saturating_add_signed(run.into()),
                    ..fire
                };
                self.claim(fire, lease_ms)
            }
            Move::End { claims_ago, error } => {
                let owner = self.owners.iter().rev().nth(claims_ago)?.clone();
                match error {
                    None => Event::Succeed { owner, output: Output::default() },
                    Some((retryable, retry_after_ms)) => {
                        let error = RunError { retryable, retry_after_ms, ..RunError::transient(codes::TIMEOUT, "") };
                        Event::Fail { owner, error, random: 0.5 }
                    }
                }
            }
            Move::Cancel => Event::Cancel { reason: None },
            Move::Retry { delay_ms } => Event::Retry { delay_ms },
            Move::Abandon => return abandon(&self.job, self.now),
            Move::Wait { ms } => {
                self.now = self.now.plus(ms.into());
                return None;
            }
        };
        decide(&self.job, &event, self.now).ok()
    }
}

fn check_state(state: &JobState, retries: u32) {
    let run = &state.run;
    let is_open = matches!(state.status, Status::Scheduled | Status::Queued | Status::Running);
    assert_eq!(state.wake_at.is_some(), is_open, "somebody looks again exactly at what is open");
    assert_eq!(state.lease.is_some(), state.status == Status::Running, "a lease means an attempt");
    assert_eq!(run.outcome.is_some(), state.status.is_settled(), "an outcome means the end");
    assert_eq!(run.ended_at.is_some(), run.outcome.is_some());
    assert_eq!(run.started_at.is_some(), run.attempts > 0);
    assert!(run.attempts <= retries + 1, "{} attempts of {}", run.attempts, retries + 1);
    assert!(run.failures.len() <= Run::KEPT_FAILURES);
    assert!(run.failures.windows(2).all(|pair| pair[0].attempt < pair[1].attempt), "each attempt fails once");
}

fn check_transition(before: &Job, transition: &Transition) {
    let (old, new) = (&before.state, &transition.state);
    assert_eq!((&transition.before, new.revision), (before, old.revision + 1));
    assert_ne!(old.status, Status::Cancelled, "cancelled never changes");
    let (was, is) = (&old.run, &new.run);
    if is.generation == was.generation {
        assert!(!old.status.is_settled(), "what has its outcome keeps it, within its generation");
        assert_eq!((transition.retired.as_ref(), is.run_no, is.due_at), (None, was.run_no, was.due_at));
        assert!(is.attempts == was.attempts || is.attempts == was.attempts + 1);
        assert_eq!(
            is.attempts > was.attempts,
            matches!(transition.step, Step::Dispatch { .. }),
            "counted at the claim"
        );
    } else {
        assert_eq!((is.generation, old.status), (was.generation + 1, Status::Failed), "only a retry begins one");
        assert_eq!(transition.retired.as_ref(), Some(was), "and what it leaves goes to the history");
    }
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
        retries in prop_oneof![4 => 0..4_u32, 1 => 22..=100_u32], retry in policies(), moves in vec(a_move(), 1..120),
    ) {
        let mut life = Life::new(retries, retry);
        let mut outcomes: HashMap<Fire, Outcome> = HashMap::new();
        check_state(&life.job.state, retries);
        for a_move in &moves {
            let Some(transition) = life.decide(a_move) else { continue };
            check_transition(&life.job, &transition);
            check_state(&transition.state, retries);
            life.job.state = transition.state;
            if let Some(outcome) = &life.job.state.run.outcome {
                let first = outcomes.entry(life.job.fire()).or_insert_with(|| outcome.clone());
                prop_assert_eq!(first, outcome, "one outcome for each fire");
            }
        }
    }

    #[test]
    fn a_job_that_kills_every_executor_ends_after_its_attempts(
        retries in 0..=100_u32, retry in policies(), lease_ms in 0..60_000_u32,
    ) {
        let mut life = Life::new(retries, retry);
        let lost = RunError::transient(codes::EXECUTOR_LOST, "");
        let allowed = if life.job.spec.retry.retries(&lost) { retries + 1 } else { 1 };
        let mut dispatched = 0;
        // The message comes back when the lease ends; nothing else ever happens.
        while let Some(at) = life.job.state.wake_at {
            prop_assert!(dispatched <= allowed, "it loops");
            life.now = at;
            let claim = life.claim(life.job.fire(), lease_ms);
            let transition = decide(&life.job, &claim, life.now).unwrap();
            dispatched += u32::from(matches!(transition.step, Step::Dispatch { .. }));
            life.job.state = transition.state;
        }
        prop_assert_eq!((life.job.state.status, dispatched), (Status::Failed, allowed));
        let Some(Outcome::Failed(error)) = &life.job.state.run.outcome else { panic!("it failed") };
        prop_assert_eq!(error.code.as_str(), codes::EXECUTOR_LOST);
    }

    #[test]
    fn no_job_however_it_came_to_be_makes_the_machine_panic(
        job in any_job(), event in any_event(), now in any::<i64>(),
    ) {
        let now = UnixMillis(now);
        abandon(&job, now);
        for event in [event, Event::Claim { fire: job.fire(), owner: owner(), lease_ms: u32::MAX }] {
            if let Ok(transition) = decide(&job, &event, now) {
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
    (state, run, lease, extreme(), policies()).prop_map(
        |((status, revision, wake_at), (generation, run_no, attempts, due_at, failures), lease, retries, retry)| {
            let job = job(status);
            let failure = |attempt| FailedAttempt { attempt, failed_at: NOW, error: RunError::transient("X", "") };
            let failures = (0..failures).map(failure).collect();
            let run = Run { attempts, failures, ..Run::new(generation, run_no, due_at) };
            let lease = lease.map(|(owner, until)| Lease { owner: Owner::new(owner), until });
            let spec = Arc::new(JobSpec { retries, retry, ..JobSpec::clone(&job.spec) });
            Job { spec, state: JobState { revision, run, wake_at, lease, ..job.state }, ..job }
        },
    )
}

fn any_event() -> impl Strategy<Value = Event> {
    let owner = || (0..3_u128).prop_map(Owner::new);
    prop_oneof![
        owner().prop_map(|owner| Event::Succeed { owner, output: Output::default() }),
        (owner(), any_error(), any::<f64>()).prop_map(|(owner, error, random)| Event::Fail { owner, error, random }),
        Just(Event::Cancel { reason: None }),
        any::<u32>().prop_map(|delay_ms| Event::Retry { delay_ms }),
    ]
}
