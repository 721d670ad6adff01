//! Notes on occurrences where the clocks change.

use super::{Cadence, DstNote, at, cron, every};
use crate::time::UnixMillis;

fn notes(expression: &str, zone: &str, start: &str, count: usize) -> Vec<(String, Option<DstNote>)> {
    let cadence = Cadence::of(&cron(expression, zone), UnixMillis(0));
    let all = std::iter::successors(cadence.next_from(at(start)), |last| cadence.next_after(*last));
    all.take(count).map(|at| cadence.explain(at)).map(|it| (it.local[5..16].to_owned(), it.dst)).collect()
}

#[test]
fn a_fixed_job_is_moved_out_of_a_gap_and_runs_on_the_first_pass() {
    let found = notes("0,30 2,3 * * *", "Europe/Amsterdam", "2026-03-29T00:00:00Z", 3);
    let moved = DstNote::MovedOutOfGap { from: "2026-03-29T02:00:00".to_owned() };
    let expected =
        [("03-29T03:00".to_owned(), Some(moved)), ("03-29T03:30".to_owned(), None), ("03-30T02:00".to_owned(), None)];
    assert_eq!(found, expected);
    let found = notes("30 1,2,3 * * *", "Europe/Amsterdam", "2026-10-24T23:00:00Z", 3);
    let expected = [
        ("10-25T01:30".to_owned(), None),
        ("10-25T02:30".to_owned(), Some(DstNote::FirstPassOnly)),
        ("10-25T03:30".to_owned(), None),
    ];
    assert_eq!(found, expected);
}

#[test]
fn any_other_job_says_on_which_pass_it_runs_and_what_a_gap_dropped() {
    let found = notes("30 * * * *", "Australia/Lord_Howe", "2026-04-04T14:00:00Z", 4);
    let both = |pass| Some(DstNote::BothPasses { pass });
    let expected = [
        ("04-05T01:30".to_owned(), both(1)),
        ("04-05T01:30".to_owned(), both(2)),
        ("04-05T02:30".to_owned(), None),
        ("04-05T03:30".to_owned(), None),
    ];
    assert_eq!(found, expected);
    let found = notes("*/20 * * * *", "Europe/Amsterdam", "2026-03-29T00:40:00Z", 3);
    let dropped = |count| Some(DstNote::DroppedByGap { count });
    let expected =
        [("03-29T01:40".to_owned(), None), ("03-29T03:00".to_owned(), dropped(3)), ("03-29T03:20".to_owned(), None)];
    assert_eq!(found, expected);
    // In some years the change takes the only night that the expression names.
    for (after, note) in [("2021-03-29T12:00:00Z", None), ("2025-03-29T12:00:00Z", dropped(2))] {
        let found = notes("*/30 2 29 3 *", "Europe/Amsterdam", after, 2);
        assert_eq!(found, [("03-29T02:00".to_owned(), note), ("03-29T02:30".to_owned(), None)]);
    }
}

#[test]
fn an_interval_and_an_instant_that_is_no_occurrence_have_no_note() {
    let interval = Cadence::of(&every(60_000), UnixMillis(0)).explain(at("2026-03-29T01:00:00Z"));
    assert_eq!((interval.local.as_str(), interval.utc_offset.as_str()), ("2026-03-29T01:00:00", "+00:00"));
    assert_eq!((interval.zone.as_str(), interval.dst), ("UTC", None));
    let nightly = Cadence::of(&cron("30 2 * * *", "America/St_Johns"), UnixMillis(0));
    let explained = nightly.explain(at("2026-01-01T00:00:00.250Z"));
    assert_eq!((explained.local.as_str(), explained.utc_offset.as_str()), ("2025-12-31T20:30:00", "-03:30"));
    assert_eq!((explained.zone.as_str(), explained.dst), ("America/St_Johns", None));
}
