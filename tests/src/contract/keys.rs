//! The callers' keys.

use carillon_core::access::KeyHash;
use carillon_core::ports::{KeyStore, Ports};

use super::samples::key;

/// With all that its record says.
pub async fn a_key_is_found_by_its_hash_and_by_no_other(ports: &impl Ports) {
    let (ann, bob) = (KeyHash::of("car_ann"), KeyHash::of("car_bob"));
    assert_eq!(ports.keys().find(&ann).await.unwrap(), None);
    ports.keys().add(&ann, &key("ann")).await.unwrap();
    assert_eq!(ports.keys().find(&bob).await.unwrap(), None);
    ports.keys().add(&bob, &key("bob")).await.unwrap();
    assert_eq!(ports.keys().find(&ann).await.unwrap().as_deref(), Some(&key("ann")));
    assert_eq!(ports.keys().find(&bob).await.unwrap().as_deref(), Some(&key("bob")));
}

/// A hash has one record.
pub async fn a_key_that_is_added_again_is_replaced(ports: &impl Ports) {
    let hash = KeyHash::of("car_ann");
    ports.keys().add(&hash, &key("ann")).await.unwrap();
    ports.keys().add(&hash, &key("anna")).await.unwrap();
    assert_eq!(ports.keys().find(&hash).await.unwrap().as_deref(), Some(&key("anna")));
}
