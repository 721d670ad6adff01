//! Sessions, and caches of results.

use crate::catalog::leaf::{ExpiryMs, HttpUrl, LeewaySeconds, SecretRef};
use crate::catalog::tag::PerEnv;
use crate::json::document;
use crate::words::words;

document! {
    /// The verification of a session's tokens.
    struct Session {
        /// The one algorithm that is accepted.
        algorithm: Algorithm,
        /// Tolerated clock difference; default 0.
        leeway_seconds: Option<LeewaySeconds>,
        /// Keys and expectations by environment.
        envs: PerEnv<SessionEnv>,
    }

    /// A session's key and expectations; exactly one of `key` and `jwks_url`.
    struct SessionEnv {
        /// A shared secret or a PEM.
        key: Option<SecretRef>,
        /// A JSON Web Key Set.
        jwks_url: Option<HttpUrl>,
        /// The `iss` that tokens must carry.
        issuer: Option<String>,
        /// The `aud` that tokens must carry.
        audience: Option<String>,
    }

    /// A result cache.
    struct Cache {
        /// Lifetime of a result.
        expiry: ExpiryMs,
    }
}

words! {
    /// A JWS algorithm.
    enum Algorithm {
        /// HMAC with SHA-256.
        Hs256 = "HS256",
        /// HMAC with SHA-384.
        Hs384 = "HS384",
        /// HMAC with SHA-512.
        Hs512 = "HS512",
        /// RSA PKCS #1 with SHA-256.
        Rs256 = "RS256",
        /// RSA PKCS #1 with SHA-384.
        Rs384 = "RS384",
        /// RSA PKCS #1 with SHA-512.
        Rs512 = "RS512",
        /// ECDSA on P-256.
        Es256 = "ES256",
        /// ECDSA on P-384.
        Es384 = "ES384",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}
