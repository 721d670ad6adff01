//! The requests that callers named with `Idempotency-Key`.

use std::future::Future;

use super::PortError;
use crate::idempotency::{IdempotencyKey, IdempotencyRecord};
use crate::time::UnixMillis;

/// What callers named their requests (`Idempotency-Key`), so that one that is repeated is not carried out again.
pub trait IdempotencyStore: Send + Sync {
    /// What stands under a name at `now`.
    fn find(
        &self,
        name: &IdempotencyKey,
        now: UnixMillis,
    ) -> impl Future<Output = Result<Option<IdempotencyRecord>, PortError>> + Send;

    /// Stands `new` under a name, unless something does: gives what stands there afterwards. It is kept for as long as the
    /// deployment says, 24 hours otherwise, from `new.at` on.
    fn reserve(
        &self,
        name: &IdempotencyKey,
        new: &IdempotencyRecord,
    ) -> impl Future<Output = Result<IdempotencyRecord, PortError>> + Send;
}
