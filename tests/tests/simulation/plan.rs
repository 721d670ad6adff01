//! The plan of a simulation, drawn from its seed: jobs, the fate of the jobs and of their catalogs, and the rate of
//! faults.

use std::collections::{BTreeMap, BTreeSet};

use carillon_core::cache::CacheId;
use carillon_core::time::UnixMillis;
use carillon_tests::random::Random;
use serde_json::{Value, json};

use crate::catalogs::{Change, Edition};
use crate::dice::{Dice, Fate, FaultId};
use crate::named::Again;

/// When most simulations begin: 2027-01-15T08:00:00Z.
pub(crate) const BEGIN: UnixMillis = UnixMillis(1_800_000_000_000);
/// The others begin shortly before clocks change: in 2027 New York's, Amsterdam's and Lord Howe's (by half an hour), twice
/// each, in seconds since 1970.
const CLOCK_CHANGES: [(i64, &str); 6] = [
    (1_805_007_600, ZONES[0]),
    (1_806_195_600, ZONES[1]),
    (1_806_764_400, ZONES[2]),
    (1_822_491_000, ZONES[2]),
    (1_824_944_400, ZONES[1]),
    (1_825_567_200, ZONES[0]),
];
const ZONES: [&str; 3] = ["America/New_York", "Europe/Amsterdam", "Australia/Lord_Howe"];
/// Maximum number of minutes between the begin and that instant.
const MINUTES_BEFORE: i64 = 180;
/// Callers act for so long, ms.
pub(crate) const ACTIVE_MS: usize = 2 * 3_600_000;
/// From here on nothing goes wrong any more, ms.
const FAULTS_END_MS: i64 = 3 * 3_600_000;
/// The end, ms: what was late by hours has arrived long before.
pub(crate) const END_MS: i64 = 16 * 3_600_000;
/// Every eighth job's caller has the key that is revoked, from the one of this number on.
const REVOKED: usize = 5;
/// The products.
pub(crate) const PRODUCTS: [&str; 3] = ["shop", "post", "bank"];

/// Everything that a simulation is made of. Without one of its jobs or steps, or with a fault held back, the rest
/// meets the same luck as before, so a failure can be made small.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) begin: UnixMillis,
    pub(crate) jobs: Vec<JobPlan>,
    /// True if a timer can be removed up to the last moment, as in one process; otherwise one that is due soon is a
    /// message.
    pub(crate) is_embedded: bool,
    /// The changes of the catalogs.
    pub(crate) changes: Vec<Change>,
    /// When one of the two keys is revoked, ms from the beginning.
    pub(crate) revoked_ms: i64,
    /// Faults in 10,000 calls of a port.
    pub(crate) faults_in_10_000: usize,
    /// Faults that are held back.
    pub(crate) without: BTreeSet<FaultId>,
    /// Fixed clock offsets of these actors, ms, instead of drawn ones.
    pub(crate) skews_ms: BTreeMap<u64, i64>,
    /// Fixed luck of these calls, instead of drawn luck.
    pub(crate) scripted: BTreeMap<FaultId, Fate>,
}

/// One job and what its caller does with it.
#[derive(Clone, Debug)]
pub(crate) struct JobPlan {
    /// Its number: its name, and the key of its luck.
    pub(crate) number: usize,
    /// When it is asked for, ms from the beginning.
    pub(crate) at_ms: i64,
    pub(crate) body: Value,
    /// True if the caller requests a preview first.
    pub(crate) is_previewed: bool,
    /// Seconds that the caller prefers to wait for the end of the first run.
    pub(crate) wait: Option<u32>,
    /// The key of its request, if that has one.
    pub(crate) key: Option<String>,
    /// When something is asked for under that key again.
    pub(crate) again: Vec<Again>,
    pub(crate) steps: Vec<Step>,
}

/// One request about a job.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Its number within its job, from 1.
    pub(crate) number: usize,
    /// When it is made, ms from the beginning.
    pub(crate) at_ms: i64,
    pub(crate) what: What,
}

/// The request.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Cancel,
    Pause,
    Resume,
    Run,
    Retry { delay_ms: u32 },
    Edit { body: Value, only_if: Option<OnlyIf> },
    Runs,
    List { product: &'static str, status: Option<&'static str>, limit: usize },
    Redrive(Value),
    Clear(CacheId),
    Look(CacheId),
}

/// The job's revision that an edit is for, by its If-Match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnlyIf {
    /// Any: `*`.
    Any,
    /// The one that the caller has just read.
    Read,
    /// The one before that.
    Outdated,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let mut random = dice.roll(u64::MAX, 0);
        let count = random.between(10, 50);
        let faults_in_10_000 = random.pick(&[0, 50, 150, 400, 900]);
        let before_ms = (MINUTES_BEFORE - i64::try_from(random.below(170)).unwrap_or(0)) * 60_000;
        let change = UnixMillis(random.pick(&CLOCK_CHANGES).0 * 1_000);
        let begin = if random.once_in(4) { change.plus(-before_ms) } else { BEGIN };
        // Some of the jobs come at one instant, and to one product.
        let burst = (within(&mut random, ACTIVE_MS), random.pick(&PRODUCTS));
        let in_burst = if random.once_in(3) { random.between(5, count) } else { 0 };
        let is_embedded = random.once_in(4);
        let (has_changes, lapse_ms) = (random.once_in(2), within(&mut random, 60_000));
        let common_ms = Some(within(&mut random, ACTIVE_MS)).filter(|_| random.once_in(2));
        let jobs = (0..count).map(|number| {
            let mut random = dice.roll(u64::MAX - 1, number as u64);
            let drawn = (within(&mut random, ACTIVE_MS), random.pick(&PRODUCTS));
            let mut job = JobPlan::draw(number, begin, if number < in_burst { burst } else { drawn }, &mut random);
            let mut random = dice.roll(u64::MAX - 3, number as u64);
            if let Some(common_ms) = common_ms {
                job.draw_question(begin, common_ms, &mut random);
            }
            job.draw_key(&mut random);
            job.draw_kind(&mut dice.roll(u64::MAX - 4, number as u64));
            job
        });
        let jobs: Vec<_> = jobs.collect();
        let changes = if has_changes { Change::draw_all(dice, begin, &jobs) } else { Vec::new() };
        let revoked_ms = jobs[REVOKED].at_ms + lapse_ms;
        let (without, skews_ms, scripted) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        Self { seed, begin, jobs, is_embedded, changes, revoked_ms, faults_in_10_000, without, skews_ms, scripted }
    }
}

impl Plan {
    /// True if nothing goes wrong any more.
    pub(crate) fn is_calm(&self, now: UnixMillis) -> bool {
        now.since(self.begin) >= FAULTS_END_MS
    }
}

/// A whole number of ms, from `least` to `most`, evenly by order of magnitude.
pub(crate) fn spread(random: &mut Random, least: usize, most: usize) -> i64 {
    let most = random.between(1, most / least) * least;
    i64::try_from(random.between(least, most.max(least))).unwrap_or(0)
}

pub(crate) fn within(random: &mut Random, most: usize) -> i64 {
    i64::try_from(random.below(most)).unwrap_or(0)
}

impl JobPlan {
    /// True if its caller has the key that is revoked.
    pub(crate) fn is_revoked(&self) -> bool {
        self.number % 8 == REVOKED
    }

    /// When its first run is due, ms from the beginning.
    pub(crate) fn due_ms(&self, begin: UnixMillis) -> i64 {
        let start_at = self.body["start_at"].as_i64().filter(|at| *at > 0);
        start_at.map_or(self.at_ms, |at| UnixMillis(at).since(begin))
    }

    fn draw(number: usize, begin: UnixMillis, (at_ms, product): (i64, &'static str), random: &mut Random) -> Self {
        let due_ms = match random.below(4) {
            0 => 0,
            1 => at_ms + within(random, 10_000),
            2 => at_ms + within(random, 1_200_000),
            _ => at_ms + spread(random, 60_000, 4 * 3_600_000),
        };
        let start_at = if due_ms == 0 { 0 } else { begin.plus(due_ms).0 };
        let mut body = json!({
            "product_tag": product, "env": "dev", "event": "work", "start_at": start_at,
            "input": {"params": {"number": number}, "body": {"number": number}},
            "retries": random.below(4),
            "retry": {"initialDelay": random.pick(&[0, 100, 1_000, 60_000, 1_000_000]), "maxDelay": random.pick(&[1_000, 300_000, 5_000_000])},
        });
        if let Some(timeout) = random.pick(&[None, Some(1_000), Some(10_000), Some(30_000), Some(900_000)]) {
            body["timeout"] = json!(timeout);
        }
        if random.once_in(3) {
            body["repeat"] = repeat(random, begin, due_ms.max(at_ms));
        }
        let mut steps = Vec::new();
        let patience_ms = random.pick(&[ACTIVE_MS, ACTIVE_MS, 60_000]);
        for number in 1..=random.below(6) {
            let at_ms = at_ms + spread(random, 10, patience_ms);
            steps.push(Step { number, at_ms, what: what(random, begin, at_ms, body.get("repeat").is_some()) });
        }
        if random.once_in(3) {
            hurry(random, due_ms.max(at_ms), &mut steps);
        }
        let (is_previewed, waits) = (random.once_in(8), random.once_in(6));
        let wait = Some(random.pick(&[1, 5, 25])).filter(|_| waits);
        Self { number, at_ms, body, is_previewed, wait, key: None, again: Vec::new(), steps }
    }
}

/// The zone whose clocks change soon after a beginning.
fn changing_zone(begin: UnixMillis) -> Option<&'static str> {
    let is_soon = |(at, _): &&(i64, &str)| (0..=MINUTES_BEFORE * 60).contains(&(at - begin.0 / 1_000));
    CLOCK_CHANGES.iter().find(is_soon).map(|(_, zone)| *zone)
}

/// A series of few runs: what has no limit has a long interval.
fn repeat(random: &mut Random, begin: UnixMillis, from_ms: i64) -> Value {
    let changing = changing_zone(begin);
    let mut repeat = match random.below(if changing.is_some() { 8 } else { 5 }) {
        0 => json!({"cron": random.pick(&["*/20 * * * *", "0 * * * *", "5,35 * * * *"])}),
        1 => json!({"every": random.pick(&[1_000, 7_000, 60_000]), "limit": random.between(1, 8)}),
        2 => json!({"every": random.pick(&[3_600_000, 7_000_000]), "immediately": random.once_in(2)}),
        3 | 5.. => json!({
            "cron": random.pick(&["30 2 * * *", "10,40 1,2,3 * * *", "15 * * * *", "*/20 1-3 * * *"]),
            "tz": changing.filter(|_| !random.once_in(4)).unwrap_or(random.pick(&ZONES)),
        }),
        _ => {
            let every = random.pick(&[5_000, 90_000, 1_100_000]);
            let length = i64::try_from(random.between(0, 8)).unwrap_or(0) * every + within(random, 2_000);
            json!({"every": every, "endDate": begin.plus(from_ms + length).0})
        }
    };
    if random.once_in(2) {
        repeat["limit"] = json!(random.between(1, 6));
    }
    repeat["onFailure"] = json!(random.pick(&["stop", "continue"]));
    repeat
}

fn what(random: &mut Random, begin: UnixMillis, at_ms: i64, recurs: bool) -> What {
    match random.below(16) {
        0 => What::Cancel,
        1..=3 => What::Pause,
        4..=6 => What::Resume,
        7 => What::Run,
        8 | 9 => What::Retry { delay_ms: random.pick(&[0, 0, 500, 90_000, 2_000_000]) },
        10 => What::Runs,
        11 => What::Redrive(redrive(random)),
        12 => What::List {
            product: random.pick(&PRODUCTS),
            status: random.pick(&[None, Some("scheduled"), Some("queued"), Some("completed"), Some("failed")]),
            limit: random.pick(&[1, 3, 100]),
        },
        _ => {
            let body = match random.below(3) {
                0 => json!({"retries": random.below(4)}),
                1 => json!({"start_at": begin.plus(at_ms + spread(random, 1_000, 3 * 3_600_000)).0}),
                _ if recurs => json!({"repeat": repeat(random, begin, at_ms)}),
                _ => json!({"input": {"params": {"number": 0}, "body": {}}}),
            };
            let only_if = random.pick(&[None, Some(OnlyIf::Any), Some(OnlyIf::Read), Some(OnlyIf::Outdated)]);
            What::Edit { body, only_if }
        }
    }
}

/// Steps that come one upon the other, not long after a run is due.
fn hurry(random: &mut Random, due_ms: i64, steps: &mut Vec<Step>) {
    use What::{Cancel, Pause, Resume, Retry, Run};
    let delay_ms = random.pick(&[0, 90_000]);
    let story = match random.below(5) {
        0 | 1 => vec![Pause, Resume],
        2 => vec![Retry { delay_ms }, Pause, Resume, Resume],
        3 => vec![Run, Pause, Resume, Run],
        _ => vec![Resume, Cancel, Retry { delay_ms }],
    };
    let mut at_ms = due_ms + spread(random, 10, 600_000);
    for what in story {
        at_ms += within(random, 80);
        steps.push(Step { number: steps.len() + 1, at_ms, what });
    }
}

/// The scope of a redrive: everything, a product or an environment; all of it, or a few.
fn redrive(random: &mut Random) -> Value {
    let mut body = match random.below(4) {
        0 => json!({}),
        1 => json!({"product_tag": random.pick(&PRODUCTS)}),
        _ => json!({"product_tag": random.pick(&PRODUCTS), "env": "dev"}),
    };
    if random.once_in(2) {
        body["limit"] = json!(random.pick(&[1, 3, 1_000]));
    }
    body
}

impl Edition {
    /// The first one of every product.
    pub(crate) const FIRST: Self = Self { number: 0, timeout: None, has_action: true, is_gone: false };
}
