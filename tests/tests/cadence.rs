//! When a recurring job is due, held to what others found: a corpus on which independent implementations agree, what Debian's
//! cron did in nights when the clocks changed, and another crate where that is right.

#[path = "cadence/command.rs"]
mod command;
#[path = "cadence/corpus.rs"]
mod corpus;
#[path = "cadence/differential.rs"]
mod differential;
#[path = "cadence/zones.rs"]
mod zones;

use carillon_core::cadence::{Cadence, Repeat};
use carillon_core::time::UnixMillis;

/// The expression in a zone, from the beginning of Unix time.
fn cadence(cron: &str, zone: &str) -> Cadence {
    let repeat = Repeat { cron: Some(cron.to_owned()), tz: Some(zone.to_owned()), ..Repeat::default() };
    Cadence::of(&repeat, UnixMillis(0))
}

fn instant(text: &str) -> UnixMillis {
    UnixMillis::from_rfc3339(text).unwrap_or_else(|| panic!("{text} is no instant"))
}

/// The occurrences after an instant.
fn after(cadence: &Cadence, start: UnixMillis) -> impl Iterator<Item = UnixMillis> {
    std::iter::successors(cadence.next_after(start), |last| cadence.next_after(*last))
}
