//! One token: its header, its signature, and what it says.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use carillon_core::error::FieldCode;
use carillon_core::json::{ParseError, parse};
use carillon_core::ports::{DefinedSession, PortError, TokenRefusal};
use carillon_core::session::Claims;
use carillon_core::session::MINTED_FOR;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde_json::Value;

fn bad(code: FieldCode, detail: &str) -> TokenRefusal {
    TokenRefusal::Bad(code, detail.to_owned())
}

/// Looks at what has to be right before a key is looked for. Gives the key's name, where the token has one.
pub(super) fn look(token: &str, algorithm: &str) -> Result<Option<String>, TokenRefusal> {
    let malformed = || bad(FieldCode::TokenMalformed, "the token is no JWS in its compact form");
    let parts: Vec<_> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part)).collect();
    let [Ok(header), Ok(_), Ok(_)] = parts.as_slice() else { return Err(malformed()) };
    let Ok(Value::Object(header)) = parse(header) else { return Err(malformed()) };
    // The name is compared as text, so no other spelling of `none` can match.
    if header.get("alg").and_then(Value::as_str) != Some(algorithm) {
        let detail = format!("the session's tokens are signed with {algorithm}, and this one says something else");
        return Err(TokenRefusal::Bad(FieldCode::TokenAlgorithm, detail));
    }
    if header.contains_key("crit") {
        let detail = "the token has extensions that must be understood (crit): none is";
        return Err(bad(FieldCode::TokenHeader, detail));
    }
    match header.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) => Ok(Some(kid.clone())),
        Some(_) => Err(malformed()),
    }
}

/// The payload of a token that is signed with this key, valid now, and meant for this session.
pub(super) fn verify(
    token: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
    session: &DefinedSession<'_>,
) -> Result<Claims, TokenRefusal> {
    let mut validation = Validation::new(algorithm);
    validation.leeway = session.definition.leeway_seconds.as_ref().map_or(0, |leeway| leeway.0.into());
    // "On or after" its `exp` a token is not taken (RFC 7519, section 4.1.4); the library alone would take it for one second more.
    validation.reject_tokens_expiring_in_less_than = 1;
    validation.validate_nbf = true;
    if let Some(issuer) = &session.place.issuer {
        validation.set_issuer(&[issuer]);
        validation.required_spec_claims.insert("iss".to_owned());
    }
    if let Some(audience) = &session.place.audience {
        validation.set_audience(&[audience]);
        validation.required_spec_claims.insert("aud".to_owned());
    }
    if let Err(error) = decode::<Value>(token, key, &validation) {
        return Err(refusal(&error, token));
    }
    let claims = said(token)?;
    match claims.get(MINTED_FOR) {
        Some(minted_for) if minted_for.as_str() != Some(session.name) => {
            Err(bad(FieldCode::TokenSession, "the token was minted for another session, environment or product"))
        }
        _ => Ok(claims),
    }
}

/// Parses the payload, rejecting duplicate names.
fn said(token: &str) -> Result<Claims, TokenRefusal> {
    let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).unwrap_or_default();
    match parse(&payload) {
        Ok(Value::Object(claims)) => Ok(claims),
        Err(ParseError::Fields(faults)) if faults.iter().any(|fault| fault.code == FieldCode::DuplicateKey) => {
            Err(bad(FieldCode::TokenDuplicateClaim, "the token says something twice"))
        }
        _ => Err(bad(FieldCode::TokenPayload, "what the token says is no JSON object that can be taken without loss")),
    }
}

/// Describes why the library rejects a token. The library's own text may quote the token.
fn refusal(error: &Error, token: &str) -> TokenRefusal {
    match error.kind() {
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
            bad(FieldCode::TokenAlgorithm, "the token and the session's key are of different algorithms")
        }
        ErrorKind::InvalidSignature | ErrorKind::InvalidEcdsaKey | ErrorKind::InvalidKeyFormat => {
            bad(FieldCode::TokenSignature, "the token is not signed by the session's key")
        }
        ErrorKind::MissingRequiredClaim(claim) => {
            TokenRefusal::Bad(FieldCode::TokenClaim, format!("the token has no {claim}, or none that can be read"))
        }
        ErrorKind::InvalidClaimFormat(claim) => {
            TokenRefusal::Bad(FieldCode::TokenClaim, format!("the token's {claim} cannot be read"))
        }
        // It has three parts, so what is invalid about it is an `exp` that has nothing before it.
        ErrorKind::ExpiredSignature | ErrorKind::InvalidToken => bad(FieldCode::TokenExpired, "the token has expired"),
        ErrorKind::ImmatureSignature => bad(FieldCode::TokenNotYetValid, "the token is not valid yet"),
        ErrorKind::InvalidIssuer => bad(FieldCode::TokenIssuer, "the token is of another issuer"),
        ErrorKind::InvalidAudience => bad(FieldCode::TokenAudience, "the token is meant for another audience"),
        ErrorKind::Json(_) | ErrorKind::Utf8(_) => match said(token) {
            Err(refusal) => refusal,
            Ok(_) => bad(FieldCode::TokenMalformed, "the token has a header that cannot be read"),
        },
        _ => bad(FieldCode::TokenMalformed, "the token is no JWT"),
    }
}

/// A token that says `claims`.
pub(super) fn mint(claims: &Claims, key: &EncodingKey, algorithm: Algorithm) -> Result<String, TokenRefusal> {
    encode(&Header::new(algorithm), claims, key).map_err(|error| TokenRefusal::Port(PortError::Permanent(error.into())))
}
