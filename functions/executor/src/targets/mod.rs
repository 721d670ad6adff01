//! Carries out requests, by their kind.

mod fcm;
pub mod http;
mod mail;
pub mod postgres;
#[cfg(test)]
mod tests;

use std::time::Duration;

use carillon_core::catalog::SecretRef;
use carillon_core::job::{Output, RunError, codes};
use carillon_core::ports::{AwsServices, Clock, SecretStore, Targets};
use carillon_core::request::{AwsRequest, DispatchId, DispatchRequest, Request, Transfer};
use carillon_outbound::Outbound;
use carillon_outbound::secrets::{SecretSource, missing};
use zeroize::Zeroizing;

use self::http::{Head, Http};
use self::postgres::Postgres;

/// A result keeps this many bytes; the rest is cut off, and the result says so.
pub const MAX_RESULT_BYTES: usize = Output::MAX_BYTES;

/// Every provider that this executor has. Each is made when it is first used.
#[derive(Clone)]
pub struct Providers<S, C, A> {
    http: Http<S, C>,
    postgres: Postgres<S, C>,
    mail: mail::Mail,
    aws: A,
}

impl<S: SecretSource + Clone, C: Clock + Clone + 'static, A: AwsServices> Providers<S, C, A> {
    /// Providers behind a guarded way out, with the source of their secrets, the clock of their signatures, and AWS.
    pub fn new(outbound: Outbound, secrets: S, clock: C, aws: A) -> Self {
        Self {
            postgres: Postgres::new(outbound.clone(), secrets.clone(), clock.clone()),
            mail: mail::Mail::default(),
            http: Http::new(outbound, secrets, clock),
            aws,
        }
    }

    async fn perform(&self, call: DispatchRequest) -> Result<Output, RunError> {
        let DispatchRequest { id, attempt, timeout_ms, trace, request } = call;
        let head = |id, most_bytes| {
            let timeout = Duration::from_millis(timeout_ms.into());
            Head { id, attempt, timeout, trace, most_bytes }
        };
        match request {
            Request::Http(request) => self.http.perform(&head(id, MAX_RESULT_BYTES), *request).await,
            Request::Aws(request) => self.aws.perform(&id, request).await,
            Request::Transfer(transfer) => {
                let Transfer { from, most_bytes, into } = *transfer;
                let content = self.http.fetch(&head(id.clone(), most_bytes), from).await?;
                self.aws.perform(&id, into.with_content(content)).await
            }
            Request::Sql(request) => self.postgres.perform(Duration::from_millis(timeout_ms.into()), *request).await,
            Request::Mail(request) => self.mail.perform(&self.http, &id, *request).await,
            Request::Fcm(request) => fcm::perform(&self.http, &head(id, MAX_RESULT_BYTES), *request).await,
        }
    }
}

impl<S: SecretSource + Clone, C: Clock + Clone + 'static, A: AwsServices> Targets for Providers<S, C, A> {
    async fn dispatch(&self, call: DispatchRequest) -> Result<Output, RunError> {
        let deadline = Duration::from_millis(call.timeout_ms.into());
        // Fetching secrets and tokens counts as part of the attempt: the lease was measured for all of it.
        tokio::time::timeout(deadline, self.perform(call))
            .await
            .unwrap_or_else(|_| Err(RunError::transient(codes::TIMEOUT, "the attempt took too long")))
    }

    async fn pause(&self, ms: u32) {
        tokio::time::sleep(Duration::from_millis(ms.into())).await;
    }
}

/// An executor without AWS. What needs it is refused when a job is scheduled.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAws;

impl AwsServices for NoAws {
    async fn perform(&self, _: &DispatchId, _: AwsRequest) -> Result<Output, RunError> {
        Err(RunError::permanent(codes::EVENT_NOT_FOUND, "this executor cannot call AWS services"))
    }
}

impl SecretStore for NoAws {
    async fn fetch(&self, secret: &SecretRef) -> Result<Zeroizing<String>, RunError> {
        Err(missing(secret))
    }
}
