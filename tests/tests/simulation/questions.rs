//! Jobs that ask the same question, so that one answer is enough for them.

use carillon_core::cache::CacheId;
use carillon_core::time::UnixMillis;
use carillon_tests::random::Random;
use serde_json::json;

use crate::catalogs::{CACHES, UNLISTED};
use crate::plan::{JobPlan, PRODUCTS, Step, What, spread, within};

/// The cache of this tag in a product's one environment.
pub(crate) fn cache_of(product: &str, tag: &str) -> CacheId {
    CacheId { product: product.to_owned(), env: "dev".to_owned(), tag: tag.to_owned() }
}

impl JobPlan {
    /// Has every second one ask one of a few questions, many of them at `common_ms`; and who asks may clear the cache, or look
    /// at it.
    pub(crate) fn draw_question(&mut self, begin: UnixMillis, common_ms: i64, random: &mut Random) {
        if random.once_in(2) {
            return;
        }
        let product = if random.once_in(4) { random.pick(&PRODUCTS) } else { PRODUCTS[0] };
        let tag = random.pick(&[CACHES[0].0, CACHES[0].0, CACHES[1].0, CACHES[2].0, UNLISTED]);
        let number = random.below(2);
        self.body["product_tag"] = json!(product);
        self.body["cache"] = json!(tag);
        self.body["input"] = json!({"params": {"number": number}, "body": {"question": number}});
        // A waiter on a silent one should have had its turn before the end.
        self.body["timeout"] = json!(random.pick(&[1_000, 10_000, 30_000, 120_000]));
        if self.body.get("repeat").is_none() && common_ms >= self.at_ms && random.once_in(2) {
            self.body["start_at"] = json!(begin.plus(common_ms).0);
        }
        if random.once_in(3) {
            let due_ms = self.due_ms(begin).max(self.at_ms);
            let (soon_ms, later_ms) = (within(random, 300), spread(random, 1_000, 3_600_000));
            let at_ms = due_ms + random.pick(&[soon_ms, later_ms]);
            let cache = cache_of(product, tag);
            let what = if random.once_in(3) { What::Look(cache) } else { What::Clear(cache) };
            self.steps.push(Step { number: self.steps.len() + 1, at_ms, what });
        }
    }
}
