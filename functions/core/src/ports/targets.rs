//! Services that jobs reach.

use std::future::Future;

use zeroize::Zeroizing;

use crate::catalog::SecretRef;
use crate::job::{Output, RunError};
use crate::request::{AwsRequest, DispatchId, DispatchRequest};

/// Reaches the targets of jobs.
pub trait Targets: Send + Sync {
    /// Performs one dispatch within its timeout.
    fn dispatch(&self, call: DispatchRequest) -> impl Future<Output = Result<Output, RunError>> + Send;

    /// Waits between two tries of a part within one attempt.
    fn pause(&self, ms: u32) -> impl Future<Output = ()> + Send;
}

/// Calls AWS services for jobs.
pub trait AwsServices: Send + Sync {
    /// Carries out a request. A service that can tell a repetition receives `id`.
    fn perform(&self, id: &DispatchId, request: AwsRequest) -> impl Future<Output = Result<Output, RunError>> + Send;
}

/// Fetches secrets from the services that store them.
pub trait SecretStore: Send + Sync {
    /// Fetches the secret behind a reference. An error names the reference and never the secret. It is permanent if
    /// there is no such secret ([`codes::SECRET_NOT_FOUND`]), and retryable if the store throttles or cannot be
    /// reached.
    ///
    /// [`codes::SECRET_NOT_FOUND`]: crate::job::codes::SECRET_NOT_FOUND
    fn fetch(&self, secret: &SecretRef) -> impl Future<Output = Result<Zeroizing<String>, RunError>> + Send;
}
