//! Keys of cached results.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::hash::sha256_hex;
use crate::job::{EventType, JobSpec};

/// Expiry of results in a cache that the catalog does not define, ms: 24 hours.
pub const DEFAULT_EXPIRY_MS: u64 = 86_400_000;

/// Identifies a cache.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheId {
    /// The product.
    pub product: String,
    /// The environment.
    pub env: String,
    /// The cache's tag, which the catalog need not define.
    pub tag: String,
}

/// The key of a cached result: everything that the result depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheKey {
    /// The cache.
    pub cache: CacheId,
    /// SHA-256 of the rest, in 64 lower-case hex digits.
    pub digest: String,
    /// The event's tag, for listings.
    pub event: String,
}

impl CacheKey {
    /// The key of a job's result, with its input as it is dispatched; `None` if the job names no cache.
    ///
    /// Two inputs have the same key exactly if they are the same JSON value. Canonical JSON (RFC 8785) ignores the
    /// order of members, but treats every number as a double, so numbers from 2^53 on are hashed in addition, digit
    /// by digit.
    pub fn of(spec: &JobSpec, input: &Value) -> Option<Self> {
        #[derive(Serialize)]
        struct Hashed<'a> {
            #[serde(rename = "type")]
            event_type: EventType,
            event: &'a str,
            app: Option<&'a str>,
            input: &'a Value,
            long_numbers: Vec<String>,
        }
        let tag = spec.cache.clone()?;
        let mut long_numbers = Vec::new();
        note_long_numbers(input, &mut long_numbers);
        let (event_type, event, app) = (spec.event_type, spec.event.as_str(), spec.app.as_deref());
        let hashed = Hashed { event_type, event, app, input, long_numbers };
        // No JSON value has a number that canonical JSON cannot write.
        let canonical = serde_json_canonicalizer::to_vec(&hashed).ok()?;
        let digest = sha256_hex(canonical);
        let cache = CacheId { product: spec.product.clone(), env: spec.env.clone(), tag };
        Some(Self { cache, digest, event: spec.event.clone() })
    }
}

impl fmt::Display for CacheId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.product, self.env, self.tag)
    }
}

/// Collects the numbers from 2^53 on, which a double may not hold exactly, in the order of canonical JSON.
fn note_long_numbers(value: &Value, found: &mut Vec<String>) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.as_f64().is_none_or(|number| number.abs() >= EXACT) => {
            found.push(number.to_string());
        }
        Value::Array(elements) => elements.iter().for_each(|element| note_long_numbers(element, found)),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            for (_, member) in members {
                note_long_numbers(member, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::retry::RetryPolicy;
    use crate::time::UnixMillis;

    fn spec() -> JobSpec {
        JobSpec {
            product: "shop".into(),
            env: "dev".into(),
            event: "close".into(),
            event_type: EventType::Action,
            app: None,
            input: json!({}),
            retries: 0,
            retry: RetryPolicy::default(),
            timeout: None,
            start_at: UnixMillis(0),
            repeat: None,
            session: None,
            cache: Some("c".into()),
            created_at: UnixMillis(0),
        }
    }

    fn digest(input: &Value) -> String {
        CacheKey::of(&spec(), input).unwrap().digest
    }

    #[test]
    fn the_same_value_has_the_same_key_however_it_is_written() {
        let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let one = parsed(r#"{"b": [1, 2.0, "\u00e9"], "a": {"y": null, "x": 1e2}}"#);
        let other = parsed(r#"{ "a": {"x": 100, "y": null}, "b": [1.0, 2, "é"] }"#);
        assert_eq!(digest(&one), digest(&other));
        assert_eq!(digest(&one).len(), 64);
    }

    #[test]
    fn different_values_have_different_keys() {
        let values = [
            json!({}),
            json!({"a": 1}),
            json!({"a": "1"}),
            json!({"a": [1]}),
            json!({"b": 1}),
            json!({"a": null}),
            // Beyond 2^53, where canonical JSON sees no difference.
            json!({"a": 9_007_199_254_740_992_u64}),
            json!({"a": 9_007_199_254_740_993_u64}),
            json!({"a": "9007199254740993"}),
            json!({"a": -9_007_199_254_740_993_i64}),
            json!({"a": u64::MAX}),
            json!({"a": u64::MAX - 1}),
            json!([9_007_199_254_740_995_u64, 9_007_199_254_740_996.0]),
            json!([9_007_199_254_740_996.0, 9_007_199_254_740_995_u64]),
        ];
        let digests: std::collections::BTreeSet<_> = values.iter().map(digest).collect();
        assert_eq!(digests.len(), values.len());
    }

    #[test]
    fn it_depends_on_everything_that_decides_what_is_done() {
        let spec = spec();
        let key = |spec: &JobSpec| CacheKey::of(spec, &json!({}));
        let own = key(&spec);
        assert!(own.is_some());
        for other in [
            JobSpec { product: "bank".to_owned(), ..spec.clone() },
            JobSpec { env: "dev2".to_owned(), ..spec.clone() },
            JobSpec { event: "other".to_owned(), ..spec.clone() },
            JobSpec { event_type: EventType::Job, ..spec.clone() },
            JobSpec { app: Some("app".to_owned()), ..spec.clone() },
            JobSpec { cache: Some("d".to_owned()), ..spec.clone() },
            JobSpec { cache: None, ..spec.clone() },
        ] {
            assert_ne!(key(&other), own, "{other:?}");
        }
        assert_eq!(key(&JobSpec { retries: 7, input: json!({"as": "sent"}), ..spec }), own, "what does not matter");
    }
}
