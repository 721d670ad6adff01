//! Tokens of every kind, good and bad, with keys that are made for one run of the tests.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
};
use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// Signs as its algorithm does.
pub(super) enum Signer {
    Hmac(Box<hmac::Key>),
    Rsa(rsa::KeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    /// HMAC with SHA-256 under a secret, or under a text that is mistaken for one.
    pub(super) fn hs256(secret: &[u8]) -> Self {
        Self::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret).into())
    }

    fn ec(algorithm: &'static EcdsaSigningAlgorithm) -> Self {
        Self::Ec(EcdsaKeyPair::generate(algorithm).unwrap())
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Hmac(key) => hmac::sign(key, message).as_ref().to_vec(),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Self::Ec(key) => key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// Its public key as PEM.
    pub(super) fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Hmac(_) => panic!("a secret is not public"),
            Self::Rsa(key) => key.public_key().as_der().unwrap(),
            Self::Ec(key) => key.public_key().as_der().unwrap(),
            Self::Ed(key) => key.public_key().as_der().unwrap(),
        };
        let text = STANDARD.encode(der.as_ref());
        let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// Its public key as a JSON Web Key of this name.
    pub(super) fn jwk(&self, kid: &str) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ec(key) => {
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let crv = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y), "kid": kid, "use": "sig"})
            }
            Self::Ed(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key().as_ref()), "kid": kid})
            }
            Self::Hmac(_) | Self::Rsa(_) => panic!("not needed"),
        }
    }

    pub(super) fn rs384(&self, message: &[u8]) -> Vec<u8> {
        let Self::Rsa(key) = self else { panic!("an RSA key") };
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA384, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }
}

/// The keys of the sessions that the tests define, and of strangers.
pub(super) struct Keys {
    pub(super) rsa: Signer,
    pub(super) es256: Signer,
    pub(super) es384: Signer,
    pub(super) ed: Signer,
    pub(super) foreign_rsa: Signer,
    pub(super) foreign_es256: Signer,
    pub(super) foreign_ed: Signer,
}

pub(super) static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    rsa: Signer::Rsa(rsa::KeyPair::generate(KeySize::Rsa2048).unwrap()),
    es256: Signer::ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
    es384: Signer::ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
    ed: Signer::Ed(Ed25519KeyPair::generate().unwrap()),
    foreign_rsa: Signer::Rsa(rsa::KeyPair::generate(KeySize::Rsa2048).unwrap()),
    foreign_es256: Signer::ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
    foreign_ed: Signer::Ed(Ed25519KeyPair::generate().unwrap()),
});

/// Header and payload in the form in which they are signed.
pub(super) fn message(header: &str, payload: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

/// A token with this header and payload, as they are written.
pub(super) fn token(signer: &Signer, header: &str, payload: &str) -> String {
    let message = message(header, payload);
    let signature = URL_SAFE_NO_PAD.encode(signer.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// A token with a plain header of this algorithm.
pub(super) fn plain(signer: &Signer, alg: &str, payload: &Value) -> String {
    token(signer, &json!({"alg": alg, "typ": "JWT"}).to_string(), &payload.to_string())
}
