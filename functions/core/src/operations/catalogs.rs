//! Publishing and reading catalogs.

use std::sync::Arc;

use super::{OperationError, invalid, require};
use crate::access::{ApiKey, Scope};
use crate::catalog::{Catalog, MAX_DOCUMENT_BYTES, Revision, Tag};
use crate::error::FieldCode;
use crate::json::parse;
use crate::ports::{CatalogStore, Condition, Ports, Published, WriteOutcome};

/// Replaces a product's catalog by the document in `body`, whole. The flag says whether the product is new.
///
/// # Errors
/// [`OperationError`]; the catalog stays as it was then.
pub async fn put_catalog<P: Ports>(
    ports: &P,
    caller: &ApiKey,
    product: &str,
    body: &[u8],
    condition: &Condition,
) -> Result<(Arc<Published>, bool), OperationError> {
    require_whole(caller, product)?;
    if Tag::parse(product).is_none() {
        return Err(invalid("path:product_tag", FieldCode::Malformed, format!("must be {}", Tag::FORM)));
    }
    if body.len() > MAX_DOCUMENT_BYTES {
        return Err(invalid("", FieldCode::OutOfRange, format!("must have at most {MAX_DOCUMENT_BYTES} bytes")));
    }
    let document = parse(body)?;
    let catalog = Catalog::from_document(&document).map_err(OperationError::Invalid)?;
    let revision = Revision::of(&document);
    let is_new = ports.catalogs().fresh(product).await?.is_none();
    let published = Arc::new(Published { document, catalog, revision });
    match ports.catalogs().put(product, Arc::clone(&published), condition).await? {
        WriteOutcome::Done => Ok((published, is_new)),
        WriteOutcome::Conflict => Err(OperationError::PreconditionFailed),
    }
}

/// Reads a product's catalog.
///
/// # Errors
/// [`OperationError`]; a product that the key does not open is `NotFound`.
pub async fn get_catalog<P: Ports>(
    ports: &P,
    caller: &ApiKey,
    product: &str,
) -> Result<Arc<Published>, OperationError> {
    require(caller, Scope::JobsRead)?;
    let not_found = OperationError::NotFound("product");
    if !caller.opens_product(product) {
        return Err(not_found);
    }
    // Its revision is what the caller names when replacing it.
    ports.catalogs().fresh(product).await?.ok_or(not_found)
}

/// Removes a product's catalog. Jobs of the product that are still to run fail with `EVENT_NOT_FOUND`.
///
/// # Errors
/// [`OperationError`].
pub async fn delete_catalog<P: Ports>(
    ports: &P,
    caller: &ApiKey,
    product: &str,
    condition: &Condition,
) -> Result<(), OperationError> {
    require_whole(caller, product)?;
    if ports.catalogs().fresh(product).await?.is_none() {
        return Err(OperationError::NotFound("product"));
    }
    match ports.catalogs().delete(product, condition).await? {
        WriteOutcome::Done => Ok(()),
        WriteOutcome::Conflict => Err(OperationError::PreconditionFailed),
    }
}

/// A catalog covers every environment of its product, so a key that is confined to some cannot change it.
fn require_whole(caller: &ApiKey, product: &str) -> Result<(), OperationError> {
    require(caller, Scope::CatalogWrite)?;
    if caller.opens_every_env(product) { Ok(()) } else { Err(OperationError::NotOpened) }
}
