//! Properties of every cadence.

mod days;
mod hostile;
mod notes;

use super::*;
use crate::time::UnixMillis;
use proptest::prelude::*;

fn at(text: &str) -> UnixMillis {
    UnixMillis::from_rfc3339(text).unwrap()
}

fn cron(cron: &str, zone: &str) -> Repeat {
    Repeat { cron: Some(cron.into()), tz: Some(zone.into()), ..Repeat::default() }
}

fn every(every: u64) -> Repeat {
    Repeat { every: Some(every), ..Repeat::default() }
}

#[test]
fn the_first_occurrence_is_never_before_start_at_nor_the_last_after_the_end() {
    let start = at("2026-03-29T00:59:59.999Z");
    let repeat = Repeat { end_date: Some(at("2026-03-30T00:30:00Z")), ..cron("30 2 * * *", "Europe/Amsterdam") };
    let cadence = Cadence::of(&repeat, start);
    assert_eq!(cadence.next_from(UnixMillis(i64::MIN)), Some(at("2026-03-29T01:00:00Z")));
    assert_eq!(cadence.next_after(at("2026-03-29T01:00:00Z")), repeat.end_date);
    assert_eq!(cadence.next_after(at("2026-03-30T00:30:00Z")), None);
    assert_eq!(cadence.next_from(UnixMillis(i64::MAX)), None);
    let ended = Repeat { immediately: true, end_date: Some(start.plus(-1)), ..repeat };
    assert_eq!(Cadence::of(&ended, start).next_from(start), None);
}

#[test]
fn immediately_is_one_occurrence_at_start_at() {
    let start = at("2026-01-15T09:00:00.250Z");
    let cadence = Cadence::of(&Repeat { immediately: true, ..cron("0 10 * * *", "UTC") }, start);
    assert_eq!(cadence.next_from(at("2020-01-01T00:00:00Z")), Some(start));
    assert_eq!(cadence.next_after(start), Some(at("2026-01-15T10:00:00Z")));
    assert_eq!(cadence.count_between(start.plus(-1), at("2026-01-17T10:00:00Z")), 3);
    let interval = Cadence::of(&Repeat { immediately: true, ..every(1_000) }, start);
    assert_eq!(interval.next_from(start), Some(start));
    assert_eq!(interval.count_between(start.plus(-1), start.plus(1_000)), 1);
}

#[test]
fn every_takes_over_only_where_there_is_no_expression() {
    let start = at("2026-01-15T09:00:00.001Z");
    for wrong in ["", "* * * *", "0 0 31 4 *"] {
        let both = Repeat { every: Some(1_500), ..cron(wrong, "UTC") };
        assert_eq!(Cadence::of(&both, start).next_after(start), Some(start.plus(1_500)), "{wrong}");
        assert_eq!(Cadence::of(&cron(wrong, "UTC"), start).next_from(start), None, "{wrong}");
    }
    let both = Repeat { every: Some(1_500), ..cron("@daily", "UTC") };
    assert_eq!(Cadence::of(&both, start).next_after(start), Some(at("2026-01-16T00:00:00Z")));
    assert_eq!(Cadence::of(&cron("@daily", "Nowhere"), start).next_from(start), None);
    assert_eq!(Cadence::of(&Repeat::default(), start).next_from(start), None);
    assert_eq!(Cadence::of(&every(0), start).next_from(start), None);
}

#[test]
fn cadences_end_with_the_calendar() {
    let eve = at("9999-12-31T00:00:00Z");
    for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Niue", "Europe/Amsterdam"] {
        let hourly = Cadence::of(&cron("@hourly", zone), eve);
        assert_eq!(hourly.count_between(eve, UnixMillis::MAX), 23, "{zone}");
        assert_eq!(hourly.next_after(at("9999-12-31T23:00:00Z")), None);
    }
    let leap = Cadence::of(&cron("0 0 29 2 *", "Europe/Amsterdam"), UnixMillis(0));
    assert_eq!(leap.next_after(at("9996-02-28T23:00:00Z")), None);
    let interval = Cadence::of(&every(1_000), eve);
    assert_eq!(interval.next_from(at("9999-12-31T23:59:59Z")), Some(at("9999-12-31T23:59:59Z")));
    assert_eq!(interval.next_after(at("9999-12-31T23:59:59Z")), None);
}

#[test]
fn counts_are_exact_for_intervals_and_bounded_for_expressions() {
    let start = UnixMillis(0);
    let interval = Cadence::of(&every(1_000), start);
    assert_eq!(interval.count_between(UnixMillis(-1), UnixMillis::MAX), 253_402_300_800);
    assert_eq!(interval.count_between(UnixMillis(0), UnixMillis(1_000)), 0);
    assert_eq!(interval.count_between(UnixMillis(5_000), UnixMillis(4_000)), 0);
    assert_eq!(interval.count_between(UnixMillis(i64::MIN), UnixMillis(i64::MAX)), 253_402_300_800);
    let seconds = Cadence::of(&cron("* * * * * *", "UTC"), start);
    assert_eq!(seconds.count_between(start, UnixMillis(10_000_000)), 9_999);
    assert_eq!(seconds.count_between(start, UnixMillis::MAX), Cadence::MAX_COUNTED);
}

#[test]
fn a_rare_day_is_found_across_many_changes_of_the_clocks() {
    // The 29th of February on a Monday, by the rule for day fields that start with a star.
    let rare = Cadence::of(&cron("*/20 2 */28 2 1#5", "America/Nuuk"), UnixMillis(0));
    let found = rare.next_from(at("2025-01-01T00:00:00Z")).unwrap();
    assert_eq!(rare.explain(found).local, "2044-02-29T02:00:00");
}

proptest! {
    #[test]
    fn intervals_are_counted_as_they_are_named(
        start in 0..1_000_000_i64, every_ms in 1_000..100_000_u64, after in 0..2_000_000_i64, length in 0..2_000_000_i64,
        end in prop::option::of(0..4_000_000_i64),
    ) {
        let repeat = Repeat { end_date: end.map(UnixMillis), ..every(every_ms) };
        let cadence = Cadence::of(&repeat, UnixMillis(start));
        let before = UnixMillis(after + length);
        let named = std::iter::successors(cadence.next_after(UnixMillis(after)), |last| cadence.next_after(*last));
        let named: Vec<_> = named.take_while(|at| *at < before).collect();
        prop_assert_eq!(cadence.count_between(UnixMillis(after), before), named.len() as u64);
        for at in named {
            prop_assert!(at.0 >= start && (at.0 - start) % i64::try_from(every_ms).unwrap() == 0);
            prop_assert_eq!(cadence.next_from(at), Some(at));
        }
    }
}
