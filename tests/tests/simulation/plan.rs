//! What a simulation is to do, drawn from its seed: jobs, what becomes of them, and how much goes wrong.

use std::collections::BTreeSet;

use carillon_core::time::UnixMillis;
use carillon_tests::random::Random;
use serde_json::{Value, json};

use crate::dice::{Dice, FaultId};

/// When every simulation begins: 2027-01-15T08:00:00Z.
pub(crate) const BEGIN: UnixMillis = UnixMillis(1_800_000_000_000);
/// Callers act for so long, ms.
const ACTIVE_MS: usize = 2 * 3_600_000;
/// From here on nothing goes wrong any more, ms.
pub(crate) const FAULTS_END_MS: i64 = 3 * 3_600_000;
/// The end, ms: what was late by hours has arrived long before.
pub(crate) const END_MS: i64 = 16 * 3_600_000;
/// The products, each with the same catalog.
pub(crate) const PRODUCTS: [&str; 3] = ["shop", "post", "bank"];

/// Everything that a simulation is made of. Without one of its jobs or steps, or with a fault held back, the rest of it
/// meets the same luck as before: that is how a failure is made small.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) jobs: Vec<JobPlan>,
    /// Of 10,000 calls of a port so many go wrong.
    pub(crate) faults_in_10_000: usize,
    /// Faults that are held back.
    pub(crate) without: BTreeSet<FaultId>,
}

/// One job and what its caller does with it.
#[derive(Clone, Debug)]
pub(crate) struct JobPlan {
    /// Which one it is: names it, and is the key of its luck.
    pub(crate) number: usize,
    /// When it is asked for, ms from the beginning.
    pub(crate) at_ms: i64,
    pub(crate) body: Value,
    pub(crate) steps: Vec<Step>,
}

/// One request about a job.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Which one of its job it is, from 1.
    pub(crate) number: usize,
    /// When it is made, ms from the beginning.
    pub(crate) at_ms: i64,
    pub(crate) what: What,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Cancel,
    Pause,
    Resume,
    Run,
    Retry { delay_ms: u32 },
    Edit(Value),
    Look,
    Redrive(Value),
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let mut random = dice.roll(u64::MAX, 0);
        let count = random.between(10, 50);
        let faults_in_10_000 = random.pick(&[0, 50, 150, 400, 900]);
        let jobs = (0..count).map(|number| JobPlan::draw(number, &mut dice.roll(u64::MAX - 1, number as u64)));
        Self { seed, jobs: jobs.collect(), faults_in_10_000, without: BTreeSet::new() }
    }
}

/// A whole number of ms, from `least` to `most`, evenly by order of magnitude.
fn spread(random: &mut Random, least: usize, most: usize) -> i64 {
    let most = random.between(1, most / least) * least;
    i64::try_from(random.between(least, most.max(least))).unwrap_or(0)
}

fn within(random: &mut Random, most: usize) -> i64 {
    i64::try_from(random.below(most)).unwrap_or(0)
}

impl JobPlan {
    fn draw(number: usize, random: &mut Random) -> Self {
        let at_ms = within(random, ACTIVE_MS);
        let due_ms = match random.below(4) {
            0 => 0,
            1 => at_ms + within(random, 10_000),
            2 => at_ms + within(random, 1_200_000),
            _ => at_ms + spread(random, 60_000, 4 * 3_600_000),
        };
        let start_at = if due_ms == 0 { 0 } else { BEGIN.plus(due_ms).0 };
        let mut body = json!({
            "product_tag": random.pick(&PRODUCTS), "env": "dev", "event": "work", "start_at": start_at,
            "input": {"params": {"number": number}, "body": {"number": number}},
            "retries": random.below(4), "timeout": random.pick(&[1_000, 10_000, 30_000, 900_000]),
            "retry": {"initialDelay": random.pick(&[0, 100, 1_000, 60_000, 1_000_000]), "maxDelay": random.pick(&[1_000, 300_000, 5_000_000])},
        });
        if random.once_in(3) {
            body["repeat"] = repeat(random, due_ms.max(at_ms));
        }
        let mut steps = Vec::new();
        for number in 1..=random.below(6) {
            let at_ms = at_ms + spread(random, 10, ACTIVE_MS);
            steps.push(Step { number, at_ms, what: what(random, at_ms, body.get("repeat").is_some()) });
        }
        Self { number, at_ms, body, steps }
    }
}

/// A series of few runs: what has no limit has a long interval.
fn repeat(random: &mut Random, from_ms: i64) -> Value {
    let mut repeat = match random.below(4) {
        0 => json!({"cron": random.pick(&["*/20 * * * *", "0 * * * *", "5,35 * * * *"])}),
        1 => json!({"every": random.pick(&[1_000, 7_000, 60_000]), "limit": random.between(1, 8)}),
        2 => json!({"every": random.pick(&[3_600_000, 7_000_000]), "immediately": random.once_in(2)}),
        _ => {
            let every = random.pick(&[5_000, 90_000, 1_100_000]);
            let length = i64::try_from(random.between(0, 8)).unwrap_or(0) * every + within(random, 2_000);
            json!({"every": every, "endDate": BEGIN.plus(from_ms + length).0})
        }
    };
    if random.once_in(2) {
        repeat["limit"] = json!(random.between(1, 6));
    }
    repeat["onFailure"] = json!(random.pick(&["stop", "continue"]));
    repeat
}

fn what(random: &mut Random, at_ms: i64, recurs: bool) -> What {
    match random.below(14) {
        0 => What::Cancel,
        1..=3 => What::Pause,
        4..=6 => What::Resume,
        7 => What::Run,
        8 | 9 => What::Retry { delay_ms: random.pick(&[0, 0, 500, 90_000, 2_000_000]) },
        10 => What::Look,
        11 => What::Redrive(match random.below(3) {
            0 => json!({}),
            1 => json!({"product_tag": random.pick(&PRODUCTS)}),
            _ => json!({"product_tag": random.pick(&PRODUCTS), "env": "dev"}),
        }),
        _ => What::Edit(match random.below(3) {
            0 => json!({"retries": random.below(4)}),
            1 => json!({"start_at": BEGIN.plus(at_ms + spread(random, 1_000, 3 * 3_600_000)).0}),
            _ if recurs => json!({"repeat": repeat(random, at_ms)}),
            _ => json!({"input": {"params": {"number": 0}, "body": {}}}),
        }),
    }
}
