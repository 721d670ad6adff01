//! Certificates that the operator trusts besides the platform's: those of private servers.

use reqwest::Certificate;

/// Root certificates in PEM.
#[derive(Clone)]
pub struct Roots(String);

/// A text that holds no certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the root certificates must be one or more certificates in PEM")]
pub struct RootsError;

impl Roots {
    /// Reads one or more certificates.
    ///
    /// # Errors
    ///
    /// [`RootsError`] if there is none, or the text between its lines is not base64.
    pub fn parse(pem: &str) -> Result<Self, RootsError> {
        let found = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|_| RootsError)?;
        if found.is_empty() { Err(RootsError) } else { Ok(Self(pem.to_owned())) }
    }

    /// The certificates in PEM.
    pub fn pem(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(super) fn certificates(&self) -> reqwest::Result<Vec<Certificate>> {
        Certificate::from_pem_bundle(self.pem())
    }
}
