//! The catalogs, with a cache of their parsed form.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use carillon_core::catalog::{Catalog, Revision};
use carillon_core::ports::{CatalogStore, Condition, PortError, Published, WriteOutcome};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::fault::Fault;
use super::rows::parsed;
use super::writer::{Write, WriteSession};
use super::{Effects, Store};

pub(super) const READ: &str = "SELECT revision, document FROM catalogs WHERE product = ?1";
pub(super) const PUT: &str = "
    INSERT INTO catalogs (product, revision, document) VALUES (?1, ?2, ?3)
    ON CONFLICT (product) DO UPDATE SET revision = excluded.revision, document = excluded.document";
pub(super) const DELETE: &str = "DELETE FROM catalogs WHERE product = ?1";

/// A cache of catalogs that were read or published. It is coherent because only this process changes them.
#[derive(Debug, Default)]
pub(super) struct Catalogs(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    by_product: HashMap<String, Arc<Published>>,
    /// Counts changes, so that a reader does not add a catalog that it read before a change.
    changes: u64,
}

impl Catalogs {
    fn get(&self, product: &str) -> (Option<Arc<Published>>, u64) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        (known.by_product.get(product).cloned(), known.changes)
    }

    fn set(&self, product: &str, published: Option<Arc<Published>>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.changes += 1;
        match published {
            Some(published) => known.by_product.insert(product.to_owned(), published),
            None => known.by_product.remove(product),
        };
    }

    fn add(&self, product: &str, published: &Arc<Published>, read_at: u64) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.changes == read_at {
            known.by_product.insert(product.to_owned(), Arc::clone(published));
        }
    }
}

impl CatalogStore for Store {
    async fn get(&self, product: &str) -> Result<Option<Arc<Published>>, PortError> {
        let (known, changes) = self.effects.catalogs.get(product);
        if known.is_some() {
            return Ok(known);
        }
        let read = self.readers.read(|db| read(db, product))?.map(Arc::new);
        if let Some(published) = &read {
            self.effects.catalogs.add(product, published, changes);
        }
        Ok(read)
    }

    async fn put(
        &self,
        product: &str,
        published: Arc<Published>,
        condition: &Condition,
    ) -> Result<WriteOutcome, PortError> {
        let replacement = Some((published.document.to_string(), published));
        let write = Replace { product: product.to_owned(), replacement, condition: condition.clone() };
        self.writer.write(write).await
    }

    async fn delete(&self, product: &str, condition: &Condition) -> Result<WriteOutcome, PortError> {
        let write = Replace { product: product.to_owned(), replacement: None, condition: condition.clone() };
        self.writer.write(write).await
    }
}

fn read(db: &Connection, product: &str) -> Result<Option<Published>, Fault> {
    let mut statement = db.prepare_cached(READ)?;
    let mut rows = statement.query([product])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let revision = Revision::named(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?);
    let document: Value = parsed(row, 1, || format!("the catalog of {product}"))?;
    let catalog = Catalog::from_document(&document).map_err(|faults| {
        let first = faults.first().map_or_else(String::new, |fault| format!("{}: {}", fault.pointer, fault.detail));
        Fault::InvalidCatalog { product: product.to_owned(), first }
    })?;
    Ok(Some(Published { document, catalog, revision }))
}

/// The replacement or deletion of a catalog.
struct Replace {
    product: String,
    replacement: Option<(String, Arc<Published>)>,
    condition: Condition,
}

impl Write for Replace {
    fn apply(&mut self, session: &mut WriteSession<'_>) -> Result<WriteOutcome, Fault> {
        let stored: Option<String> =
            session.db.prepare_cached(READ)?.query_row([&self.product], |row| row.get(0)).optional()?;
        let stored = stored.map(|revision| Revision::named(&revision));
        if !self.condition.holds(stored.as_ref()) {
            return Ok(WriteOutcome::Conflict);
        }
        match &self.replacement {
            Some((document, published)) => {
                let row = params![self.product, published.revision.to_string(), document];
                session.db.prepare_cached(PUT)?.execute(row)?;
            }
            None => {
                session.db.prepare_cached(DELETE)?.execute([&self.product])?;
            }
        }
        Ok(WriteOutcome::Done)
    }

    fn take_effect(self: Box<Self>, effects: &Effects) {
        effects.catalogs.set(&self.product, self.replacement.map(|(_, published)| published));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_was_overtaken_by_a_change_does_not_bring_the_old_catalog_back() {
        let published = |env: &str| {
            let document = serde_json::json!({"envs": [env]});
            let catalog = Catalog::from_document(&document).unwrap();
            Arc::new(Published { revision: Revision::of(&document), catalog, document })
        };
        let (old, new) = (published("dev"), published("prd"));
        let catalogs = Catalogs::default();
        let (_, read_at) = catalogs.get("shop");
        catalogs.set("shop", Some(Arc::clone(&new)));
        catalogs.add("shop", &old, read_at);
        assert_eq!(catalogs.get("shop").0.unwrap().revision, new.revision);
        let (_, read_at) = catalogs.get("shop");
        catalogs.set("shop", None);
        catalogs.add("shop", &new, read_at);
        assert!(catalogs.get("shop").0.is_none());
        let (_, read_at) = catalogs.get("shop");
        catalogs.add("shop", &old, read_at);
        assert_eq!(catalogs.get("shop").0.unwrap().revision, old.revision);
    }
}
