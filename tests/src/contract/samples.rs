//! Jobs, catalogs and keys to check with, made by hand and at random.

use std::sync::Arc;

use carillon_core::access::{ApiKey, Scope};
use carillon_core::cadence::{OnFailure, Repeat};
use carillon_core::catalog::{Catalog, Revision};
use carillon_core::ids::{JobId, Owner};
use carillon_core::job::{
    EventType, FailedAttempt, Job, JobSpec, JobState, LastRun, Lease, Outcome, Output, Run, RunError, RunStatus,
    SkipReason, Skipped, Status,
};
use carillon_core::machine::{Effect, Transition, first_state};
use carillon_core::ports::Published;
use carillon_core::retry::RetryPolicy;
use carillon_core::session::sealing::{SealingKey, SealingKeyId};
use carillon_core::session::{Claims, JobSession};
use carillon_core::time::UnixMillis;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

/// When the samples are made: 2026-01-01T00:00:00Z.
pub const NOW: UnixMillis = UnixMillis(1_767_225_600_000);

/// The `number`th job of a product and environment; a higher number is a newer job.
pub fn job(product: &str, env: &str, number: u32) -> Job {
    job_at(NOW, product, env, number)
}

/// A job accepted a number of milliseconds after `start`.
pub fn job_at(start: UnixMillis, product: &str, env: &str, number: u32) -> Job {
    let at = start.plus(i64::from(number));
    let spec = JobSpec {
        product: product.to_owned(),
        env: env.to_owned(),
        event: "user.signup".to_owned(),
        event_type: EventType::Action,
        app: Some("auth-service".to_owned()),
        input: json!({"body": {"number": number}}),
        retries: 2,
        retry: RetryPolicy::default(),
        timeout: Some(5_000),
        start_at: at,
        repeat: None,
        session: None,
        cache: None,
        created_at: at,
    };
    Job { id: JobId::new(at, u128::from(number)), state: first_state(&spec, at).unwrap(), spec: Arc::new(spec) }
}

/// A change of the job to this state, on top of the revision that it has.
pub fn change(job: &Job, state: JobState) -> Transition {
    let state = JobState { revision: job.state.revision + 1, ..state };
    Transition { before: job.clone(), state, spec: None, retired: None, effect: Effect::Acknowledge }
}

/// The job after a change.
pub fn changed(job: &Job, transition: &Transition) -> Job {
    Job { state: transition.state.clone(), ..job.clone() }
}

/// A small catalog with this base address.
pub fn published(base_url: &str) -> Arc<Published> {
    let document = json!({
        "envs": ["dev", "prd"],
        "apps": {"auth-service": {
            "envs": {"prd": {"base_url": base_url}},
            "actions": {"user.signup": {"method": "POST", "path": "/users/:userId/signup", "timeout": 10_000}},
        }},
    });
    let catalog = Catalog::from_document(&document).expect("the sample is a sound catalog");
    let revision = Revision::of(&document);
    Arc::new(Published { document, catalog, revision })
}

/// A key of this name.
pub fn key(name: &str) -> ApiKey {
    ApiKey {
        id: format!("key_{name}"),
        name: format!("{name} — für José"),
        products: vec!["shop".to_owned()],
        envs: vec!["*".to_owned()],
        scopes: vec![Scope::JobsRead, Scope::CatalogWrite],
        created_at: NOW,
    }
}

/// `count` values of a strategy, the same ones each time.
pub fn generated<S: Strategy>(strategy: &S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    let mut next = || strategy.new_tree(&mut runner).expect("the strategy rejects nothing").current();
    (0..count).map(|_| next()).collect()
}

/// Any job: every field takes every kind of value, whether they go together or not.
pub fn any_job() -> impl Strategy<Value = Job> {
    (any::<u128>(), instant(), any_spec(), any_state()).prop_map(|(random, at, spec, state)| Job {
        id: JobId::new(at, random),
        spec: Arc::new(spec),
        state,
    })
}

fn any_spec() -> impl Strategy<Value = JobSpec> {
    let names = (tag(), tag(), "\\PC{1,80}", event_type(), proptest::option::of(tag()));
    let instants = (instant(), instant());
    let repeat = proptest::option::of(any_repeat());
    let numbers = (0..=100_u32, any_policy(), proptest::option::of(any::<u32>()), instants, repeat);
    let session_and_cache = (proptest::option::of(any_session()), proptest::option::of(tag()));
    (names, any_json(), numbers, session_and_cache).prop_map(|(names, input, numbers, (session, cache))| {
        let (product, env, event, event_type, app) = names;
        let (retries, retry, timeout, (start_at, created_at), repeat) = numbers;
        JobSpec {
            product,
            env,
            event,
            event_type,
            app,
            input,
            retries,
            retry,
            timeout,
            start_at,
            repeat,
            session,
            cache,
            created_at,
        }
    })
}

fn any_session() -> impl Strategy<Value = JobSession> {
    (tag(), "\\PC{1,80}", proptest::option::of("[A-Za-z0-9+/]{0,300}"), any::<[u128; 2]>()).prop_map(
        |(tag, id, wrapped, nonce)| {
            let key = SealingKey::new(SealingKeyId { id, wrapped }, [0; 32].into());
            JobSession::seal(JobId::from_bytes([0; 16]), &tag, &Claims::new(), &key, nonce)
                .expect("claims can be sealed")
        },
    )
}

fn any_repeat() -> impl Strategy<Value = Repeat> {
    let texts = (proptest::option::of("\\PC{1,40}"), proptest::option::of("[A-Za-z/_]{1,30}"));
    let numbers =
        (proptest::option::of(any::<u64>()), proptest::option::of(any::<u32>()), proptest::option::of(instant()));
    (texts, numbers, any::<bool>(), any::<bool>()).prop_map(|(texts, numbers, immediately, stops)| {
        let ((cron, tz), (every, limit, end_date)) = (texts, numbers);
        let on_failure = if stops { OnFailure::Stop } else { OnFailure::Continue };
        Repeat { cron, every, tz, limit, end_date, immediately, on_failure }
    })
}

fn any_policy() -> impl Strategy<Value = RetryPolicy> {
    let codes = || proptest::collection::vec("[A-Z_]{1,30}", 0..4);
    let numbers = (any::<u32>(), any::<u32>(), 1.0..=100.0_f64, any::<bool>(), 0.0..=1.0_f64);
    (numbers, proptest::option::of(codes()), codes()).prop_map(|(numbers, retryable_errors, non_retryable_errors)| {
        let (initial_delay, max_delay, backoff_multiplier, jitter, jitter_percent) = numbers;
        RetryPolicy {
            initial_delay,
            max_delay,
            backoff_multiplier,
            jitter,
            jitter_percent,
            retryable_errors,
            non_retryable_errors,
        }
    })
}

/// Any state.
pub fn any_state() -> impl Strategy<Value = JobState> {
    let lease = (any::<u128>(), instant()).prop_map(|(random, until)| Lease { owner: Owner::new(random), until });
    let optional = (proptest::option::of(instant()), proptest::option::of(lease));
    let series = (
        proptest::option::of(instant()),
        any::<u64>(),
        any_skipped(),
        proptest::option::of(any_last_run()),
        any::<bool>(),
    );
    (1..=1_u64 << 40, status(), any_run(), optional, series, instant()).prop_map(
        |(revision, status, run, (wake_at, lease), series, updated_at)| {
            let (planned_through, missed, skipped, last_run, timer_missing) = series;
            JobState {
                revision,
                status,
                run,
                wake_at,
                lease,
                planned_through,
                missed,
                skipped,
                last_run,
                timer_missing,
                updated_at,
            }
        },
    )
}

fn any_skipped() -> impl Strategy<Value = Vec<Skipped>> {
    let reason = proptest::sample::select(vec![SkipReason::Missed, SkipReason::Paused]);
    let skipped = (reason, instant(), any::<u64>()).prop_map(|(reason, from, count)| Skipped { reason, from, count });
    proptest::collection::vec(skipped, 0..3)
}

fn any_last_run() -> impl Strategy<Value = LastRun> {
    let status = proptest::sample::select(RunStatus::WORDS.map(|(_, status)| status).to_vec());
    (any::<u32>(), status, instant()).prop_map(|(run_no, status, ended_at)| LastRun { run_no, status, ended_at })
}

/// Any run.
pub fn any_run() -> impl Strategy<Value = Run> {
    let failure = (any::<u32>(), instant(), any_error()).prop_map(|(attempt, failed_at, error)| FailedAttempt {
        attempt,
        failed_at,
        error,
    });
    let optional = || proptest::option::of(instant());
    let instants = (instant(), optional(), optional(), optional(), optional());
    let failures = proptest::collection::vec(failure, 0..=Run::KEPT_FAILURES);
    (any::<[u32; 3]>(), instants, any_skipped(), failures, proptest::option::of(any_outcome())).prop_map(
        |([generation, run_no, attempts], instants, skipped, failures, outcome)| {
            let (due_at, nominal_at, started_at, ended_at, cached_at) = instants;
            Run {
                generation,
                run_no,
                due_at,
                nominal_at,
                skipped,
                attempts,
                started_at,
                ended_at,
                cached_at,
                failures,
                outcome,
            }
        },
    )
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        (any_json(), any::<bool>()).prop_map(|(value, truncated)| Outcome::Completed(Output { value, truncated })),
        any_error().prop_map(Outcome::Failed),
        proptest::option::of("\\PC{0,60}").prop_map(|reason| Outcome::Cancelled { reason }),
        Just(Outcome::Skipped(SkipReason::Paused)),
    ]
}

fn any_error() -> impl Strategy<Value = RunError> {
    ("[A-Z_]{1,30}", any::<String>(), any::<bool>(), proptest::option::of(any::<u64>()))
        .prop_map(|(code, message, retryable, retry_after_ms)| RunError { code, message, retryable, retry_after_ms })
}

/// Any JSON value that a body can bring: texts of any characters, numbers of 64 bits, any finite double.
pub fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn tag() -> impl Strategy<Value = String> {
    "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
}

fn instant() -> impl Strategy<Value = UnixMillis> {
    (0..=UnixMillis::MAX.0).prop_map(UnixMillis)
}

fn status() -> impl Strategy<Value = Status> {
    proptest::sample::select(Status::WORDS.map(|(_, status)| status).to_vec())
}

fn event_type() -> impl Strategy<Value = EventType> {
    proptest::sample::select(EventType::WORDS.map(|(_, event_type)| event_type).to_vec())
}
