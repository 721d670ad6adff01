//! The capabilities of a stack.

use crate::catalog::{SecretRef, SecretStoreKind};

/// The capabilities of a stack.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    /// The keepers whose secrets it can fetch.
    pub secret_stores: &'static [SecretStoreKind],
    /// `Ok` if it can call AWS services, otherwise the reason.
    pub aws: Result<(), &'static str>,
}

impl Capabilities {
    /// Why this stack cannot fetch a secret, if it cannot.
    pub fn without(&self, secret: &SecretRef) -> Option<String> {
        if self.secret_stores.contains(&secret.store) {
            return None;
        }
        let lack = format!("the secret {secret} cannot be fetched by this deployment");
        Some(match (secret.store, self.aws) {
            (SecretStoreKind::Ssm | SecretStoreKind::SecretsManager, Err(reason)) => format!("{lack}: {reason}"),
            _ => lack,
        })
    }
}
