//! Paths and queries: pages of jobs and runs, with cursors that were tampered with.

use http::Uri;

use super::PRODUCT;
use super::bytes::spoil;
use crate::random::Random;

/// Values for any parameter.
const VALUES: [&str; 30] = [
    "shop",
    "dev",
    "prd",
    "queued",
    "scheduled",
    "completed",
    "paused",
    "QUEUED",
    "0",
    "1",
    "50",
    "100",
    "101",
    "-1",
    "+5",
    "1e2",
    "007",
    "18446744073709551616",
    "%31",
    "%00",
    "%ff",
    "%ed%a0%80",
    "%",
    "%zz",
    "%2",
    "a%26b=c",
    "*",
    "..%2f..",
    "%F0%9F%98%80",
    "",
];

const NAMES: [&str; 14] = [
    "product_tag",
    "env",
    "status",
    "limit",
    "cursor",
    "Limit",
    "limit[]",
    "product-tag",
    "curser",
    "%6cimit",
    "wait",
    "a%00",
    "%ff",
    "",
];

/// Earlier answers of the service. Neither list is empty.
pub struct Known {
    /// Ids of jobs.
    pub ids: Vec<String>,
    /// Cursors of pages.
    pub cursors: Vec<String>,
}

/// A path with a query, as often sound as not; `None` if no client could send it.
pub fn path(random: &mut Random, known: &Known) -> Option<Uri> {
    let mut path = match random.below(8) {
        0..4 => {
            format!("/v1/jobs?product_tag={PRODUCT}&env={}{}", random.pick(&["dev", "prd"]), parameters(random, known))
        }
        4 | 5 => format!("/v1/jobs/{}/runs?{}", id(random, known), parameters(random, known).trim_start_matches('&')),
        6 => format!("/v1/jobs/{}", id(random, known)),
        _ => format!(
            "/v1/{}?{}",
            random.pick(&["health", "products/shop", "jobs", "openapi.json", "", "jobs/"]),
            parameters(random, known)
        ),
    };
    if random.once_in(6) {
        let mut bytes = path.into_bytes();
        spoil(&mut bytes, random);
        path = String::from_utf8(bytes).ok()?;
    }
    Uri::try_from(path).ok().filter(|uri| uri.path().starts_with('/'))
}

fn parameters(random: &mut Random, known: &Known) -> String {
    let parameter = |random: &mut Random| match random.below(6) {
        0 => format!("&limit={}", random.between(0, 102)),
        1 => format!("&status={}", random.pick(&VALUES)),
        2 | 3 => format!("&cursor={}", cursor(random, known)),
        _ => format!("&{}={}", random.pick(&NAMES), random.pick(&VALUES)),
    };
    (0..random.below(4)).map(|_| parameter(random)).collect()
}

/// A job's name, or something like it.
fn id(random: &mut Random, known: &Known) -> String {
    let id = random.pick(&known.ids);
    match random.below(5) {
        0 => id.to_lowercase(),
        1 => tampered(&id, random),
        2 => random.pick(&VALUES).to_owned(),
        _ => id,
    }
}

/// In base64, as cursors are: `runs:` and `jobs:` with sound, large, wrong and no numbers behind them, and what is no text.
const CURSORS: [&str; 9] = [
    "cnVuczoxOjE",
    "cnVuczo0Mjk0OTY3Mjk1OjQyOTQ5NjcyOTU",
    "cnVuczo0Mjk0OTY3Mjk2OjE",
    "cnVuczotMTow",
    "cnVuczo",
    "am9iczo",
    "__8",
    "====",
    "a",
];

fn cursor(random: &mut Random, known: &Known) -> String {
    match random.below(4) {
        0 => tampered(&random.pick(&known.cursors), random),
        1 => random.pick(&CURSORS).to_owned(),
        2 => random.pick(&VALUES).to_owned(),
        _ => random.pick(&known.cursors),
    }
}

/// One letter is another.
fn tampered(text: &str, random: &mut Random) -> String {
    let at = random.below(text.len());
    let other = random.pick(b"Az0-_.=~");
    text.bytes().enumerate().map(|(index, byte)| char::from(if index == at { other } else { byte })).collect()
}
