//! What is measured: the embedded stack on a folder of its own, with a product whose jobs reach nothing.

use std::sync::Arc;

use carillon_core::access::{ApiKey, KeyHash, Scope};
use carillon_core::operations::put_catalog;
use carillon_core::ports::{Clock as _, Condition, KeyStore as _, Ports as _};
use carillon_core::time::UnixMillis;
use carillon_embedded::{Durability, Embedded};
use serde_json::json;
use tempfile::TempDir;

use super::Failure;
use crate::client::catalog;

/// The key that callers over HTTP send.
pub(super) const KEY: &str = "car_benchmark";

/// A store on disk, which goes with its folder.
pub(super) struct Stack {
    pub(super) ports: Arc<Embedded>,
    pub(super) key: Arc<ApiKey>,
    _folder: TempDir,
}

impl Stack {
    pub(super) async fn open() -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let ports = Arc::new(Embedded::open(folder.path(), Durability::Process)?);
        let all = all_open(ports.clock().now());
        ports.keys().add(&KeyHash::of(KEY), &all).await?;
        let document = catalog(([127, 0, 0, 1], 9).into()).to_string();
        put_catalog(&*ports, &all, "p", document.as_bytes(), &Condition::Always).await?;
        Ok(Self { ports, key: Arc::new(all), _folder: folder })
    }
}

/// A key that opens everything.
pub(super) fn all_open(created_at: UnixMillis) -> ApiKey {
    ApiKey {
        id: "all".to_owned(),
        name: String::new(),
        products: vec!["*".to_owned()],
        envs: vec!["*".to_owned()],
        scopes: Scope::WORDS.map(|(_, scope)| scope).to_vec(),
        created_at,
    }
}

/// The body of a job as a shop would send it, some 200 bytes.
pub(super) fn body(number: usize, start_at: i64) -> Vec<u8> {
    let mut job = crate::client::job("p", number, start_at);
    job["retries"] = json!(3);
    job["input"]["body"] =
        json!({"order": format!("ord-{number:08}"), "email": "ada@example.com", "total": 59.9, "items": 3});
    job.to_string().into_bytes()
}
