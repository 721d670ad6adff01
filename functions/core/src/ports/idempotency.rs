//! The requests that carried an `Idempotency-Key`.

use std::future::Future;

use super::PortError;
use crate::idempotency::{IdempotencyKey, IdempotencyRecord};
use crate::time::UnixMillis;

/// Stores the answers to requests with an `Idempotency-Key`, so that a repeated request is not carried out again.
pub trait IdempotencyStore: Send + Sync {
    /// Reads the record of a key at `now`.
    fn find(
        &self,
        name: &IdempotencyKey,
        now: UnixMillis,
    ) -> impl Future<Output = Result<Option<IdempotencyRecord>, PortError>> + Send;

    /// Stores `new` under a key unless there is a record already, and returns the record that is stored then. A
    /// record is kept from `new.at` for as long as the deployment says, 24 hours by default.
    fn reserve(
        &self,
        name: &IdempotencyKey,
        new: &IdempotencyRecord,
    ) -> impl Future<Output = Result<IdempotencyRecord, PortError>> + Send;
}
