//! A short-lived cache of items that nearly every request reads.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use carillon_core::time::UnixMillis;

/// Lifetime of an entry, ms.
const REMEMBERED_MS: i64 = 30_000;

/// Values by name, each with the time of its read. Missing items are not cached.
#[derive(Debug)]
pub(super) struct Cache<K, V>(Mutex<HashMap<K, (UnixMillis, Arc<V>)>>);

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> Cache<K, V> {
    /// The value, if it was read less than 30 s before `now`.
    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, name: &Q, now: UnixMillis) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
    {
        let entries = self.entries();
        entries.get(name).filter(|(read_at, _)| now.since(*read_at) < REMEMBERED_MS).map(|(_, value)| Arc::clone(value))
    }

    /// Stores a value that was read at `now`, or removes a missing one.
    pub(super) fn set(&self, name: K, value: Option<&Arc<V>>, now: UnixMillis) {
        match value {
            Some(value) => self.entries().insert(name, (now, Arc::clone(value))),
            None => self.entries().remove(&name),
        };
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<K, (UnixMillis, Arc<V>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_remembered_for_half_a_minute_or_until_it_is_gone() {
        let cache = Cache::<String, u8>::default();
        let read_at = UnixMillis(1_800_000_000_000);
        let get = |after_ms| cache.get("a", read_at.plus(after_ms)).as_deref().copied();
        assert_eq!(get(0), None);
        cache.set("a".to_owned(), Some(&Arc::new(1)), read_at);
        assert_eq!([0, 29_999, 30_000].map(get), [Some(1), Some(1), None]);
        cache.set("a".to_owned(), None, read_at);
        assert_eq!(get(0), None);
    }
}
