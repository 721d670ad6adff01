//! The caller of a request.

use std::sync::Arc;

use carillon_core::access::{ApiKey, KeyHash};
use carillon_core::ports::{KeyStore, Ports};
use http::{HeaderMap, header};

use crate::problem::Problem;

/// Finds the caller's key in `Authorization: Bearer <key>` (RFC 6750, section 2.1).
///
/// # Errors
/// 401 `missing_key` without that header and `unknown_key` when it holds no known key; a fault of the key store is the
/// service's and not the caller's: 503.
pub(crate) async fn caller<P: Ports>(ports: &P, headers: &HeaderMap) -> Result<Arc<ApiKey>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        let detail = "this needs a key: send Authorization: Bearer <key>";
        return Err(Problem::unauthorized("missing_key", detail, "Bearer"));
    };
    let key = values.next().is_none().then(|| value.to_str().ok().and_then(bearer)).flatten();
    let found = match key {
        Some(key) => ports.keys().find(&KeyHash::of(key)).await?,
        None => None,
    };
    found.ok_or_else(|| {
        Problem::unauthorized("unknown_key", "this is no key of this service", r#"Bearer error="invalid_token""#)
    })
}

/// The token after the scheme, whose case does not matter (RFC 9110, section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ')).then_some(token)
}
