//! The figures as a table, next to those of BullMQ where the same run has measured them.

use std::thread::available_parallelism;

use super::Sizes;
use super::embedded::{Comparison, Figures};
use super::meter::Cost;

/// The direction that is better.
#[derive(Clone, Copy)]
pub(super) enum Better {
    More,
    Less,
}

/// Prints the table.
pub fn print(comparison: &Comparison, sizes: Sizes) {
    let Comparison { carillon, posted, bullmq } = comparison;
    let theirs = bullmq.as_ref().ok().map(|(_, figures)| figures);
    println!("\nCarillon embedded on {}", machine());
    println!("{DURABILITY}");
    println!(
        "median of {} rounds; {} jobs from {} callers, run {} at a time",
        sizes.rounds, sizes.jobs, sizes.callers, sizes.concurrency
    );
    match bullmq {
        Ok((versions, _)) => println!("in turn with {versions}: its CPU time is that of Node and of Redis\n"),
        Err(missing) => println!("BullMQ was NOT MEASURED. To compare, install {}\n", missing.0),
    }
    println!("{:<44}{:>12}{:>12}{:>10}", "", "Carillon", "BullMQ", "ratio");
    rates("schedule and store", &carillon.scheduled, theirs.map(|theirs| &*theirs.scheduled));
    rates("run to completion", &carillon.run, theirs.map(|theirs| &*theirs.run));
    lateness(carillon, theirs, sizes);
    let name = format!("POST /v1/jobs, {} connections, jobs/s", sizes.connections);
    row(&name, median(posted, Cost::per_second), None, Better::More);
    row("  CPU per job, callers included, µs", median(posted, Cost::cpu_micros), None, Better::Less);
    if theirs.is_some() {
        println!("\nA ratio above 1 is in Carillon's favour.");
    }
}

/// The settings of [`Stack`](carillon_load::Stack), and those that Redis is started with.
const DURABILITY: &str =
    "durability: an acknowledged job survives kill -9, and a power cut may take the last ones along
  Carillon: SQLite, journal_mode=WAL, synchronous=NORMAL; Redis: appendonly yes, appendfsync no";

fn lateness(ours: &Figures, theirs: Option<&Figures>, sizes: Sizes) {
    let first = format!("lateness of {} jobs over {} s, p50, ms", sizes.timed_jobs, sizes.timed_over_ms / 1_000);
    for (name, part) in [(&*first, 0.5), ("  p99, ms", 0.99), ("  largest, ms", 1.0)] {
        let of = |figures: &Figures| percentile(&figures.lateness_ms, part);
        row(name, of(ours), theirs.map(of), Better::Less);
    }
}

/// The conditions that the figures depend on most.
pub(super) fn machine() -> String {
    let cores = available_parallelism().map_or(1, usize::from);
    format!("{cores} cores ({}, {})", std::env::consts::ARCH, std::env::consts::OS)
}

fn rates(name: &str, ours: &[Cost], theirs: Option<&[Cost]>) {
    let of = |figure: fn(&Cost) -> f64| (median(ours, figure), theirs.map(|theirs| median(theirs, figure)));
    let (rate, cpu) = (of(Cost::per_second), of(Cost::cpu_micros));
    row(&format!("{name}, jobs/s"), rate.0, rate.1, Better::More);
    row("  CPU per job, µs", cpu.0, cpu.1, Better::Less);
}

/// A line of a table: the first figure, the second if there is one, and their ratio, above 1 if the first is better.
pub(super) fn row(name: &str, ours: f64, theirs: Option<f64>, better: Better) {
    let figure = |value: f64| match value {
        ..1.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    };
    let ratio = theirs.map(|theirs| match better {
        Better::More => ours / theirs,
        Better::Less => theirs / ours,
    });
    let ratio = ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.1} x"));
    println!("{name:<44}{:>12}{:>12}{ratio:>10}", figure(ours), theirs.map_or_else(|| "-".to_owned(), figure));
}

fn median(costs: &[Cost], figure: impl Fn(&Cost) -> f64) -> f64 {
    let mut figures: Vec<f64> = costs.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    percentile(&figures, 0.5)
}

/// The value that this part of all is not above, by the nearest rank.
pub(super) fn percentile(sorted: &[f64], part: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let rank = (part * sorted.len() as f64).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to the count")]
    let index = (rank as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_of_the_nearest_rank() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        let whole = |part| format!("{:.0}", percentile(&hundred, part));
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(whole), ["1", "50", "99", "100"]);
        assert_eq!(format!("{:.0}", percentile(&[7.0], 0.5)), "7");
        assert!(percentile(&[], 0.5).is_nan());
    }
}
