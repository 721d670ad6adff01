//! What a provider's answer says of a channel: a 200 is not always a success.
//!
//! | provider | said in the answer | code | retried |
//! | --- | --- | --- | --- |
//! | expo | `DeviceNotRegistered` | NOT_FOUND | no |
//! | expo | `MessageRateExceeded` | RATE_LIMITED | yes |
//! | expo | `ProviderError`, `ExpoError` | SERVICE_UNAVAILABLE | yes |
//! | expo | `InvalidCredentials` | UNAUTHORIZED | no |
//! | expo | `MismatchSenderId` | FORBIDDEN | no |
//! | expo | `MessageTooBig`, `DeveloperError`, any other | VALIDATION_ERROR | no |
//! | twilio | an `error_code` | VALIDATION_ERROR | no |
//!
//! Of several tokens Expo may take some. What it took must not be sent again, so the channel is done then, and its result
//! names the errors of the others. Where it took none, one that may pass makes the channel's error one that may pass.

use serde_json::{Map, Value, json};

use super::Provider;
use crate::catalog::{PushProvider, SmsProvider};
use crate::job::{Output, RunError, codes};

/// The documented result of a channel, of what its provider answered.
///
/// # Errors
/// The provider's own, and those that its answer names, by the table above.
pub fn outcome(provider: Provider, answered: Result<Output, RunError>) -> Result<Value, RunError> {
    let answer = answered?.value;
    let id = |name: &str| json!({"provider": provider.word(), "id": answer[name]});
    match provider {
        Provider::Push(PushProvider::Expo) => expo(&answer["body"]),
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
            Ok(Value::Object(result))
        }
    }
}

/// Reads Expo's tickets, one for each token. They are alone in `data` where there is one.
fn expo(body: &Value) -> Result<Value, RunError> {
    let tickets = match &body["data"] {
        Value::Array(tickets) => tickets.as_slice(),
        ticket => std::slice::from_ref(ticket),
    };
    let read: Vec<Result<&Value, RunError>> = tickets.iter().map(ticket).collect();
    if read.iter().any(Result::is_ok) {
        let tickets = read.iter().map(|ticket| match ticket {
            Ok(id) => json!({"id": id}),
            Err(error) => json!({"error": error}),
        });
        return Ok(json!({"provider": PushProvider::Expo.word(), "tickets": tickets.collect::<Vec<_>>()}));
    }
    let errors: Vec<RunError> = read.into_iter().filter_map(Result::err).collect();
    let told = errors.iter().find(|error| error.retryable).or_else(|| errors.first()).cloned();
    Err(told.unwrap_or_else(|| RunError::permanent(codes::VALIDATION_ERROR, "Expo answered without a ticket")))
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
