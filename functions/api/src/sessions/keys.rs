//! Keys out of the secrets that definitions refer to.

use carillon_core::catalog;
use carillon_core::ports::TokenRefusal;
use carillon_outbound::secrets::Secret;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};

use super::refusal::unusable;

/// The algorithm of a definition.
pub(super) fn algorithm(defined: catalog::Algorithm) -> Algorithm {
    match defined {
        catalog::Algorithm::Hs256 => Algorithm::HS256,
        catalog::Algorithm::Hs384 => Algorithm::HS384,
        catalog::Algorithm::Hs512 => Algorithm::HS512,
        catalog::Algorithm::Rs256 => Algorithm::RS256,
        catalog::Algorithm::Rs384 => Algorithm::RS384,
        catalog::Algorithm::Rs512 => Algorithm::RS512,
        catalog::Algorithm::Es256 => Algorithm::ES256,
        catalog::Algorithm::Es384 => Algorithm::ES384,
        catalog::Algorithm::EdDsa => Algorithm::EdDSA,
    }
}

/// Creates the key that verifies tokens: a shared secret, or a public key as PEM.
pub(super) fn verifying(algorithm: Algorithm, secret: &Secret) -> Result<DecodingKey, TokenRefusal> {
    let text = secret.expose().as_bytes();
    let key = match algorithm.family() {
        AlgorithmFamily::Hmac => return Ok(DecodingKey::from_secret(shared(algorithm, secret)?)),
        AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(text),
        AlgorithmFamily::Ec => DecodingKey::from_ec_pem(text),
        AlgorithmFamily::Ed => DecodingKey::from_ed_pem(text),
    };
    key.map_err(|_| unusable("its key is no public key of its algorithm in PEM"))
}

/// Creates the key that signs tokens, which must be a shared secret.
pub(super) fn signing(algorithm: Algorithm, secret: Option<&Secret>) -> Result<EncodingKey, TokenRefusal> {
    let secret = secret.filter(|_| algorithm.family() == AlgorithmFamily::Hmac);
    let secret = secret.ok_or_else(|| unusable("only a session with a shared secret can be minted here"))?;
    Ok(EncodingKey::from_secret(shared(algorithm, secret)?))
}

/// Checks a shared secret: it has at least as many bytes as its hash (RFC 7518, section 3.2), and is not a public
/// key, with which everyone could sign.
fn shared(algorithm: Algorithm, secret: &Secret) -> Result<&[u8], TokenRefusal> {
    let least = match algorithm {
        Algorithm::HS384 => 48,
        Algorithm::HS512 => 64,
        _ => 32,
    };
    let bytes = secret.expose().as_bytes();
    if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Err(unusable("its shared secret is a PEM"));
    }
    if bytes.len() < least {
        return Err(unusable(&format!("its shared secret has fewer than {least} bytes")));
    }
    Ok(bytes)
}
