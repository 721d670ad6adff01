//! The store of catalogs.

use std::sync::Arc;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use carillon_core::catalog::{Catalog, Revision};
use carillon_core::ports::{CatalogStore, Clock, Condition, PortError, Published, WriteOutcome};

use super::{Item, Table, json, key, keys, read, text};
use crate::fault::{Unreadable, classify};

const DOCUMENT: &str = "document";
const REVISION: &str = "revision";

impl<C: Clock> CatalogStore for Table<C> {
    async fn get(&self, product: &str) -> Result<Option<Arc<Published>>, PortError> {
        let cached = self.catalogs.get(product, self.clock.now());
        if cached.is_some() { Ok(cached) } else { self.fresh(product).await }
    }

    async fn fresh(&self, product: &str) -> Result<Option<Arc<Published>>, PortError> {
        let request =
            self.client.get_item().table_name(&self.name).set_key(Some(key(keys::product(product), keys::CATALOG)));
        let answer = request.consistent_read(true).send().await.map_err(classify)?;
        let published = answer.item.as_ref().map(published).transpose()?;
        self.remember(product, published.as_ref());
        Ok(published)
    }

    async fn put(
        &self,
        product: &str,
        published: Arc<Published>,
        condition: &Condition,
    ) -> Result<WriteOutcome, PortError> {
        let mut item = key(keys::product(product), keys::CATALOG);
        item.insert(DOCUMENT.to_owned(), json(&published.document, "catalog")?);
        item.insert(REVISION.to_owned(), text(published.revision.to_string()));
        let (expression, values) = expression(condition);
        let request = self.client.put_item().table_name(&self.name).set_item(Some(item));
        let request = request.set_condition_expression(expression).set_expression_attribute_values(values);
        let Err(error) = request.send().await else {
            self.remember(product, Some(&published));
            return Ok(WriteOutcome::Done);
        };
        if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) {
            // A repeated request meets its own write; equal revisions have equal content, so the write is done.
            let own = self.fresh(product).await?.is_some_and(|stored| stored.revision == published.revision);
            return Ok(if own && !matches!(condition, Condition::Absent) {
                WriteOutcome::Done
            } else {
                WriteOutcome::Conflict
            });
        }
        Err(classify(error))
    }

    async fn delete(&self, product: &str, condition: &Condition) -> Result<WriteOutcome, PortError> {
        let (expression, values) = expression(condition);
        let request =
            self.client.delete_item().table_name(&self.name).set_key(Some(key(keys::product(product), keys::CATALOG)));
        let request = request.set_condition_expression(expression).set_expression_attribute_values(values);
        let Err(error) = request.send().await else {
            self.remember(product, None);
            return Ok(WriteOutcome::Done);
        };
        if matches!(error.as_service_error(), Some(DeleteItemError::ConditionalCheckFailedException(_))) {
            return Ok(WriteOutcome::Conflict);
        }
        Err(classify(error))
    }
}

impl<C: Clock> Table<C> {
    fn remember(&self, product: &str, published: Option<&Arc<Published>>) {
        self.catalogs.set(product.to_owned(), published, self.clock.now());
    }
}

fn published(item: &Item) -> Result<Arc<Published>, PortError> {
    let document = read(item, DOCUMENT, "catalog")?;
    let revision = item.get(REVISION).and_then(|value| value.as_s().ok()).ok_or(Unreadable("catalog"))?;
    let catalog = Catalog::from_document(&document).map_err(|_| Unreadable("catalog"))?;
    Ok(Arc::new(Published { document, catalog, revision: Revision::named(revision) }))
}

fn expression(condition: &Condition) -> (Option<String>, Option<Item>) {
    match condition {
        Condition::Always => (None, None),
        Condition::Exists => (Some("attribute_exists(pk)".to_owned()), None),
        Condition::Absent => (Some("attribute_not_exists(pk)".to_owned()), None),
        Condition::Is(revisions) => {
            let names: Vec<String> = (0..revisions.len()).map(|index| format!(":r{index}")).collect();
            let values =
                names.iter().zip(revisions).map(|(name, it)| (name.clone(), AttributeValue::S(it.to_string())));
            // No revision is named by an empty list, and none is stored under an empty text.
            let (names, values) = if revisions.is_empty() {
                (":none".to_owned(), Item::from([(":none".to_owned(), text(" "))]))
            } else {
                (names.join(", "), values.collect())
            };
            (Some(format!("revision IN ({names})")), Some(values))
        }
    }
}
