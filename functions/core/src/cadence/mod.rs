//! The occurrences of recurring jobs.
//!
//! Pure arithmetic: a [`Cadence`] is made from a [`Repeat`] and the job's `start_at`, and finds the occurrence after any instant.
//!
//! ```
//! use carillon_core::cadence::{Cadence, Repeat};
//! use carillon_core::time::UnixMillis;
//!
//! fn at(text: &str) -> UnixMillis {
//!     UnixMillis::from_rfc3339(text).unwrap()
//! }
//! fn first(repeat: &str, start_at: &str, count: usize) -> Vec<String> {
//!     let repeat: Repeat = serde_json::from_str(repeat).unwrap();
//!     let cadence = Cadence::of(&repeat, at(start_at));
//!     let all = std::iter::successors(cadence.next_from(at(start_at)), |last| cadence.next_after(*last));
//!     all.take(count).map(|at| at.to_string()).collect()
//! }
//!
//! // Every 24 hours from start_at on; the duration of a run does not matter.
//! let found = first(r#"{"every": 86400000}"#, "2026-01-15T10:20:30Z", 2);
//! assert_eq!(found, ["2026-01-15T10:20:30Z", "2026-01-16T10:20:30Z"]);
//!
//! // Weekly. The caller counts the runs and applies `limit`.
//! let found = first(r#"{"every": 604800000, "limit": 10}"#, "2026-01-15T10:20:30Z", 2);
//! assert_eq!(found, ["2026-01-15T10:20:30Z", "2026-01-22T10:20:30Z"]);
//!
//! // At midnight on the 1st of every month.
//! let found = first(r#"{"cron": "0 0 1 * *"}"#, "2026-01-15T10:20:30Z", 2);
//! assert_eq!(found, ["2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"]);
//!
//! // Daily until endDate, which may be an occurrence itself.
//! let until = r#"{"every": 86400000, "endDate": 1767225600000}"#;
//! assert_eq!(first(until, "2025-12-31T00:00:00Z", 9), ["2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z"]);
//!
//! // Mondays at nine in Amsterdam, in winter and in summer.
//! let found = first(r#"{"cron": "0 9 * * 1", "tz": "Europe/Amsterdam"}"#, "2026-03-20T00:00:00Z", 2);
//! assert_eq!(found, ["2026-03-23T08:00:00Z", "2026-03-30T07:00:00Z"]);
//!
//! // The first match may be start_at itself; `immediately` always makes it an occurrence.
//! let found = first(r#"{"cron": "0 10 * * *"}"#, "2026-01-15T10:00:00Z", 1);
//! assert_eq!(found, ["2026-01-15T10:00:00Z"]);
//! let found = first(r#"{"cron": "0 10 * * *", "immediately": true}"#, "2026-01-15T09:00:00Z", 2);
//! assert_eq!(found, ["2026-01-15T09:00:00Z", "2026-01-15T10:00:00Z"]);
//!
//! // With both, cron takes precedence, unless it is not an expression or never fires.
//! let found = first(r#"{"cron": "@daily", "every": 60000}"#, "2026-01-15T09:00:00Z", 1);
//! assert_eq!(found, ["2026-01-16T00:00:00Z"]);
//! let found = first(r#"{"cron": "0 0 30 2 *", "every": 60000}"#, "2026-01-15T09:00:00Z", 2);
//! assert_eq!(found, ["2026-01-15T09:00:00Z", "2026-01-15T09:01:00Z"]);
//! ```
//!
//! # Expressions
//!
//! Five fields, or six with the second first:
//!
//! | field | values | in addition to `*`, lists `1,2`, ranges `1-5` and steps `*/5`, `1-9/2`, `5/15` |
//! | --- | --- | --- |
//! | second, minute | 0 to 59 | |
//! | hour | 0 to 23 | |
//! | day of month | 1 to 31 | `?` as `*`; `L` the last day, `LW` the last Monday to Friday, `15W` the one nearest to the 15th in its month |
//! | month | 1 to 12, `JAN` to `DEC` | |
//! | day of week | 0 to 7, `SUN` to `SAT`; 0 and 7 are Sunday | `?` as `*`; `5L` the last Friday, `1#3` the third Monday |
//!
//! `5/15` is `5-59/15`. `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight` and `@hourly` replace all five
//! fields. Names and letters may be in lower case. Anything else is an error with its field and character.
//!
//! A day matches if either day field does. If one of them starts with `*` or `?`, both have to match:
//!
//! ```
//! # use carillon_core::cadence::{Cadence, Repeat};
//! # use carillon_core::time::UnixMillis;
//! # fn days(cron: &str) -> Vec<String> {
//! #     let repeat = Repeat { cron: Some(cron.into()), ..Repeat::default() };
//! #     let start = UnixMillis::from_rfc3339("2026-02-01T00:00:00Z").unwrap();
//! #     let cadence = Cadence::of(&repeat, start);
//! #     let all = std::iter::successors(cadence.next_from(start), |last| cadence.next_after(*last));
//! #     all.take(3).map(|at| at.to_string()[..10].to_owned()).collect()
//! # }
//! assert_eq!(days("0 0 13 * 5"), ["2026-02-06", "2026-02-13", "2026-02-20"]);
//! assert_eq!(days("0 0 */2 * 5"), ["2026-02-13", "2026-02-27", "2026-03-13"]);
//! assert_eq!(days("0 0 L * *"), ["2026-02-28", "2026-03-31", "2026-04-30"]);
//! assert_eq!(days("0 0 LW * *"), ["2026-02-27", "2026-03-31", "2026-04-30"]);
//! assert_eq!(days("0 0 1W * *"), ["2026-02-02", "2026-03-02", "2026-04-01"]);
//! assert_eq!(days("0 0 * * 5L"), ["2026-02-27", "2026-03-27", "2026-04-24"]);
//! assert_eq!(days("0 0 * * MON#1,MON#3"), ["2026-02-02", "2026-02-16", "2026-03-02"]);
//! assert_eq!(days("0 0 29 2 *"), ["2028-02-29", "2032-02-29", "2036-02-29"]);
//! ```
//!
//! # Where the clocks change
//!
//! The rule is that of Debian's cron. A job is fixed if neither its minute nor its hour starts with `*`. A time of a fixed job
//! that the clocks skip runs once, at the first instant after the gap, and a time that they repeat runs on the first pass only.
//! Any other job follows elapsed time: it skips the times that the clocks skip, and runs on both passes. Clocks in Amsterdam go
//! from 02:00 to 03:00 on 2026-03-29, and from 03:00 back to 02:00 on 2026-10-25:
//!
//! ```
//! # use carillon_core::cadence::{Cadence, Repeat};
//! # use carillon_core::time::UnixMillis;
//! # fn in_amsterdam(cron: &str, start: &str, count: usize) -> Vec<String> {
//! #     let repeat = Repeat { cron: Some(cron.into()), tz: Some("Europe/Amsterdam".into()), ..Repeat::default() };
//! #     let start = UnixMillis::from_rfc3339(start).unwrap();
//! #     let cadence = Cadence::of(&repeat, start);
//! #     let all = std::iter::successors(cadence.next_from(start), |last| cadence.next_after(*last));
//! #     all.take(count).map(|at| at.to_string()[5..16].to_owned()).collect()
//! # }
//! let (spring, autumn) = ("2026-03-29T00:00:00Z", "2026-10-25T00:00:00Z");
//! assert_eq!(in_amsterdam("30 2 * * *", spring, 2), ["03-29T01:00", "03-30T00:30"]);
//! assert_eq!(in_amsterdam("0,30 2 * * *", spring, 2), ["03-29T01:00", "03-30T00:00"]);
//! assert_eq!(in_amsterdam("*/30 2 * * *", spring, 2), ["03-30T00:00", "03-30T00:30"]);
//! assert_eq!(in_amsterdam("30 2 * * *", autumn, 2), ["10-25T00:30", "10-26T01:30"]);
//! assert_eq!(in_amsterdam("30 * * * *", autumn, 3), ["10-25T00:30", "10-25T01:30", "10-25T02:30"]);
//! ```
//!
//! Code map: `grammar` reads an expression strictly, `days` computes the days of a month that it names, `cron` searches its days
//! and times on a wall clock without a zone, and `clock` maps these times to instants in a zone.
//!
//! Architecture invariant: only `clock` maps wall-clock times to instants.

mod clock;
mod cron;
mod days;
mod explain;
mod fault;
mod grammar;
mod occurrences;
mod repeat;
#[cfg(test)]
mod tests;
mod wall;
mod zone;

pub use cron::Cron;
pub use explain::{DstNote, Explained};
pub use fault::CronFault;
pub use occurrences::Cadence;
pub use repeat::{OnFailure, Repeat};
pub use zone::{Zone, tz_version};
