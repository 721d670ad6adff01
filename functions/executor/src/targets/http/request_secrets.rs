//! The secrets that go into one request.

use carillon_core::catalog::{Auth, SecretRef};
use carillon_core::job::{RunError, codes};
use carillon_core::request::HttpRequest;
use carillon_outbound::secrets::{FetchedSecret, Secret, SecretSource};

/// The secrets for a request's authorisation and signatures.
pub(super) struct RequestSecrets(Vec<(SecretRef, FetchedSecret)>);

impl RequestSecrets {
    /// Fetches what the request needs.
    ///
    /// # Errors
    /// As of the source.
    pub(super) async fn fetch<S: SecretSource>(source: &S, request: &HttpRequest) -> Result<Self, RunError> {
        let authorises = request.auth.as_ref().map(Auth::secret);
        let mut fetched = Vec::new();
        for reference in authorises.into_iter().chain(&request.signing_secrets.0) {
            fetched.push((reference.clone(), source.get(reference).await?));
        }
        Ok(Self(fetched))
    }

    /// The secret behind a reference of the request.
    pub(super) fn get(&self, reference: &SecretRef) -> Result<&Secret, RunError> {
        let found = self.0.iter().find(|(known, _)| known == reference);
        let found = found.map(|(_, fetched)| &fetched.secret);
        found.ok_or_else(|| RunError::permanent(codes::INTERNAL_ERROR, format!("{reference} was not fetched")))
    }

    /// True if one of them was cached.
    pub(super) fn has_old(&self) -> bool {
        self.0.iter().any(|(_, fetched)| fetched.is_old)
    }

    /// Fetches the cached ones once more, and none a second time. Returns true if one has changed.
    ///
    /// # Errors
    ///
    /// The errors of the source.
    pub(super) async fn renew<S: SecretSource>(&mut self, source: &S) -> Result<bool, RunError> {
        let mut is_renewed = false;
        for (reference, fetched) in self.0.iter_mut().filter(|(_, fetched)| fetched.is_old) {
            let secret = source.renew(reference, &fetched.secret).await?;
            is_renewed |= secret != fetched.secret;
            *fetched = FetchedSecret { secret, is_old: false };
        }
        Ok(is_renewed)
    }
}
