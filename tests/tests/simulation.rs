//! The guarantees, proven: whole lives of jobs in a simulated world where everything goes wrong that can.
//!
//! A seed draws jobs, what their callers do, and a fault for any call of a port. The real router, operations and executor
//! carry the jobs over simulated ports by a virtual clock, in one thread. Every change is held against the invariants when it
//! is made, and everything at the end. The same seed gives the same simulation, to the line of its trace.
//!
//! `CARILLON_SIMULATION_SEEDS=2500 cargo test --release -p carillon-tests --test simulation` runs 2,500 of them, some 75,000
//! jobs. A failure is made small and told with the command that replays it (`CARILLON_SIMULATION_SEED`).
//!
//! - [`plan`]: what a seed draws; [`dice`]: luck that does not depend on what else is drawn.
//! - [`world`], [`queue`]: what is stored and under way. [`ports`], [`store`], [`target`]: the way to it, for each [`actor`].
//! - [`drive`]: runs a plan; [`shrink`]: makes one small that fails.
//! - [`oracle`], [`series`]: what must hold.
//! - [`mutation`]: what is broken on purpose, to see that it is noticed.

#[path = "simulation/actor.rs"]
mod actor;
#[path = "simulation/dice.rs"]
mod dice;
#[path = "simulation/drive.rs"]
mod drive;
#[path = "simulation/mutation.rs"]
mod mutation;
#[path = "simulation/oracle.rs"]
mod oracle;
#[path = "simulation/plan.rs"]
mod plan;
#[path = "simulation/ports.rs"]
mod ports;
#[path = "simulation/queue.rs"]
mod queue;
#[path = "simulation/series.rs"]
mod series;
#[path = "simulation/shrink.rs"]
mod shrink;
#[path = "simulation/store.rs"]
mod store;
#[path = "simulation/target.rs"]
mod target;
#[path = "simulation/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use carillon_tests::outside::{now, variable};
use drive::run;
use mutation::Mutation;
use plan::Plan;

/// So many simulations are run when nobody says how many.
const SEEDS: u64 = 100;
/// A mutant has to be caught by one of so many.
const SEEDS_FOR_A_MUTANT: u64 = 300;
/// As many threads run them.
const THREADS: u64 = 2;

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    variable(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// What is wrong with a plan's simulation, made small and ready to be read; nothing when all is well.
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

/// Runs a share of the seeds, and counts.
fn run_all(seeds: impl Iterator<Item = u64>) -> (usize, u64, u64, usize, Vec<String>) {
    let (mut jobs, mut dispatches, mut calls, mut faults, mut failures) = (0, 0, 0, 0, Vec::new());
    for seed in seeds {
        let plan = Plan::of(seed);
        let report = run(&plan, None, false);
        jobs += report.jobs;
        dispatches += report.dispatches;
        calls += report.calls;
        faults += report.faults.len();
        if !report.violations.is_empty() && failures.len() < 6 {
            failures.extend(failure(&plan, None));
        }
    }
    (jobs, dispatches, calls, faults, failures)
}

#[test]
fn every_invariant_holds_whatever_goes_wrong() {
    let seeds = match (number("CARILLON_SIMULATION_SEED"), number("CARILLON_SIMULATION_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, count) => 0..count.unwrap_or(SEEDS),
    };
    let begun = now();
    let shares = std::thread::scope(|scope| {
        let seeds = &seeds;
        let share = |first| seeds.clone().filter(move |seed| seed % THREADS == first);
        let threads: Vec<_> = (0..THREADS).map(|first| scope.spawn(move || run_all(share(first)))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no simulation panics")).collect::<Vec<_>>()
    });
    let took = (now() - begun).max(Duration::from_millis(1));
    let jobs: usize = shares.iter().map(|share| share.0).sum();
    let dispatches: u64 = shares.iter().map(|share| share.1).sum();
    let calls: u64 = shares.iter().map(|share| share.2).sum();
    let faults: usize = shares.iter().map(|share| share.3).sum();
    let rate = jobs as u128 * 1_000 / took.as_millis();
    println!("{jobs} jobs, {dispatches} dispatches, {calls} calls, {faults} faults, in {took:.1?}: {rate} jobs/s");
    let failures: Vec<_> = shares.into_iter().flat_map(|share| share.4).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What is first seen of a mutant, and by which seed.
fn caught(mutation: Mutation) -> Option<(u64, String)> {
    (0..SEEDS_FOR_A_MUTANT).find_map(|seed| {
        let violations = run(&Plan::of(seed), Some(mutation), false).violations;
        let broken = violations.into_iter().find(|violation| violation.invariant == mutation.breaks())?;
        Some((seed, format!("{}: {}", broken.invariant, broken.text)))
    })
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
    assert!(mutants.len() >= 20, "one for each rule");
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
