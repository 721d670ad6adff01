//! Sealing keys: KMS makes them, and keeps none of them.
//!
//! A function seals with a data key of its own. KMS returns it in two forms: in plain text, for the function's memory
//! only, and wrapped by the deployment's KMS key, to be stored beside everything that it seals. To open a sealed
//! text, a function has KMS unwrap the key once, and keeps it in memory. So a session costs a KMS request only when a
//! function meets a key for the first time, the policy of the KMS key decides who may open it, and every key works
//! for this deployment only, because its name is part of the encryption context.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_kms::operation::decrypt::DecryptError;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use carillon_core::ports::{Clock, PortError, SealingKeys};
use carillon_core::session::sealing::{SealingKey, SealingKeyId};
use carillon_core::time::UnixMillis;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::clients::Kms;
use crate::fault::{Unreadable, classify};
use crate::settings::Settings;

/// Lifetime of a data key for sealing, ms: one day.
const SEALS_MS: i64 = 86_400_000;
/// Number of data keys kept in memory. Each function that seals makes one a day.
const REMEMBERED: usize = 1_000;
/// The longest text that KMS unwraps (AWS KMS API Reference, Decrypt).
const MAX_WRAPPED: usize = 6_144;
/// The name of the deployment in the encryption context. The policies of infra/ name it too.
const CONTEXT: &str = "carillon";

const DATA_KEY: &str = "data key";

/// The sealing keys of a deployment.
#[derive(Clone, Debug)]
pub struct KmsSealingKeys<C> {
    kms: Kms,
    key_id: String,
    service: String,
    clock: C,
    /// The key that seals, and when it was made. The lock makes other callers wait for one that is being made.
    current: Arc<tokio::sync::Mutex<Option<(UnixMillis, SealingKey)>>>,
    unwrapped: Arc<Mutex<Unwrapped>>,
}

/// Keys that were unwrapped, or are about to be; the oldest is dropped first.
#[derive(Debug, Default)]
struct Unwrapped {
    cells: HashMap<SealingKeyId, Arc<OnceCell<SealingKey>>>,
    order: VecDeque<SealingKeyId>,
}

/// Why a key is not unwrapped.
enum Refusal {
    /// Nothing can ever unwrap it.
    Gone,
    Port(PortError),
}

impl<C: Clock> KmsSealingKeys<C> {
    /// Creates the sealing keys of a deployment.
    pub fn new(kms: Kms, settings: &Settings, clock: C) -> Self {
        let (key_id, service) = (settings.sealing_key_id.clone(), settings.service.clone());
        Self { kms, key_id, service, clock, current: Arc::default(), unwrapped: Arc::default() }
    }

    async fn make(&self) -> Result<SealingKey, PortError> {
        let request = self.kms.client().generate_data_key().key_id(&self.key_id).key_spec(DataKeySpec::Aes256);
        let made = request.encryption_context(CONTEXT, &self.service).send().await.map_err(classify)?;
        let (Some(id), Some(wrapped), Some(secret)) = (made.key_id, made.ciphertext_blob, made.plaintext) else {
            return Err(Unreadable(DATA_KEY).into());
        };
        let name = SealingKeyId { id, wrapped: Some(STANDARD.encode(wrapped)) };
        Ok(sealing_key(name, secret)?)
    }

    async fn unwrap(&self, name: &SealingKeyId) -> Result<SealingKey, Refusal> {
        let wrapped = name.wrapped.as_ref().and_then(|wrapped| STANDARD.decode(wrapped).ok());
        let wrapped = wrapped.filter(|wrapped| (1..=MAX_WRAPPED).contains(&wrapped.len())).ok_or(Refusal::Gone)?;
        // With the id in the request, KMS accepts no other key than the one that the name says.
        let request = self.kms.client().decrypt().key_id(&name.id).ciphertext_blob(Blob::new(wrapped));
        let unwrapped = request.encryption_context(CONTEXT, &self.service).send().await.map_err(|error| {
            match error.as_service_error() {
                Some(
                    DecryptError::InvalidCiphertextException(_)
                    | DecryptError::IncorrectKeyException(_)
                    // A key is deleted at least a week after the request to delete it.
                    | DecryptError::NotFoundException(_),
                ) => Refusal::Gone,
                _ => Refusal::Port(classify(error)),
            }
        })?;
        let secret = unwrapped.plaintext.ok_or(Refusal::Port(Unreadable(DATA_KEY).into()))?;
        sealing_key(name.clone(), secret).map_err(|unreadable| Refusal::Port(unreadable.into()))
    }

    fn cell(&self, name: &SealingKeyId) -> Arc<OnceCell<SealingKey>> {
        let mut unwrapped = self.unwrapped.lock().unwrap_or_else(PoisonError::into_inner);
        unwrapped.cell(name)
    }
}

impl<C: Clock> SealingKeys for KmsSealingKeys<C> {
    async fn current(&self) -> Result<SealingKey, PortError> {
        let mut current = self.current.lock().await;
        let now = self.clock.now();
        if let Some((made_at, key)) = &*current
            && now.since(*made_at) < SEALS_MS
        {
            return Ok(key.clone());
        }
        let key = self.make().await?;
        // The function that sealed a text can open it.
        let _ = self.cell(key.name()).set(key.clone());
        *current = Some((now, key.clone()));
        Ok(key)
    }

    async fn find(&self, name: &SealingKeyId) -> Result<Option<SealingKey>, PortError> {
        // Concurrent requests for one key make one request to KMS.
        match self.cell(name).get_or_try_init(|| self.unwrap(name)).await {
            Ok(key) => Ok(Some(key.clone())),
            Err(Refusal::Gone) => Ok(None),
            Err(Refusal::Port(error)) => Err(error),
        }
    }
}

impl Unwrapped {
    fn cell(&mut self, name: &SealingKeyId) -> Arc<OnceCell<SealingKey>> {
        if let Some(cell) = self.cells.get(name) {
            return Arc::clone(cell);
        }
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.cells.remove(&oldest);
        }
        self.order.push_back(name.clone());
        Arc::clone(self.cells.entry(name.clone()).or_default())
    }
}

/// Takes a data key from KMS's answer, which is wiped.
fn sealing_key(name: SealingKeyId, secret: Blob) -> Result<SealingKey, Unreadable> {
    let secret = Zeroizing::new(secret.into_inner());
    let mut bytes = Zeroizing::new([0; 32]);
    if secret.len() != bytes.len() {
        return Err(Unreadable(DATA_KEY));
    }
    bytes.copy_from_slice(&secret);
    Ok(SealingKey::new(name, bytes))
}

#[cfg(test)]
mod tests;
