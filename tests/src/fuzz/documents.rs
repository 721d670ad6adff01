//! Bodies: jobs and catalogs, from sound to hopeless.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::bytes::spoil;
use super::tree::Node;
use super::{CATALOG, PRODUCT};
use crate::random::Random;

/// A body may have this many bytes.
const LIMIT: usize = carillon_api::MAX_BODY_BYTES;

/// Sound jobs, one for each event that runs; and some that name what is to come.
static JOBS: LazyLock<Vec<Node>> = LazyLock::new(|| {
    let job = |event: &str, input: Value| json!({"product_tag": PRODUCT, "env": "dev", "event": event, "input": input});
    let mut jobs = vec![
        job("confirm", json!({"params": {"orderId": "a/b c"}, "query": {"tag": ["x", 1, true]}, "body": {"n": 0.1}})),
        job("search", json!({"query": {"q": "é"}, "headers": {"X-Trace": "1"}})),
        job("login", json!({"body": {"user": "u", "roles": ["a", "b"]}})),
        job("note", json!({"params": {"a": 1, "b": false}, "body": "text"})),
        job("both", json!({"body": [1, [2, {"three": null}]]})),
        job("bus:orders", json!({"message": {"id": 1}})),
        job("resize", json!({"payload": {"width": 1}})),
        job("order:shipped", json!({"slug": "shipped", "sms": {}})),
        job("onboard", json!({"email": "$Session{user}{email}"})),
    ];
    jobs[4]["app"] = json!("shop");
    jobs[5]["type"] = json!("publish");
    let last = jobs.len() - 1;
    jobs[last]["session"] = json!({"tag": "user", "token": "a.b.c"});
    jobs[last]["cache"] = json!("short");
    jobs[last]["repeat"] =
        json!({"cron": "0 10 * * *", "tz": "Europe/Amsterdam", "limit": 3, "endDate": "2030-01-01T00:00:00Z"});
    jobs.iter().map(Node::from).collect()
});

static CATALOGS: LazyLock<Vec<Node>> = LazyLock::new(|| {
    let whole: Value = serde_json::from_str(CATALOG).unwrap_or_default();
    // Each kind by itself too, where a change is not lost among many.
    let single = |(kind, part): (&String, &Value)| json!({"envs": ["dev", "prd"], kind: part});
    let parts = whole.as_object().into_iter().flatten().map(single);
    let mut catalogs: Vec<_> = parts.map(|part| Node::from(&part)).collect();
    catalogs.push(Node::from(&whole));
    catalogs
});

/// A body that wants to be a job.
pub fn job(random: &mut Random) -> Vec<u8> {
    let mut job = random.pick(&JOBS);
    if let Node::Object(members) = &mut job {
        members.push((b"\"start_at\"".to_vec(), Node::Raw(start_at(random))));
        for (name, value) in options(random) {
            members.push((format!("\"{name}\"").into_bytes(), Node::from(&value)));
        }
    }
    spoilt(job, random)
}

/// A body that wants to be a catalog.
pub fn catalog(random: &mut Random) -> Vec<u8> {
    let catalog = random.pick(&CATALOGS);
    spoilt(catalog, random)
}

/// A body that wants to call a job off, to try it again, or to change what it was asked for.
pub fn change(change: &str, random: &mut Random) -> Vec<u8> {
    let sound = match change {
        "cancel" => json!({"reason": "because"}),
        "retry" => json!({"delay": 1_000}),
        _ => {
            let input = json!({"query": {"q": random.below(9)}});
            let all = json!({"start_at": 0, "retries": 2, "timeout": 9, "input": input, "repeat": repeat(random)});
            let kept = all.as_object().into_iter().flatten().filter(|_| random.once_in(2));
            Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
    };
    spoilt(Node::from(&sound), random)
}

/// A sound schedule of a recurring job.
fn repeat(random: &mut Random) -> Value {
    let cron = random.pick(&["*/7 * * * * *", "30 2 * * *", "0 0 29 2 *", "0 12 LW * 1#2", "@daily"]);
    match random.below(4) {
        0 => json!({}),
        1 => json!({"every": random.between(1_000, 315_360_000_000), "immediately": true}),
        2 => json!({"cron": cron, "tz": "America/Santiago", "limit": random.between(1, 9)}),
        _ => json!({"cron": cron, "every": 60_000, "endDate": "9999-12-31T23:59:59Z", "onFailure": "continue"}),
    }
}

fn start_at(random: &mut Random) -> Vec<u8> {
    match random.below(4) {
        0 => b"0".to_vec(),
        1 => random.between(0, 253_402_300_799_999).to_string().into_bytes(),
        2 => format!("{}.{:03}", random.between(0, 99_999_999_999), random.below(1_000)).into_bytes(),
        _ => {
            let (year, month, day) = (random.between(1970, 9999), random.between(1, 12), random.between(1, 28));
            format!("\"{year}-{month:02}-{day:02}T{:02}:00:00.5+05:30\"", random.below(24)).into_bytes()
        }
    }
}

/// Optional fields with sound values.
fn options(random: &mut Random) -> Vec<(&'static str, Value)> {
    let all = [
        ("retries", json!(random.below(101))),
        ("timeout", json!(random.between(1, 900_000))),
        ("retry", json!({"initialDelay": random.below(1_000), "jitter": false, "nonRetryableErrors": ["NOT_FOUND"]})),
        ("retry", json!({})),
        ("app", json!({})),
        ("session", json!({})),
        ("cache", json!({})),
        ("repeat", repeat(random)),
    ];
    // A name twice is a fault, and faults are to come later.
    let mut chosen: Vec<(&str, Value)> = Vec::new();
    for option in all {
        let stands =
            |(name, _): &(&str, Value)| *name == option.0 || ["app", "session", "cache", "repeat"].contains(name);
        if random.once_in(4) && !chosen.iter().any(stands) {
            chosen.push(option);
        }
    }
    chosen
}

/// The document with none to eight changes, as bytes, which are sometimes spoilt as well, and sometimes far too many.
fn spoilt(mut document: Node, random: &mut Random) -> Vec<u8> {
    let changes = random.pick(&[0, 1, 1, 1, 2, 2, 3, 8]);
    for _ in 0..changes {
        document.mutate(random);
    }
    let mut bytes = Vec::new();
    document.write(&mut bytes);
    if random.once_in(12) {
        for _ in 0..random.between(1, 3) {
            spoil(&mut bytes, random);
        }
    }
    if random.once_in(500) {
        // White space changes nothing but the length: just at the limit, beyond it, and far beyond.
        let length = random.pick(&[LIMIT - 1, LIMIT, LIMIT + 1, 2 * LIMIT]);
        bytes.resize(length.max(bytes.len()), b' ');
    }
    bytes
}
