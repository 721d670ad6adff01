//! Maps wall-clock times to instants, by the rule of Debian's cron where the clocks change.

use super::cron::Cron;
use super::wall::Wall;
use super::zone::Zone;

/// Seconds. Larger than the offset of any zone from UTC, and than any change of one.
const FARTHEST: i64 = 2 * 86_400;

/// 9999-12-31T23:59:59Z, the last instant at which anything is due.
const LAST: i64 = 253_402_300_799;

/// Returns the first instant at or after `from` at which the expression is due in the zone. Both are in seconds.
pub(super) fn first_from(cron: &Cron, zone: &Zone, from: i64) -> Option<i64> {
    let due = if cron.is_fixed() { fixed(cron, zone, from) } else { elapsed(cron, zone, from) };
    due.filter(|due| *due <= LAST)
}

/// A fixed job runs once for each of its times: on the first pass of a repeated time, and at the first instant after a gap for
/// all times in the gap.
fn fixed(cron: &Cron, zone: &Zone, from: i64) -> Option<i64> {
    // Starts from the clock of a second ago, so that the times in a gap that ends here are due here, and a second pass that
    // starts here is left out.
    let mut wall = Wall(from + zone.span_at(from - 1).offset);
    loop {
        let named = cron.next(wall)?;
        let due = instant_of(zone, named);
        if due >= from {
            return Some(due);
        }
        // This is the second pass: all times that the clock showed before it was set back have run.
        let first_pass = zone.span_at(due);
        wall = Wall((named.0 + 1).max(first_pass.until.saturating_add(first_pass.offset)));
    }
}

/// Returns the first instant at which the clock shows this time or, if it never does, the first after the gap.
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

/// Any other job is due whenever the clock shows one of its times: never in a gap, and on both passes of an overlap.
fn elapsed(cron: &Cron, zone: &Zone, from: i64) -> Option<i64> {
    let mut start = from;
    // A time, and the first time at or after it that the expression names.
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
        // Skips changes on the way to a distant day, once the clock cannot fall back before what is known.
        let is_settled = shown.0 - since.0 > FARTHEST;
        start = if is_settled { span.until.max(named.0 - FARTHEST) } else { span.until };
        if start > LAST {
            return None;
        }
    }
}
