//! The meaning of providers' answers.

use super::*;
use crate::job::{Output, RunError, codes};

const EXPO: Provider = Provider::Push(PushProvider::Expo);

fn answered(provider: Provider, value: Value) -> Result<Value, RunError> {
    outcome(provider, Ok(Output { value, truncated: false }))
}

fn tickets(tickets: &Value) -> Result<Value, RunError> {
    answered(EXPO, json!({"status": 200, "content_type": "application/json", "body": {"data": tickets}}))
}

fn failed(error: &str) -> Value {
    json!({"status": "error", "message": "secret words", "details": {"error": error, "expoPushToken": "t"}})
}

#[test]
fn each_provider_gives_the_documented_result() {
    let http = |body: Value| json!({"status": 201, "content_type": "application/json", "body": body});
    for (provider, answer, result) in [
        (
            Provider::Push(PushProvider::Fcm),
            json!({"name": "projects/p/messages/1"}),
            json!({"provider": "fcm", "id": "projects/p/messages/1"}),
        ),
        (Provider::Email(EmailProvider::Ses), json!({"message_id": "m"}), json!({"provider": "ses", "id": "m"})),
        (
            Provider::Email(EmailProvider::Smtp),
            json!({"message_id": "<m@x>", "response": "queued"}),
            json!({"provider": "smtp", "id": "<m@x>", "response": "queued"}),
        ),
        (Provider::Sms(SmsProvider::Sns), json!({"message_id": "m"}), json!({"provider": "sns", "id": "m"})),
        (
            Provider::Sms(SmsProvider::Twilio),
            http(json!({"sid": "SM1", "status": "queued", "error_code": null})),
            json!({"provider": "twilio", "id": "SM1"}),
        ),
        (
            Provider::Http,
            http(json!({"ok": true})),
            json!({"provider": "http", "status": 201, "content_type": "application/json", "body": {"ok": true}}),
        ),
    ] {
        assert_eq!(answered(provider, answer), Ok(result), "{provider:?}");
    }
    let error = RunError::transient(codes::TIMEOUT, "late");
    assert_eq!(outcome(EXPO, Err(error.clone())), Err(error));
}

#[test]
fn tickets_of_expo_become_codes() {
    for (said, code, retryable) in [
        ("DeviceNotRegistered", codes::NOT_FOUND, false),
        ("MessageRateExceeded", codes::RATE_LIMITED, true),
        ("ProviderError", codes::SERVICE_UNAVAILABLE, true),
        ("ExpoError", codes::SERVICE_UNAVAILABLE, true),
        ("InvalidCredentials", codes::UNAUTHORIZED, false),
        ("MismatchSenderId", codes::FORBIDDEN, false),
        ("MessageTooBig", codes::VALIDATION_ERROR, false),
        ("DeveloperError", codes::VALIDATION_ERROR, false),
        ("SomethingNew", codes::VALIDATION_ERROR, false),
    ] {
        // A single ticket may come without an array.
        for answer in [json!([failed(said)]), failed(said)] {
            let error = tickets(&answer).unwrap_err();
            assert_eq!((error.code.as_str(), error.retryable), (code, retryable), "{said}");
            assert!(!error.message.contains("secret words"));
        }
    }
    for answer in [json!([]), json!(null), json!("x"), json!([7])] {
        let error = tickets(&answer).unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (codes::VALIDATION_ERROR, false));
    }
    let sent = json!({"status": "ok", "id": "i"});
    assert_eq!(tickets(&sent), Ok(json!({"provider": "expo", "tickets": [{"id": "i"}]})));
}

#[test]
fn a_push_is_done_once_no_token_is_left_and_one_was_taken() {
    let taken = json!({"status": "ok", "id": "i"});
    let (passing, gone) = (failed("MessageRateExceeded"), failed("DeviceNotRegistered"));
    let result = tickets(&json!([gone, taken])).unwrap();
    assert_eq!(
        (&result["tickets"][0]["error"]["code"], &result["tickets"][1]),
        (&json!(codes::NOT_FOUND), &json!({"id": "i"}))
    );
    // One that may pass is worth another attempt, whatever became of the others.
    for answer in [json!([taken, passing]), json!([passing, gone]), json!([gone, passing, taken])] {
        let error = tickets(&answer).unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (codes::RATE_LIMITED, true), "{answer}");
    }
    let error = tickets(&json!([gone, failed("MessageTooBig")])).unwrap_err();
    assert_eq!((error.code.as_str(), error.retryable), (codes::NOT_FOUND, false));
}

#[test]
fn a_callback_whose_body_was_cut_says_so() {
    let output = Output { value: json!({"status": 200, "body": "x"}), truncated: true };
    let expected = json!({"provider": "http", "status": 200, "body": "x", "truncated": true});
    assert_eq!(outcome(Provider::Http, Ok(output)), Ok(expected));
}

#[test]
fn a_message_that_twilio_made_and_failed_is_no_success() {
    let answer = json!({"status": 201, "body": {"sid": "SM1", "status": "failed", "error_code": 30_006}});
    let error = answered(Provider::Sms(SmsProvider::Twilio), answer).unwrap_err();
    assert_eq!((error.code.as_str(), error.retryable), (codes::VALIDATION_ERROR, false));
    assert!(error.message.contains("30006"));
}
