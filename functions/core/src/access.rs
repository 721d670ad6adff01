//! API keys and what they are confined to.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hash::hex;
use crate::time::UnixMillis;
use crate::words::words;

words! {
    /// A permission of a key.
    enum Scope {
        /// Read jobs and catalogs.
        JobsRead = "jobs:read",
        /// Schedule, cancel and retry jobs.
        JobsWrite = "jobs:write",
        /// Replace and delete catalogs.
        CatalogWrite = "catalog:write",
        /// Mint tokens of sessions. The holder can act as any user.
        SessionsMint = "sessions:mint",
    }
}

/// The record of a key. The key itself is not stored, only its hash, under which the record is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Identifies the key in logs.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// The products it opens; `*` for all.
    pub products: Vec<String>,
    /// The environments it opens; `*` for all.
    pub envs: Vec<String>,
    /// The permissions.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: UnixMillis,
}

impl ApiKey {
    /// True if the key opens this environment of this product.
    pub fn opens(&self, product: &str, env: &str) -> bool {
        self.opens_product(product) && lists(&self.envs, env)
    }

    /// True if the key opens at least one environment of this product.
    pub fn opens_product(&self, product: &str) -> bool {
        lists(&self.products, product)
    }

    /// True if the key opens every environment of the product.
    pub fn opens_every_env(&self, product: &str) -> bool {
        self.opens_product(product) && self.envs.iter().any(|env| env == "*")
    }

    /// True if the key has this permission.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

fn lists(list: &[String], wanted: &str) -> bool {
    list.iter().any(|entry| entry == "*" || entry == wanted)
}

/// A new key's text: `car_` and 256 random bits. Shown once, then only its hash is kept.
///
/// ```
/// use carillon_core::access::{KeyHash, new_key};
/// let key = new_key(1, 2);
/// assert_eq!(key.len(), 47);
/// assert_eq!(KeyHash::of(&key).to_string().len(), 64);
/// ```
pub fn new_key(random: u128, more: u128) -> String {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&random.to_be_bytes());
    bytes[16..].copy_from_slice(&more.to_be_bytes());
    format!("car_{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// The SHA-256 of a key. Keys carry 256 random bits, so a plain hash cannot be inverted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a key's text.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }
}

impl fmt::Display for KeyHash {
    /// 64 lower-case hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_what_it_lists_and_nothing_else() {
        let key = ApiKey {
            id: "k".into(),
            name: String::new(),
            products: vec!["shop".into()],
            envs: vec!["dev".into(), "prd".into()],
            scopes: vec![Scope::JobsRead],
            created_at: UnixMillis(0),
        };
        assert!(key.opens("shop", "prd"));
        assert!(!key.opens("shop", "stg") && !key.opens("bank", "prd") && !key.opens("", "") && !key.opens("*", "*"));
        assert!(!key.opens_every_env("shop"));
        assert!(key.allows(Scope::JobsRead) && !key.allows(Scope::JobsWrite));
    }
}
