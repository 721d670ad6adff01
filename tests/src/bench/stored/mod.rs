//! Rates, list times and memory with many scheduled jobs in the store, next to the same with few.

pub mod side;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use carillon_load::{CALLERS, Stack, body, scheduling};

use self::side::Side;
use super::Failure;
use super::report::{Better, machine, percentile, row};
use crate::env::{epoch_ms, now};

/// The size of the measurement.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Scheduled jobs of the large store.
    pub stored: usize,
    /// Jobs that are scheduled and run on top in a round.
    pub jobs: usize,
    /// Rounds, of which the median is shown.
    pub rounds: usize,
}

impl Sizes {
    /// The report.
    pub const FULL: Self = Self { stored: 2_000_000, jobs: 50_000, rounds: 3 };
    /// To see that it works.
    pub const QUICK: Self = Self { stored: 50_000, jobs: 5_000, rounds: 1 };
}

/// Scheduled jobs of the small store: enough for a few pages.
const FEW: usize = 1_000;
/// The stored jobs are due from now on so late, ms: nothing of them is due in this run.
const AHEAD_MS: i64 = 30 * 24 * 3_600_000;
/// From one due job to the next, ms.
const APART_MS: i64 = 1_000;
/// Bodies that are made at a time.
const CHUNK: usize = 50_000;
/// A prime that divides no number of stored jobs: steps of it go through all of them, out of order.
const STEP: usize = 7_368_787;

/// Fills both stores, measures them in turn, and prints the figures.
///
/// # Errors
/// When a measurement fails.
pub fn run(sizes: Sizes) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let [few, many] = ["few", "many"].map(|name| folder.path().join(name));
    fill(&few, FEW)?;
    let began = now();
    fill(&many, sizes.stored)?;
    eprintln!("{} jobs stored in {:.0} s", sizes.stored, began.elapsed().as_secs_f64());
    let (mut with_few, mut with_many) = (Vec::new(), Vec::new());
    for round in 1..=sizes.rounds {
        eprintln!("round {round} of {}", sizes.rounds);
        // Each round begins with the other one.
        if round % 2 == 1 {
            with_few.push(measure(&few, sizes.jobs)?);
        }
        with_many.push(measure(&many, sizes.jobs)?);
        if round % 2 == 0 {
            with_few.push(measure(&few, sizes.jobs)?);
        }
    }
    print(&with_few, &with_many, sizes);
    Ok(())
}

/// Stores a number of scheduled jobs, in another order than they are due.
fn fill(folder: &Path, stored: usize) -> Result<(), Failure> {
    let first_at = epoch_ms() + AHEAD_MS;
    let due_at = |number: usize| i64::try_from(number * STEP % stored).map(|place| first_at + place * APART_MS);
    let runtime = carillon_embedded::runtime::callers()?;
    runtime.block_on(async {
        let stack = Stack::open_in(folder).await?;
        for from in (0..stored).step_by(CHUNK) {
            let chunk = from..stored.min(from + CHUNK);
            let bodies: Result<Vec<_>, _> = chunk.map(|number| Ok(body(number, due_at(number)?))).collect();
            scheduling(&stack, &Arc::new(bodies.map_err(|error: std::num::TryFromIntError| error)?), CALLERS).await?;
        }
        Ok(())
    })
}

/// Measures in a process of its own.
fn measure(folder: &Path, jobs: usize) -> Result<Side, Failure> {
    let mut process = Command::new(std::env::current_exe()?);
    process.arg("stored-side").arg(folder).arg(jobs.to_string()).stderr(Stdio::inherit());
    let output = process.output()?;
    if !output.status.success() {
        return Err(format!("a side failed: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn print(few: &[Side], many: &[Side], sizes: Sizes) {
    println!("\nCarillon embedded on {}, with scheduled jobs in its store", machine());
    println!("median of {} rounds; {} jobs are scheduled and run on top of them\n", sizes.rounds, sizes.jobs);
    println!("{:<44}{:>12}{:>12}{:>10}", "stored jobs", sizes.stored, FEW, "ratio");
    let line = |name, figure: fn(&Side) -> f64, better| {
        row(name, median(many, figure), Some(median(few, figure)), better);
    };
    line("schedule and store, jobs/s", |side| side.scheduled_per_second, Better::More);
    line("  CPU per job, µs", |side| side.schedule_cpu_micros, Better::Less);
    line("run to completion, jobs/s", |side| side.run_per_second, Better::More);
    line("  CPU per job, µs", |side| side.run_cpu_micros, Better::Less);
    line("list the newest 100 jobs, ms", |side| side.newest_ms, Better::Less);
    line("list 100 scheduled jobs, ms", |side| side.scheduled_ms, Better::Less);
    line("  five pages further down, ms", |side| side.further_ms, Better::Less);
    line("open the store, ms", |side| side.open_ms, Better::Less);
    line("memory after the first job, MB", |side| side.memory_mb, Better::Less);
    line("  the most by the end, MB", |side| side.peak_mb, Better::Less);
    println!("\nA ratio of 1 says that stored jobs do not slow it; below 1, that they do.");
}

fn median(sides: &[Side], figure: fn(&Side) -> f64) -> f64 {
    let mut figures: Vec<f64> = sides.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    percentile(&figures, 0.5)
}
