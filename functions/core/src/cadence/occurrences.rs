//! The occurrences of a recurring job.

use super::clock;
use super::cron::Cron;
use super::repeat::Repeat;
use super::zone::Zone;
use crate::time::UnixMillis;

/// The occurrences of a [`Repeat`] with the job's `start_at`, in order.
///
/// They are `start_at` if `immediately`, and the matches of `cron` at or after it, or `start_at` + n × `every` for n from 0.
/// None is after `endDate`. `limit` is ignored, because the caller counts the runs.
#[derive(Clone, Debug)]
pub struct Cadence {
    start_at: UnixMillis,
    last: UnixMillis,
    immediately: bool,
    cron: Option<Cron>,
    /// Milliseconds, at least 1.
    every: Option<i64>,
    zone: Zone,
}

impl Cadence {
    /// [`Cadence::count_between`] counts the matches of a cron expression up to this many.
    pub const MAX_COUNTED: u64 = 10_000;

    /// Parses a repeat. If its expression or zone is invalid, `every` applies; without `every`, there is no occurrence.
    pub fn of(repeat: &Repeat, start_at: UnixMillis) -> Self {
        let zone = repeat.tz.as_deref().map_or(Ok(Zone::UTC), Zone::find).ok();
        let cron = repeat.cron.as_deref().filter(|_| zone.is_some()).and_then(|cron| Cron::parse(cron).ok());
        Self {
            start_at,
            last: repeat.end_date.unwrap_or(UnixMillis::MAX).min(UnixMillis::MAX),
            immediately: repeat.immediately,
            cron,
            every: repeat.every.and_then(|every| i64::try_from(every).ok()).filter(|every| *every > 0),
            zone: zone.unwrap_or(Zone::UTC),
        }
    }

    /// Returns the first occurrence at or after `from`.
    pub fn next_from(&self, from: UnixMillis) -> Option<UnixMillis> {
        let from = from.max(self.start_at);
        if self.immediately && from == self.start_at {
            return Some(from).filter(|at| *at <= self.last);
        }
        let next = self.next_match(from).or_else(|| self.next_interval(from));
        next.filter(|at| *at <= self.last)
    }

    /// Returns the first occurrence after `after`.
    pub fn next_after(&self, after: UnixMillis) -> Option<UnixMillis> {
        self.next_from(UnixMillis(after.0.checked_add(1)?))
    }

    /// Counts the occurrences after `after` and before `before`: for a cron expression at most [`Cadence::MAX_COUNTED`],
    /// otherwise exactly.
    pub fn count_between(&self, after: UnixMillis, before: UnixMillis) -> u64 {
        if let (None, Some(every)) = (&self.cron, self.every) {
            return self.intervals_between(every, after, before);
        }
        let mut count = 0;
        let mut last = after;
        while count < Self::MAX_COUNTED {
            match self.next_after(last).filter(|at| *at < before) {
                Some(at) => last = at,
                None => break,
            }
            count += 1;
        }
        count
    }

    fn intervals_between(&self, every: i64, after: UnixMillis, before: UnixMillis) -> u64 {
        let wide = |at: UnixMillis| i128::from(at.0);
        let (start, every) = (wide(self.start_at), i128::from(every));
        // Intervals from `start_at` to the first and to the last occurrence in between.
        let first = (wide(after) - start).div_euclid(every).saturating_add(1).max(0);
        let last = (wide(before).saturating_sub(1).min(wide(self.last)) - start).div_euclid(every);
        u64::try_from(last - first + 1).unwrap_or(0)
    }

    fn next_interval(&self, from: UnixMillis) -> Option<UnixMillis> {
        let every = self.every?;
        // The callers pass no instant before `start_at`.
        let passed = i128::from(from.0) - i128::from(self.start_at.0);
        let to_go = (-passed).rem_euclid(i128::from(every));
        i64::try_from(i128::from(from.0) + to_go).ok().map(UnixMillis)
    }

    pub(super) fn next_match(&self, from: UnixMillis) -> Option<UnixMillis> {
        // Whole seconds from 1970 on.
        let second = from.0.max(0).div_euclid(1_000) + i64::from(from.0.max(0) % 1_000 != 0);
        let due = clock::first_from(self.cron.as_ref()?, &self.zone, second.min(UnixMillis::MAX.0 / 1_000 + 1))?;
        Some(UnixMillis(due * 1_000))
    }

    pub(super) fn cron(&self) -> Option<&Cron> {
        self.cron.as_ref()
    }

    pub(super) fn zone(&self) -> &Zone {
        &self.zone
    }
}
