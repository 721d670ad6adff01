//! The figures as a table, next to the baseline.

use std::thread::available_parallelism;

use super::Sizes;
use super::embedded::Figures;
use super::meter::Cost;

/// BullMQ 6.7 on Redis 7 (appendfsync everysec), as measured on a machine of this kind. Its acknowledged jobs survive the end
/// of its process, as ours do here.
mod bullmq {
    pub(super) const ADDED_PER_SECOND: f64 = 22_000.0;
    pub(super) const ADD_CPU_MICROS: f64 = 45.0;
    pub(super) const PROCESSED_PER_SECOND: f64 = 12_000.0;
    pub(super) const PROCESS_CPU_MICROS: f64 = 75.0;
    pub(super) const LATENESS_P50_MS: f64 = 48.0;
    pub(super) const LATENESS_P99_MS: f64 = 96.0;
}

/// Which way is better.
#[derive(Clone, Copy)]
enum Better {
    More,
    Less,
}

/// Prints the table.
pub fn print(figures: &Figures, sizes: Sizes) {
    println!("\nCarillon embedded on {}, durability: process (an acknowledged job survives kill -9)", machine());
    println!(
        "median of {} rounds; {} jobs from {} callers, run {} at a time; the store commits together what waits for it\n",
        sizes.rounds, sizes.jobs, sizes.callers, sizes.concurrency
    );
    println!("{:<44}{:>12}{:>12}{:>10}", "", "Carillon", "BullMQ 6.7", "ratio");
    rates("schedule and store", &figures.scheduled, bullmq::ADDED_PER_SECOND, bullmq::ADD_CPU_MICROS);
    rates("run to completion", &figures.run, bullmq::PROCESSED_PER_SECOND, bullmq::PROCESS_CPU_MICROS);
    let lateness = |part: f64| percentile(&figures.lateness_ms, part);
    let over = sizes.timed_over_ms / 1_000;
    let jobs = sizes.timed_jobs;
    row(
        &format!("lateness of {jobs} jobs over {over} s, p50, ms"),
        lateness(0.5),
        Some(bullmq::LATENESS_P50_MS),
        Better::Less,
    );
    row("  p99, ms", lateness(0.99), Some(bullmq::LATENESS_P99_MS), Better::Less);
    row("  largest, ms", lateness(1.0), None, Better::Less);
    let name = format!("POST /v1/jobs, {} connections, jobs/s", sizes.connections);
    row(&name, median(&figures.posted, Cost::per_second), None, Better::More);
    row("  CPU per job, callers included, µs", median(&figures.posted, Cost::cpu_micros), None, Better::Less);
    println!("\nA ratio above 1 is in Carillon's favour.");
}

/// What the figures depend on first.
pub(super) fn machine() -> String {
    let cores = available_parallelism().map_or(1, usize::from);
    format!("{cores} cores ({}, {})", std::env::consts::ARCH, std::env::consts::OS)
}

fn rates(name: &str, costs: &[Cost], per_second: f64, cpu_micros: f64) {
    row(&format!("{name}, jobs/s"), median(costs, Cost::per_second), Some(per_second), Better::More);
    row("  CPU per job, µs", median(costs, Cost::cpu_micros), Some(cpu_micros), Better::Less);
}

fn row(name: &str, ours: f64, theirs: Option<f64>, better: Better) {
    let figure = |value: f64| if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") };
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
