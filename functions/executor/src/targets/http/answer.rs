//! The result or error of a target's answer.
//!
//! A success is a result. Any other status is an error by the table of [`status`]. A textual `code` in the answer's
//! JSON body replaces the code there, but the status still decides whether it is retried. A numeric `code` is added
//! to the message.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use carillon_core::job::{Output, RunError};
use carillon_core::json::text_within;
use carillon_core::time::UnixMillis;
use carillon_outbound::{Answer, status};
use http::header;
use serde_json::{Map, Value, json};

use crate::targets::MAX_RESULT_BYTES;

/// The result of an answer, or its error.
pub(super) fn read(answer: &Answer, now: UnixMillis) -> Result<Output, RunError> {
    if answer.status.is_success() {
        return Ok(result(answer));
    }
    Err(refusal(answer, now))
}

/// The error of an unsuccessful answer.
pub(in crate::targets) fn refusal(answer: &Answer, now: UnixMillis) -> RunError {
    let (code, retryable) = status::meaning(answer.status);
    let own = own_code(answer);
    let code = own.as_ref().and_then(Value::as_str).unwrap_or(code).to_owned();
    let number = own.filter(Value::is_u64).map_or_else(String::new, |number| format!(" with code {number}"));
    let message = format!("the target answered {}{number}", answer.status);
    let retry_after_ms = if retryable { status::retry_after_ms(&answer.headers, now) } else { None };
    RunError { code, message, retryable, retry_after_ms }
}

/// The `code` of a JSON object, at its top or in `error`: 1 to 100 visible ASCII characters, or a whole number.
fn own_code(answer: &Answer) -> Option<Value> {
    let document: Value = serde_json::from_slice(&answer.body).ok()?;
    let code = document.get("code").or_else(|| document.get("error")?.get("code"))?;
    let is_word = |text: &str| (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    (code.is_u64() || code.as_str().is_some_and(is_word)).then(|| code.clone())
}

/// `{status, content_type?, body}`, cut to what is kept.
fn result(answer: &Answer) -> Output {
    let mut value = Map::new();
    value.insert("status".into(), answer.status.as_u16().into());
    let content_type = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if let Some(content_type) = content_type {
        value.insert("content_type".into(), content_type.chars().take(200).collect::<String>().into());
    }
    let json =
        serde_json::from_slice::<Value>(&answer.body).ok().filter(|_| !answer.truncated && is_json(content_type));
    // Written again it may be longer: `1e15` becomes `1000000000000000.0`. The text that the target wrote is kept then.
    let json = json.filter(|json| json.to_string().len() <= MAX_RESULT_BYTES);
    let (name, body, cut) = match (json, std::str::from_utf8(&answer.body)) {
        (Some(json), _) => ("body", json, false),
        (_, Ok(text)) => kept(text),
        (_, Err(fault)) if answer.truncated && fault.error_len().is_none() => {
            // Only the last character was cut in two.
            kept(&String::from_utf8_lossy(&answer.body[..fault.valid_up_to()]))
        }
        _ => {
            let kept = &answer.body[..answer.body.len().min(MAX_RESULT_BYTES / 4 * 3)];
            ("body_base64", json!(STANDARD.encode(kept)), kept.len() < answer.body.len())
        }
    };
    value.insert(name.into(), body);
    Output { value: Value::Object(value), truncated: answer.truncated || cut }
}

fn is_json(content_type: Option<&str>) -> bool {
    let media_type = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json") || media_type.to_ascii_lowercase().ends_with("+json")
}

/// A text, as much of it as is kept.
fn kept(text: &str) -> (&'static str, Value, bool) {
    let kept = text_within(text, MAX_RESULT_BYTES);
    ("body", json!(kept), kept.len() < text.len())
}
