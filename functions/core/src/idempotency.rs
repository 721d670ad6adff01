//! Requests that a caller named, so that one that is sent again is not carried out again.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hash::hex;
use crate::ids::{JobId, Owner};
use crate::job::Status;
use crate::time::UnixMillis;

/// A name is kept for so many hours, unless the deployment says otherwise.
pub const KEPT_HOURS: u32 = 24;

/// What a request is found under: a hash of its product, its environment and the key that its caller gave it.
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

    /// The id of the job that was asked for under this name at `at`: its order is given by the instant, the rest by the name.
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

/// What stands under a request's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// Which of the requests of this name it is of: the only one that does not repeat another.
    pub by: Owner,
    /// When the request was first accepted: whoever carries it out again does so as if it were then.
    pub at: UnixMillis,
    /// SHA-256 of the body, in 64 lower-case hex digits.
    pub body: String,
    /// What was answered.
    pub accepted: Accepted,
}

/// What is said of a job when it is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The job.
    pub job_id: JobId,
    /// Scheduled or queued.
    pub status: Status,
    /// When its first run is due.
    pub due_at: UnixMillis,
    /// Whether it runs more than once.
    pub recurring: bool,
}
