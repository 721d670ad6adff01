//! From times on the wall to instants: the rule of Debian's cron where the clocks change.

use super::cron::Cron;
use super::wall::Wall;
use super::zone::Zone;

/// More than any zone is away from UTC, or changes at once, in seconds.
const FARTHEST: i64 = 2 * 86_400;

/// 9999-12-31T23:59:59Z: nothing is due later.
const LAST: i64 = 253_402_300_799;

/// The first instant, in seconds, at or after `from` at which the expression is due in the zone.
pub(super) fn first_from(cron: &Cron, zone: &Zone, from: i64) -> Option<i64> {
    let due = if cron.is_fixed() { fixed(cron, zone, from) } else { elapsed(cron, zone, from) };
    due.filter(|due| *due <= LAST)
}

/// A job of fixed times runs once for each of them: on the first pass of a time that is repeated, and at the first instant
/// after a gap for all times that fell into it.
fn fixed(cron: &Cron, zone: &Zone, from: i64) -> Option<i64> {
    // By the clock as it was a second ago: the times of a gap that ends here are due here, and a second pass that starts here
    // is left out.
    let mut wall = Wall(from + zone.span_at(from - 1).offset);
    loop {
        let named = cron.next(wall)?;
        let due = instant_of(zone, named);
        if due >= from {
            return Some(due);
        }
        // This is the second pass: whatever the clock showed before it was set back has run.
        let first_pass = zone.span_at(due);
        wall = Wall((named.0 + 1).max(first_pass.until.saturating_add(first_pass.offset)));
    }
}

/// The first instant at which the clock shows this time or, if it never does, the first after the gap.
pub(super) fn instant_of(zone: &Zone, wall: Wall) -> i64 {
    let mut start = wall.0 - FARTHEST;
    loop {
        let span = zone.span_at(start);
        let shown = wall.0 - span.offset;
        if shown < span.until {
            return shown.max(start);
        }
        start = span.until;
    }
}

/// Any other job is due whenever the clock shows a time that it names: never in a gap, on both passes of an overlap.
fn elapsed(cron: &Cron, zone: &Zone, from: i64) -> Option<i64> {
    let mut start = from;
    // From the first of these times to the second, which is named, none is.
    let mut known: Option<(Wall, Wall)> = None;
    loop {
        let span = zone.span_at(start);
        let shown = Wall(start + span.offset);
        let (since, named) = match known {
            Some((since, named)) if since <= shown && shown <= named => (since, named),
            _ => (shown, cron.next(shown)?),
        };
        let due = named.0 - span.offset;
        if due < span.until {
            return Some(due);
        }
        known = Some((since, named));
        // A far-off day is not reached change by change, once the clock cannot fall back before what is known.
        let is_settled = shown.0 - since.0 > FARTHEST;
        start = if is_settled { span.until.max(named.0 - FARTHEST) } else { span.until };
        if start > LAST {
            return None;
        }
    }
}
