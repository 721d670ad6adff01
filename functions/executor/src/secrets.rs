//! Where secrets come from. They are fetched when an attempt needs them, and are in no job, log line or error.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;

use carillon_core::catalog::{Keeper, SecretRef};
use carillon_core::job::{RunError, codes};

/// A secret's text. It has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What fetches secrets.
pub trait SecretSource: Send + Sync {
    /// Fetches the secret behind a reference; the error names the reference and never the secret.
    fn fetch(&self, secret: &SecretRef) -> impl Future<Output = Result<Secret, RunError>> + Send;
}

/// Secrets that stand in the environment of the process (`env:NAME`), as its main read them at the start.
#[derive(Clone, Debug, Default)]
pub struct EnvSecrets(HashMap<String, Secret>);

impl EnvSecrets {
    /// Takes the variables that may be referred to.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name, Secret::new(value))).collect())
    }
}

impl SecretSource for EnvSecrets {
    async fn fetch(&self, secret: &SecretRef) -> Result<Secret, RunError> {
        let found = if secret.keeper == Keeper::Env { self.0.get(&secret.name) } else { None };
        found
            .cloned()
            .ok_or_else(|| RunError::permanent(codes::SECRET_NOT_FOUND, format!("there is no secret {secret}")))
    }
}
