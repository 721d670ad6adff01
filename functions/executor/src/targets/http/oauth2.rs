//! OAuth 2 client credentials (RFC 6749, section 4.4).

use carillon_core::catalog::OAuth2;
use carillon_core::job::{RunError, codes};
use carillon_core::time::UnixMillis;
use carillon_outbound::secrets::Secret;
use carillon_outbound::tokens::Grant;
use http::HeaderValue;
use url::Url;
use url::form_urlencoded::{self, Serializer};
use zeroize::Zeroizing;

use super::basic;

/// A client with its secret. A secret that changes is another client's.
pub(super) struct Client<'a> {
    pub(super) client: &'a OAuth2,
    pub(super) secret: Secret,
}

impl Grant for Client<'_> {
    fn parts(&self) -> Vec<&str> {
        let OAuth2 { token_url, client_id, scope, .. } = self.client;
        vec![token_url.url().as_str(), client_id, self.secret.expose(), scope.as_deref().unwrap_or_default()]
    }

    fn endpoint(&self) -> &Url {
        self.client.token_url.url()
    }

    fn form(&self, _: UnixMillis) -> Result<(String, Option<HeaderValue>), RunError> {
        // Section 2.3.1: both are form-encoded before they are put together.
        let credentials = basic(&encoded(&self.client.client_id), &encoded(self.secret.expose()));
        let unusable = |_| RunError::permanent(codes::INTERNAL_ERROR, "a header could not be made");
        let mut authorization = HeaderValue::from_str(&credentials).map_err(unusable)?;
        authorization.set_sensitive(true);
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if let Some(scope) = &self.client.scope {
            form.append_pair("scope", scope);
        }
        Ok((form.finish(), Some(authorization)))
    }
}

/// Form-encoded, in one piece of memory: one that has to grow leaves what it held behind.
fn encoded(text: &str) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new(String::with_capacity(3 * text.len()));
    encoded.extend(form_urlencoded::byte_serialize(text.as_bytes()));
    encoded
}
