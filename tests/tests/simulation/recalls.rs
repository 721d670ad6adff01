//! Checks of cached results, from what is requested, dispatched, answered and cleared. The cache itself is not
//! consulted.

use std::collections::BTreeMap;

use carillon_core::cache::{CacheId, CacheKey};
use carillon_core::ids::{Fire, Owner};
use carillon_core::job::{Job, JobSpec, Output, Run, RunError};
use carillon_core::ports::{CacheAnswer, FillLease};
use carillon_core::time::UnixMillis;

use crate::actor::Actor;
use crate::catalogs::{REMEMBERED_MS, Shelf};
use crate::oracle::SKEW_MS;

/// Time until the cache has the target's result if nothing goes wrong, ms.
const TOLD_MS: i64 = 1_000;

/// A request with one answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    product: String,
    cache: String,
    /// The request to the target and its address: all jobs of a simulation are for one event.
    input: String,
}

impl Question {
    fn of(spec: &JobSpec) -> Option<Self> {
        Some(Self { product: spec.product.clone(), cache: spec.cache.clone()?, input: spec.input.to_string() })
    }
}

/// The lease of an entry, as it was taken.
#[derive(Clone, Debug)]
struct CacheLookup {
    leader: Owner,
    at: UnixMillis,
    until: UnixMillis,
    /// When the target had answered the one who took it.
    answered_at: Option<UnixMillis>,
}

/// An attempt at the target, and its result.
#[derive(Clone, Debug)]
struct Attempt {
    fire: Fire,
    actor: u64,
    lookup: Option<CacheLookup>,
    began_at: UnixMillis,
    /// Bounds of its expiry, ms, by the catalogs that were valid then.
    expiry_ms: (i64, i64),
}

/// A result that was made.
#[derive(Debug)]
struct Made {
    output: Output,
    at: UnixMillis,
    by: Attempt,
}

/// One that found a result.
#[derive(Debug)]
struct Hit {
    key: CacheKey,
    asked_at: UnixMillis,
    at: UnixMillis,
}

/// The events of a cache.
#[derive(Debug, Default)]
struct Cleared {
    /// When it was emptied.
    at: Vec<UnixMillis>,
    /// When that was asked for and answered.
    answered: Vec<(UnixMillis, UnixMillis)>,
}

/// Watches cached results.
#[derive(Debug, Default)]
pub(crate) struct Recalls {
    claims: BTreeMap<(Fire, u64), (Question, Owner)>,
    leads: Vec<CacheLookup>,
    hits: BTreeMap<u64, Vec<Hit>>,
    under_way: BTreeMap<Question, Vec<Attempt>>,
    made: BTreeMap<Question, Vec<Made>>,
    cleared: BTreeMap<CacheId, Cleared>,
    /// Counts of each event.
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

impl Recalls {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// The cache answered. Says what is wrong with it.
    pub(crate) fn consulted(
        &mut self,
        key: &CacheKey,
        lead: &FillLease,
        answer: &CacheAnswer,
        by: &Actor,
        (asked_at, now): (UnixMillis, UnixMillis),
    ) -> Option<String> {
        match answer {
            CacheAnswer::Miss => {
                let leader = lead.leader.clone();
                self.leads.push(CacheLookup { leader, at: now, until: lead.until, answered_at: None });
            }
            CacheAnswer::Hit(_) => {
                self.hits.entry(by.id).or_default().push(Hit { key: key.clone(), asked_at, at: now });
            }
            CacheAnswer::Filling(other) => {
                self.count("waited for another's result");
                let told = self.leads.iter().rev().find(|known| known.leader == other.leader)?;
                let over_ms = now.since(told.answered_at?);
                return (over_ms > TOLD_MS)
                    .then(|| format!("{} waits for one that was answered {over_ms} ms ago", by.name));
            }
        }
        None
    }

    /// A fire was claimed.
    pub(crate) fn claimed(&mut self, new: &Job, actor: u64, owner: &Owner) {
        if let Some(question) = Question::of(&new.spec) {
            self.claims.insert((new.fire(), actor), (question, owner.clone()));
        }
    }

    /// An attempt begins. Says what is wrong with that.
    pub(crate) fn dispatched(
        &mut self,
        fire: Fire,
        by: &Actor,
        published: &Shelf,
        is_strict: bool,
        now: UnixMillis,
    ) -> Option<String> {
        let (question, owner) = self.claims.get(&(fire, by.id))?.clone();
        let lookup = self.leads.iter().rev().find(|lookup| lookup.leader == owner).cloned();
        let from = by.born_at.plus(-REMEMBERED_MS - SKEW_MS);
        let expiry_ms = published.expiry_ms(&question.product, &question.cache, (from, now));
        let wrong = self.led_alone(&question, lookup.as_ref(), now);
        let wrong = wrong.or_else(|| self.had_to_ask(&question, lookup.as_ref()?, is_strict));
        let attempt = Attempt { fire, actor: by.id, lookup, began_at: now, expiry_ms };
        if !self.under_way.get(&question).is_none_or(Vec::is_empty) {
            self.count("lease of a dead executor ended");
        }
        self.count("asked as nothing was remembered");
        self.under_way.entry(question).or_default().push(attempt);
        wrong.map(|wrong| format!("{fire} is dispatched {wrong}"))
    }

    /// Nobody else may be at it, unless their lease has ended or the cache was emptied since.
    fn led_alone(&self, question: &Question, own: Option<&CacheLookup>, now: UnixMillis) -> Option<String> {
        let Some(own) = own else { return Some("without the lease of its question".to_owned()) };
        if own.until <= now.plus(SKEW_MS) {
            // It lost its own on the way to the target, and others may be at it by now.
            return None;
        }
        let cleared = cleared_at(&self.cleared, question);
        let is_living = |other: &&Attempt| {
            let Some(lookup) = &other.lookup else { return false };
            lookup.until > own.at.plus(SKEW_MS) && !cleared.iter().any(|at| *at >= lookup.at && *at <= own.at)
        };
        let mut others = self.under_way.get(question).into_iter().flatten();
        let other = others.find(is_living).map(|other| other.fire);
        other.map(|other| format!("while {other} is under way with the same question"))
    }

    /// If nothing goes wrong, a cached result is not requested from the target.
    fn had_to_ask(&mut self, question: &Question, own: &CacheLookup, is_strict: bool) -> Option<String> {
        let cleared = cleared_at(&self.cleared, question);
        let is_kept = |made: &&Made| {
            let since = made.by.lookup.as_ref().map_or(made.at, |lookup| lookup.at);
            !cleared.iter().any(|at| *at >= since && *at <= own.at)
        };
        let made: Vec<_> = self.made.get(question).into_iter().flatten().filter(is_kept).collect();
        let has_expired = made.iter().any(|made| own.at.since(made.at) > made.by.expiry_ms.1 + SKEW_MS);
        let known = made.iter().rev().find(|made| {
            let age_ms = own.at.since(made.at);
            (TOLD_MS..made.by.expiry_ms.0 - SKEW_MS).contains(&age_ms)
        });
        let wrong = known.map(|made| format!("although {} had its result at {}", made.by.fire, made.at));
        if has_expired {
            self.count("asked again after the expiry");
        }
        wrong.filter(|_| is_strict)
    }

    /// The target answered.
    pub(crate) fn answered(&mut self, fire: Fire, actor: u64, answer: &Result<Output, RunError>, now: UnixMillis) {
        let Some((question, owner)) = self.claims.get(&(fire, actor)) else { return };
        let under_way = self.under_way.entry(question.clone()).or_default();
        let Some(at) = under_way.iter().rposition(|one| (one.fire, one.actor) == (fire, actor)) else { return };
        let by = under_way.remove(at);
        if let Some(lookup) = self.leads.iter_mut().rev().find(|lookup| lookup.leader == *owner) {
            lookup.answered_at = Some(now);
        }
        if let Ok(output) = answer {
            self.made.entry(question.clone()).or_default().push(Made { output: output.clone(), at: now, by });
        } else {
            self.count("failed, and is asked for again");
        }
    }

    /// Checks a run that ended with a cached result.
    pub(crate) fn recalled(
        &mut self,
        old: &Job,
        run: &Run,
        output: &Output,
        cached_at: UnixMillis,
        by: &Actor,
    ) -> Option<String> {
        self.count("completed by a remembered result");
        if old.spec.repeat.is_some() {
            self.count("run of a series completed by a remembered result");
        }
        let fire = old.fire();
        if run.attempts != old.state.run.attempts {
            return Some(format!("{fire} is recalled, and that cost an attempt"));
        }
        let Some(question) = Question::of(&old.spec) else { return Some(format!("{fire} has no cache")) };
        let key = CacheKey::of(&old.spec, &old.spec.input)?;
        let hits = self.hits.get(&by.id).into_iter().flatten().filter(|hit| hit.key == key);
        let made = self.made.get(&question).into_iter().flatten();
        let made: Vec<_> = made.filter(|made| made.output == *output).collect();
        let answered = self.cleared.get(&key.cache).map_or(&[][..], |cleared| cleared.answered.as_slice());
        let is_so = |hit: &Hit, made: &Made| {
            let is_cleared = answered.iter().any(|(asked_at, at)| *at <= hit.asked_at && made.by.began_at < *asked_at);
            // Its age counts as of when it was asked for: the answer may be long under way.
            hit.at >= made.at
                && hit.asked_at.since(made.at) < made.by.expiry_ms.1 + SKEW_MS
                && made.at.since(cached_at).abs() <= SKEW_MS
                && !is_cleared
        };
        let mut hits = hits.peekable();
        let is_explained = hits.peek().is_some() && hits.any(|hit| made.iter().any(|made| is_so(hit, made)));
        (!is_explained).then(|| format!("{fire} recalls {} of {cached_at}, made by {made:?}", output.value))
    }

    /// A cache was emptied.
    pub(crate) fn cleared(&mut self, cache: &CacheId, now: UnixMillis) {
        self.cleared.entry(cache.clone()).or_default().at.push(now);
    }

    /// The request was answered.
    pub(crate) fn clear_answered(&mut self, cache: &CacheId, asked_at: UnixMillis, now: UnixMillis) {
        self.count("cache cleared");
        self.cleared.entry(cache.clone()).or_default().answered.push((asked_at, now));
    }

    /// True if a listed entry is a result that was made, and had not been dropped when it was listed.
    pub(crate) fn has_entry(&self, cache: &CacheId, stored_at: UnixMillis, asked_at: UnixMillis) -> bool {
        let cleared = self.cleared.get(cache).map_or(&[][..], |cleared| cleared.answered.as_slice());
        let made = self.made.iter().filter(|(question, _)| {
            (question.product.as_str(), question.cache.as_str()) == (cache.product.as_str(), cache.tag.as_str())
        });
        made.flat_map(|(_, made)| made).any(|made| {
            made.at.since(stored_at).abs() <= SKEW_MS
                && asked_at.since(made.at) < made.by.expiry_ms.1 + SKEW_MS
                && !cleared.iter().any(|(began, at)| *at <= asked_at && made.by.began_at < *began)
        })
    }
}

/// When the cache of a question was emptied.
fn cleared_at<'c>(cleared: &'c BTreeMap<CacheId, Cleared>, question: &Question) -> &'c [UnixMillis] {
    let cache = CacheId { product: question.product.clone(), env: "dev".to_owned(), tag: question.cache.clone() };
    cleared.get(&cache).map_or(&[], |cleared| cleared.at.as_slice())
}
