//! Push messages over FCM.

use serde_json::Value;
use url::Url;

use crate::catalog::SecretRef;

/// A push message over FCM v1.
#[derive(Clone, Debug)]
pub struct FcmRequest {
    /// The service account, as its JSON document.
    pub service_account: SecretRef,
    /// The service's address, where it is not FCM's own.
    pub url: Option<Url>,
    /// The `message` of the request.
    pub message: Value,
}
