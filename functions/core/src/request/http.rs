//! Requests over HTTP.

use http::{HeaderName, HeaderValue, Method, header};
use serde_json::Value;
use url::Url;

use super::aws::AwsRequest;
use crate::catalog::{Auth, SigningSecrets};

/// An HTTP request.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: Url,
    /// Headers without secrets.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body, empty for none.
    pub body: Vec<u8>,
    /// The authorisation.
    pub auth: Option<Auth>,
    /// The secrets that sign it.
    pub signing_secrets: SigningSecrets,
}

impl HttpRequest {
    /// A POST of a JSON document.
    pub(crate) fn post_json(url: &Url, headers: &[(HeaderName, HeaderValue)], document: &Value) -> Self {
        let mut headers = headers.to_vec();
        default_header(&mut headers, header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self {
            method: Method::POST,
            url: url.clone(),
            headers,
            body: document.to_string().into_bytes(),
            auth: None,
            signing_secrets: SigningSecrets::default(),
        }
    }
}

/// A file to fetch whole, and the request that stores it.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The request that gets it.
    pub from: HttpRequest,
    /// Maximum size in bytes.
    pub most_bytes: usize,
    /// The request that takes it for its content.
    pub into: AwsRequest,
}

/// The address of a path at a service: at `own` where that is given, otherwise at the provider's.
pub(crate) fn under(own: Option<&Url>, provider: &str, path: &str) -> Option<Url> {
    let mut url = own.cloned().or_else(|| Url::parse(provider).ok())?;
    let path = url.path().trim_end_matches('/').to_owned() + path;
    url.set_path(&path);
    Some(url)
}

/// Adds a header, unless there is one of that name.
pub(crate) fn default_header(headers: &mut Vec<(HeaderName, HeaderValue)>, name: HeaderName, value: HeaderValue) {
    if !headers.iter().any(|(present, _)| *present == name) {
        headers.push((name, value));
    }
}
