//! Past faults, and cases too rare to be left to luck: each as the smallest plan that shows it, written by hand,
//! because the plan of a seed changes with what is drawn.

use std::collections::{BTreeMap, BTreeSet};

use carillon_core::machine::mutants::Mutant;
use serde_json::{Value, json};

use crate::catalogs::{Change, Edition};
use crate::dice::{Fate, FaultId};
use crate::mutation::Mutation;
use crate::plan::{BEGIN, JobPlan, Plan, Step, What};

/// A plan that broke an invariant once, or would without the rule that it is about.
pub(crate) struct Regression {
    /// The fault.
    pub(crate) what: &'static str,
    pub(crate) plan: Plan,
    /// The mutant that breaks its fix, and the invariant that then fails.
    pub(crate) mutation: Mutation,
    pub(crate) invariant: &'static str,
}

/// All of them.
pub(crate) fn all() -> Vec<Regression> {
    vec![
        Regression {
            what: "a resumed job was lost when its message was faster than the store: it found the job paused, and was forgotten",
            plan: plan(
                &json!({"retries": 1, "retry": {"initialDelay": 600_000, "maxDelay": 600_000, "jitter": false}}),
                &["refuse", "succeed"],
                [(10_000, What::Pause), (700_000, What::Resume)],
                [(call(2, 3), slow(1_000))],
            ),
            mutation: Mutation::Rule(Mutant::PausedVoid),
            invariant: "I4",
        },
        Regression {
            what: "a pause that was slow took the timer back that a resumption had armed meanwhile",
            plan: Plan {
                is_embedded: true,
                ..plan(
                    &json!({"retries": 1, "retry": {"initialDelay": 70_000, "maxDelay": 70_000, "jitter": false}}),
                    &["refuse", "succeed"],
                    [(60_000, What::Pause), (75_000, What::Resume)],
                    [(call(1, 3), slow(15_050)), (call(2, 2), slow(0)), (call(2, 3), slow(0))],
                )
            },
            mutation: Mutation::Rule(Mutant::PauseDisarms),
            invariant: "I4",
        },
        Regression {
            what: "a run in its backoff that was to run now waited for the backoff, as its message was faster than the store",
            plan: plan(
                &json!({"retries": 1, "retry": {"initialDelay": 1_000_000, "maxDelay": 1_000_000, "jitter": false}}),
                &["refuse", "succeed"],
                [(100_000, What::Run)],
                [(call(1, 3), slow(1_000))],
            ),
            mutation: Mutation::GraceDropped,
            invariant: "on time",
        },
        Regression {
            what: "the same, when the clock of whoever asked for the run was behind that of the executor",
            plan: Plan {
                skews_ms: BTreeMap::from([(1, -500)]),
                ..plan(
                    &json!({"retries": 1, "retry": {"initialDelay": 1_000_000, "maxDelay": 1_000_000, "jitter": false}}),
                    &["refuse", "succeed"],
                    [(600, What::Run)],
                    [(call(1, 3), slow(1_000))],
                )
            },
            mutation: Mutation::GraceDropped,
            invariant: "on time",
        },
        Regression {
            what: "an occurrence whose run was retried counted as missed when the job was paused and resumed",
            plan: plan(
                &json!({"repeat": {"every": 3_600_000}}),
                &["refuse"],
                [(60_000, What::Retry { delay_ms: 90_000 }), (70_000, What::Pause), (80_000, What::Resume)],
                [],
            ),
            mutation: Mutation::Rule(Mutant::RetriedAhead),
            invariant: "cadence",
        },
        Regression {
            what: "a job that is retried while a redrive has it in its list is retried by that once more",
            plan: plan(
                &json!({}),
                &["refuse"],
                [
                    (20_000, What::Redrive(json!({"product_tag": "shop", "env": "dev"}))),
                    (21_000, What::Retry { delay_ms: 0 }),
                ],
                [(call(1, 1), Fate { fault: None, there_ms: 0, back_ms: 3_000 })],
            ),
            mutation: Mutation::ListedTrusted,
            invariant: "I2",
        },
        Regression {
            what: "a job fails for an event that the catalog has again, as an instance remembers the catalog without it",
            plan: published_again(),
            mutation: Mutation::FreshFromCache,
            invariant: "catalog",
        },
    ]
}

/// Jobs that fail for want of their event, and are retried a moment after it is there again.
fn published_again() -> Plan {
    let retry = (14_000, What::Retry { delay_ms: 0 });
    let mut plan = plan(&json!({"start_at": BEGIN.plus(8_000).0}), &["succeed"], [retry], []);
    let job = plan.jobs[0].clone();
    plan.jobs = (0..6).map(|number| JobPlan { number, ..job.clone() }).collect();
    let edition = |number, has_action| Edition { number, has_action, ..Edition::FIRST };
    let change = |at_ms, edition| Change { at_ms, product: "shop", edition, thinks_ms: None };
    plan.changes = vec![change(5_000, edition(1, false)), change(12_000, edition(2, true))];
    plan
}

/// One job that is due at once, whose attempts go as `script` says; what its caller asks for, and what calls of it meet. Nothing
/// else goes wrong.
fn plan<const STEPS: usize, const CALLS: usize>(
    wishes: &Value,
    script: &[&str],
    steps: [(i64, What); STEPS],
    scripted: [(FaultId, Fate); CALLS],
) -> Plan {
    let mut body = json!({
        "product_tag": "shop", "env": "dev", "event": "work", "start_at": 0,
        "input": {"params": {"number": 0}, "body": {"script": script}},
    });
    for (name, wish) in wishes.as_object().into_iter().flatten() {
        body[name] = wish.clone();
    }
    let steps = steps.into_iter().zip(1..).map(|((at_ms, what), number)| Step { number, at_ms, what }).collect();
    let job =
        JobPlan { number: 0, at_ms: 0, body, is_previewed: false, wait: None, key: None, again: Vec::new(), steps };
    Plan {
        seed: 0,
        begin: BEGIN,
        jobs: vec![job],
        is_embedded: false,
        changes: Vec::new(),
        revoked_ms: 0,
        faults_in_10_000: 0,
        without: BTreeSet::new(),
        skews_ms: BTreeMap::new(),
        scripted: BTreeMap::from(scripted),
    }
}

/// A call of the request for a step: 0 for the key, 1 to read the job, 2 and 3 to arm a timer and to store the change, or, where
/// it needs no timer, to store it and to take one back.
fn call(step: u64, number: u64) -> FaultId {
    (step, number)
}

/// It takes so long until it has its effect, ms.
fn slow(there_ms: u64) -> Fate {
    Fate { fault: None, there_ms, back_ms: 0 }
}
