//! The data of `tests/cron`.

use carillon_core::cadence::{Cron, CronFault};
use serde_json::Value;

use crate::{after, cadence, instant};

pub(crate) const CORPUS: &str = include_str!("../../cron/corpus.jsonl");
pub(crate) const INVALID: &str = include_str!("../../cron/invalid.jsonl");
const OBSERVED: &str = include_str!("../../cron/debian_cron_observed.json");

pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_else(|| panic!("{name} of {case}"))
}

fn texts(case: &Value, name: &str) -> Vec<String> {
    case[name].as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_instant_of_the_corpus_is_met() {
    let cases = lines(CORPUS);
    assert_eq!(cases.len(), 429);
    let mut wrong = Vec::new();
    for case in &cases {
        let cadence = cadence(text(case, "cron"), text(case, "tz"));
        let expected = texts(case, "next");
        let found: Vec<_> = after(&cadence, instant(text(case, "start"))).take(expected.len()).collect();
        if found.iter().map(ToString::to_string).ne(expected.iter().cloned()) {
            wrong.push(format!("{}: {found:?}, not {expected:?}", text(case, "id")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_every_implementation_refuses_is_refused_at_a_field_and_a_character() {
    let cases = lines(INVALID);
    assert_eq!(cases.len(), 62);
    for case in cases {
        let written = text(&case, "cron");
        let CronFault { at, detail, .. } = Cron::parse(written).expect_err(written);
        assert!((1..=written.chars().count() + 1).contains(&at) && !detail.is_empty(), "{written}: {at} {detail}");
    }
}

#[test]
fn debians_cron_was_seen_to_run_at_these_minutes_and_at_no_others() {
    let cases: Vec<Value> = serde_json::from_str(OBSERVED).unwrap();
    assert_eq!(cases.len(), 55);
    for case in cases {
        let cadence = cadence(text(&case, "cron"), text(&case, "tz"));
        let window = texts(&case, "window");
        let (from, until) = (instant(&window[0]), instant(&window[1]));
        let found: Vec<_> = after(&cadence, from.plus(-1)).take_while(|at| *at <= until).collect();
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, texts(&case, "debian_cron_3.0pl1-162"), "{} in {}", text(&case, "cron"), text(&case, "tz"));
    }
}
