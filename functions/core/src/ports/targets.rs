//! What reaches services on behalf of a job.

use std::future::Future;

use zeroize::Zeroizing;

use crate::catalog::SecretRef;
use crate::event_types::{AwsRequest, DispatchId, DispatchRequest};
use crate::job::{Output, RunError};

/// What reaches the outside on behalf of a job.
pub trait Targets: Send + Sync {
    /// Performs one dispatch within the call's timeout.
    fn dispatch(&self, call: DispatchRequest) -> impl Future<Output = Result<Output, RunError>> + Send;

    /// Waits between two tries of a part, which are made in one attempt.
    fn pause(&self, ms: u32) -> impl Future<Output = ()> + Send;
}

/// What calls AWS services on behalf of a job.
pub trait AwsServices: Send + Sync {
    /// Carries a request out. `id` names it where a service can tell a repetition.
    fn perform(&self, id: &DispatchId, request: AwsRequest) -> impl Future<Output = Result<Output, RunError>> + Send;
}

/// What fetches secrets from the services that keep them.
pub trait SecretStore: Send + Sync {
    /// The secret behind a reference as it is now. An error names the reference and never the secret: permanent where there is
    /// none ([`codes::SECRET_NOT_FOUND`]), retryable where the keeper asks for fewer requests or cannot be reached.
    ///
    /// [`codes::SECRET_NOT_FOUND`]: crate::job::codes::SECRET_NOT_FOUND
    fn fetch(&self, secret: &SecretRef) -> impl Future<Output = Result<Zeroizing<String>, RunError>> + Send;
}
