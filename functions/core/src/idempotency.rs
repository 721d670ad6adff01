//! Requests with an `Idempotency-Key`: a repeated one is not carried out again.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hash::hex;
use crate::ids::{JobId, Owner};
use crate::job::Status;
use crate::time::UnixMillis;

/// Hours that a key is kept, unless the deployment says otherwise.
pub const KEPT_HOURS: u32 = 24;

/// Identifies a request: a hash of its product, its environment and the caller's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey([u8; 32]);

impl IdempotencyKey {
    /// The name of a request for a product's environment.
    ///
    /// ```
    /// use carillon_core::idempotency::IdempotencyKey;
    /// assert_eq!(IdempotencyKey::of("shop", "dev", "order-1"), IdempotencyKey::of("shop", "dev", "order-1"));
    /// assert_ne!(IdempotencyKey::of("shop", "dev", "order-1"), IdempotencyKey::of("shop", "prd", "order-1"));
    /// ```
    pub fn of(product: &str, env: &str, key: &str) -> Self {
        Self(Sha256::digest(format!("{product}\n{env}\n{key}")).into())
    }

    /// The id of the job that is accepted under this key at `at`: the instant gives its order, the key the rest.
    pub fn job_id(&self, at: UnixMillis) -> JobId {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.0[..16]);
        JobId::new(at, u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for IdempotencyKey {
    /// 64 lower-case hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// The record under a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// Identifies the one request that was not a repetition.
    pub by: Owner,
    /// When the request was first accepted. A repetition is computed as of this instant.
    pub at: UnixMillis,
    /// SHA-256 of the body, in 64 lower-case hex digits.
    pub body: String,
    /// The answer.
    pub accepted: Accepted,
}

/// The answer to an accepted job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The job.
    pub job_id: JobId,
    /// Scheduled or queued.
    pub status: Status,
    /// When the first run is due.
    pub due_at: UnixMillis,
    /// True if the job runs more than once.
    pub recurring: bool,
}
