//! The result of a channel from its provider's answer: a 200 is not always a success.
//!
//! | provider | answer | code | retried |
//! | --- | --- | --- | --- |
//! | expo | `DeviceNotRegistered` | NOT_FOUND | no |
//! | expo | `MessageRateExceeded` | RATE_LIMITED | yes |
//! | expo | `ProviderError`, `ExpoError` | SERVICE_UNAVAILABLE | yes |
//! | expo | `InvalidCredentials` | UNAUTHORIZED | no |
//! | expo | `MismatchSenderId` | FORBIDDEN | no |
//! | expo | `MessageTooBig`, `DeveloperError`, any other | VALIDATION_ERROR | no |
//! | twilio | an `error_code` | VALIDATION_ERROR | no |
//!
//! Expo may accept some of several tokens. The channel is done when none is left whose error may pass, and one was taken: its
//! result names the errors of the others. Until then it fails with an error that may pass, and another attempt sends to the
//! tokens that are left, and to no other.

use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::Provider;
use crate::catalog::{PushProvider, SmsProvider};
use crate::job::{Output, RunError, codes};

/// The documented result of a channel, of what its provider answered.
///
/// # Errors
/// The provider's own, and those that its answer names, by the table above.
pub fn outcome(provider: Provider, answered: Result<Output, RunError>) -> Result<Value, RunError> {
    let result = read(provider, answered)?;
    unfinished(&result).map_or(Ok(result), Err)
}

/// As above, with tickets that may be partial.
pub(super) fn read(provider: Provider, answered: Result<Output, RunError>) -> Result<Value, RunError> {
    let Output { value: answer, truncated } = answered?;
    let id = |name: &str| json!({"provider": provider.word(), "id": answer[name]});
    match provider {
        Provider::Push(PushProvider::Expo) => Ok(expo(&answer["body"])),
        Provider::Push(PushProvider::Fcm) => Ok(id("name")),
        Provider::Email(_) => {
            let mut result = id("message_id");
            if let Some(response) = answer.get("response") {
                result["response"] = response.clone();
            }
            Ok(result)
        }
        Provider::Sms(SmsProvider::Sns) => Ok(id("message_id")),
        Provider::Sms(SmsProvider::Twilio) => match answer["body"]["error_code"].as_u64() {
            Some(code) => {
                Err(RunError::permanent(codes::VALIDATION_ERROR, format!("Twilio answered with error {code}")))
            }
            None => Ok(json!({"provider": provider.word(), "id": answer["body"]["sid"]})),
        },
        Provider::Http => {
            let mut result = Map::from_iter([("provider".to_owned(), json!(provider.word()))]);
            result.extend(answer.as_object().cloned().unwrap_or_default());
            if truncated {
                result.insert("truncated".to_owned(), json!(true));
            }
            Ok(Value::Object(result))
        }
    }
}

/// Why a channel is not done, by its tickets: the first error that may pass, or else the first where no token was taken.
pub(super) fn unfinished(result: &Value) -> Option<RunError> {
    let errors: Vec<RunError> = tickets(result).iter().filter_map(error).collect();
    let is_hopeless = errors.len() == tickets(result).len();
    let first = errors.first().filter(|_| is_hopeless);
    errors.iter().find(|error| error.retryable).or(first).cloned()
}

/// The positions of the tokens that are worth another attempt.
pub(super) fn unsent(result: &Value) -> Vec<usize> {
    let is_left = |ticket: &Value| error(ticket).is_some_and(|error| error.retryable);
    tickets(result).iter().enumerate().filter(|(_, ticket)| is_left(ticket)).map(|(at, _)| at).collect()
}

/// Merges the known tickets of all tokens with the new ones of the `left` tokens. A missing ticket stays as it was.
pub(super) fn merged(mut known: Value, left: &[usize], brought: &Value) -> Value {
    if let Some(known) = known.get_mut("tickets").and_then(Value::as_array_mut) {
        for (at, ticket) in left.iter().zip(tickets(brought)) {
            if let Some(known) = known.get_mut(*at) {
                known.clone_from(ticket);
            }
        }
    }
    known
}

fn tickets(result: &Value) -> &[Value] {
    result["tickets"].as_array().map_or(&[], Vec::as_slice)
}

/// The error of a result's ticket.
fn error(ticket: &Value) -> Option<RunError> {
    RunError::deserialize(ticket.get("error")?).ok()
}

/// Reads Expo's tickets, one for each token. They are alone in `data` where there is one.
fn expo(body: &Value) -> Value {
    let tickets = match &body["data"] {
        Value::Array(tickets) if !tickets.is_empty() => tickets.as_slice(),
        ticket => std::slice::from_ref(ticket),
    };
    let tickets = tickets.iter().map(|said| match ticket(said) {
        Ok(id) => json!({"id": id}),
        Err(error) => json!({"error": error}),
    });
    json!({"provider": PushProvider::Expo.word(), "tickets": tickets.collect::<Vec<_>>()})
}

fn ticket(ticket: &Value) -> Result<&Value, RunError> {
    if ticket["status"] == "ok" {
        return Ok(&ticket["id"]);
    }
    let said = ticket["details"]["error"].as_str().unwrap_or_default();
    Err(match said {
        "DeviceNotRegistered" => RunError::permanent(codes::NOT_FOUND, "Expo: the device is not registered"),
        "MessageRateExceeded" => RunError::transient(codes::RATE_LIMITED, "Expo: too many messages for the device"),
        "ProviderError" | "ExpoError" => RunError::transient(codes::SERVICE_UNAVAILABLE, "Expo could not send it now"),
        "InvalidCredentials" => {
            RunError::permanent(codes::UNAUTHORIZED, "Expo: the app's credentials for its platform are not valid")
        }
        "MismatchSenderId" => {
            RunError::permanent(codes::FORBIDDEN, "Expo: the device's token belongs to another sender of FCM")
        }
        "MessageTooBig" => RunError::permanent(codes::VALIDATION_ERROR, "Expo: the message is too large"),
        _ => RunError::permanent(codes::VALIDATION_ERROR, "Expo refused the message"),
    })
}
