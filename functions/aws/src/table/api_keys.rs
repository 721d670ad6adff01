//! API keys, under their hashes.

use std::sync::Arc;

use carillon_core::access::{ApiKey, KeyHash};
use carillon_core::ports::{Clock, KeyStore, PortError};

use super::{Table, json, key, keys, read};
use crate::fault::classify;

const DOC: &str = "doc";

impl<C: Clock> KeyStore for Table<C> {
    async fn find(&self, hash: &KeyHash) -> Result<Option<Arc<ApiKey>>, PortError> {
        let now = self.clock.now();
        if let Some(known) = self.api_keys.get(hash, now) {
            return Ok(Some(known));
        }
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key(keys::key(hash), keys::KEY)));
        let answer = request.send().await.map_err(classify)?;
        let found = answer.item.as_ref().map(|item| read(item, DOC, "API key")).transpose()?.map(Arc::new);
        self.api_keys.set(hash.clone(), found.as_ref(), now);
        Ok(found)
    }

    async fn add(&self, hash: &KeyHash, api_key: &ApiKey) -> Result<(), PortError> {
        let mut item = key(keys::key(hash), keys::KEY);
        item.insert(DOC.to_owned(), json(api_key, "API key")?);
        self.client.put_item().table_name(&self.name).set_item(Some(item)).send().await.map_err(classify)?;
        self.api_keys.set(hash.clone(), Some(&Arc::new(api_key.clone())), self.clock.now());
        Ok(())
    }
}
