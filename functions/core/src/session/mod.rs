//! Sessions: a job acts for a user, whose token was verified when the job was scheduled.
//!
//! - [`inject`] puts the token's claims into a job's input.
//! - [`sealing`] encrypts them at rest.
//!
//! The token itself is not kept. Its claims are, sealed and bound to the job, so a recurring job uses the claims that
//! were verified when it was scheduled.

pub mod inject;
pub mod sealing;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::sealing::{Sealed, SealingKey, Unsealable};
use crate::ids::JobId;

/// The payload of a verified token.
pub type Claims = Map<String, Value>;

/// The claim that names the session a token was minted for: `product/env/tag`.
pub const MINTED_FOR: &str = "carillon";

/// The claims of a minted token that the service sets.
pub const OWN_CLAIMS: [&str; 6] = ["iss", "aud", "exp", "nbf", "iat", MINTED_FOR];

/// The session of a job, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSession {
    /// The session's tag in the catalog.
    pub tag: String,
    /// The claims, sealed.
    pub claims: Sealed,
}

impl JobSession {
    /// Seals claims for one job.
    ///
    /// # Errors
    ///
    /// [`Unsealable`] if they are too long for the cipher, which no request can cause.
    pub fn seal(
        job: JobId,
        tag: &str,
        claims: &Claims,
        key: &SealingKey,
        nonce: [u128; 2],
    ) -> Result<Self, Unsealable> {
        let plain = serde_json::to_vec(claims).map_err(|_| Unsealable)?;
        let claims = Sealed::new(key, nonce, &bound_to(job, tag), plain)?;
        Ok(Self { tag: tag.to_owned(), claims })
    }

    /// Opens the claims, for as long as they are needed.
    ///
    /// # Errors
    ///
    /// [`Unsealable`] if they were sealed with another key, for another job or session, or were changed since.
    pub fn open(&self, job: JobId, key: &SealingKey) -> Result<Claims, Unsealable> {
        let plain = self.claims.open(key, &bound_to(job, &self.tag))?;
        serde_json::from_slice(&plain).map_err(|_| Unsealable)
    }
}

/// The context that sealed claims are bound to: they cannot be opened for another job or session.
fn bound_to(job: JobId, tag: &str) -> Vec<u8> {
    format!("carillon session claims\n{job}\n{tag}").into_bytes()
}
