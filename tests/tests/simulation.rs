//! The guarantees, proven: whole lives of jobs in a simulated world where everything goes wrong that can.
//!
//! A seed draws jobs, the requests of their callers, changes of the catalogs, and a fault for any call of a port. The real router,
//! operations and executor carry the jobs over simulated ports by a virtual clock, in one thread. Caches of a function are up to
//! 30 s old, lists lag, and clocks change in some of the simulations. Every change is checked against the invariants when it is
//! made, every answer against the store, and everything at the end. The same seed gives the same
//! simulation, to the line of its trace.
//!
//! `CARILLON_SIMULATION_SEEDS=3800 cargo test --release -p carillon-tests --test simulation -- --nocapture` runs 3,800 of them,
//! some 100,000 jobs, and prints the jobs a second and the count of each fault. A failure is made small and printed with the
//! command that replays it (`CARILLON_SIMULATION_SEED`).
//!
//! - [`plan`]: the draws of a seed; [`dice`]: luck that does not depend on other draws.
//! - [`world`], [`queue`]: the stored state and the messages. [`ports`], [`store`], [`target`]: the way to it, for each [`actor`].
//! - [`catalogs`]: their changes and their caches.
//! - [`drive`]: runs a plan; [`callers`], [`exchange`]: requests, and checks of the answers; [`shrink`]: makes a failing plan small.
//! - [`questions`], [`remembered`], [`recalls`]: jobs with cached results; [`named`]: requests with an `Idempotency-Key`.
//! - [`kinds`], [`progress`]: composite events and quotas, and their stored state; [`composites`], [`spot`], [`explained`],
//!   [`tallies`]: their checks.
//! - [`oracle`], [`series`], [`wall`]: the invariants.
//! - [`mutation`]: rules broken on purpose, to see that it is noticed. [`regressions`]: past faults.

#[path = "simulation/actor.rs"]
mod actor;
#[path = "simulation/callers.rs"]
mod callers;
#[path = "simulation/catalogs.rs"]
mod catalogs;
#[path = "simulation/composites.rs"]
mod composites;
#[path = "simulation/dice.rs"]
mod dice;
#[path = "simulation/drive.rs"]
mod drive;
#[path = "simulation/exchange.rs"]
mod exchange;
#[path = "simulation/explained.rs"]
mod explained;
#[path = "simulation/kinds.rs"]
mod kinds;
#[path = "simulation/mutation.rs"]
mod mutation;
#[path = "simulation/named.rs"]
mod named;
#[path = "simulation/oracle.rs"]
mod oracle;
#[path = "simulation/plan.rs"]
mod plan;
#[path = "simulation/ports.rs"]
mod ports;
#[path = "simulation/progress.rs"]
mod progress;
#[path = "simulation/questions.rs"]
mod questions;
#[path = "simulation/queue.rs"]
mod queue;
#[path = "simulation/recalls.rs"]
mod recalls;
#[path = "simulation/regressions.rs"]
mod regressions;
#[path = "simulation/remembered.rs"]
mod remembered;
#[path = "simulation/series.rs"]
mod series;
#[path = "simulation/shrink.rs"]
mod shrink;
#[path = "simulation/spot.rs"]
mod spot;
#[path = "simulation/store.rs"]
mod store;
#[path = "simulation/tallies.rs"]
mod tallies;
#[path = "simulation/target.rs"]
mod target;
#[path = "simulation/wall.rs"]
mod wall;
#[path = "simulation/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use carillon_tests::env::{now, variable};
use drive::run;
use mutation::Mutation;
use plan::Plan;
use regressions::Regression;

/// Default number of simulations.
const SEEDS: u64 = 100;
/// Number of simulations in which a mutant has to be caught.
const SEEDS_FOR_A_MUTANT: u64 = 300;
/// Number of threads.
const THREADS: u64 = 2;

/// Events that have to occur in them; otherwise they prove less than they say.
const HAPPENS: [&str; 54] = [
    "acknowledgement lost",
    "another body under a key",
    "answered as an earlier one",
    "asked again after the expiry",
    "asked again as there was no answer",
    "burst of jobs",
    "cache cleared",
    "catalog answered 412",
    "catalog deleted",
    "catalog replaced",
    "clock set back",
    "clock set forward",
    "clock wrong by a quarter of a second",
    "completed by a remembered result",
    "counted before, and told so again",
    "counter begun anew",
    "crash after effect",
    "crash at the target",
    "crash before effect",
    "edit answered 412",
    "entry of a cache looked at",
    "error after effect",
    "error before effect",
    "event not found",
    "fallback went to a later option",
    "latency of seconds",
    "lease of a dead executor ended",
    "list read to its end",
    "message late by more than an hour",
    "message late",
    "message twice",
    "option that fails comes last",
    "part noted although the answer was lost",
    "previewed as it came",
    "process stands still",
    "quota over its limit",
    "received out of order",
    "redrive under way",
    "redriven out of a list",
    "repeated by the client",
    "run of a series completed by a remembered result",
    "same key at the same time",
    "same key hours later",
    "schedule late by half a minute",
    "schedule twice",
    "stale catalog",
    "stale key",
    "stale list entry",
    "step repeated after a crash",
    "stopped between two parts, as the job was paused",
    "throttle",
    "wait answered",
    "waited for another's result",
    "went on after the steps that are done",
];

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    variable(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// The failure of a plan's simulation, made small and readable; `None` if it holds.
fn failure(plan: &Plan, mutation: Option<Mutation>) -> Option<String> {
    let report = run(plan, mutation, false);
    let invariant = report.violations.first()?.invariant;
    let small = shrink::shrunk(plan, mutation, invariant);
    let report = run(&small, mutation, true);
    let mut text = format!("seed {} breaks {invariant}. Made small, and of the job in question:\n", plan.seed);
    let told = report.violations.first().map_or("", |violation| &violation.text);
    let job = told.split(|at: char| !at.is_alphanumeric()).find(|word| word.starts_with("job")).unwrap_or_default();
    for line in lines_about(&report.trace, job) {
        // A string takes whatever is written.
        let _ = writeln!(text, "{line}");
    }
    for violation in &report.violations {
        let _ = writeln!(text, "{}: {}", violation.invariant, violation.text);
    }
    let _ = writeln!(text, "CARILLON_SIMULATION_SEED={} cargo test -p carillon-tests --test simulation", plan.seed);
    Some(text)
}

/// The lines of a trace that name a job, and what went wrong for those who had to do with it.
fn lines_about<'t>(trace: &'t [String], job: &str) -> Vec<&'t String> {
    let is_end = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_digit());
    let names_it = |line: &str| line.match_indices(job).any(|(at, _)| is_end(&line[at + job.len()..]));
    let who = |line: &str| line.get(12..34).map(str::to_owned);
    let concerned: BTreeSet<_> = trace.iter().filter(|line| names_it(line)).map(|line| who(line)).collect();
    let is_fault = |line: &str| line.contains(" meets ") || line.contains(" not deleted");
    trace.iter().filter(|line| names_it(line) || is_fault(line) && concerned.contains(&who(line))).collect()
}

#[test]
fn the_same_seed_gives_the_same_simulation() {
    for seed in 0..4 {
        let plan = Plan::of(seed);
        let (first, second) = (run(&plan, None, true), run(&plan, None, true));
        assert!(!first.trace.is_empty() && first.trace == second.trace, "seed {seed}");
    }
}

/// The result of a share of the seeds.
#[derive(Default)]
struct Sum {
    jobs: usize,
    dispatches: u64,
    calls: u64,
    faults: usize,
    counts: BTreeMap<&'static str, u64>,
    failures: Vec<String>,
}

impl Sum {
    /// Runs these seeds.
    fn of(seeds: impl Iterator<Item = u64>) -> Self {
        let mut sum = Self::default();
        for seed in seeds {
            let plan = Plan::of(seed);
            let report = run(&plan, None, false);
            sum.jobs += report.jobs;
            sum.dispatches += report.dispatches;
            sum.calls += report.calls;
            sum.faults += report.faults.len();
            sum.add(&report.counts);
            if !report.violations.is_empty() && sum.failures.len() < 6 {
                sum.failures.extend(failure(&plan, None));
            }
        }
        sum
    }

    fn add(&mut self, counts: &BTreeMap<&'static str, u64>) {
        for (what, count) in counts {
            *self.counts.entry(what).or_default() += count;
        }
    }

    fn and(mut self, other: Self) -> Self {
        self.add(&other.counts);
        self.failures.extend(other.failures);
        Self {
            jobs: self.jobs + other.jobs,
            dispatches: self.dispatches + other.dispatches,
            calls: self.calls + other.calls,
            faults: self.faults + other.faults,
            ..self
        }
    }
}

#[test]
fn every_invariant_holds_whatever_goes_wrong() {
    let (one, count) = (number("CARILLON_SIMULATION_SEED"), number("CARILLON_SIMULATION_SEEDS").unwrap_or(SEEDS));
    let seeds = one.map_or(0..count, |seed| seed..seed + 1);
    let begun = now();
    let sum = std::thread::scope(|scope| {
        let share = |first| seeds.clone().filter(move |seed| seed % THREADS == first);
        let threads: Vec<_> = (0..THREADS).map(|first| scope.spawn(move || Sum::of(share(first)))).collect();
        let sums = threads.into_iter().map(|thread| thread.join().expect("no simulation panics"));
        sums.reduce(Sum::and).unwrap_or_default()
    });
    let took = (now() - begun).max(Duration::from_millis(1));
    let Sum { jobs, dispatches, calls, faults, counts, failures } = sum;
    let rate = jobs as u128 * 1_000 / took.as_millis();
    println!("{jobs} jobs, {dispatches} dispatches, {calls} calls, {faults} faults, in {took:.1?}: {rate} jobs/s");
    for (what, count) in &counts {
        println!("{count:>9}  {what}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let missing: Vec<_> = HAPPENS.iter().filter(|what| !counts.contains_key(*what)).collect();
    assert!(one.is_some() || count < SEEDS || missing.is_empty(), "never drawn: {missing:?}");
}

/// The first failure of a mutant, with its seed or plan.
fn caught(mutation: Mutation) -> Option<(String, String)> {
    let pinned = regressions::all().into_iter().filter(|pinned| pinned.mutation == mutation);
    let pinned = pinned.map(|pinned| (pinned.what.to_owned(), pinned.plan));
    let drawn = (0..SEEDS_FOR_A_MUTANT).map(|seed| (format!("seed {seed}"), Plan::of(seed)));
    pinned.chain(drawn).find_map(|(name, plan)| {
        let violations = run(&plan, Some(mutation), false).violations;
        let broken = violations.into_iter().find(|violation| violation.invariant == mutation.breaks())?;
        Some((name, format!("{}: {}", broken.invariant, broken.text)))
    })
}

#[test]
fn what_was_wrong_once_is_right_and_shows_when_its_fix_is_broken() {
    for Regression { what, plan, mutation, invariant } in regressions::all() {
        let told = failure(&plan, None);
        assert!(told.is_none(), "{what}: {}", told.unwrap_or_default());
        let report = run(&plan, Some(mutation), true);
        let is_seen = report.violations.iter().any(|violation| violation.invariant == invariant);
        assert!(is_seen, "{what}: {:?}\n{}", report.violations, report.trace.join("\n"));
    }
}

#[test]
fn every_mutant_is_caught_by_the_invariant_that_it_breaks() {
    let mutants = Mutation::all();
    let caught: Vec<_> = mutants.iter().map(|mutation| (mutation, caught(*mutation))).collect();
    for (mutation, seen) in &caught {
        println!("{mutation:?}: {seen:?}");
    }
    let missed: Vec<_> = caught.iter().filter(|(_, seen)| seen.is_none()).map(|(mutation, _)| mutation).collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
    assert!(mutants.len() >= 30, "one for each rule");
}

#[test]
fn a_failure_is_made_small_and_told_with_the_command_that_replays_it() {
    let mutation = Some(Mutation::StoredBeforeArmed);
    let plan = Plan::of(0);
    let small = shrink::shrunk(&plan, mutation, "I1");
    assert_eq!((small.jobs.len(), small.jobs[0].steps.len()), (1, 0), "one job, left alone, is enough for it");
    let told = failure(&plan, mutation).expect("it fails");
    assert!(told.lines().count() < 60, "{told}");
    for part in ["/v1/jobs", " stores ", "nothing will wake it", "CARILLON_SIMULATION_SEED=0 cargo test"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}
