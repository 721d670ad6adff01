//! The catalogs: what becomes of them while jobs run, what an instance of a function remembers of them, and what must hold.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use carillon_core::access::{ApiKey, KeyHash};
use carillon_core::ports::Published;
use carillon_core::time::UnixMillis;
use carillon_tests::client::catalog;
use carillon_tests::random::Random;
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::kinds;
use crate::mutation::Mutation;
use crate::plan::{JobPlan, PRODUCTS, spread, within};

/// Lifetime of the function's caches, ms.
pub(crate) const REMEMBERED_MS: i64 = 30_000;
/// Number of instances of the API, and of the executor.
pub(crate) const INSTANCES: usize = 3;

/// The caches of every catalog, with the expiry in even editions and in odd ones, ms.
pub(crate) const CACHES: [(&str, [i64; 2]); 3] =
    [("brief", [2_500, 20_000]), ("hourly", [1_800_000, 3_600_000]), ("lasting", [43_200_000, 43_200_000])];
/// A cache that no catalog defines, with its expiry, ms.
pub(crate) const UNLISTED: &str = "unlisted";
const UNLISTED_MS: i64 = 86_400_000;

/// A change of a product's catalog.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// When it is asked for, ms from the beginning.
    pub(crate) at_ms: i64,
    pub(crate) product: &'static str,
    pub(crate) edition: Edition,
    /// So long the editor thinks about what stands there, which must be the same then, ms; nothing for one who does not look.
    pub(crate) thinks_ms: Option<u64>,
}

/// The content of a product's catalog. Its number is part of the address that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edition {
    pub(crate) number: u64,
    /// The action's timeout, ms, if it names one.
    pub(crate) timeout: Option<u32>,
    /// True if it defines the jobs' action and the composite events.
    pub(crate) has_action: bool,
    /// True if the product is deleted.
    pub(crate) is_gone: bool,
}

impl Change {
    /// A few editions for each product, while its jobs are at work: published again with another timeout, or deleted
    /// and restored later.
    pub(crate) fn draw_all(dice: Dice, begin: UnixMillis, jobs: &[JobPlan]) -> Vec<Self> {
        let (mut changes, mut number) = (Vec::new(), 0);
        for (at, product) in PRODUCTS.into_iter().enumerate() {
            let mut random = dice.roll(u64::MAX - 2, at as u64);
            for _ in 0..random.below(4) {
                let job = &jobs[random.below(jobs.len())];
                let at_ms = random.pick(&[job.at_ms, job.due_ms(begin)]) + within(&mut random, 25_000);
                let longest_ms = random.pick(&[20_000, 1_200_000]);
                let back_ms = at_ms + spread(&mut random, 100, longest_ms);
                let mut change = |at_ms, has_action, is_gone, random: &mut Random| {
                    number += 1;
                    let timeout = random.pick(&[None, Some(500), Some(3_000), Some(20_000)]);
                    let edition = Edition { number, timeout, has_action, is_gone };
                    let thinks_ms = random.pick(&[None, None, Some(0), Some(60_000)]);
                    changes.push(Self { at_ms, product, edition, thinks_ms });
                };
                match random.below(3) {
                    0 => change(at_ms, true, false, &mut random),
                    which => {
                        change(at_ms, false, which == 1, &mut random);
                        change(back_ms, true, false, &mut random);
                    }
                }
            }
        }
        changes
    }
}

impl Edition {
    /// The document.
    pub(crate) fn document(&self) -> Value {
        let mut document = catalog(([127, 0, 0, 1], 9).into());
        for (tag, _) in CACHES {
            document["caches"][tag] = json!({"expiry": self.expiry_ms(tag)});
        }
        let app = &mut document["apps"]["app"];
        app["envs"]["dev"]["base_url"] = json!(format!("http://127.0.0.1:9/{}", self.number));
        if let Some(timeout) = self.timeout {
            app["actions"]["work"]["timeout"] = json!(timeout);
        }
        if self.has_action {
            kinds::add(&mut document);
        } else {
            let work = app["actions"]["work"].take();
            app["actions"] = json!({"rest": work});
        }
        document
    }

    /// Expiry of this cache's results, ms.
    fn expiry_ms(&self, tag: &str) -> i64 {
        let known = CACHES.iter().find(|(known, _)| *known == tag);
        known.map_or(UNLISTED_MS, |(_, expiries)| expiries[usize::from(self.number % 2 == 1)])
    }

    /// The edition that a document is, by its address.
    pub(crate) fn of(document: &Value) -> Self {
        let app = &document["apps"]["app"];
        let number = app["envs"]["dev"]["base_url"].as_str().and_then(|url| url.rsplit('/').next()?.parse().ok());
        let work = &app["actions"]["work"];
        let timeout = work["timeout"].as_u64().and_then(|timeout| timeout.try_into().ok());
        Self { number: number.unwrap_or(u64::MAX), timeout, has_action: !work.is_null(), is_gone: false }
    }
}

/// The number of no edition: the product is deleted.
pub(crate) const GONE: u64 = u64::MAX - 1;

/// The editions, with the time of their publication.
#[derive(Debug, Default)]
pub(crate) struct Shelf(BTreeMap<String, Vec<(UnixMillis, Edition)>>);

impl Shelf {
    /// From now on another edition counts, or none.
    pub(crate) fn set(&mut self, product: &str, published: Option<&Published>, now: UnixMillis) {
        let gone = Edition { number: GONE, timeout: None, has_action: false, is_gone: true };
        self.0
            .entry(product.to_owned())
            .or_default()
            .push((now, published.map_or(gone, |published| Edition::of(&published.document))));
    }

    /// The number of the edition that counts.
    pub(crate) fn current(&self, product: &str) -> u64 {
        self.0.get(product).and_then(|editions| editions.last()).map_or(GONE, |(_, edition)| edition.number)
    }

    /// Bounds of a cache's expiry, ms, by the editions that were valid between two instants.
    pub(crate) fn expiry_ms(&self, product: &str, tag: &str, (from, until): (UnixMillis, UnixMillis)) -> (i64, i64) {
        let counted = self.lives(product, from, until).filter(|edition| !edition.is_gone);
        let found = counted.map(|edition| edition.expiry_ms(tag)).fold(None, |found: Option<(i64, i64)>, ms| {
            let (least, most) = found.unwrap_or((ms, ms));
            Some((least.min(ms), most.max(ms)))
        });
        found.unwrap_or((UNLISTED_MS, UNLISTED_MS))
    }

    /// True if an edition that was valid between two instants satisfies `wanted`.
    pub(crate) fn had(
        &self,
        product: &str,
        from: UnixMillis,
        until: UnixMillis,
        is_wanted: impl Fn(&Edition) -> bool,
    ) -> bool {
        self.lives(product, from, until).any(is_wanted)
    }

    /// The editions that counted between two instants.
    fn lives(&self, product: &str, from: UnixMillis, until: UnixMillis) -> impl Iterator<Item = &Edition> {
        let editions = self.0.get(product).map_or(&[][..], Vec::as_slice);
        let ends = editions.iter().skip(1).map(|(at, _)| *at).chain([UnixMillis::MAX]);
        let lives = editions.iter().zip(ends);
        lives.filter(move |((since, _), end)| *since <= until && *end >= from).map(|((_, edition), _)| edition)
    }
}

/// The caches of a function's instance.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    catalogs: BTreeMap<String, (UnixMillis, Arc<Published>)>,
    keys: HashMap<KeyHash, (UnixMillis, Arc<ApiKey>)>,
}

impl Memory {
    /// The catalog, if it was read less than 30 s ago.
    pub(crate) fn catalog(&self, product: &str, now: UnixMillis, mutation: Option<Mutation>) -> Option<Arc<Published>> {
        let for_good = mutation == Some(Mutation::CatalogKeptForGood);
        let known = self.catalogs.get(product).filter(|(at, _)| for_good || now.since(*at) < REMEMBERED_MS);
        known.map(|(_, published)| Arc::clone(published))
    }

    /// Remembers what was read, or forgets what is no longer there.
    pub(crate) fn set_catalog(&mut self, product: &str, published: Option<&Arc<Published>>, now: UnixMillis) {
        match published {
            Some(published) => self.catalogs.insert(product.to_owned(), (now, Arc::clone(published))),
            None => self.catalogs.remove(product),
        };
    }

    /// The key, if it was read less than 30 s ago.
    pub(crate) fn key(&self, hash: &KeyHash, now: UnixMillis, mutation: Option<Mutation>) -> Option<Arc<ApiKey>> {
        let for_good = mutation == Some(Mutation::KeyKeptForGood);
        let known = self.keys.get(hash).filter(|(at, _)| for_good || now.since(*at) < REMEMBERED_MS);
        known.map(|(_, key)| Arc::clone(key))
    }

    /// Remembers a key that was found, or forgets one that was not.
    pub(crate) fn set_key(&mut self, hash: &KeyHash, key: Option<&Arc<ApiKey>>, now: UnixMillis) {
        match key {
            Some(key) => self.keys.insert(hash.clone(), (now, Arc::clone(key))),
            None => self.keys.remove(hash),
        };
    }
}
