//! The timers of each product, and whose turn it is.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use carillon_core::ids::{Fire, JobId};
use carillon_core::time::UnixMillis;

/// A product's number in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProductNo(usize);

/// A fire that was taken, with its product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DueFire {
    pub(crate) fire: Fire,
    pub(crate) product: ProductNo,
}

/// A timer of a job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    pub(super) generation: u32,
    pub(super) run_no: u32,
    /// Its instant differs from the stored one, so a refill would not restore it.
    pub(super) moved: bool,
}

/// The timers by product. Products that have due timers take turns, one timer at a turn, so that a backlog of one does not delay
/// the others. Within a product the earliest timer is first.
#[derive(Debug, Default)]
pub(super) struct Turns {
    numbers: HashMap<Box<str>, ProductNo>,
    products: Vec<Product>,
    /// Products whose first timer was due at the last look, in the order of their turns.
    ready: VecDeque<ProductNo>,
    /// The other products that have timers, by the first of these.
    waiting: BTreeSet<(UnixMillis, ProductNo)>,
    len: usize,
}

#[derive(Debug)]
struct Product {
    name: Box<str>,
    timers: BTreeMap<(UnixMillis, JobId), Timer>,
    /// Number of its timers that a refill would restore.
    restorable: usize,
    turn: Turn,
    /// Stored timers after this instant are not held, because the queue was full.
    behind: Option<UnixMillis>,
}

/// The queue in which a product is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It has no timer.
    None,
    Ready,
    Waiting(UnixMillis),
}

impl Product {
    fn first(&self) -> Option<UnixMillis> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }
}

impl Turns {
    /// Returns the number of a product. Assigns one if it has none.
    pub(super) fn number(&mut self, name: &str) -> ProductNo {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = ProductNo(self.products.len());
        let timers = BTreeMap::new();
        self.products.push(Product { name: name.into(), timers, restorable: 0, turn: Turn::None, behind: None });
        self.numbers.insert(name.into(), number);
        number
    }

    /// Returns the number of timers.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the instant up to which a product's stored timers are held, if those of others are up to `horizon`.
    pub(super) fn horizon(&self, product: ProductNo, horizon: UnixMillis) -> UnixMillis {
        self.products[product.0].behind.map_or(horizon, |behind| behind.min(horizon))
    }

    pub(super) fn insert(&mut self, product: ProductNo, at: UnixMillis, job_id: JobId, timer: Timer) {
        let of = &mut self.products[product.0];
        of.timers.insert((at, job_id), timer);
        of.restorable += usize::from(!timer.moved);
        self.len += 1;
        if of.turn != Turn::Ready {
            self.wait(product);
        }
    }

    pub(super) fn remove(&mut self, product: ProductNo, at: UnixMillis, job_id: JobId) {
        let of = &mut self.products[product.0];
        let Some(timer) = of.timers.remove(&(at, job_id)) else { return };
        of.restorable -= usize::from(!timer.moved);
        self.len -= 1;
        // A ready product is looked at when it is its turn.
        if of.turn != Turn::Ready {
            self.wait(product);
        }
    }

    /// Takes a timer that is due at `now`, of the product whose turn it is. The error is the instant of the next one.
    pub(super) fn take(&mut self, now: UnixMillis) -> Result<DueFire, Option<UnixMillis>> {
        while let Some(&(at, product)) = self.waiting.first()
            && at <= now
        {
            self.waiting.pop_first();
            self.products[product.0].turn = Turn::Ready;
            self.ready.push_back(product);
        }
        while let Some(product) = self.ready.pop_front() {
            let of = &mut self.products[product.0];
            let first = of.timers.first_entry().filter(|first| first.key().0 <= now);
            let taken = first.map(std::collections::btree_map::OccupiedEntry::remove_entry);
            if let Some((_, timer)) = &taken {
                of.restorable -= usize::from(!timer.moved);
                self.len -= 1;
            }
            if of.first().is_some_and(|at| at <= now) {
                self.ready.push_back(product);
            } else {
                of.turn = Turn::None;
                self.wait(product);
            }
            if let Some(((_, job_id), Timer { generation, run_no, .. })) = taken {
                return Ok(DueFire { fire: Fire { job_id, generation, run_no }, product });
            }
        }
        Err(self.waiting.first().map(|(at, _)| *at))
    }

    /// Puts a product that is not ready where its first timer belongs.
    fn wait(&mut self, product: ProductNo) {
        let of = &mut self.products[product.0];
        let turn = of.first().map_or(Turn::None, Turn::Waiting);
        if turn == of.turn {
            return;
        }
        if let Turn::Waiting(at) = std::mem::replace(&mut of.turn, turn) {
            self.waiting.remove(&(at, product));
        }
        if let Turn::Waiting(at) = turn {
            self.waiting.insert((at, product));
        }
    }

    /// Leaves the latest timer of the product that has most of them to the store, and returns its job.
    pub(super) fn leave_latest_to_the_store(&mut self) -> Option<JobId> {
        let largest = self.products.iter().enumerate().max_by_key(|(_, product)| product.restorable)?.0;
        let latest = self.products[largest].timers.iter().rev().find(|(_, timer)| !timer.moved);
        let (at, job_id) = *latest?.0;
        self.remove(ProductNo(largest), at, job_id);
        self.fall_behind(ProductNo(largest), UnixMillis(at.0.saturating_sub(1)));
        Some(job_id)
    }

    /// Notes that a product's stored timers after `at` are not held.
    pub(super) fn fall_behind(&mut self, product: ProductNo, at: UnixMillis) {
        let behind = &mut self.products[product.0].behind;
        *behind = Some(behind.map_or(at, |behind| behind.min(at)));
    }

    /// True if a product has fallen behind.
    pub(super) fn is_one_behind(&self) -> bool {
        self.products.iter().any(|product| product.behind.is_some())
    }

    /// Returns a product that has fallen behind, with its name and the instant, and notes that it has not any more.
    pub(super) fn catch_up(&mut self) -> Option<(ProductNo, Box<str>, UnixMillis)> {
        let mut products = self.products.iter_mut().enumerate();
        products.find_map(|(number, it)| it.behind.take().map(|at| (ProductNo(number), it.name.clone(), at)))
    }
}
