//! A cache of secrets, over the environment and the secret stores.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use carillon_core::catalog::{SecretRef, SecretStoreKind};
use carillon_core::job::RunError;
use carillon_core::ports::{Clock, SecretStore};
use carillon_core::time::UnixMillis;

use super::{EnvSecrets, FetchedSecret, Secret, SecretSource};

/// Lifetime of a cached secret, ms: five minutes.
pub const KEPT_MS: i64 = 300_000;
/// Maximum number of cached secrets.
const MAX_SECRETS: usize = 1_000;

/// Secrets of the environment and of a secret store. The store's secrets are cached for five minutes. Of several
/// concurrent requests for the same secret one fetches it, and the others receive its result, also an error.
///
/// Clones share the cache.
#[derive(Debug)]
pub struct Secrets<K, C>(Arc<Shared<K, C>>);

#[derive(Debug)]
struct Shared<K, C> {
    variables: EnvSecrets,
    store: K,
    clock: C,
    slots: Mutex<HashMap<SecretRef, Arc<Slot>>>,
}

/// One secret.
#[derive(Debug, Default)]
struct Slot {
    /// Number of fetches, successful or not. A waiter sees by it whether another request has fetched meanwhile.
    fetched: AtomicU64,
    /// The last result and its time. The fetching request holds the lock.
    last: tokio::sync::Mutex<Option<(UnixMillis, Result<Secret, RunError>)>>,
}

impl<K, C> Clone for Secrets<K, C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: SecretStore, C: Clock> Secrets<K, C> {
    /// Creates the cache, with the variables that catalogs may refer to.
    pub fn new(variables: EnvSecrets, store: K, clock: C) -> Self {
        Self(Arc::new(Shared { variables, store, clock, slots: Mutex::default() }))
    }

    /// The secret of a store: the cached one unless it was `refused`, otherwise a fetched one.
    async fn kept(&self, secret: &SecretRef, refused: Option<&Secret>) -> Result<FetchedSecret, RunError> {
        let Shared { store, clock, .. } = &*self.0;
        let slot = self.slot(secret);
        let before = slot.fetched.load(Ordering::Acquire);
        let mut last = slot.last.lock().await;
        let now = clock.now();
        if let Some((fetched_at, outcome)) = &*last {
            if slot.fetched.load(Ordering::Acquire) != before {
                return outcome.clone().map(|secret| FetchedSecret { secret, is_old: false });
            }
            let is_young = now.since(*fetched_at) < KEPT_MS;
            if let Some(secret) = outcome.as_ref().ok().filter(|secret| is_young && refused != Some(*secret)) {
                return Ok(FetchedSecret { secret: secret.clone(), is_old: true });
            }
        }
        let outcome = store.fetch(secret).await.map(Secret::from);
        *last = Some((now, outcome.clone()));
        slot.fetched.fetch_add(1, Ordering::Release);
        outcome.map(|secret| FetchedSecret { secret, is_old: false })
    }

    fn slot(&self, secret: &SecretRef) -> Arc<Slot> {
        let mut slots = self.0.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MAX_SECRETS && !slots.contains_key(secret) {
            slots.clear();
        }
        Arc::clone(slots.entry(secret.clone()).or_default())
    }
}

impl<K: SecretStore, C: Clock> SecretSource for Secrets<K, C> {
    async fn fetch(&self, secret: &SecretRef) -> Result<Secret, RunError> {
        self.get(secret).await.map(|fetched| fetched.secret)
    }

    async fn get(&self, secret: &SecretRef) -> Result<FetchedSecret, RunError> {
        match secret.store {
            SecretStoreKind::Env => self.0.variables.get(secret).await,
            SecretStoreKind::Ssm | SecretStoreKind::SecretsManager => self.kept(secret, None).await,
        }
    }

    async fn renew(&self, secret: &SecretRef, refused: &Secret) -> Result<Secret, RunError> {
        match secret.store {
            SecretStoreKind::Env => self.0.variables.fetch(secret).await,
            SecretStoreKind::Ssm | SecretStoreKind::SecretsManager => {
                self.kept(secret, Some(refused)).await.map(|it| it.secret)
            }
        }
    }
}
