//! A push message over Firebase Cloud Messaging, HTTP v1, as a service account.
//!
//! | FCM's `errorCode` | status | code | retried |
//! | --- | --- | --- | --- |
//! | `UNREGISTERED` | 404 | NOT_FOUND | no |
//! | `INVALID_ARGUMENT` | 400 | VALIDATION_ERROR | no |
//! | `SENDER_ID_MISMATCH` | 403 | FORBIDDEN | no |
//! | `THIRD_PARTY_AUTH_ERROR` | 401 | UNAUTHORIZED | no |
//! | `QUOTA_EXCEEDED` | 429 | RATE_LIMITED | yes, not before Retry-After |
//! | `UNAVAILABLE` | 503 | SERVICE_UNAVAILABLE | yes, not before Retry-After |
//! | `INTERNAL` | 500 | SERVICE_UNAVAILABLE | yes |
//!
//! An answer without one counts by its status, as with an action. The token is one of the service account (RFC 7523): a JWT
//! that its key signs is shown to its `token_uri`.

use carillon_core::job::{Output, RunError, codes};
use carillon_core::ports::Clock;
use carillon_core::request::FcmRequest;
use carillon_core::time::UnixMillis;
use carillon_outbound::secrets::{Secret, SecretSource, with_renewed_secret};
use carillon_outbound::tokens::{Grant, taken};
use carillon_outbound::{Answer, Request};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::Serializer;

use super::http::{Head, Http, answer, bearer, unusable};

const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
const ADDRESS: &str = "https://fcm.googleapis.com";
/// A JWT is shown at once, but its life is what Google asks for, seconds.
const JWT_SECONDS: i64 = 3_600;
/// An answer is no larger.
const MAX_BYTES: usize = 64 * 1024;

/// Sends the message. If a cached service account is refused, it is fetched once more. Result: `{name}`.
pub(super) async fn perform<S: SecretSource, C: Clock>(
    http: &Http<S, C>,
    head: &Head,
    request: FcmRequest,
) -> Result<Output, RunError> {
    with_renewed_secret(&http.secrets, &request.service_account, |document| send(http, head, &request, document)).await
}

async fn send<S: SecretSource, C: Clock>(
    http: &Http<S, C>,
    head: &Head,
    request: &FcmRequest,
    document: Secret,
) -> Result<Output, RunError> {
    let account = Account::parse(document);
    let account = account.ok_or_else(|| unusable(&request.service_account, "a service account's JSON document"))?;
    let no_address = || RunError::permanent(codes::VALIDATION_ERROR, "the service's address cannot be used");
    let url = account.address(request.url.clone()).ok_or_else(no_address)?;
    let sent = Request {
        method: Method::POST,
        url,
        headers: HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
        body: json!({"message": request.message}).to_string().into(),
        timeout: head.timeout,
        max_response_bytes: MAX_BYTES,
    };
    let now = http.clock.now();
    let answer = authorised(http, &account, sent, now).await?;
    let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status.is_success() {
        return Ok(Output { value: json!({"name": document["name"]}), truncated: false });
    }
    let mut error = answer::refusal(&answer, now);
    let details = document["error"]["details"].as_array();
    let said = details.and_then(|details| details.iter().find_map(|detail| detail["errorCode"].as_str()));
    let known = ["UNREGISTERED", "INVALID_ARGUMENT", "SENDER_ID_MISMATCH", "THIRD_PARTY_AUTH_ERROR"];
    let passing = ["QUOTA_EXCEEDED", "UNAVAILABLE", "INTERNAL"];
    if let Some(said) = said.filter(|said| known.iter().chain(&passing).any(|known| known == said)) {
        error.message = format!("FCM answered {}: {said}", answer.status);
    }
    Err(error)
}

/// Sends a request with a token. If a cached token is refused, the request is sent once more with a new one: FCM has
/// done nothing when it answers 401.
async fn authorised<S: SecretSource, C: Clock>(
    http: &Http<S, C>,
    account: &Account,
    request: Request,
    now: UnixMillis,
) -> Result<Answer, RunError> {
    let (token, is_old) = http.tokens.token(&http.outbound, account, None, now).await?;
    let answer = bearing(http, request.clone(), &token).await?;
    if answer.status != StatusCode::UNAUTHORIZED || !is_old {
        return Ok(answer);
    }
    let (token, _) = http.tokens.token(&http.outbound, account, Some(&token), now).await?;
    bearing(http, request, &token).await
}

async fn bearing<S: SecretSource, C: Clock>(
    http: &Http<S, C>,
    mut request: Request,
    token: &Secret,
) -> Result<Answer, RunError> {
    let unusable = |_| RunError::permanent(codes::UNAUTHORIZED, "the endpoint's token does not fit a header");
    let mut value = HeaderValue::from_str(&bearer(token.expose())).map_err(unusable)?;
    value.set_sensitive(true);
    request.headers.insert(header::AUTHORIZATION, value);
    Ok(http.outbound.send(request).await?)
}

/// A service account, of its JSON document.
struct Account {
    document: Secret,
    email: String,
    key_id: Option<String>,
    key: EncodingKey,
    project: String,
    token_uri: Url,
}

impl Account {
    fn parse(document: Secret) -> Option<Self> {
        let mut fields: Value = serde_json::from_str(document.expose()).ok()?;
        let key = taken(&mut fields, "private_key")?;
        let key = EncodingKey::from_rsa_pem(key.expose().as_bytes()).ok()?;
        let text = |name: &str| fields[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let is_project = |project: &String| {
            let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'.');
            project.starts_with(|first: char| first.is_ascii_alphanumeric()) && project.bytes().all(inner)
        };
        Some(Self {
            email: text("client_email")?,
            key_id: text("private_key_id"),
            key,
            project: text("project_id").filter(is_project)?,
            token_uri: Url::parse(&text("token_uri")?).ok()?,
            document,
        })
    }

    fn address(&self, own: Option<Url>) -> Option<Url> {
        let mut url = own.or_else(|| Url::parse(ADDRESS).ok())?;
        let base = url.path().trim_end_matches('/');
        let path = format!("{base}/v1/projects/{}/messages:send", self.project);
        url.set_path(&path);
        Some(url)
    }
}

impl Grant for Account {
    fn parts(&self) -> Vec<&str> {
        vec![SCOPE, self.document.expose()]
    }

    fn endpoint(&self) -> &Url {
        &self.token_uri
    }

    fn form(&self, now: UnixMillis) -> Result<(String, Option<HeaderValue>), RunError> {
        let issued_at = now.0.div_euclid(1_000);
        let claims = json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.token_uri.as_str(),
            "iat": issued_at,
            "exp": issued_at.saturating_add(JWT_SECONDS),
        });
        let header = Header { kid: self.key_id.clone(), ..Header::new(Algorithm::RS256) };
        let unsigned = |_| RunError::permanent(codes::SECRET_NOT_FOUND, "the service account's key cannot sign");
        let assertion = jsonwebtoken::encode(&header, &claims, &self.key).map_err(unsigned)?;
        let pairs = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", &assertion)];
        Ok((Serializer::new(String::new()).extend_pairs(pairs).finish(), None))
    }
}

#[cfg(test)]
mod tests;
