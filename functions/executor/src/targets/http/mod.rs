//! A request over HTTP: secrets, signature, request, and what the answer means.

pub(super) mod answer;
mod oauth2;
mod request_secrets;
mod signature;
#[cfg(test)]
mod tests;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use carillon_core::catalog::{Auth, SecretRef};
use carillon_core::job::{Output, RunError, codes};
use carillon_core::ports::Clock;
use carillon_core::request::{DispatchId, HttpRequest};
use carillon_outbound::secrets::{FetchedSecret, Secret, SecretSource};
use carillon_outbound::tokens::Tokens;
use carillon_outbound::{Answer, Outbound, Request};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use url::Url;
use zeroize::Zeroizing;

use self::request_secrets::RequestSecrets;

/// The identification of a request.
#[derive(Clone, Debug)]
pub struct Head {
    /// The id that the receiver sees.
    pub id: DispatchId,
    /// The number of the attempt within its run, from 1.
    pub attempt: u32,
    /// Bound on the request.
    pub timeout: Duration,
    /// The trace that it belongs to.
    pub trace: Option<String>,
    /// Bytes of the answer's body that are kept.
    pub most_bytes: usize,
}

/// Targets reached over HTTP.
#[derive(Clone)]
pub struct Http<S, C> {
    pub(super) outbound: Outbound,
    pub(super) secrets: S,
    pub(super) clock: C,
    pub(super) tokens: Tokens,
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
    /// By the table of [`answer`], and when there is more of it than the head allows.
    pub async fn fetch(&self, head: &Head, request: HttpRequest) -> Result<Vec<u8>, RunError> {
        let answer = self.exchange(head, request).await?;
        if !answer.status.is_success() {
            answer::read(&answer, self.clock.now())?;
        }
        if answer.truncated {
            let message = format!("what is to be fetched has more than {} bytes", head.most_bytes);
            return Err(RunError::permanent(codes::VALIDATION_ERROR, message));
        }
        Ok(answer.body.into())
    }

    /// Sends the request. If cached secrets or a cached token are refused, it is sent once more with new ones: a
    /// target that answers 401 has done nothing.
    async fn exchange(&self, head: &Head, request: HttpRequest) -> Result<Answer, RunError> {
        let mut secrets = RequestSecrets::fetch(&self.secrets, &request).await?;
        let token = self.token(request.auth.as_ref(), &mut secrets, None).await?;
        if !secrets.has_old() && !token.as_ref().is_some_and(|token| token.is_old) {
            return self.send(head, request, &secrets, token.as_ref()).await;
        }
        let answer = self.send(head, request.clone(), &secrets, token.as_ref()).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let is_renewed = secrets.renew(&self.secrets).await?;
        let token = match token {
            Some(refused) if refused.is_old || is_renewed => {
                self.token(request.auth.as_ref(), &mut secrets, Some(&refused.secret)).await?
            }
            _ if is_renewed => None,
            _ => return Ok(answer),
        };
        self.send(head, request, &secrets, token.as_ref()).await
    }

    /// The token of a request that needs one. If a cached client secret is refused, it is fetched once more.
    async fn token(
        &self,
        auth: Option<&Auth>,
        secrets: &mut RequestSecrets,
        refused: Option<&Secret>,
    ) -> Result<Option<FetchedSecret>, RunError> {
        let Some(Auth::Oauth2(client)) = auth else { return Ok(None) };
        let now = self.clock.now();
        let mut grant = oauth2::Client { client, secret: secrets.get(&client.client_secret)?.clone() };
        let mut token = self.tokens.token(&self.outbound, &grant, refused, now).await;
        let is_refused = token.as_ref().is_err_and(|error| error.code == codes::UNAUTHORIZED);
        if is_refused && secrets.renew(&self.secrets).await? {
            grant.secret = secrets.get(&client.client_secret)?.clone();
            token = self.tokens.token(&self.outbound, &grant, refused, now).await;
        }
        token.map(|(secret, is_old)| Some(FetchedSecret { secret, is_old }))
    }

    async fn send(
        &self,
        head: &Head,
        request: HttpRequest,
        secrets: &RequestSecrets,
        token: Option<&FetchedSecret>,
    ) -> Result<Answer, RunError> {
        let request = self.complete(head, request, secrets, token.map(|token| &token.secret))?;
        Ok(self.outbound.send(request).await?)
    }

    /// Puts the secrets into the request: what it carries from here on is sent and dropped.
    fn complete(
        &self,
        head: &Head,
        request: HttpRequest,
        secrets: &RequestSecrets,
        token: Option<&Secret>,
    ) -> Result<Request, RunError> {
        let mut url = request.url;
        let mut headers: HeaderMap = request.headers.into_iter().collect();
        if let Some(auth) = &request.auth {
            authorise(auth, secrets, token, &mut url, &mut headers)?;
        }
        let webhook_id = head.id.to_string();
        let timestamp = self.clock.now().0.div_euclid(1_000);
        let mut signatures = Vec::new();
        for secret in &request.signing_secrets.0 {
            let signed = signature::sign(secrets.get(secret)?, &webhook_id, timestamp, &request.body);
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
            max_response_bytes: head.most_bytes,
        })
    }
}

fn authorise(
    auth: &Auth,
    secrets: &RequestSecrets,
    token: Option<&Secret>,
    url: &mut Url,
    headers: &mut HeaderMap,
) -> Result<(), RunError> {
    let (reference, name, text): (&SecretRef, HeaderName, Zeroizing<String>) = match auth {
        Auth::Bearer(reference) => (reference, header::AUTHORIZATION, bearer(secrets.get(reference)?.expose())),
        Auth::Basic(basic) => {
            let credentials = self::basic(&basic.username, secrets.get(&basic.password)?.expose());
            (&basic.password, header::AUTHORIZATION, credentials)
        }
        Auth::Header(key) => (&key.value, key.name.0.clone(), secrets.get(&key.value)?.expose().to_owned().into()),
        Auth::Query(key) => {
            url.query_pairs_mut().append_pair(&key.name, secrets.get(&key.value)?.expose());
            return Ok(());
        }
        Auth::Oauth2(client) => {
            (&client.client_secret, header::AUTHORIZATION, bearer(token.map(Secret::expose).unwrap_or_default()))
        }
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| unusable(reference, "a text that fits a header"))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

/// The credentials of a bearer token (RFC 6750, 2.1).
pub(super) fn bearer(token: &str) -> Zeroizing<String> {
    Zeroizing::new(["Bearer ", token].concat())
}

/// The credentials of a name and a password (RFC 7617).
fn basic(name: &str, password: &str) -> Zeroizing<String> {
    let pair = Zeroizing::new([name, ":", password].concat());
    Zeroizing::new(["Basic ", &Zeroizing::new(STANDARD.encode(&*pair))].concat())
}

fn visible(text: &str) -> Result<HeaderValue, RunError> {
    HeaderValue::from_str(text).map_err(|_| RunError::permanent(codes::INTERNAL_ERROR, "a header could not be made"))
}

pub(super) fn unusable(secret: &SecretRef, wanted: &str) -> RunError {
    RunError::permanent(codes::SECRET_NOT_FOUND, format!("the secret {secret} is not {wanted}"))
}
