//! The search for the next occurrence, next to the crate `cron` 0.17.
//!
//! That crate is measured in UTC: it counts weekdays from 1 and leaves zones to others. Its figures stand next to
//! ours in UTC, and in a zone that changes its clocks.

use std::hint::black_box;
use std::str::FromStr as _;

use carillon_core::cadence::{Cadence, Repeat, tz_version};
use carillon_core::time::UnixMillis;
use chrono::DateTime;
use cron::Schedule;

use super::Failure;
use super::meter::Meter;

/// Ours, and the same as the other crate spells it, where it can.
const EXPRESSIONS: [(&str, Option<&str>); 7] = [
    ("* * * * *", Some("0 * * * * *")),
    ("*/15 8-18 * * 1-5", Some("0 */15 8-18 * * 2-6")),
    ("30 2 * * *", Some("0 30 2 * * *")),
    ("0 9 * * 1", Some("0 0 9 * * 2")),
    ("0 0 1 1 *", Some("0 0 0 1 1 *")),
    ("0 0 29 2 *", Some("0 0 0 29 2 *")),
    ("0 0 LW * *", None),
];

const ZONE: &str = "Europe/Amsterdam";

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600;

/// 2090-01-01T00:00:00Z, after which the search starts over: the other crate's calendar ends in 2100.
const END: i64 = 3_786_912_000;

/// Measures and prints.
///
/// # Errors
/// When the other crate refuses an expression.
pub fn run(searches: usize) -> Result<(), Failure> {
    println!("\nns of CPU time for one search, over {searches} searches each; zones from tzdata {}\n", tz_version());
    println!(
        "{:<22}{:>9}{:>18}{:>15}{:>8}{:>8}",
        "",
        "in UTC",
        format!("in {ZONE}"),
        "cron 0.17 UTC",
        "ratio",
        "ratio"
    );
    for (ours, theirs) in EXPRESSIONS {
        let (utc, zoned) = (search(ours, "UTC", searches), search(ours, ZONE, searches));
        let other = theirs.map(|theirs| search_other(theirs, searches)).transpose()?;
        let other = other.map_or_else(
            || format!("{:>15}{:>8}{:>8}", "-", "-", "-"),
            |other| format!("{other:>15.0}{:>7.1}x{:>7.1}x", other / utc, other / zoned),
        );
        println!("{ours:<22}{utc:>9.0}{zoned:>18.0}{other}");
    }
    let meter = Meter::start();
    for _ in 0..1_000 {
        black_box(cadence(black_box("*/15 8-18 * * MON-FRI"), ZONE));
    }
    println!(
        "\nto make one ready: {:.1} µs. The ratios, in UTC and in the zone, above 1 are in our favour.",
        meter.stop(1_000).cpu_micros()
    );
    Ok(())
}

fn cadence(cron: &str, zone: &str) -> Cadence {
    let repeat = Repeat { cron: Some(cron.to_owned()), tz: Some(zone.to_owned()), ..Repeat::default() };
    Cadence::of(&repeat, UnixMillis(0))
}

fn search(cron: &str, zone: &str, searches: usize) -> f64 {
    let cadence = cadence(cron, zone);
    nanoseconds(searches, |last| cadence.next_after(UnixMillis(last * 1_000)).map(|at| at.0 / 1_000))
}

fn search_other(cron: &str, searches: usize) -> Result<f64, Failure> {
    let schedule = Schedule::from_str(cron)?;
    Ok(nanoseconds(searches, |last| {
        let last = DateTime::from_timestamp(last, 0)?;
        schedule.after(&last).next().map(|at| at.timestamp())
    }))
}

fn nanoseconds(searches: usize, next: impl Fn(i64) -> Option<i64>) -> f64 {
    let mut last = START;
    let meter = Meter::start();
    for _ in 0..searches {
        last = black_box(next(black_box(last))).filter(|at| *at < END).unwrap_or(START);
    }
    meter.stop(searches).cpu_micros() * 1_000.0
}
