//! Occurrences in local time, with notes where the clocks change.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clock;
use super::cron::Cron;
use super::occurrences::Cadence;
use super::wall::Wall;
use super::zone::{Change, Zone};
use crate::time::UnixMillis;

/// An occurrence in the local time of its zone.
///
/// ```
/// use carillon_core::cadence::{Cadence, DstNote, Repeat};
/// use carillon_core::time::UnixMillis;
/// let at = |text| UnixMillis::from_rfc3339(text).unwrap();
/// let nightly = Repeat { cron: Some("30 2 * * *".into()), tz: Some("Europe/Amsterdam".into()), ..Repeat::default() };
/// let nightly = Cadence::of(&nightly, at("2026-01-01T00:00:00Z"));
/// let explained = nightly.explain(at("2026-03-29T01:00:00Z"));
/// assert_eq!((explained.local.as_str(), explained.utc_offset.as_str()), ("2026-03-29T03:00:00", "+02:00"));
/// assert_eq!(explained.dst, Some(DstNote::MovedOutOfGap { from: "2026-03-29T02:30:00".into() }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    /// The date and time that the clock shows, such as `2026-03-29T03:00:00`.
    pub local: String,
    /// The offset of that clock from UTC, such as `+02:00`.
    pub utc_offset: String,
    /// The zone's IANA name.
    pub zone: String,
    /// The effect of a change of the clocks on this occurrence, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst: Option<DstNote>,
}

/// The effect of a change of the clocks on an occurrence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum DstNote {
    /// The clock skips its time, so it runs at the first instant after the gap.
    MovedOutOfGap {
        /// The skipped time; the first if there are several.
        from: String,
    },
    /// The clock shows its time twice, and it runs on the first pass only.
    FirstPassOnly,
    /// The clock shows its time twice, and it runs both times.
    BothPasses {
        /// The pass of this occurrence, 1 or 2.
        pass: u8,
    },
    /// Occurrences between the previous one and this one are in a gap and do not run.
    DroppedByGap {
        /// The number of them, at most [`Cadence::MAX_COUNTED`].
        count: u64,
    },
}

impl Cadence {
    /// Describes an occurrence in local time. Any other instant is described without a note.
    pub fn explain(&self, at: UnixMillis) -> Explained {
        let second = at.0.div_euclid(1_000);
        let offset = self.zone().span_at(second).offset;
        let is_match = at.0.rem_euclid(1_000) == 0 && self.next_match(at) == Some(at);
        Explained {
            local: Wall(second.saturating_add(offset)).to_string(),
            utc_offset: offset_text(offset),
            zone: self.zone().name().to_owned(),
            dst: self.cron().filter(|_| is_match).and_then(|cron| note(cron, self.zone(), second)),
        }
    }
}

/// Formats an offset as `+02:00`, with seconds for historical offsets that have them.
fn offset_text(offset: i64) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let (hours, minutes, seconds) = (offset.abs() / 3_600, offset.abs() / 60 % 60, offset.abs() % 60);
    let seconds = if seconds == 0 { String::new() } else { format!(":{seconds:02}") };
    format!("{sign}{hours:02}:{minutes:02}{seconds}")
}

fn note(cron: &Cron, zone: &Zone, at: i64) -> Option<DstNote> {
    let span = zone.span_at(at);
    let shown = Wall(at + span.offset);
    if let Some(change) = zone.change_until(at) {
        if let Some(from) = moved(cron, change, at) {
            return Some(DstNote::MovedOutOfGap { from: from.to_string() });
        }
        if at < change.at + (change.before - change.after) {
            return (!cron.is_fixed()).then_some(DstNote::BothPasses { pass: 2 });
        }
    }
    if span.until < i64::MAX {
        let next = zone.span_at(span.until).offset;
        if next < span.offset && shown.0 >= span.until + next {
            return Some(if cron.is_fixed() { DstNote::FirstPassOnly } else { DstNote::BothPasses { pass: 1 } });
        }
    }
    if cron.is_fixed() {
        return None;
    }
    let count = dropped(cron, zone, at);
    (count > 0).then_some(DstNote::DroppedByGap { count })
}

/// Returns the first time of a fixed job in the gap that ends at this instant.
fn moved(cron: &Cron, change: Change, at: i64) -> Option<Wall> {
    let gap = gap(change).filter(|_| cron.is_fixed() && change.at == at)?;
    cron.next(gap.start).filter(|named| *named < gap.end)
}

fn gap(change: Change) -> Option<std::ops::Range<Wall>> {
    (change.after > change.before).then(|| Wall(change.at + change.before)..Wall(change.at + change.after))
}

/// Counts the times of the expression that fell into gaps since the previous occurrence.
fn dropped(cron: &Cron, zone: &Zone, at: i64) -> u64 {
    let mut count = 0;
    let mut until = at;
    // Goes back over the changes after which this is the next occurrence: 80 for a day that comes once in 40 years.
    for _ in 0..100 {
        let Some(change) = zone.change_until(until) else { break };
        if clock::first_from(cron, zone, change.at) != Some(at) {
            break;
        }
        if let Some(gap) = gap(change) {
            let mut named = cron.next(gap.start);
            while let Some(wall) = named.filter(|wall| *wall < gap.end)
                && count < Cadence::MAX_COUNTED
            {
                count += 1;
                named = cron.next(Wall(wall.0 + 1));
            }
        }
        until = change.at - 1;
    }
    count
}
