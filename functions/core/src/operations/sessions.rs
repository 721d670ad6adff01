//! Mints session tokens, for products without an identity provider.

use serde_json::json;

use super::validate::{defined, session_name};
use super::{OperationError, invalid, require};
use crate::access::{ApiKey, Scope};
use crate::bodies::{self, MintRequest};
use crate::error::FieldCode;
use crate::json::parse;
use crate::ports::{CatalogStore, Clock, DefinedSession, Ports, Sessions, TokenRefusal};
use crate::session::MINTED_FOR;
use crate::time::UnixMillis;

/// Default lifetime of a token, ms: one hour.
const DEFAULT_EXPIRY_MS: u64 = 3_600_000;

/// A token that was made.
#[derive(Clone)]
pub struct Minted {
    /// The token. It is a secret: its holder can schedule jobs for its session.
    pub token: String,
    /// From here on it is not taken any more.
    pub expires_at: UnixMillis,
}

/// Makes a token of a session that the product's catalog defines with a shared secret. `body` is `{data, expiry?}`: what the
/// token says, and for how long it is valid, ms.
///
/// # Errors
/// [`OperationError`]. `NotFound` when the key does not open the environment, or the catalog has no such session in it.
pub async fn mint_session<P: Ports>(
    ports: &P,
    sessions: &dyn Sessions,
    caller: &ApiKey,
    [product, env, tag]: [&str; 3],
    body: &[u8],
) -> Result<Minted, OperationError> {
    require(caller, Scope::SessionsMint)?;
    if !caller.opens(product, env) {
        return Err(OperationError::NotFound("session"));
    }
    let document = parse(body)?;
    // Definitions are read from the newest catalog, because a token is often requested right after publishing one.
    let published = ports.catalogs().fresh(product).await?.ok_or(OperationError::NotFound("session"))?;
    let (definition, place) = match defined(&published.catalog, tag, env, ports.capabilities()) {
        Ok(found) => found,
        Err((FieldCode::UnknownTag, _)) => return Err(OperationError::NotFound("session")),
        Err((code, detail)) => return Err(invalid("path:tag", code, detail)),
    };
    let (request, faults) = bodies::read::<MintRequest>(&document);
    let request = faults.or(request).map_err(OperationError::Invalid)?;
    let mut claims = request.data.0.map(|data| data.0).unwrap_or_default();
    let expiry_ms = request.expiry.map_or(DEFAULT_EXPIRY_MS, |expiry| expiry.0);
    let now = ports.clock().now();
    let now_seconds = now.0.div_euclid(1_000);
    // The first whole second by which it has been valid for as long as was asked: the one that has begun is not taken off that.
    let expiry_ms = i64::try_from(expiry_ms).unwrap_or(i64::MAX);
    let expires_at = now.plus(expiry_ms).0.saturating_add(999).div_euclid(1_000);
    let name = session_name(product, env, tag);
    claims.insert("iat".to_owned(), json!(now_seconds));
    claims.insert("exp".to_owned(), json!(expires_at));
    claims.insert(MINTED_FOR.to_owned(), json!(name));
    claims.extend(place.issuer.as_ref().map(|issuer| ("iss".to_owned(), json!(issuer))));
    claims.extend(place.audience.as_ref().map(|audience| ("aud".to_owned(), json!(audience))));
    match sessions.mint(DefinedSession { name: &name, definition, place }, &claims).await {
        Ok(token) => Ok(Minted { token, expires_at: UnixMillis(expires_at.saturating_mul(1_000)) }),
        Err(TokenRefusal::Bad(code, detail)) => Err(invalid("path:tag", code, detail)),
        Err(TokenRefusal::Port(error)) => Err(error.into()),
    }
}
