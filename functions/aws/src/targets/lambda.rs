//! Lambda: synchronous invocations.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use carillon_core::job::{Output, RunError, codes};
use carillon_core::json::{room_left, text_within};
use serde_json::Value;

use super::fault::fault;

const SERVICE: &str = "AWS Lambda";

/// Invokes a function and returns its answer. A large one is kept as text, cut.
pub(super) async fn invoke(client: &Client, function_arn: String, payload: &Value) -> Result<Output, RunError> {
    let request = client.invoke().function_name(function_arn).payload(Blob::new(payload.to_string()));
    let invoked = request.send().await.map_err(|error| fault(SERVICE, &error))?;
    let returned = invoked.payload.map(Blob::into_inner).unwrap_or_default();
    match invoked.function_error {
        Some(_) => Err(failed(&returned)),
        None => Ok(output(&returned)),
    }
}

/// The function ran and failed. Its error type is kept; the text may hold anything.
fn failed(returned: &[u8]) -> RunError {
    let said: Value = serde_json::from_slice(returned).unwrap_or_default();
    let is_name = |name: &&str| (1..=100).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    let message = match said["errorType"].as_str().filter(is_name) {
        Some(name) => format!("the function ended with an error: {name}"),
        None => "the function ended with an error".to_owned(),
    };
    RunError::transient(codes::FUNCTION_ERROR, message)
}

fn output(returned: &[u8]) -> Output {
    if returned.is_empty() {
        return Output::default();
    }
    // Written again it may be longer than it arrived.
    let value = serde_json::from_slice::<Value>(returned).ok();
    if let Some(value) = value.filter(|value| room_left(value, Output::MAX_BYTES).is_some()) {
        return Output { value, truncated: false };
    }
    let text = String::from_utf8_lossy(returned);
    let kept = text_within(&text, Output::MAX_BYTES);
    Output { value: kept.into(), truncated: kept.len() < text.len() }
}
