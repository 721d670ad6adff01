//! The embedded stack in a folder of its own, with a product whose jobs reach nothing.

use std::path::Path;
use std::sync::Arc;

use carillon_core::access::{ApiKey, KeyHash, Scope};
use carillon_core::operations::put_catalog;
use carillon_core::ports::{Clock as _, Condition, KeyStore as _, Ports as _};
use carillon_core::time::UnixMillis;
use carillon_embedded::{Durability, Embedded};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Failure;

/// The key that callers over HTTP send.
pub const KEY: &str = "car_benchmark";

/// A store on disk.
pub struct Stack {
    /// The store and everything else that the operations need.
    pub ports: Arc<Embedded>,
    /// A key that opens everything.
    pub key: Arc<ApiKey>,
    /// Deleted with the stack. `None` when the caller keeps the folder.
    _folder: Option<TempDir>,
}

impl Stack {
    /// Opens a new store in a temporary folder, which is deleted with the stack.
    ///
    /// # Errors
    /// When the folder or the store cannot be made.
    pub async fn open() -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let stack = Self::open_in(folder.path()).await?;
        Ok(Self { _folder: Some(folder), ..stack })
    }

    /// Opens the store of a folder, which stays.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub async fn open_in(folder: &Path) -> Result<Self, Failure> {
        let ports = Arc::new(Embedded::open(folder, Durability::Process)?);
        let all = all_open(ports.clock().now());
        ports.keys().add(&KeyHash::of(KEY), &all).await?;
        put_catalog(&*ports, &all, "p", catalog().to_string().as_bytes(), &Condition::Always).await?;
        Ok(Self { ports, key: Arc::new(all), _folder: None })
    }
}

/// A key that opens everything.
pub fn all_open(created_at: UnixMillis) -> ApiKey {
    ApiKey {
        id: "all".to_owned(),
        name: String::new(),
        products: vec!["*".to_owned()],
        envs: vec!["*".to_owned()],
        scopes: Scope::WORDS.map(|(_, scope)| scope).to_vec(),
        created_at,
    }
}

/// One app with one action.
fn catalog() -> Value {
    json!({"envs": ["dev"], "apps": {"app": {
        "envs": {"dev": {"base_url": "http://127.0.0.1:9"}},
        "actions": {"work": {"method": "POST", "path": "/tasks/:number"}},
    }}})
}

/// The body of a job as a shop would send it, some 200 bytes. `start_at` is in epoch ms, 0 for now.
pub fn body(number: usize, start_at: i64) -> Vec<u8> {
    let body = json!({"order": format!("ord-{number:08}"), "email": "ada@example.com", "total": 59.9, "items": 3});
    let job = json!({
        "product_tag": "p", "env": "dev", "event": "work", "start_at": start_at, "retries": 3,
        "input": {"params": {"number": number}, "body": body},
    });
    job.to_string().into_bytes()
}
