//! Publishing and reading catalogs. An adapter reads its own writes at once; the writes of others may be seen 30 s late.

use std::sync::Arc;

use carillon_core::catalog::Revision;
use carillon_core::ports::{CatalogStore, Condition, Ports, Published, WriteOutcome};
use futures_util::future::join_all;

use super::samples::published;

async fn put(ports: &impl Ports, published: &Arc<Published>, condition: Condition) -> WriteOutcome {
    ports.catalogs().put("shop", Arc::clone(published), &condition).await.unwrap()
}

async fn delete(ports: &impl Ports, condition: Condition) -> WriteOutcome {
    ports.catalogs().delete("shop", &condition).await.unwrap()
}

async fn stored(ports: &impl Ports) -> Option<Revision> {
    ports.catalogs().get("shop").await.unwrap().map(|published| published.revision.clone())
}

/// Document, meaning and revision.
pub async fn a_published_catalog_is_read_back_as_it_was(ports: &impl Ports) {
    let catalog = published("https://auth.example.com/Ünï");
    assert_eq!(put(ports, &catalog, Condition::Always).await, WriteOutcome::Done);
    let read = ports.catalogs().get("shop").await.unwrap().unwrap();
    assert_eq!((&read.document, &read.revision), (&catalog.document, &catalog.revision));
    assert_eq!(read.revision, Revision::of(&read.document));
    assert!(read.catalog.apps.contains_key("auth-service"));
}

/// No catalog, no error.
pub async fn a_product_without_a_catalog_has_none(ports: &impl Ports) {
    assert_eq!(stored(ports).await, None);
}

/// A replacement happens exactly when its condition holds for what is stored.
pub async fn conditions_decide_what_is_replaced(ports: &impl Ports) {
    let [first, second, third] = ["https://a.example", "https://b.example", "https://c.example"].map(published);
    let is = |published: &Arc<Published>| Condition::Is(vec![Revision::named("none"), published.revision.clone()]);
    for condition in [Condition::Exists, is(&first), Condition::Is(Vec::new())] {
        assert_eq!(put(ports, &first, condition).await, WriteOutcome::Conflict);
        assert_eq!(stored(ports).await, None);
    }
    assert_eq!(put(ports, &first, Condition::Absent).await, WriteOutcome::Done);
    for condition in [Condition::Absent, is(&second), Condition::Is(Vec::new())] {
        assert_eq!(put(ports, &second, condition).await, WriteOutcome::Conflict);
        assert_eq!(stored(ports).await.as_ref(), Some(&first.revision));
    }
    assert_eq!(put(ports, &second, is(&first)).await, WriteOutcome::Done);
    assert_eq!(stored(ports).await.as_ref(), Some(&second.revision));
    assert_eq!(put(ports, &third, Condition::Exists).await, WriteOutcome::Done);
    assert_eq!(stored(ports).await.as_ref(), Some(&third.revision));
    assert_eq!(put(ports, &first, Condition::Always).await, WriteOutcome::Done);
    assert_eq!(stored(ports).await.as_ref(), Some(&first.revision));
}

/// So does a deletion. Deleting nothing without a condition is done.
pub async fn conditions_decide_what_is_deleted(ports: &impl Ports) {
    let [first, second] = ["https://a.example", "https://b.example"].map(published);
    let is = |published: &Arc<Published>| Condition::Is(vec![published.revision.clone()]);
    assert_eq!(delete(ports, Condition::Always).await, WriteOutcome::Done);
    assert_eq!(delete(ports, Condition::Exists).await, WriteOutcome::Conflict);
    assert_eq!(put(ports, &first, Condition::Always).await, WriteOutcome::Done);
    for condition in [is(&second), Condition::Absent] {
        assert_eq!(delete(ports, condition).await, WriteOutcome::Conflict);
        assert_eq!(stored(ports).await.as_ref(), Some(&first.revision));
    }
    assert_eq!(delete(ports, is(&first)).await, WriteOutcome::Done);
    assert_eq!(stored(ports).await, None);
    assert_eq!(put(ports, &first, Condition::Absent).await, WriteOutcome::Done);
    assert_eq!(delete(ports, Condition::Exists).await, WriteOutcome::Done);
    assert_eq!(stored(ports).await, None);
}

/// Two that both want to be the first are told apart.
pub async fn exactly_one_of_many_concurrent_first_publications_wins(ports: &impl Ports) {
    let rivals: Vec<_> = (0..20).map(|n| published(&format!("https://host-{n}.example"))).collect();
    let written = join_all(rivals.iter().map(|rival| put(ports, rival, Condition::Absent))).await;
    let winners: Vec<_> = rivals.iter().zip(written).filter(|(_, written)| *written == WriteOutcome::Done).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(stored(ports).await.as_ref(), Some(&winners[0].0.revision));
}

/// A product's catalog is its own.
pub async fn products_do_not_mix(ports: &impl Ports) {
    let (mine, others) = (published("https://a.example"), published("https://b.example"));
    assert_eq!(put(ports, &mine, Condition::Always).await, WriteOutcome::Done);
    let put = ports.catalogs().put("bank", Arc::clone(&others), &Condition::Absent).await.unwrap();
    assert_eq!(put, WriteOutcome::Done);
    assert_eq!(ports.catalogs().delete("bank", &Condition::Always).await.unwrap(), WriteOutcome::Done);
    assert_eq!(stored(ports).await.as_ref(), Some(&mine.revision));
    assert!(ports.catalogs().get("bank").await.unwrap().is_none());
}
