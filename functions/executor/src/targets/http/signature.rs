//! Standard Webhooks v1: HMAC-SHA256 over `id.timestamp.body`, with a `whsec_` secret.
//!
//! Source of the rule: the Standard Webhooks specification, "Signature scheme".

use base64::{Engine as _, engine::general_purpose::STANDARD};
use carillon_outbound::secrets::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The signature with its version, `v1,…`; `None` when the secret is no base64 of 24 to 64 bytes.
pub(super) fn sign(secret: &Secret, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
    let key = Zeroizing::new(STANDARD.decode(secret.expose().trim().strip_prefix("whsec_")?).ok()?);
    if !(24..=64).contains(&key.len()) {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}
