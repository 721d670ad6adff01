//! `action`: an HTTP request of an app. Input: IActionRequest {query, params, body, headers}, all optional.
//!
//! Result: `{status, content_type?, body}`; the body is JSON where the target says so, otherwise text, and
//! `body_base64` where it is neither.

use std::collections::BTreeSet;

use http::{HeaderName, HeaderValue, header};
use serde_json::Value;
use url::form_urlencoded;

use super::input::{pairs, scalar};
use super::kind::{EventKind, in_env};
use super::limits::Limits;
use super::multipart;
use super::needs::Needs;
use crate::catalog::{ActionEvent, AppAction, AppEnv, BodyFormat, Headers};
use crate::error::FieldCode;
use crate::json::{Field, Read, every};
use crate::request::{HttpRequest, Request, default_header};

impl<'c> EventKind<'c> for ActionEvent<'c> {
    fn check(&self, _: Option<&str>, input: &Field<'_>) {
        drop(Input::read(self.action, input));
    }

    fn needs(&self, env: &str, _: Option<&Value>) -> Result<Needs<'c>, String> {
        let place = in_env(self.app.envs.get(env), env)?;
        Ok(Needs::http(place.auth.as_ref(), &place.signing_secrets))
    }

    fn timeout_ms(&self, _: &Limits) -> Option<u32> {
        self.action.timeout.map(|timeout| timeout.0)
    }

    fn request(&self, env: &str, input: &Field<'_>) -> Option<Request> {
        let input = Input::read(self.action, input)?;
        request(self.app.envs.get(env)?, self.action, &input).map(Request::http_of)
    }
}

/// The job's input.
struct Input<'a> {
    query: Vec<(String, String)>,
    params: Vec<(String, String)>,
    body: Option<&'a Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl<'a> Input<'a> {
    /// Reads it against the action: every parameter of the path must be given, and no other.
    fn read(action: &AppAction, field: &Field<'a>) -> Option<Self> {
        let mut object = field.object()?;
        let query = object.optional("query").map_or(Some(Vec::new()), |field| pairs(&field));
        let params = if let Some(field) = object.optional("params") {
            params(action, &field)
        } else {
            let names: Vec<&str> = action.path.parameters().collect();
            if !names.is_empty() {
                let detail = format!("is required: the path needs {}", names.join(", "));
                object.fault_at("params", FieldCode::Required, detail);
            }
            names.is_empty().then(Vec::new)
        };
        let body = object.optional("body").map_or(Some(None), |field| body(action, &field).map(Some));
        let headers = object.optional("headers").map_or(Some(Headers::default()), |field| Headers::read(&field));
        object.finish();
        Some(Self { query: query?, params: params?, body: body?, headers: headers?.0 })
    }
}

/// The encoding of the body.
fn format_of(action: &AppAction) -> BodyFormat {
    action.body.unwrap_or(BodyFormat::Json)
}

fn body<'a>(action: &AppAction, field: &Field<'a>) -> Option<&'a Value> {
    match format_of(action) {
        BodyFormat::Form => pairs(field).map(|_| field.value()),
        BodyFormat::Text => field.string().map(|_| field.value()),
        BodyFormat::Multipart => multipart::check(field).map(|()| field.value()),
        BodyFormat::Json => Some(field.value()),
    }
}

fn params(action: &AppAction, field: &Field<'_>) -> Option<Vec<(String, String)>> {
    let parameters: BTreeSet<&str> = action.path.parameters().collect();
    let given = field.entries()?;
    let read = every(given.iter().map(|(name, value)| {
        if !parameters.contains(name) {
            value.fault(FieldCode::UnknownField, "the path has no such parameter");
            return None;
        }
        let text = scalar(value)?;
        // A dot segment would climb out of the path, encoded or not.
        if matches!(text.as_str(), "" | "." | "..") {
            value.fault(FieldCode::Malformed, "must not be empty or a dot segment");
            return None;
        }
        Some(((*name).to_owned(), text))
    }));
    let names: BTreeSet<&str> = given.iter().map(|(name, _)| *name).collect();
    let mut missing = parameters.difference(&names).peekable();
    let complete = missing.peek().is_none();
    for name in missing {
        field.fault_at(name, FieldCode::Required, "the path needs it");
    }
    read.filter(|_| complete)
}

/// Makes the request. Headers of the job win over the action's, and these over the app's.
fn request(place: &AppEnv, action: &AppAction, input: &Input<'_>) -> Option<HttpRequest> {
    let mut url = place.base_url.url().clone();
    url.set_path(&path(url.path(), action, &input.params));
    if !input.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&input.query);
    }
    let mut headers = input.headers.clone();
    for (name, value) in action.headers.0.iter().chain(&place.headers.0) {
        default_header(&mut headers, name.clone(), value.clone());
    }
    let (content_type, body) = match (format_of(action), input.body) {
        (_, None) => (None, Vec::new()),
        (BodyFormat::Form, Some(body)) => (Some("application/x-www-form-urlencoded"), form(body)),
        (BodyFormat::Text, Some(body)) => (Some("text/plain; charset=utf-8"), body.as_str()?.as_bytes().to_vec()),
        (BodyFormat::Json, Some(body)) => (Some("application/json"), serde_json::to_vec(body).ok()?),
        (BodyFormat::Multipart, Some(body)) => {
            let (content_type, body) = multipart::write(body)?;
            // Only it knows the boundary.
            headers.retain(|(name, _)| *name != header::CONTENT_TYPE);
            headers.push((header::CONTENT_TYPE, HeaderValue::from_str(&content_type).ok()?));
            (None, body)
        }
    };
    if let Some(content_type) = content_type {
        default_header(&mut headers, header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    Some(HttpRequest {
        method: action.method.0.clone(),
        url,
        headers,
        body,
        auth: place.auth.clone(),
        signing_secrets: place.signing_secrets.clone(),
    })
}

/// The base's path with the action's segments after it.
///
/// Values are encoded here and not by `Url`'s own segments: these drop tabs and line breaks before they look for dot
/// segments, so that a value of `.`, tab, `.` would climb out of the path.
fn path(base: &str, action: &AppAction, params: &[(String, String)]) -> String {
    let mut path = base.strip_suffix('/').unwrap_or(base).to_owned();
    for segment in action.path.segments() {
        let given = |name: &str| params.iter().find(|(given, _)| given == name).map(|(_, value)| value);
        path.push('/');
        match segment.strip_prefix(':').and_then(given) {
            Some(value) => push_encoded(&mut path, value),
            None => path.push_str(segment),
        }
    }
    path
}

/// Everything but letters, digits and `-_.~!*'()` as `%XX`, as JavaScript's `encodeURIComponent` does.
fn push_encoded(path: &mut String, value: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~!*'()".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from(HEX[usize::from(nibble)]);
            path.extend(['%', digit(byte >> 4), digit(byte & 0xF)]);
        }
    }
}

fn form(body: &Value) -> Vec<u8> {
    let faults = std::cell::RefCell::default();
    let pairs = pairs(&Field::root(body, &faults)).unwrap_or_default();
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().into_bytes()
}
