//! Arbitrary input of callers.

use proptest::prelude::*;

use super::{Cadence, Cron, Repeat, Zone, cron};
use crate::time::UnixMillis;

/// Texts that are almost expressions.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "*", "?", "0", "1", "5", "7", "12", "29", "30", "31", "59", "60", ",", "-", "/", "#", "L", "W", "LW", "MON",
        "sun", "FEB", " ", "  ", "\t", "@", "@daily", "é", "\u{0}",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Five or six fields, each almost valid.
fn fields() -> impl Strategy<Value = String> {
    let item = prop::sample::select(vec![
        "*", "*/2", "*/29", "?", "0", "1", "2", "5-7", "1-5/3", "3/4", "29", "31", "L", "LW", "15W", "31W", "5L",
        "1#5", "FEB", "TUE",
    ]);
    let field = prop::collection::vec(item, 1..3).prop_map(|items| items.join(","));
    prop::collection::vec(field, 5..=6).prop_map(|fields| fields.join(" "))
}

#[test]
fn what_is_long_is_refused_at_once() {
    let texts = [
        "*".repeat(10_000),
        "1,".repeat(5_000),
        "* ".repeat(61),
        ", * * * *".to_owned(),
        "9".repeat(256),
        "1-".repeat(128),
    ];
    for text in texts {
        let fault = Cron::parse(&text).unwrap_err();
        assert!(fault.at <= 257 && fault.detail.len() < 300, "{fault}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_text_is_too_much(text in prop_oneof![any::<String>(), nearly(), fields()], zone in any::<String>(), from in any::<i64>()) {
        let _ = Zone::find(&zone);
        if let Err(fault) = Cron::parse(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&fault.at), "{}", fault);
            return Ok(());
        }
        let cadence = Cadence::of(&cron(&text, "America/Santiago"), UnixMillis(0));
        prop_assert!(cadence.next_from(UnixMillis(0)).is_some());
        let mut last = UnixMillis(from);
        for _ in 0..5 {
            let Some(next) = cadence.next_after(last) else { break };
            prop_assert!(next > last && next <= UnixMillis::MAX);
            prop_assert_eq!(cadence.next_from(next), Some(next));
            cadence.explain(next);
            last = next;
        }
    }

    #[test]
    fn no_stored_repeat_is_too_much(
        (every, end, immediately) in (any::<Option<u64>>(), any::<Option<i64>>(), any::<bool>()),
        cron in prop::option::of(fields()), (start, from, to) in any::<(i64, i64, i64)>(),
    ) {
        let repeat = Repeat { cron, every, end_date: end.map(UnixMillis), immediately, ..Repeat::default() };
        let cadence = Cadence::of(&repeat, UnixMillis(start));
        if let Some(next) = cadence.next_from(UnixMillis(from)) {
            prop_assert!(next.0 >= from.max(start));
        }
        if repeat.cron.is_none() {
            cadence.count_between(UnixMillis(from), UnixMillis(to));
        }
        cadence.explain(UnixMillis(from));
    }
}
