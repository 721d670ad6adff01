//! The sources of secrets. A secret is fetched when an attempt needs it, and is in no job, log line or error.
//!
//! Secrets of a store are cached for five minutes. A target that refuses a cached secret may know a newer one:
//! [`SecretSource::renew`] fetches it without the cache.
//!
//! A [`Secret`], and what is made of one here, is wiped from memory when it is dropped. What goes to a library is copied there, and
//! stays until that memory is used again:
//!
//! | what | whose copies |
//! | --- | --- |
//! | headers, query parameters and forms of a request | `HeaderValue`, `Url`, `Bytes`, and what the HTTP client and TLS write from |
//! | a connection URL of PostgreSQL | `tokio_postgres::Config`, for as long as a connection is made |
//! | a login of SMTP | lettre's `Credentials`, and the line that it sends |
//! | a service account's key | jsonwebtoken's `EncodingKey` and, while the document is read, what undoes its escapes in `serde_json` |
//! | tokens, and secrets of SSM and Secrets Manager | the answer that they came in: of the HTTP client, or of the AWS SDK |
//! | variables (`env:NAME`) | the process's own environment |

mod remembered;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;

use carillon_core::catalog::{SecretRef, SecretStoreKind};
use carillon_core::job::{RunError, codes};
use zeroize::Zeroizing;

pub use self::remembered::{KEPT_MS, Secrets};

/// A secret's text, which is wiped when it is dropped. It has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<Zeroizing<String>> for Secret {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A secret, and how it was come by.
#[derive(Clone, Debug)]
pub struct FetchedSecret {
    /// The secret.
    pub secret: Secret,
    /// True if it was cached: there may be a newer one.
    pub is_old: bool,
}

/// A source of secrets.
pub trait SecretSource: Send + Sync {
    /// Fetches the secret behind a reference; the error names the reference and never the secret.
    fn fetch(&self, secret: &SecretRef) -> impl Future<Output = Result<Secret, RunError>> + Send;

    /// Returns the secret, and whether it was cached.
    fn get(&self, secret: &SecretRef) -> impl Future<Output = Result<FetchedSecret, RunError>> + Send {
        async move { self.fetch(secret).await.map(|secret| FetchedSecret { secret, is_old: false }) }
    }

    /// Fetches the secret again after a target has refused `refused`, unless the cache has another value by now. The
    /// result may be the same value again.
    fn renew(&self, secret: &SecretRef, _refused: &Secret) -> impl Future<Output = Result<Secret, RunError>> + Send {
        self.fetch(secret)
    }
}

/// Runs `attempt` with the secret behind a reference. If that secret was remembered and the attempt ends as UNAUTHORIZED, fetches it
/// past what is remembered, and runs the attempt once more if the secret has changed.
///
/// # Errors
/// As of the source and the attempt.
pub async fn with_renewed_secret<S, T, F>(
    source: &S,
    reference: &SecretRef,
    attempt: impl Fn(Secret) -> F,
) -> Result<T, RunError>
where
    S: SecretSource,
    F: Future<Output = Result<T, RunError>>,
{
    let FetchedSecret { secret, is_old } = source.get(reference).await?;
    let outcome = attempt(secret.clone()).await;
    if !is_old || !outcome.as_ref().is_err_and(|error| error.code == codes::UNAUTHORIZED) {
        return outcome;
    }
    let renewed = source.renew(reference, &secret).await?;
    if renewed == secret { outcome } else { attempt(renewed).await }
}

/// Secrets that stand in the environment of the process (`env:NAME`), as its main read them at the start.
#[derive(Clone, Debug, Default)]
pub struct EnvSecrets(HashMap<String, Secret>);

impl EnvSecrets {
    /// Keeps the variables that catalogs may refer to: all but AWS's own, so that the author of a catalog cannot use
    /// the process's own credentials.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = variables.into_iter().filter(|(name, _)| !name.starts_with("AWS_"));
        Self(variables.map(|(name, value)| (name, Secret::new(value))).collect())
    }
}

impl SecretSource for EnvSecrets {
    async fn fetch(&self, secret: &SecretRef) -> Result<Secret, RunError> {
        let found = if secret.store == SecretStoreKind::Env { self.0.get(&secret.name) } else { None };
        found.cloned().ok_or_else(|| missing(secret))
    }
}

/// The error of a reference behind which there is no secret.
pub fn missing(secret: &SecretRef) -> RunError {
    RunError::permanent(codes::SECRET_NOT_FOUND, format!("there is no secret {secret}"))
}
