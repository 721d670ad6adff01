//! OAuth 2 client credentials (RFC 6749, section 4.4): tokens are fetched when they are needed, and remembered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use carillon_core::catalog::OAuth2;
use carillon_core::job::{RunError, codes};
use carillon_core::time::UnixMillis;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;
use url::form_urlencoded::{self, Serializer};

use super::failed;
use crate::outbound::{Outbound, Request};
use crate::secrets::Secret;

/// A token is not used in the last moments of its life, ms.
const MARGIN_MS: i64 = 30_000;
/// How long a token lives whose endpoint does not say, ms.
const DEFAULT_LIFE_MS: i64 = 300_000;
/// How long the endpoint may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// An answer is no larger.
const MOST_BYTES: usize = 64 * 1024;
/// So many clients' tokens are remembered.
const MOST_CLIENTS: usize = 1_000;

/// The tokens. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Tokens(Arc<Mutex<HashMap<String, Arc<Slot>>>>);

/// A client's token. Whoever fetches one holds the lock, so that others wait for that one.
type Slot = tokio::sync::Mutex<Option<Token>>;

struct Token {
    text: Secret,
    good_until: UnixMillis,
}

impl Tokens {
    /// A client's token, and whether it was remembered: one that `refused` names is not used again.
    ///
    /// # Errors
    /// As of the endpoint: what it refuses stays refused, anything else may pass.
    pub(super) async fn token(
        &self,
        outbound: &Outbound,
        client: &OAuth2,
        client_secret: &Secret,
        refused: Option<&Secret>,
        now: UnixMillis,
    ) -> Result<(Secret, bool), RunError> {
        let slot = self.slot(client, client_secret);
        let mut known = slot.lock().await;
        if let Some(token) = known.as_ref().filter(|token| token.good_until > now && refused != Some(&token.text)) {
            return Ok((token.text.clone(), true));
        }
        *known = None;
        let token = fetch(outbound, client, client_secret, now).await?;
        let text = token.text.clone();
        *known = Some(token);
        Ok((text, false))
    }

    /// A secret that changes is another client's.
    fn slot(&self, client: &OAuth2, client_secret: &Secret) -> Arc<Slot> {
        let OAuth2 { token_url, client_id, scope, .. } = client;
        let parts = [token_url.url().as_str(), client_id, client_secret.expose(), scope.as_deref().unwrap_or_default()];
        let key = carillon_core::hash::sha256_hex(parts.map(|part| format!("{}:{part}", part.len())).concat());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_CLIENTS && !known.contains_key(&key) {
            known.clear();
        }
        Arc::clone(known.entry(key).or_default())
    }
}

fn form(client: &OAuth2) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if let Some(scope) = &client.scope {
        form.append_pair("scope", scope);
    }
    form.finish()
}

async fn fetch(
    outbound: &Outbound,
    client: &OAuth2,
    client_secret: &Secret,
    now: UnixMillis,
) -> Result<Token, RunError> {
    // Section 2.3.1: both are form-encoded before they are put together.
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(&client.client_id), encoded(client_secret.expose()));
    let internal = || RunError::permanent(codes::INTERNAL_ERROR, "a header could not be made");
    let mut authorization =
        HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).map_err(|_| internal())?;
    authorization.set_sensitive(true);
    let headers = [
        (header::AUTHORIZATION, authorization),
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
        (header::ACCEPT, HeaderValue::from_static("application/json")),
    ];
    let request = Request {
        method: Method::POST,
        url: client.token_url.url().clone(),
        headers: HeaderMap::from_iter(headers),
        body: form(client).into(),
        timeout: TIMEOUT,
        max_response_bytes: MOST_BYTES,
    };
    let answer = outbound.send(request).await.map_err(|error| failed(&error))?;
    let said = format!("the token endpoint answered {}", answer.status);
    if answer.status.is_client_error() && !matches!(answer.status.as_u16(), 408 | 425 | 429) {
        return Err(RunError::permanent(codes::UNAUTHORIZED, said));
    }
    if !answer.status.is_success() {
        return Err(RunError::transient(codes::SERVICE_UNAVAILABLE, said));
    }
    let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let is_bearer = document["token_type"].as_str().is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    let text = document["access_token"].as_str().filter(|text| is_bearer && !text.is_empty());
    let text =
        text.ok_or_else(|| RunError::permanent(codes::UNAUTHORIZED, "the token endpoint gave no bearer token"))?;
    let life_ms = document["expires_in"].as_i64().map_or(DEFAULT_LIFE_MS, |seconds| seconds.saturating_mul(1_000));
    Ok(Token { text: Secret::new(text), good_until: now.plus(life_ms.saturating_sub(MARGIN_MS)) })
}
