//! The keys of what is sealed.

use carillon_core::ids::JobId;
use carillon_core::ports::{Entropy, Ports, SealingKeys};
use carillon_core::session::sealing::SealingKeyId;
use carillon_core::session::{Claims, JobSession};
use carillon_core::time::UnixMillis;
use serde_json::json;

fn claims() -> Claims {
    let json = json!({"details": {"id": 7, "name": "Ada"}});
    json.as_object().cloned().unwrap_or_default()
}

/// A sealed text is opened by the id of its key, as it is stored.
pub async fn what_is_sealed_is_opened_by_the_name_of_its_key<P: Ports>(ports: &P) {
    let job = JobId::new(UnixMillis(1), 1);
    let key = ports.sealing_keys().current().await.unwrap();
    let nonce = [ports.entropy().bits(), ports.entropy().bits()];
    let sealed = JobSession::seal(job, "s", &claims(), &key, nonce).unwrap();
    let stored = serde_json::to_string(&sealed).unwrap();
    assert!(!stored.contains("Ada"));
    let read: JobSession = serde_json::from_str(&stored).unwrap();
    let found = ports.sealing_keys().find(&read.claims.key).await.unwrap().expect("the key is there");
    assert_eq!(read.open(job, &found), Ok(claims()));
}

/// One key serves many: asking again changes nothing.
pub async fn the_key_stays_the_same_for_a_while<P: Ports>(ports: &P) {
    let first = ports.sealing_keys().current().await.unwrap();
    assert_eq!(ports.sealing_keys().current().await.unwrap().name(), first.name());
}

/// A name that no key has is no fault of a dependency: what was sealed with it is lost for good.
pub async fn a_key_that_nobody_has_is_not_found<P: Ports>(ports: &P) {
    let name = SealingKeyId { id: "nobody".into(), wrapped: Some("bm90aGluZw==".into()) };
    assert!(ports.sealing_keys().find(&name).await.unwrap().is_none());
}
