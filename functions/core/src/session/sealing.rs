//! Authenticated encryption of confidential data at rest: XChaCha20-Poly1305.
//!
//! A nonce has 192 random bits, so one key may seal any number of texts. [`crate::ports::SealingKeys`] decides which
//! keys exist and which one seals; every sealed text names its own.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 24;

/// Identifies the key of a sealed text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SealingKeyId {
    /// Its id: on AWS the ARN of the KMS key that wraps it.
    pub id: String,
    /// The key itself, wrapped by another key, if it is stored nowhere else; base64.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub wrapped: Option<String>,
}

/// A 256-bit key. It is wiped when dropped, and its `Debug` hides it.
#[derive(Clone)]
pub struct SealingKey {
    name: SealingKeyId,
    secret: Zeroizing<[u8; 32]>,
}

impl SealingKey {
    /// Creates a key.
    pub fn new(name: SealingKeyId, secret: Zeroizing<[u8; 32]>) -> Self {
        Self { name, secret }
    }

    /// The id of the key.
    pub fn name(&self) -> &SealingKeyId {
        &self.name
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealingKey({})", self.name.id)
    }
}

/// The data cannot be sealed, or not be opened with this key in this context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be opened with this key, in this place, as it is")]
pub struct Unsealable;

/// A sealed text, which only the holder of the key can open, in the context that it was sealed for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The key that it was sealed with.
    pub key: SealingKeyId,
    /// The nonce, the ciphertext and its tag, in base64.
    text: String,
}

impl Sealed {
    /// Seals `plain` for the context `bound_to`. Uses 192 bits of the random `nonce`, which must never repeat.
    ///
    /// # Errors
    ///
    /// [`Unsealable`] if it is longer than 256 GiB.
    pub fn new(
        key: &SealingKey,
        nonce: [u128; 2],
        bound_to: &[u8],
        plain: impl Into<Zeroizing<Vec<u8>>>,
    ) -> Result<Self, Unsealable> {
        let mut bytes = [nonce[0].to_be_bytes(), nonce[1].to_be_bytes()].concat();
        bytes.truncate(NONCE_BYTES);
        let nonce = XNonce::try_from(bytes.as_slice()).map_err(|_| Unsealable)?;
        let plain = plain.into();
        let sealed = cipher(key).encrypt(&nonce, Payload { msg: &plain, aad: bound_to }).map_err(|_| Unsealable)?;
        bytes.extend(sealed);
        Ok(Self { key: key.name.clone(), text: STANDARD.encode(bytes) })
    }

    /// Opens the sealed text.
    ///
    /// # Errors
    ///
    /// [`Unsealable`].
    pub fn open(&self, key: &SealingKey, bound_to: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let bytes = STANDARD.decode(&self.text).map_err(|_| Unsealable)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES).ok_or(Unsealable)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| Unsealable)?;
        let plain = cipher(key).decrypt(&nonce, Payload { msg: sealed, aad: bound_to });
        plain.map(Zeroizing::new).map_err(|_| Unsealable)
    }
}

fn cipher(key: &SealingKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&*key.secret).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, byte: u8) -> SealingKey {
        SealingKey::new(SealingKeyId { id: id.to_owned(), wrapped: None }, Zeroizing::new([byte; 32]))
    }

    fn sealed(key: &SealingKey) -> Sealed {
        Sealed::new(key, [1, 2], b"here", b"a canary".to_vec()).unwrap()
    }

    #[test]
    fn what_was_sealed_is_opened_with_its_key_in_its_place() {
        let (ours, other) = (key("a", 7), key("a", 8));
        let sealed = sealed(&ours);
        assert_eq!(sealed.open(&ours, b"here").unwrap().as_slice(), b"a canary");
        assert_eq!(sealed.open(&other, b"here"), Err(Unsealable), "another key");
        assert_eq!(sealed.open(&ours, b"there"), Err(Unsealable), "another place");
        assert_eq!(sealed.key.id, "a");
    }

    #[test]
    fn it_shows_nothing_of_what_it_holds_and_the_key_nothing_of_itself() {
        let key = key("a", 0x5a);
        let text = serde_json::to_string(&sealed(&key)).unwrap();
        assert!(!text.contains("canary") && !text.contains(&STANDARD.encode("a canary")), "{text}");
        assert_eq!(format!("{key:?}"), "SealingKey(a)");
    }

    #[test]
    fn no_byte_of_it_can_be_changed() {
        let key = key("a", 7);
        let sealed = sealed(&key);
        let bytes = STANDARD.decode(&sealed.text).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let changed = Sealed { text: STANDARD.encode(&changed), ..sealed.clone() };
            assert_eq!(changed.open(&key, b"here"), Err(Unsealable), "byte {at}");
        }
        for length in 0..bytes.len() {
            let cut = Sealed { text: STANDARD.encode(&bytes[..length]), ..sealed.clone() };
            assert_eq!(cut.open(&key, b"here"), Err(Unsealable), "{length} bytes");
        }
    }
}
