//! Sessions whose tokens are JWTs: verified, and made.
//!
//! | rule | where it is held |
//! | --- | --- |
//! | the definition says the algorithm, never the token | [`token`] |
//! | so does it say the key: `jku`, `x5u`, `x5c` and `jwk` of a token are not looked at | [`token`] |
//! | a `kid` only ever picks one of the definition's own keys | [`key_sets`] |
//! | a header that must be understood (`crit`) is not | [`token`] |
//! | signature first, then what is said: one JSON object, no name twice, in time, for this audience | [`token`] |
//! | a shared secret is as long as its hash, and no public key | [`keys`] |
//! | a key set is fetched through the guard, and remembered | [`key_sets`] |
//!
//! Sources: RFC 7515, 7517, 7518, 7519, and RFC 8725, "JSON Web Token Best Current Practices".

mod key_sets;
mod keys;
mod refusal;
mod token;

use carillon_core::job::RunError;
use carillon_core::ports::{BoxFuture, Clock, DefinedSession, PortError, Sessions, TokenRefusal};
use carillon_core::session::Claims;
use carillon_outbound::Outbound;
use carillon_outbound::secrets::{Secret, SecretSource};

use self::key_sets::KeySets;
use self::refusal::unusable;

/// Sessions whose tokens are JWTs.
pub struct JwtSessions<S, C> {
    secrets: S,
    key_sets: KeySets<C>,
}

impl<S: SecretSource, C: Clock> JwtSessions<S, C> {
    /// Creates the verifier. Keys come from `secrets`, or are fetched through the guarded client and cached by
    /// `clock`.
    pub fn new(outbound: Outbound, secrets: S, clock: C) -> Self {
        Self { secrets, key_sets: KeySets::new(outbound, clock) }
    }

    async fn secret(&self, session: &DefinedSession<'_>) -> Result<Option<Secret>, TokenRefusal> {
        let Some(reference) = &session.place.key else { return Ok(None) };
        let fetched = self.secrets.fetch(reference).await;
        fetched.map(Some).map_err(|error: RunError| {
            if error.retryable {
                TokenRefusal::Port(PortError::Unavailable(error.message.into()))
            } else {
                unusable(&format!("its key cannot be had: {}", error.message))
            }
        })
    }
}

impl<S: SecretSource, C: Clock> Sessions for JwtSessions<S, C> {
    fn verify<'a>(&'a self, session: DefinedSession<'a>, text: &'a str) -> BoxFuture<'a, Result<Claims, TokenRefusal>> {
        Box::pin(async move {
            let algorithm = keys::algorithm(session.definition.algorithm);
            let kid = token::look(text, session.definition.algorithm.word())?;
            let key = match (self.secret(&session).await?, &session.place.jwks_url) {
                (Some(secret), _) => keys::verifying(algorithm, &secret)?,
                (None, Some(url)) => self.key_sets.key(url.url(), algorithm, kid.as_deref()).await?,
                (None, None) => return Err(unusable("it has neither key nor jwks_url")),
            };
            token::verify(text, &key, algorithm, &session)
        })
    }

    fn mint<'a>(
        &'a self,
        session: DefinedSession<'a>,
        claims: &'a Claims,
    ) -> BoxFuture<'a, Result<String, TokenRefusal>> {
        Box::pin(async move {
            let algorithm = keys::algorithm(session.definition.algorithm);
            let secret = self.secret(&session).await?;
            let key = keys::signing(algorithm, secret.as_ref())?;
            token::mint(claims, &key, algorithm)
        })
    }
}
