//! Jobs that consist of others, or count: what every catalog says of features, fallbacks and quotas, and which jobs are for them.
//!
//! The catalogs are written from the same tables that the oracle reads, so that it need not ask the code how an event is run.

use carillon_tests::random::Random;
use serde_json::{Map, Value, json};

use crate::plan::{JobPlan, What};

/// The event of a job that stands alone.
pub(crate) const WORK: &str = "work";
/// The actions of every catalog.
const ACTIONS: [&str; 3] = [WORK, "other", "third"];
/// The timeout of options that are hurried, ms: no longer than the shortest that an edition gives its actions.
const HURRIED_MS: u32 = 400;

/// The kind of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A request.
    Action,
    /// A counter.
    Quota(&'static Quota),
    /// Options, until one succeeds.
    Fallback(&'static [Member]),
    /// Steps, in order.
    Feature(&'static [Member]),
}

/// A quota: so much in a period, which begins by UTC.
#[derive(Debug)]
pub(crate) struct Quota {
    pub(crate) tag: &'static str,
    pub(crate) limit: u64,
    pub(crate) period_ms: i64,
    period: &'static str,
}

/// A step of a feature, or an option of a fallback.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) event: &'static str,
    tag: Option<&'static str>,
    pub(crate) retries: u32,
    pub(crate) may_fail: bool,
    is_hurried: bool,
    given: Given,
}

/// The input of a member.
#[derive(Debug)]
enum Given {
    /// The whole input, unchanged.
    Same,
    /// The number and the body that the whole is given.
    Input,
    /// The number, and in its body the value at this path of the previous step's result.
    After(&'static str, &'static [&'static str]),
    /// So much of a quota.
    Amount(u64),
    /// The number, as the input of a fallback.
    Options,
}

const fn member(event: &'static str, given: Given) -> Member {
    Member { event, tag: None, retries: 0, may_fail: false, is_hurried: false, given }
}

pub(crate) static QUOTAS: [Quota; 2] = [
    Quota { tag: "scarce", limit: 4, period_ms: 3_600_000, period: "hour" },
    Quota { tag: "ample", limit: 100, period_ms: 86_400_000, period: "day" },
];

static FALLBACKS: [(&str, &[Member]); 2] = [
    (
        "choice",
        &[
            Member { retries: 1, ..member(WORK, Given::Same) },
            member("other", Given::Input),
            Member { retries: 1, is_hurried: true, ..member("third", Given::Same) },
        ],
    ),
    ("either", &[member("other", Given::Same), Member { retries: 2, ..member(WORK, Given::Input) }]),
];

static FEATURES: [(&str, &[Member]); 5] = [
    (
        "pair",
        &[
            Member { tag: Some("first"), ..member(WORK, Given::Input) },
            Member { retries: 1, ..member("other", Given::After("first", &["dispatch"])) },
        ],
    ),
    (
        "lenient",
        &[
            Member { tag: Some("mail"), retries: 1, may_fail: true, ..member(WORK, Given::Input) },
            member("other", Given::After("mail", &["dispatch"])),
            Member { may_fail: true, ..member("third", Given::After("2", &["dispatch"])) },
        ],
    ),
    (
        "counted",
        &[
            Member { tag: Some("count"), ..member("ample", Given::Amount(2)) },
            member(WORK, Given::After("count", &["used"])),
            Member { tag: Some("rare"), retries: 1, may_fail: true, ..member("scarce", Given::Amount(1)) },
            member("other", Given::After("rare", &["used"])),
        ],
    ),
    (
        "chosen",
        &[
            Member { tag: Some("choice"), retries: 1, ..member("choice", Given::Options) },
            Member { retries: 1, ..member(WORK, Given::After("choice", &["output", "dispatch"])) },
        ],
    ),
    (
        "nested",
        &[
            Member { tag: Some("pair"), retries: 2, ..member("pair", Given::Input) },
            member(WORK, Given::After("pair", &["output", "dispatch"])),
        ],
    ),
];
/// The feature whose result is made of its first step's and of its last one's.
pub(crate) const SUMMED_UP: &str = "lenient";

impl Kind {
    /// The event's tag, which some catalog defines.
    pub(crate) fn of(event: &str) -> Self {
        let members = |known: &[(&str, &'static [Member])]| {
            known.iter().find(|(tag, _)| *tag == event).map(|(_, members)| *members)
        };
        let quota = QUOTAS.iter().find(|quota| quota.tag == event).map(Self::Quota);
        let fallback = || members(&FALLBACKS).map(Self::Fallback);
        let feature = || members(&FEATURES).map(Self::Feature);
        quota.or_else(fallback).or_else(feature).unwrap_or(Self::Action)
    }
}

impl Member {
    /// Its reference in `$Sequence{}`.
    pub(crate) fn name(&self, index: usize) -> String {
        self.tag.map_or_else(|| (index + 1).to_string(), str::to_owned)
    }

    /// The amount that it requests of a quota.
    pub(crate) fn amount(&self) -> u64 {
        if let Given::Amount(amount) = self.given { amount } else { 1 }
    }

    /// The expected value under `after` in its body: the value at this path of the indexed step's result.
    pub(crate) fn after(&self, steps: &[Self]) -> Option<(usize, &'static [&'static str])> {
        let Given::After(step, path) = self.given else { return None };
        let index = steps.iter().enumerate().position(|(index, known)| known.name(index) == step)?;
        Some((index, path))
    }

    fn document(&self) -> Value {
        let number = || json!({"number": "$Input{params}{number}"});
        let mut document = json!({"event": self.event});
        match self.given {
            Given::Same => {}
            Given::Input => document["input"] = json!({"params": number(), "body": "$Input{body}"}),
            Given::After(step, path) => {
                let after = format!("$Sequence{{{step}}}{{{}}}", path.join("}{"));
                document["input"] = json!({"params": number(), "body": {"after": after}});
            }
            Given::Amount(amount) => document["input"] = json!({"amount": amount}),
            Given::Options => document["input"] = json!({"input": {"params": number(), "body": "$Input{body}"}}),
        }
        document
    }

    fn step(&self) -> Value {
        let mut document = self.option();
        document["allow_fail"] = self.may_fail.into();
        if let Some(tag) = self.tag {
            document["tag"] = tag.into();
        }
        document
    }

    fn option(&self) -> Value {
        let mut document = self.document();
        document["retries"] = self.retries.into();
        if self.is_hurried {
            document["timeout"] = HURRIED_MS.into();
        }
        document
    }
}

/// Adds what consists of others to a catalog that defines the actions, and those of them that it lacks.
pub(crate) fn add(document: &mut Value) {
    let actions = &mut document["apps"]["app"]["actions"];
    for action in ACTIONS {
        actions[action] = actions[WORK].clone();
    }
    let tagged = |members: Vec<(&str, Value)>| -> Value {
        let members = members.into_iter().map(|(tag, member)| (tag.to_owned(), member));
        members.collect::<Map<_, _>>().into()
    };
    let of = |word: &str, members: &[Member], document: fn(&Member) -> Value| json!({word: members.iter().map(document).collect::<Vec<_>>()});
    let fallbacks = FALLBACKS.iter().map(|(tag, options)| (*tag, of("options", options, Member::option)));
    document["fallbacks"] = tagged(fallbacks.collect());
    let features = FEATURES.iter().map(|(tag, steps)| (*tag, of("steps", steps, Member::step)));
    document["features"] = tagged(features.collect());
    document["features"][SUMMED_UP]["output"] = json!({"first": "$Sequence{mail}", "last": "$Sequence{3}"});
    let quotas = QUOTAS.iter().map(|it| (it.tag, json!({"limit": it.limit, "period": it.period})));
    document["quotas"] = tagged(quotas.collect());
}

impl JobPlan {
    /// Turns some uncached jobs into composite events or quotas.
    pub(crate) fn draw_kind(&mut self, random: &mut Random) {
        if self.body.get("cache").is_some() || !random.once_in(3) {
            return;
        }
        let event = match random.below(8) {
            0..=3 => random.pick(&FEATURES).0,
            4 | 5 => random.pick(&FALLBACKS).0,
            6 => QUOTAS[0].tag,
            _ => QUOTAS[1].tag,
        };
        self.body["event"] = event.into();
        let edits = self.steps.iter_mut().filter_map(|step| match &mut step.what {
            What::Edit { body, .. } => body.get_mut("input"),
            _ => None,
        });
        let input = self.body.as_object_mut().and_then(|body| body.get_mut("input"));
        for input in input.into_iter().chain(edits) {
            *input = asked(event, input.take(), random);
        }
    }
}

/// The input of an event, from the input of an action.
fn asked(event: &str, input: Value, random: &mut Random) -> Value {
    match (Kind::of(event), random.below(12)) {
        (Kind::Quota(_) | Kind::Fallback(_), 0) => json!({"action": "reset"}),
        (Kind::Quota(_), 1 | 2) => json!({"action": "check", "amount": random.between(1, 3)}),
        (Kind::Quota(_), 3) => json!({}),
        (Kind::Quota(_), _) => json!({"amount": random.between(1, 3)}),
        (Kind::Fallback(options), 1) => {
            json!({"action": "update", "option": options[random.below(options.len())].event, "healthy": random.once_in(2)})
        }
        (Kind::Fallback(_), _) => json!({"input": input}),
        _ => input,
    }
}
