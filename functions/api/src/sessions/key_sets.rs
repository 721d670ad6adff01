//! JSON Web Key Sets, fetched through the guard and cached.
//!
//! A set is fetched again when it is older than 10 minutes, or when a token names a key that it does not have: that
//! is how new keys arrive. It is fetched at most once in half a minute, whatever keys the tokens name and however the
//! fetch ended. If it cannot be fetched, the cached one is used for a day.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use carillon_core::error::FieldCode;
use carillon_core::ports::{Clock, PortError, TokenRefusal};
use carillon_core::time::UnixMillis;
use carillon_outbound::{Answer, Outbound, Request, SendError};
use http::{HeaderMap, HeaderValue, Method, header};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::refusal::unusable;

/// A set that is older is read again, ms.
const FRESH_MS: i64 = 600_000;
/// Sooner it is not asked for again, ms, not even for a key that it does not have, or after a reading that failed.
const MIN_INTERVAL_MS: i64 = 30_000;
/// The interval if there is no cached set, ms: a caller waits for the set, and must not wait for the timeouts of
/// others.
const MIN_INTERVAL_WITHOUT_MS: i64 = 1_000;
/// A set that is older is of no use any more, ms, even if there is no other.
const MAX_USE_MS: i64 = 86_400_000;
/// Timeout of a fetch. The caller that schedules a job waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A set is no larger.
const MAX_BYTES: usize = 256 * 1024;
/// Maximum number of cached sets.
const MAX_SETS: usize = 1_000;

/// The key sets.
pub(super) struct KeySets<C> {
    outbound: Outbound,
    clock: C,
    known: Mutex<HashMap<Url, Arc<Slot>>>,
}

/// One set. The fetching request holds the lock, so that others wait for its result.
type Slot = tokio::sync::Mutex<KeySet>;

/// A cached set.
#[derive(Default)]
struct KeySet {
    /// When it was asked for last, whatever came of it.
    asked_at: Option<UnixMillis>,
    /// When it was read last, and its keys.
    read: Option<(UnixMillis, Vec<Jwk>)>,
}

impl<C: Clock> KeySets<C> {
    pub(super) fn new(outbound: Outbound, clock: C) -> Self {
        Self { outbound, clock, known: Mutex::default() }
    }

    /// The key of this algorithm that a token names; or the only one, where it names none.
    pub(super) async fn key(
        &self,
        url: &Url,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<DecodingKey, TokenRefusal> {
        let slot = self.slot(url);
        let mut set = slot.lock().await;
        if set.age_ms(self.clock.now()).is_none_or(|age| age >= FRESH_MS) {
            self.read_again(url, &mut set).await?;
        }
        let mut found = set.pick(algorithm, kid);
        if found.is_none() {
            self.read_again(url, &mut set).await?;
            found = set.pick(algorithm, kid);
        }
        let detail = "the token names no key of this algorithm in the session's key set";
        let jwk = found.ok_or_else(|| TokenRefusal::Bad(FieldCode::TokenKey, detail.to_owned()))?;
        DecodingKey::from_jwk(&jwk).map_err(|_| unusable("a key of its key set cannot be read"))
    }

    fn slot(&self, url: &Url) -> Arc<Slot> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_SETS && !known.contains_key(url) {
            known.clear();
        }
        Arc::clone(known.entry(url.clone()).or_default())
    }

    /// Reads a set, unless that was tried a moment ago; keeps the old one where it fails and that may still be used.
    async fn read_again(&self, url: &Url, set: &mut KeySet) -> Result<(), TokenRefusal> {
        let now = self.clock.now();
        let is_usable = set.age_ms(now).is_some_and(|age| age < MAX_USE_MS);
        let interval_ms = if is_usable { MIN_INTERVAL_MS } else { MIN_INTERVAL_WITHOUT_MS };
        let read = if set.asked_at.is_some_and(|asked_at| now.since(asked_at) < interval_ms) {
            Err(unavailable("it could not be a moment ago"))
        } else {
            let read = self.read(url).await;
            set.asked_at = Some(self.clock.now());
            read
        };
        match read {
            Ok(keys) => {
                set.read = Some((self.clock.now(), keys));
                Ok(())
            }
            Err(_) if is_usable => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn read(&self, url: &Url) -> Result<Vec<Jwk>, TokenRefusal> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let accept = (header::ACCEPT, HeaderValue::from_static("application/jwk-set+json, application/json"));
        let request = Request {
            method: Method::GET,
            url: url.clone(),
            headers: HeaderMap::from_iter([accept]),
            body: bytes::Bytes::new(),
            timeout: TIMEOUT,
            max_response_bytes: MAX_BYTES,
        };
        let Answer { status, body, truncated, .. } =
            self.outbound.send(request).await.map_err(|error| match error {
                SendError::Refused { .. } => unusable(&error.to_string()),
                error => TokenRefusal::Port(PortError::Unavailable(error.into())),
            })?;
        if !status.is_success() || truncated {
            return Err(unavailable(&format!("its address answers {status}, or more than {MAX_BYTES} bytes")));
        }
        let set: Set = serde_json::from_slice(&body).map_err(|_| unavailable("it is no JSON Web Key Set"))?;
        // A key of a kind that is not known here is no fault of the set (RFC 7517, section 5).
        Ok(set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect())
    }
}

fn unavailable(why: &str) -> TokenRefusal {
    TokenRefusal::Port(PortError::Unavailable(format!("a session's key set cannot be read: {why}").into()))
}

impl KeySet {
    fn age_ms(&self, now: UnixMillis) -> Option<i64> {
        self.read.as_ref().map(|(read_at, _)| now.since(*read_at))
    }

    fn pick(&self, algorithm: Algorithm, kid: Option<&str>) -> Option<Jwk> {
        self.read.as_ref().and_then(|(_, keys)| pick(keys, algorithm, kid))
    }
}

/// A `kid` is compared with the names of the keys, and used for nothing else.
fn pick(keys: &[Jwk], algorithm: Algorithm, kid: Option<&str>) -> Option<Jwk> {
    let mut fitting = keys.iter().filter(|key| fits(key, algorithm));
    match kid {
        Some(kid) => fitting.find(|key| key.common.key_id.as_deref() == Some(kid)).cloned(),
        None => fitting.next().filter(|_| fitting.next().is_none()).cloned(),
    }
}

/// True if a key verifies signatures of this algorithm. A shared secret does not, because the set is public.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let is_for_it = key.common.key_algorithm.is_none_or(|named| named == KeyAlgorithm::from(algorithm));
    let is_for_signatures = key.common.public_key_use.as_ref().is_none_or(|it| *it == PublicKeyUse::Signature);
    let is_of_its_kind = match (&key.algorithm, algorithm) {
        (AlgorithmParameters::EllipticCurve(it), Algorithm::ES256) => it.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(it), Algorithm::ES384) => it.curve == EllipticCurve::P384,
        (AlgorithmParameters::OctetKeyPair(it), Algorithm::EdDSA) => it.curve == EllipticCurve::Ed25519,
        (AlgorithmParameters::RSA(_), algorithm) => algorithm.family() == AlgorithmFamily::Rsa,
        _ => false,
    };
    is_for_it && is_for_signatures && is_of_its_kind
}
