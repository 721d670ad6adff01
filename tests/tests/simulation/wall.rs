//! When a cron expression in a zone is due: by looking at the zone's clock in every minute of a few days.
//!
//! No search and no arithmetic of zones, so nothing of what the crate does is done again here. It knows the expressions that
//! a plan draws, and no others.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use carillon_core::time::UnixMillis;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// Instants by expression, zone and day.
type Instants = BTreeMap<(String, String, i64), Rc<[i64]>>;

thread_local! {
    /// Known results.
    static LOOKED_UP: RefCell<Instants> = RefCell::default();
}

/// The instants of an expression around one, in order: of three days before and thirteen after it.
pub(crate) fn instants(cron: &str, tz: &str, around: UnixMillis) -> Rc<[i64]> {
    let day = around.0.div_euclid(DAY_MS);
    let key = (cron.to_owned(), tz.to_owned(), day);
    let known = LOOKED_UP.with_borrow(|known| known.get(&key).cloned());
    known.unwrap_or_else(|| {
        let found: Rc<[i64]> = look_up(cron, tz, (day - 3) * DAY_MS, (day + 13) * DAY_MS).into();
        LOOKED_UP.with_borrow_mut(|known| known.insert(key, Rc::clone(&found)));
        found
    })
}

/// By how much the clocks of a zone were set forward between two instants, seconds.
pub(crate) fn set_forward(tz: &str, from: UnixMillis, until: UnixMillis) -> i32 {
    let zone = TimeZone::get(tz).expect("a zone of the database");
    let offset = |at: UnixMillis| {
        zone.to_offset(Timestamp::from_millisecond(at.0).expect("an instant of this century")).seconds()
    };
    offset(until) - offset(from)
}

fn look_up(cron: &str, tz: &str, from: i64, until: i64) -> Vec<i64> {
    let zone = TimeZone::get(tz).expect("a zone of the database");
    let shown = |at: i64| -> DateTime {
        zone.to_datetime(Timestamp::from_millisecond(at).expect("an instant of this century"))
    };
    let minutes = (from..until).step_by(60_000);
    let is_fixed = !cron.split(' ').take(2).any(|field| field.starts_with('*'));
    if !is_fixed {
        return minutes.filter(|at| is_named(cron, &shown(*at))).collect();
    }
    // Each time of the wall that is named has its run once: when it is first shown, or by the first instant that shows a later
    // one, as the clocks were put forward over it.
    let mut found = BTreeSet::new();
    let mut latest = shown(from);
    for at in minutes.skip(1) {
        let now = shown(at);
        let mut minute = latest;
        while minute < now {
            minute = minute.saturating_add(jiff::Span::new().minutes(1));
            if is_named(cron, &minute) {
                found.insert(at);
            }
        }
        latest = latest.max(now);
    }
    found.into_iter().collect()
}

/// True if an expression matches the wall clock.
fn is_named(cron: &str, shown: &DateTime) -> bool {
    let (hour, minute) = (shown.hour(), shown.minute());
    match cron {
        "30 2 * * *" => (hour, minute) == (2, 30),
        "10,40 1,2,3 * * *" => matches!((hour, minute), (1..=3, 10 | 40)),
        "15 * * * *" => minute == 15,
        "*/20 1-3 * * *" => matches!((hour, minute), (1..=3, 0 | 20 | 40)),
        other => unreachable!("no plan draws {other}"),
    }
}
