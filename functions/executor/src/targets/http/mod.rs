//! A request over HTTP: secrets, signature, request, and what the answer means.

mod answer;
mod oauth2;
mod signature;
#[cfg(test)]
mod tests;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use carillon_core::call::{CallId, HttpRequest};
use carillon_core::catalog::{Auth, OAuth2, SecretRef};
use carillon_core::job::{Output, RunError, codes};
use carillon_core::ports::Clock;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use url::Url;

use self::oauth2::Tokens;
use super::MAX_RESULT_BYTES;
use crate::outbound::{Answer, Outbound, Request, SendError};
use crate::secrets::{Secret, SecretSource};

/// What a request goes by.
#[derive(Clone, Debug)]
pub struct Head {
    /// What the receiver knows it by.
    pub id: CallId,
    /// Which attempt of the run, from 1.
    pub attempt: u32,
    /// Bound on the request.
    pub timeout: Duration,
    /// The trace that it belongs to.
    pub trace: Option<String>,
}

/// Targets reached over HTTP.
#[derive(Clone)]
pub struct Http<S, C> {
    outbound: Outbound,
    secrets: S,
    clock: C,
    tokens: Tokens,
}

impl<S: SecretSource, C: Clock> Http<S, C> {
    /// Targets behind a guarded way out, with the source of their secrets and the clock of their signatures.
    pub fn new(outbound: Outbound, secrets: S, clock: C) -> Self {
        Self { outbound, secrets, clock, tokens: Tokens::default() }
    }

    /// Sends the request, and reads what the answer means.
    ///
    /// # Errors
    /// By the table of [`answer`], and as of the way out and the secrets.
    pub async fn perform(&self, head: &Head, request: HttpRequest) -> Result<Output, RunError> {
        let answer = self.exchange(head, request).await?;
        answer::read(&answer, self.clock.now())
    }

    /// Fetches what a request answers, whole.
    ///
    /// # Errors
    /// By the table of [`answer`], and when there is more of it than `most_bytes`.
    pub async fn fetch(&self, head: &Head, request: HttpRequest, most_bytes: usize) -> Result<Vec<u8>, RunError> {
        let request = Request { max_response_bytes: most_bytes, ..self.complete(head, request, None).await? };
        let answer = self.outbound.send(request).await.map_err(|error| failed(&error))?;
        if !answer.status.is_success() {
            answer::read(&answer, self.clock.now())?;
        }
        if answer.truncated {
            let message = format!("what is to be fetched has more than {most_bytes} bytes");
            return Err(RunError::permanent(codes::VALIDATION_ERROR, message));
        }
        Ok(answer.body.into())
    }

    /// Sends the request. Where a token that was remembered is refused, it is sent once more with a new one: a target that
    /// answers 401 has done nothing yet.
    async fn exchange(&self, head: &Head, request: HttpRequest) -> Result<Answer, RunError> {
        let Some(Auth::Oauth2(client)) = &request.auth else { return self.send(head, request, None).await };
        let client = client.clone();
        let (token, is_old) = self.token(&client, None).await?;
        if !is_old {
            return self.send(head, request, Some(&token)).await;
        }
        let answer = self.send(head, request.clone(), Some(&token)).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let (token, _) = self.token(&client, Some(&token)).await?;
        self.send(head, request, Some(&token)).await
    }

    async fn token(&self, client: &OAuth2, refused: Option<&Secret>) -> Result<(Secret, bool), RunError> {
        let client_secret = self.secrets.fetch(&client.client_secret).await?;
        self.tokens.token(&self.outbound, client, &client_secret, refused, self.clock.now()).await
    }

    async fn send(&self, head: &Head, request: HttpRequest, token: Option<&Secret>) -> Result<Answer, RunError> {
        let request = self.complete(head, request, token).await?;
        self.outbound.send(request).await.map_err(|error| failed(&error))
    }

    /// Puts the secrets into the request: what it carries from here on is sent and dropped.
    async fn complete(&self, head: &Head, request: HttpRequest, token: Option<&Secret>) -> Result<Request, RunError> {
        let mut url = request.url;
        let mut headers: HeaderMap = request.headers.into_iter().collect();
        if let Some(auth) = &request.auth {
            self.authorise(auth, token, &mut url, &mut headers).await?;
        }
        let webhook_id = head.id.to_string();
        let timestamp = self.clock.now().0.div_euclid(1_000);
        let mut signatures = Vec::new();
        for secret in &request.signing_secrets.0 {
            let key = self.secrets.fetch(secret).await?;
            let signed = signature::sign(&key, &webhook_id, timestamp, &request.body);
            signatures.push(signed.ok_or_else(|| unusable(secret, "a whsec_ secret in base64"))?);
        }
        // The id stays the same over all attempts of a fire, so that the receiver can act once.
        headers.insert("webhook-id", visible(&webhook_id)?);
        headers.insert("webhook-timestamp", timestamp.into());
        headers.insert("webhook-attempt", head.attempt.into());
        if let Some(trace) = head.trace.as_deref().and_then(|trace| HeaderValue::from_str(trace).ok()) {
            headers.insert("x-amzn-trace-id", trace);
        }
        if !signatures.is_empty() {
            headers.insert("webhook-signature", visible(&signatures.join(" "))?);
        }
        Ok(Request {
            method: request.method,
            url,
            headers,
            body: request.body.into(),
            timeout: head.timeout,
            max_response_bytes: MAX_RESULT_BYTES,
        })
    }

    async fn authorise(
        &self,
        auth: &Auth,
        token: Option<&Secret>,
        url: &mut Url,
        headers: &mut HeaderMap,
    ) -> Result<(), RunError> {
        let (reference, name, text): (&SecretRef, HeaderName, String) = match auth {
            Auth::Bearer(reference) => {
                let secret = self.secrets.fetch(reference).await?;
                (reference, header::AUTHORIZATION, format!("Bearer {}", secret.expose()))
            }
            Auth::Basic(basic) => {
                let secret = self.secrets.fetch(&basic.password).await?;
                let pair = format!("{}:{}", basic.username, secret.expose());
                (&basic.password, header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)))
            }
            Auth::Header(key) => {
                let secret = self.secrets.fetch(&key.value).await?;
                (&key.value, key.name.0.clone(), secret.expose().to_owned())
            }
            Auth::Query(key) => {
                let secret: Secret = self.secrets.fetch(&key.value).await?;
                url.query_pairs_mut().append_pair(&key.name, secret.expose());
                return Ok(());
            }
            Auth::Oauth2(client) => {
                let token = token.map(Secret::expose).unwrap_or_default();
                (&client.client_secret, header::AUTHORIZATION, format!("Bearer {token}"))
            }
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| unusable(reference, "a text that fits a header"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok(())
    }
}

fn visible(text: &str) -> Result<HeaderValue, RunError> {
    HeaderValue::from_str(text).map_err(|_| RunError::permanent(codes::INTERNAL_ERROR, "a header could not be made"))
}

fn unusable(secret: &SecretRef, wanted: &str) -> RunError {
    RunError::permanent(codes::SECRET_NOT_FOUND, format!("the secret {secret} is not {wanted}"))
}

/// What it means that there is no answer.
fn failed(error: &SendError) -> RunError {
    let message = error.to_string();
    match error {
        SendError::Refused { .. } => RunError::permanent(codes::TARGET_REFUSED, message),
        SendError::Timeout { .. } => RunError::transient(codes::TIMEOUT, message),
        SendError::Unresolvable { .. } | SendError::Connect { .. } | SendError::Protocol { .. } => {
            RunError::transient(codes::CONNECTION_ERROR, message)
        }
        SendError::Client(_) => RunError::transient(codes::INTERNAL_ERROR, message),
    }
}
