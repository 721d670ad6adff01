//! Access tokens: fetched on demand, cached, and replaced once when refused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use carillon_core::hash::sha256_hex;
use carillon_core::job::{RunError, codes};
use carillon_core::time::UnixMillis;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use crate::secrets::Secret;
use crate::{Answer, Outbound, Request, status};

/// A token is not used in the last minute of its life, ms.
const MARGIN_MS: i64 = 60_000;
/// Lifetime of a token whose endpoint does not give one, ms.
const DEFAULT_LIFE_MS: i64 = 300_000;
/// Timeout of the endpoint.
const TIMEOUT: Duration = Duration::from_secs(10);
/// An answer is no larger.
const MAX_BYTES: usize = 64 * 1024;
/// Maximum number of clients whose tokens are cached.
const MAX_CLIENTS: usize = 1_000;

/// The grant of a token (RFC 6749, 1.3).
pub trait Grant: Sync {
    /// Everything that makes it another grant, its secret included. Only a hash of it is kept.
    fn parts(&self) -> Vec<&str>;

    /// The endpoint.
    fn endpoint(&self) -> &Url;

    /// The form that shows it, and the header that goes with it.
    fn form(&self, now: UnixMillis) -> Result<(String, Option<HeaderValue>), RunError>;
}

/// The tokens. Clones share them.
#[derive(Clone, Default)]
pub struct Tokens(Arc<Mutex<HashMap<String, Arc<Slot>>>>);

/// A client's token. The fetching request holds the lock, so that others wait for its token.
type Slot = tokio::sync::Mutex<Option<Token>>;

struct Token {
    text: Secret,
    good_until: UnixMillis,
}

impl Tokens {
    /// Returns a grant's token, and whether it was cached. A `refused` token is not used again.
    ///
    /// # Errors
    ///
    /// By the table of [`status`], except that a permanent 4xx is UNAUTHORIZED.
    pub async fn token(
        &self,
        outbound: &Outbound,
        grant: &impl Grant,
        refused: Option<&Secret>,
        now: UnixMillis,
    ) -> Result<(Secret, bool), RunError> {
        let slot = self.slot(grant);
        let mut known = slot.lock().await;
        if let Some(token) = known.as_ref().filter(|token| token.good_until > now && refused != Some(&token.text)) {
            return Ok((token.text.clone(), true));
        }
        *known = None;
        let token = fetch(outbound, grant, now).await?;
        let text = token.text.clone();
        *known = Some(token);
        Ok((text, false))
    }

    fn slot(&self, grant: &impl Grant) -> Arc<Slot> {
        let parts: Vec<_> = grant.parts().iter().map(|part| Zeroizing::new(format!("{}:{part}", part.len()))).collect();
        let key = sha256_hex(&*Zeroizing::new(parts.iter().map(|part| part.as_str()).collect::<Vec<_>>().concat()));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_CLIENTS && !known.contains_key(&key) {
            known.clear();
        }
        Arc::clone(known.entry(key).or_default())
    }
}

async fn fetch(outbound: &Outbound, grant: &impl Grant, now: UnixMillis) -> Result<Token, RunError> {
    let (form, authorization) = grant.form(now)?;
    let mut headers = HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
        (header::ACCEPT, HeaderValue::from_static("application/json")),
    ]);
    headers.extend(authorization.map(|value| (header::AUTHORIZATION, value)));
    let request = Request {
        method: Method::POST,
        url: grant.endpoint().clone(),
        headers,
        body: form.into(),
        timeout: TIMEOUT,
        max_response_bytes: MAX_BYTES,
    };
    let answer = outbound.send(request).await?;
    if !answer.status.is_success() {
        return Err(refusal(&answer, now));
    }
    let mut document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let is_bearer = document["token_type"].as_str().is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    let text = taken(&mut document, "access_token").filter(|text| is_bearer && !text.expose().is_empty());
    let none = || RunError::permanent(codes::UNAUTHORIZED, "the token endpoint gave no bearer token");
    let text = text.ok_or_else(none)?;
    let life_ms = document["expires_in"].as_i64().map_or(DEFAULT_LIFE_MS, |seconds| seconds.saturating_mul(1_000));
    Ok(Token { text, good_until: now.plus(life_ms.saturating_sub(MARGIN_MS)) })
}

/// A text of an object, taken out of it so that no copy stays there.
pub fn taken(document: &mut Value, name: &str) -> Option<Secret> {
    match document.get_mut(name)?.take() {
        Value::String(text) => Some(Zeroizing::new(text).into()),
        _ => None,
    }
}

/// The error that the endpoint's refusal is: by the table of [`status`], but that a 4xx that will not pass refuses the caller,
/// whatever the reason.
fn refusal(answer: &Answer, now: UnixMillis) -> RunError {
    let said = format!("the token endpoint answered {}", answer.status);
    let (code, retryable) = status::meaning(answer.status);
    let code = if !retryable && answer.status.is_client_error() { codes::UNAUTHORIZED } else { code };
    let retry_after_ms = status::retry_after_ms(&answer.headers, now).filter(|_| retryable);
    RunError { code: code.to_owned(), message: said, retryable, retry_after_ms }
}
