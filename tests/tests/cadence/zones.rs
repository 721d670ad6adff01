//! Every zone, around every change of its clocks from 1990 to 2100.
//!
//! The expected values are worked out the long way: every quarter of an hour that a clock could show is asked of jiff, which says
//! whether it is shown once, twice or never.

use std::collections::{BTreeSet, HashSet};

use carillon_core::cadence::{Cadence, Zone};
use carillon_core::time::UnixMillis;
use jiff::civil::{DateTime, date};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

use crate::cadence;

const QUARTER: SignedDuration = SignedDuration::from_mins(15);
const AROUND: SignedDuration = SignedDuration::from_hours(4);

/// An expression, and the same in Rust.
struct Job {
    cron: &'static str,
    is_fixed: bool,
    names: fn(DateTime) -> bool,
}

const JOBS: [Job; 5] = [
    Job { cron: "*/15 * * * *", is_fixed: false, names: |_| true },
    Job { cron: "15,45 */2 * * *", is_fixed: false, names: |at| matches!(at.minute(), 15 | 45) && at.hour() % 2 == 0 },
    Job { cron: "0,15,30,45 0-23 * * *", is_fixed: true, names: |_| true },
    Job {
        cron: "30 0,1,2,3,22,23 * * *",
        is_fixed: true,
        names: |at| at.minute() == 30 && matches!(at.hour(), 0..=3 | 22 | 23),
    },
    Job {
        cron: "45 0-5 * * 0,6",
        is_fixed: true,
        names: |at| at.minute() == 45 && at.hour() <= 5 && matches!(at.weekday().to_sunday_zero_offset(), 0 | 6),
    },
];

/// Zones whose clocks differ: most names are only other names.
fn zones() -> Vec<TimeZone> {
    let database = TimeZoneDatabase::bundled();
    let mut seen = HashSet::new();
    let zones = Zone::names().map(|name| database.get(name).unwrap());
    zones.filter(|zone| seen.insert(changes(zone))).collect()
}

/// The changes of the offset, with the offset before.
fn changes(zone: &TimeZone) -> Vec<(Timestamp, Offset)> {
    let [from, until] = [1990, 2100].map(|year| Offset::UTC.to_timestamp(date(year, 1, 1).at(0, 0, 0, 0)).unwrap());
    let mut before = zone.to_offset(from);
    let mut changes = Vec::new();
    for change in zone.following(from).take_while(|change| change.timestamp() < until) {
        if change.offset() != before {
            changes.push((change.timestamp(), before));
            before = change.offset();
        }
    }
    changes
}

/// The instants around a change at which the job is due.
fn expected(job: &Job, zone: &TimeZone, at: Timestamp, before: Offset) -> BTreeSet<Timestamp> {
    let shown =
        [zone.to_datetime(at - AROUND), before.to_datetime(at), zone.to_datetime(at), zone.to_datetime(at + AROUND)];
    let (first, last) = (shown.iter().min().unwrap(), shown.iter().max().unwrap());
    let mut wall = first.date().at(0, 0, 0, 0);
    let mut due = BTreeSet::new();
    while wall <= *last {
        if (job.names)(wall) {
            let instant = |offset: Offset| offset.to_timestamp(wall).unwrap();
            match zone.to_ambiguous_timestamp(wall).offset() {
                AmbiguousOffset::Unambiguous { offset } => due.extend([instant(offset)]),
                AmbiguousOffset::Fold { before, .. } if job.is_fixed => due.extend([instant(before)]),
                AmbiguousOffset::Fold { before, after } => due.extend([instant(before), instant(after)]),
                // Around this change there is no gap but this one.
                AmbiguousOffset::Gap { .. } => due.extend(Some(at).filter(|_| job.is_fixed)),
            }
        }
        wall += QUARTER;
    }
    due.into_iter().filter(|due| at - AROUND < *due && *due < at + AROUND).collect()
}

/// These occurrences by the cadence, which never runs backwards.
fn found(cadence: &Cadence, at: Timestamp) -> BTreeSet<Timestamp> {
    let mut last = UnixMillis((at - AROUND).as_millisecond());
    let mut due = BTreeSet::new();
    while let Some(next) = cadence.next_after(last) {
        assert!(next > last, "{next} comes after {last}");
        if next.0 >= (at + AROUND).as_millisecond() {
            break;
        }
        due.insert(Timestamp::from_millisecond(next.0).unwrap());
        last = next;
    }
    due
}

#[test]
fn around_every_change_of_every_zone_the_rule_holds() {
    let mut compared = 0;
    for zone in zones() {
        let name = zone.iana_name().unwrap();
        let cadences = JOBS.map(|job| (cadence(job.cron, name), job));
        for (at, before) in changes(&zone) {
            for (cadence, job) in &cadences {
                let (found, expected) = (found(cadence, at), expected(job, &zone, at, before));
                assert_eq!(found, expected, "{} in {name} around {at}", job.cron);
            }
            compared += 1;
        }
    }
    assert!(compared > 10_000, "{compared}");
}

#[test]
fn a_fixed_job_runs_at_most_once_for_a_date_and_time_and_never_misses_a_day() {
    for zone in zones() {
        let name = zone.iana_name().unwrap();
        let Some((first, _)) = changes(&zone).first().copied() else { continue };
        // The times at which most clocks are set.
        for cron in ["30 2 * * *", "0 0 * * *", "30 0 * * *", "30 1 * * *", "30 23 * * *"] {
            let cadence = cadence(cron, name);
            let mut last = UnixMillis(first.as_millisecond() - 86_400_000);
            let mut shown = zone.to_datetime(first - SignedDuration::from_hours(24));
            for _ in 0..400 {
                let next = cadence.next_after(last).unwrap();
                let reading = zone.to_datetime(Timestamp::from_millisecond(next.0).unwrap());
                assert!(next > last && reading > shown, "{cron} in {name}: {reading} after {shown}");
                let days = shown.date().duration_until(reading.date()).as_hours() / 24;
                // A day that a zone left out is no day to run on.
                assert!(days <= 2, "{cron} in {name}: {reading} after {shown}");
                (last, shown) = (next, reading);
            }
        }
    }
}
