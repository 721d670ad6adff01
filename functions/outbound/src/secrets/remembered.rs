//! Secrets of the environment and of the services that keep them, the latter remembered for a while.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use carillon_core::catalog::{SecretRef, SecretStoreKind};
use carillon_core::job::RunError;
use carillon_core::ports::{Clock, SecretStore};
use carillon_core::time::UnixMillis;

use super::{EnvSecrets, FetchedSecret, Secret, SecretSource};

/// A secret is remembered for so long, ms: five minutes.
pub const KEPT_MS: i64 = 300_000;
/// So many secrets are remembered.
const MAX_SECRETS: usize = 1_000;

/// Secrets of the environment and of the services that keep them. What a service gave is remembered for five minutes; of
/// several that want the same secret at once one fetches it, and the others get what that one got, an error too.
///
/// Clones share what they remember.
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
    /// How many times it was fetched, well or not. Whoever waited for the lock sees by this whether somebody fetched meanwhile.
    fetched: AtomicU64,
    /// What came of it last, and when. Whoever fetches holds the lock.
    last: tokio::sync::Mutex<Option<(UnixMillis, Result<Secret, RunError>)>>,
}

impl<K, C> Clone for Secrets<K, C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: SecretStore, C: Clock> Secrets<K, C> {
    /// The variables that may be referred to, the services, and the clock by which they are remembered.
    pub fn new(variables: EnvSecrets, store: K, clock: C) -> Self {
        Self(Arc::new(Shared { variables, store, clock, slots: Mutex::default() }))
    }

    /// The secret of a service: what is remembered and not `refused`, and otherwise what the service says.
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
