//! The real client over answers of KMS as they come over the wire.

use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::*;
use crate::scripted_http::{ScriptedHttp, settings};

const ARN: &str = "arn:aws:kms:eu-west-1:123456789012:key/k";

#[derive(Clone, Default)]
struct HandClock(Arc<AtomicI64>);

impl Clock for HandClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::Relaxed))
    }
}

fn keys(http: &ScriptedHttp, clock: &HandClock) -> KmsSealingKeys<HandClock> {
    KmsSealingKeys::new(Kms::new(&http.config(), aws_sdk_kms::Client::new), &settings(), clock.clone())
}

/// A data key whose every byte is this one.
fn made(byte: u8) -> (u16, Value) {
    let (secret, wrapped) = (STANDARD.encode([byte; 32]), STANDARD.encode([byte; 8]));
    (200, json!({"KeyId": ARN, "Plaintext": secret, "CiphertextBlob": wrapped}))
}

fn unwrapped(byte: u8) -> (u16, Value) {
    (200, json!({"KeyId": ARN, "Plaintext": STANDARD.encode([byte; 32])}))
}

fn refused(code: &str) -> (u16, Value) {
    (400, json!({"__type": code, "message": "no"}))
}

fn name(byte: u8) -> SealingKeyId {
    SealingKeyId { id: ARN.to_owned(), wrapped: Some(STANDARD.encode([byte; 8])) }
}

#[tokio::test]
async fn one_data_key_seals_for_a_day_and_is_made_for_this_deployment() {
    let (http, clock) = (ScriptedHttp::that_answers([made(1), made(2)]), HandClock::default());
    let keys = keys(&http, &clock);
    let at_once = join_all((0..5).map(|_| keys.current())).await;
    assert!(at_once.iter().all(|key| *key.as_ref().unwrap().name() == name(1)));
    clock.0.store(SEALS_MS - 1, Ordering::Relaxed);
    assert_eq!(keys.current().await.unwrap().name(), &name(1));
    let body = json!({
        "KeyId": "carillon_sealing_key_id", "KeySpec": "AES_256", "EncryptionContext": {"carillon": "carillon_service"},
    });
    assert_eq!(http.requests(), [("GenerateDataKey".to_owned(), body)]);
    clock.0.store(SEALS_MS, Ordering::Relaxed);
    assert_eq!(keys.current().await.unwrap().name(), &name(2));
    // It opens everything that it sealed, old and new.
    assert!(keys.find(&name(1)).await.unwrap().is_some() && keys.find(&name(2)).await.unwrap().is_some());
    assert_eq!(http.actions(), ["GenerateDataKey", "GenerateDataKey"]);
}

#[tokio::test]
async fn a_data_key_is_unwrapped_once_however_many_ask() {
    let http = ScriptedHttp::that_answers([unwrapped(1), unwrapped(2)]);
    let keys = keys(&http, &HandClock::default());
    let at_once = join_all((0..5).map(async |_| keys.find(&name(1)).await)).await;
    assert!(at_once.iter().all(|found| found.as_ref().unwrap().as_ref().unwrap().name() == &name(1)));
    keys.find(&name(2)).await.unwrap();
    keys.find(&name(1)).await.unwrap();
    let bodies: Vec<_> = http.requests().into_iter().map(|(_, body)| body).collect();
    let decrypt = |byte| {
        let context = json!({"carillon": "carillon_service"});
        json!({"KeyId": ARN, "CiphertextBlob": STANDARD.encode([byte; 8]), "EncryptionContext": context})
    };
    assert_eq!(bodies, [decrypt(1), decrypt(2)]);
}

#[tokio::test]
async fn what_nothing_will_ever_unwrap_is_gone() {
    for code in ["InvalidCiphertextException", "IncorrectKeyException", "NotFoundException"] {
        let keys = keys(&ScriptedHttp::that_answers([refused(code)]), &HandClock::default());
        assert!(keys.find(&name(1)).await.unwrap().is_none(), "{code}");
    }
    let keys = keys(&ScriptedHttp::default(), &HandClock::default());
    for wrapped in [None, Some("?".to_owned()), Some(String::new()), Some(STANDARD.encode([1; MAX_WRAPPED + 1]))] {
        assert!(keys.find(&SealingKeyId { id: ARN.to_owned(), wrapped }).await.unwrap().is_none(), "without a request");
    }
}

#[tokio::test]
async fn what_may_pass_is_a_fault_and_is_asked_for_again() {
    let refusals = ["DisabledException", "KMSInvalidStateException", "ThrottlingException", "AccessDeniedException"];
    for code in refusals {
        let http = ScriptedHttp::that_answers([refused(code), unwrapped(1), refused(code), made(2)]);
        let keys = keys(&http, &HandClock::default());
        let error = keys.find(&name(1)).await.unwrap_err();
        assert!(keys.find(&name(1)).await.unwrap().is_some(), "{code}");
        let passes = !matches!(error, PortError::Permanent(_));
        assert_eq!(passes, code != "AccessDeniedException", "{error:?}");
        assert!(keys.current().await.is_err() && keys.current().await.is_ok(), "{code}");
    }
    let short = (200, json!({"KeyId": ARN, "Plaintext": STANDARD.encode([1; 16])}));
    let keys = keys(&ScriptedHttp::that_answers([short]), &HandClock::default());
    assert!(matches!(keys.find(&name(1)).await, Err(PortError::Permanent(_))));
}

#[tokio::test]
async fn no_more_keys_are_remembered_than_fit() {
    let mut unwrapped = Unwrapped::default();
    let named = |number: usize| SealingKeyId { id: ARN.to_owned(), wrapped: Some(number.to_string()) };
    let first = unwrapped.cell(&named(0));
    assert!(Arc::ptr_eq(&first, &unwrapped.cell(&named(0))));
    for number in 0..=REMEMBERED {
        unwrapped.cell(&named(number));
    }
    assert_eq!((unwrapped.cells.len(), unwrapped.order.len()), (REMEMBERED, REMEMBERED));
    assert!(!Arc::ptr_eq(&first, &unwrapped.cell(&named(0))), "the oldest went");
}
