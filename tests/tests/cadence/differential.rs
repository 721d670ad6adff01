//! The crate `cron`, where it is right: numbers only, one day field restricted, in UTC, its weekdays counted from 1.

use std::str::FromStr as _;

use carillon_core::time::UnixMillis;
use chrono::DateTime;
use cron::Schedule;
use proptest::prelude::*;

use crate::{after, cadence};

/// `*`, or a list of numbers, ranges and steps, for one field.
fn field(least: u8, most: u8) -> impl Strategy<Value = String> {
    let number = least..=most;
    // It refuses a step beyond the field's last value.
    let step = 1..=most.min(20);
    let range = (least..=most, least..=most).prop_map(|(one, other)| (one.min(other), one.max(other)));
    let item = prop_oneof![
        number.prop_map(|number| number.to_string()),
        range.clone().prop_map(|(first, last)| format!("{first}-{last}")),
        (range, step.clone()).prop_map(|((first, last), step)| format!("{first}-{last}/{step}")),
    ];
    let list = prop::collection::vec(item, 1..4).prop_map(|items| items.join(","));
    prop_oneof![1 => Just("*".to_owned()), 1 => step.prop_map(|step| format!("*/{step}")), 3 => list]
}

/// Both spellings of the weekdays: ours from Sunday as 0, theirs from 1.
fn weekdays() -> impl Strategy<Value = (String, String)> {
    prop::collection::btree_set(0..=6_u8, 1..5).prop_map(|days| {
        let list = |shift: u8| days.iter().map(|day| (day + shift).to_string()).collect::<Vec<_>>().join(",");
        (list(0), list(1))
    })
}

fn days() -> impl Strategy<Value = (String, String, String)> {
    prop_oneof![
        field(1, 28).prop_map(|days| (days, "*".to_owned(), "*".to_owned())),
        weekdays().prop_map(|(ours, theirs)| ("*".to_owned(), ours, theirs)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn the_crate_cron_names_the_same_instants(
        (second, minute, hour) in (field(0, 59), field(0, 59), field(0, 23)),
        (day, ours, theirs) in days(),
        month in field(1, 12),
        // 1990 to 2089: its calendar ends in 2100.
        start in 631_152_000..3_786_912_000_i64,
    ) {
        let cadence = cadence(&format!("{second} {minute} {hour} {day} {month} {ours}"), "UTC");
        let schedule = Schedule::from_str(&format!("{second} {minute} {hour} {day} {month} {theirs}")).unwrap();
        let found: Vec<_> = after(&cadence, UnixMillis(start * 1_000)).take(10).map(|at| at.0 / 1_000).collect();
        let expected: Vec<_> =
            schedule.after(&DateTime::from_timestamp(start, 0).unwrap()).take(10).map(|at| at.timestamp()).collect();
        prop_assert_eq!(found, expected);
    }
}
