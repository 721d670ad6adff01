//! Requests to Google's token endpoint and to FCM, to the byte.

use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use carillon_core::catalog::SecretRef;
use carillon_core::event_types::notification::{self, Channel};
use carillon_core::job::{RunError, codes};
use carillon_core::ports::Targets as _;
use carillon_outbound::secrets::{FetchedSecret, Secret, SecretSource};
use carillon_outbound::{AllowList, Outbound};
use serde_json::{Value, json};

use crate::targets::tests::{Moved, Service, Told, Wire, call, channel};
use crate::targets::{NoAws, Providers};

static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());

fn account(token_uri: &str) -> String {
    let der: Pkcs8V1Der<'_> = KEY.as_der().unwrap();
    let key = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
    let account = json!({"type": "service_account", "project_id": "my-project", "private_key_id": "kid-1",
        "private_key": key, "client_email": "push@my-project.iam.gserviceaccount.com", "token_uri": token_uri});
    account.to_string()
}

fn token(number: usize) -> Told {
    (200, Vec::new(), json!({"access_token": format!("token-{number}"), "token_type": "Bearer", "expires_in": 3_600}))
}

fn sent() -> Told {
    (200, Vec::new(), json!({"name": "projects/my-project/messages/7"}))
}

/// FCM's own error.
fn refused(status: u16, word: &str, code: &str) -> Told {
    let details = json!([{"@type": "type.googleapis.com/google.rpc.Help"},
        {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}]);
    let error = json!({"code": status, "message": "the token abc is secret", "status": word, "details": details});
    (status, vec![("retry-after", "60")], json!({"error": error}))
}

fn push(service: &Service) -> Channel {
    let place = json!({"push": {"provider": "fcm", "service_account": "env:FCM", "url": service.base.as_str()}});
    channel(
        &place,
        &json!({"push_notification": {"device_token": "abc:def", "title": "t", "body": "b", "data": {"n": 1}}}),
    )
}

/// The claims of a JWT that the key of the account has signed, with its header.
fn verified(jwt: &str) -> (Value, Value) {
    let parts: Vec<&str> = jwt.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { panic!("{jwt} has not three parts") };
    let public: PublicKeyX509Der<'_> = KEY.public_key().as_der().unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let message = format!("{header}.{claims}");
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref())
        .verify(message.as_bytes(), &signature)
        .unwrap();
    let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    (read(header), read(claims))
}

#[tokio::test]
async fn a_signed_assertion_is_shown_for_a_token_and_the_message_sent_with_it() {
    let service = Service::answering(vec![token(1), sent()]).await;
    let token_uri = service.base.join("/token").unwrap();
    let targets = service.targets(&[("FCM", &account(token_uri.as_str()))], Moved::default());
    let channel = push(&service);
    let answered = targets.dispatch(call(&channel)).await;
    let [asked, told] = service.seen().try_into().unwrap();
    let form: Vec<_> = url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
    let [(grant, kind), (name, assertion)] = form.try_into().unwrap();
    assert_eq!((grant.as_str(), kind.as_str()), ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"));
    assert_eq!(name, "assertion");
    let (header, claims) = verified(&assertion);
    assert_eq!(header, json!({"typ": "JWT", "alg": "RS256", "kid": "kid-1"}));
    let expected = json!({"iss": "push@my-project.iam.gserviceaccount.com", "aud": token_uri.as_str(),
        "scope": "https://www.googleapis.com/auth/firebase.messaging", "iat": 1_800_000_000, "exp": 1_800_003_600});
    assert_eq!(claims, expected);
    let length = asked.body.len().to_string();
    let headers = [
        ("accept", "application/json"),
        ("content-length", length.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    assert_eq!((asked.line.as_str(), asked.headers), ("POST /token", service.headers(&headers)));
    let body = r#"{"message":{"data":{"n":"1"},"notification":{"body":"b","title":"t"},"token":"abc:def"}}"#;
    let length = body.len().to_string();
    let headers = [
        ("authorization", "Bearer token-1"),
        ("content-length", length.as_str()),
        ("content-type", "application/json"),
    ];
    let expected = Wire {
        line: "POST /v1/projects/my-project/messages:send".to_owned(),
        headers: service.headers(&headers),
        body: body.to_owned(),
    };
    assert_eq!(told, expected);
    let result = json!({"provider": "fcm", "id": "projects/my-project/messages/7"});
    assert_eq!(notification::outcome(channel.provider, answered), Ok(result));
}

#[tokio::test]
async fn a_token_is_kept_until_a_minute_before_its_end_and_replaced_once_when_it_is_refused() {
    let unauthorized = (401, Vec::new(), json!({"error": {"code": 401, "status": "UNAUTHENTICATED"}}));
    let answers = vec![
        token(1),
        sent(),
        sent(),
        token(2),
        sent(),
        unauthorized.clone(),
        token(3),
        sent(),
        unauthorized.clone(),
        token(4),
        unauthorized,
    ];
    let service = Service::answering(answers).await;
    let clock = Moved::default();
    let token_uri = service.base.join("/token").unwrap();
    let targets = service.targets(&[("FCM", &account(token_uri.as_str()))], clock.clone());
    let channel = push(&service);
    let send = async || targets.dispatch(call(&channel)).await;
    send().await.unwrap();
    clock.0.store(3_539_000, Ordering::SeqCst);
    send().await.unwrap();
    clock.0.store(3_541_000, Ordering::SeqCst);
    send().await.unwrap();
    send().await.unwrap();
    let error = send().await.unwrap_err();
    assert_eq!((error.code.as_str(), error.retryable), (codes::UNAUTHORIZED, false));
    let tokens: Vec<_> =
        service.seen().iter().map(|wire| wire.headers.get("authorization").cloned().unwrap_or_default()).collect();
    let expected = ["", "1", "1", "", "2", "2", "", "3", "3", "", "4"];
    assert_eq!(
        tokens,
        expected.map(|number| if number.is_empty() { String::new() } else { format!("Bearer token-{number}") })
    );
}

#[tokio::test]
async fn errors_of_fcm_become_codes() {
    for (status, word, said, code, retryable) in [
        (404, "NOT_FOUND", "UNREGISTERED", codes::NOT_FOUND, false),
        (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", codes::VALIDATION_ERROR, false),
        (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", codes::FORBIDDEN, false),
        (401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR", codes::UNAUTHORIZED, false),
        (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", codes::RATE_LIMITED, true),
        (503, "UNAVAILABLE", "UNAVAILABLE", codes::SERVICE_UNAVAILABLE, true),
        (500, "INTERNAL", "INTERNAL", codes::SERVICE_UNAVAILABLE, true),
    ] {
        let service = Service::answering(vec![token(1), refused(status, word, said)]).await;
        let token_uri = service.base.join("/token").unwrap();
        let targets = service.targets(&[("FCM", &account(token_uri.as_str()))], Moved::default());
        let error = targets.dispatch(call(&push(&service))).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (code, retryable), "{said}");
        assert_eq!(error.retry_after_ms, retryable.then_some(60_000), "{said}");
        assert!(error.message.ends_with(said) && !error.message.contains("abc"), "{}", error.message);
    }
    // An answer that is not FCM's own form counts by its status, and none of its text is repeated.
    let service = Service::answering(vec![token(1), refused(503, "x", "<script>")]).await;
    let token_uri = service.base.join("/token").unwrap();
    let targets = service.targets(&[("FCM", &account(token_uri.as_str()))], Moved::default());
    let error = targets.dispatch(call(&push(&service))).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.retryable), (codes::SERVICE_UNAVAILABLE, true));
    assert!(!error.message.contains("script"), "{}", error.message);
}

#[tokio::test]
async fn a_service_account_that_cannot_be_used_ends_the_attempt_before_anything_is_sent() {
    let service = Service::answering(vec![token(1), sent()]).await;
    let sound: Value = serde_json::from_str(&account(service.base.as_str())).unwrap();
    let mut accounts = vec!["not JSON".to_owned(), "{}".to_owned()];
    for (name, value) in
        [("private_key", "x"), ("project_id", "../x"), ("project_id", ""), ("token_uri", "x"), ("client_email", "")]
    {
        let mut account = sound.clone();
        account[name] = json!(value);
        accounts.push(account.to_string());
    }
    for account in &accounts {
        let error =
            service.targets(&[("FCM", account)], Moved::default()).dispatch(call(&push(&service))).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (codes::SECRET_NOT_FOUND, false));
        assert_eq!(error.message, "the secret env:FCM is not a service account's JSON document");
    }
    // The token endpoint is an address that a user named, like any other.
    let mut account = sound;
    account["token_uri"] = json!("http://169.254.169.254/token");
    let account = account.to_string();
    let error =
        service.targets(&[("FCM", &account)], Moved::default()).dispatch(call(&push(&service))).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.retryable), (codes::TARGET_REFUSED, false));
    assert!(service.seen().is_empty());
}

/// A cached service account, and its replacement.
#[derive(Clone)]
struct Replaced {
    old: Secret,
    new: Secret,
}

impl SecretSource for Replaced {
    async fn fetch(&self, _: &SecretRef) -> Result<Secret, RunError> {
        Ok(self.new.clone())
    }

    async fn get(&self, _: &SecretRef) -> Result<FetchedSecret, RunError> {
        Ok(FetchedSecret { secret: self.old.clone(), is_old: true })
    }
}

#[tokio::test]
async fn a_service_account_that_was_remembered_and_is_refused_is_fetched_once_more() {
    let unknown = (400, Vec::new(), json!({"error": "invalid_grant"}));
    for (replaced, requests) in [(true, 3), (false, 1)] {
        let service = Service::answering(vec![unknown.clone(), token(1), sent()]).await;
        let token_uri = service.base.join("/token").unwrap();
        let new = account(token_uri.as_str());
        let old = if replaced { new.replace("push@", "gone@") } else { new.clone() };
        let source = Replaced { old: Secret::new(old), new: Secret::new(new) };
        let allow = AllowList::parse(&[service.base.authority().to_owned()]).unwrap();
        let targets = Providers::new(Outbound::new(allow), source, Moved::default(), NoAws);
        let answered = targets.dispatch(call(&push(&service))).await;
        assert_eq!((answered.is_ok(), service.seen().len()), (replaced, requests));
    }
}
