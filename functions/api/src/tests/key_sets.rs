//! Key sets of a server on the loopback interface, which the allow list opens.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use carillon_core::catalog::Catalog;
use carillon_core::error::FieldCode;
use carillon_core::ports::{DefinedSession, Sessions, TokenRefusal};
use carillon_core::session::Claims;
use carillon_core::testkit::Memory;
use carillon_outbound::secrets::EnvSecrets;
use carillon_outbound::{AllowList, Outbound};
use serde_json::{Value, json};

use super::client::memory;
use super::tokens::{KEYS, Signer, plain, token};
use crate::sessions::JwtSessions;

/// A server of one key set, which counts how often it is read.
#[derive(Clone)]
struct Issuer {
    address: SocketAddr,
    answers: Arc<Mutex<(StatusCode, Value, usize)>>,
}

impl Issuer {
    async fn start(keys: Value) -> Self {
        let answers = Arc::new(Mutex::new((StatusCode::OK, json!({"keys": keys}), 0)));
        let served = Arc::clone(&answers);
        let answer = move || {
            let mut answers = served.lock().unwrap();
            answers.2 += 1;
            let (status, body, _) = answers.clone();
            async move { (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response() }
        };
        let away = || async { (StatusCode::FOUND, [(header::LOCATION, "/keys")]).into_response() as Response };
        let router = Router::new().route("/keys", get(answer)).route("/away", get(away));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, answers }
    }

    fn serves(&self, status: StatusCode, keys: &Value) {
        let mut answers = self.answers.lock().unwrap();
        (answers.0, answers.1) = (status, json!({"keys": keys}));
    }

    fn reads(&self) -> usize {
        self.answers.lock().unwrap().2
    }

    fn sessions(&self, clock: &Arc<Memory>) -> JwtSessions<EnvSecrets, Arc<Memory>> {
        let allow = AllowList::parse(&[self.address.to_string()]).unwrap();
        JwtSessions::new(Outbound::new(allow), EnvSecrets::default(), Arc::clone(clock))
    }

    fn catalog(&self, algorithm: &str, path: &str) -> Catalog {
        let url = format!("http://{}/{path}", self.address);
        Catalog::from_document(&json!({
            "envs": ["prd"], "sessions": {"s": {"algorithm": algorithm, "envs": {"prd": {"jwks_url": url}}}},
        }))
        .unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "the library that verifies tokens goes by the system's clock")]
fn payload() -> Value {
    json!({"exp": SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 86_400 * 10, "sub": "ada"})
}

fn of_key(signer: &Signer, alg: &str, kid: &str) -> String {
    token(signer, &json!({"alg": alg, "kid": kid}).to_string(), &payload().to_string())
}

async fn verify(
    sessions: &JwtSessions<EnvSecrets, Arc<Memory>>,
    catalog: &Catalog,
    token: &str,
) -> Result<Claims, TokenRefusal> {
    let definition = &catalog.sessions["s"];
    let session = DefinedSession { name: "shop/prd/s", definition, place: &definition.envs["prd"] };
    sessions.verify(session, token).await
}

#[track_caller]
fn is_refused(outcome: Result<Claims, TokenRefusal>, wanted: FieldCode) {
    match outcome {
        Err(TokenRefusal::Bad(code, _)) if code == wanted => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_set_is_read_once_and_again_for_a_key_that_it_did_not_have() {
    let issuer = Issuer::start(json!([KEYS.es256.jwk("one")])).await;
    let clock = memory();
    let (sessions, catalog) = (issuer.sessions(&clock), issuer.catalog("ES256", "keys"));
    for _ in 0..3 {
        let claims = verify(&sessions, &catalog, &of_key(&KEYS.es256, "ES256", "one")).await.unwrap();
        assert_eq!(claims["sub"], "ada");
    }
    assert_eq!(issuer.reads(), 1);
    // Tokens with unknown key names do not cause repeated fetches.
    is_refused(verify(&sessions, &catalog, &of_key(&KEYS.es256, "ES256", "two")).await, FieldCode::TokenKey);
    assert_eq!(issuer.reads(), 1);
    issuer.serves(StatusCode::OK, &json!([KEYS.es256.jwk("one"), KEYS.foreign_es256.jwk("two")]));
    clock.advance(31_000);
    verify(&sessions, &catalog, &of_key(&KEYS.foreign_es256, "ES256", "two")).await.unwrap();
    assert_eq!(issuer.reads(), 2);
    // A key that was taken out is taken no more once the set is read again.
    issuer.serves(StatusCode::OK, &json!([KEYS.foreign_es256.jwk("two")]));
    verify(&sessions, &catalog, &of_key(&KEYS.es256, "ES256", "one")).await.unwrap();
    clock.advance(601_000);
    is_refused(verify(&sessions, &catalog, &of_key(&KEYS.es256, "ES256", "one")).await, FieldCode::TokenKey);
    assert_eq!(issuer.reads(), 3);
}

#[tokio::test]
async fn a_set_that_cannot_be_read_is_a_fault_of_a_dependency_and_an_old_one_holds_for_a_day() {
    let issuer = Issuer::start(json!([KEYS.ed.jwk("one")])).await;
    issuer.serves(StatusCode::BAD_GATEWAY, &json!([]));
    let clock = memory();
    let (sessions, catalog) = (issuer.sessions(&clock), issuer.catalog("EdDSA", "keys"));
    let token = of_key(&KEYS.ed, "EdDSA", "one");
    assert!(matches!(verify(&sessions, &catalog, &token).await, Err(TokenRefusal::Port(_))));
    issuer.serves(StatusCode::OK, &json!([KEYS.ed.jwk("one")]));
    clock.advance(1_000);
    verify(&sessions, &catalog, &token).await.unwrap();
    issuer.serves(StatusCode::BAD_GATEWAY, &json!([]));
    clock.advance(86_000_000);
    verify(&sessions, &catalog, &token).await.unwrap();
    clock.advance(1_000_000);
    assert!(matches!(verify(&sessions, &catalog, &token).await, Err(TokenRefusal::Port(_))));
}

#[tokio::test]
async fn a_set_that_cannot_be_read_is_not_asked_for_with_every_token() {
    let issuer = Issuer::start(json!([KEYS.ed.jwk("one")])).await;
    let clock = memory();
    let (sessions, catalog) = (issuer.sessions(&clock), issuer.catalog("EdDSA", "keys"));
    let (known, unknown) = (of_key(&KEYS.ed, "EdDSA", "one"), of_key(&KEYS.ed, "EdDSA", "two"));
    verify(&sessions, &catalog, &known).await.unwrap();
    issuer.serves(StatusCode::BAD_GATEWAY, &json!([]));
    // Unknown key names, while the set is still fresh.
    clock.advance(31_000);
    for _ in 0..5 {
        is_refused(verify(&sessions, &catalog, &unknown).await, FieldCode::TokenKey);
    }
    assert_eq!(issuer.reads(), 2);
    // A set that is old but valid: no caller waits for a server that is known to be down.
    clock.advance(601_000);
    for _ in 0..5 {
        verify(&sessions, &catalog, &known).await.unwrap();
    }
    assert_eq!(issuer.reads(), 3);
    clock.advance(31_000);
    verify(&sessions, &catalog, &known).await.unwrap();
    assert_eq!(issuer.reads(), 4);
    // Once it is back, a new key comes in.
    issuer.serves(StatusCode::OK, &json!([KEYS.ed.jwk("one"), KEYS.ed.jwk("two")]));
    clock.advance(31_000);
    verify(&sessions, &catalog, &unknown).await.unwrap();
}

#[tokio::test]
async fn those_who_wait_for_a_set_that_cannot_be_read_share_one_reading() {
    let issuer = Issuer::start(json!([])).await;
    issuer.serves(StatusCode::BAD_GATEWAY, &json!([]));
    let clock = memory();
    let (sessions, catalog) = (issuer.sessions(&clock), issuer.catalog("EdDSA", "keys"));
    let token = of_key(&KEYS.ed, "EdDSA", "one");
    let all = futures_util::future::join_all((0..20).map(|_| verify(&sessions, &catalog, &token))).await;
    assert!(all.iter().all(|refused| matches!(refused, Err(TokenRefusal::Port(_)))));
    assert_eq!(issuer.reads(), 1, "one after the other they would wait for as many timeouts");
    issuer.serves(StatusCode::OK, &json!([KEYS.ed.jwk("one")]));
    clock.advance(1_001);
    verify(&sessions, &catalog, &token).await.unwrap();
}

#[tokio::test]
async fn only_a_key_of_the_sets_own_that_is_for_it_is_used() {
    let secret = json!({"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "kid": "oct"});
    let mut for_encryption = KEYS.es256.jwk("enc");
    for_encryption["use"] = json!("enc");
    let mut for_another = KEYS.es256.jwk("other");
    for_another["alg"] = json!("ES384");
    let keys =
        json!([secret, for_encryption, for_another, KEYS.es384.jwk("p384"), KEYS.es256.jwk("good"), {"kty": "XYZ"}, 7]);
    let issuer = Issuer::start(keys).await;
    let clock = memory();
    let (sessions, catalog) = (issuer.sessions(&clock), issuer.catalog("ES256", "keys"));
    verify(&sessions, &catalog, &of_key(&KEYS.es256, "ES256", "good")).await.unwrap();
    for kid in ["oct", "enc", "other", "p384", "", "../good", "Good", "good\u{0}"] {
        is_refused(verify(&sessions, &catalog, &of_key(&KEYS.es256, "ES256", kid)).await, FieldCode::TokenKey);
    }
    is_refused(
        verify(&sessions, &catalog, &of_key(&KEYS.foreign_es256, "ES256", "good")).await,
        FieldCode::TokenSignature,
    );
    // Without a name there is only one that it can be.
    verify(&sessions, &catalog, &plain(&KEYS.es256, "ES256", &payload())).await.unwrap();
    issuer.serves(StatusCode::OK, &json!([KEYS.es256.jwk("one"), KEYS.foreign_es256.jwk("two")]));
    clock.advance(601_000);
    is_refused(verify(&sessions, &catalog, &plain(&KEYS.es256, "ES256", &payload())).await, FieldCode::TokenKey);
    // A shared secret cannot stand in a set that everybody reads.
    let by_secret = Signer::hs256(b"secret-secret-secret-secret-secret");
    let catalog = issuer.catalog("HS256", "keys");
    is_refused(verify(&sessions, &catalog, &of_key(&by_secret, "HS256", "oct")).await, FieldCode::TokenKey);
}

#[tokio::test]
async fn a_set_is_fetched_through_the_guard_and_no_redirect_is_followed() {
    let issuer = Issuer::start(json!([KEYS.ed.jwk("one")])).await;
    let token = of_key(&KEYS.ed, "EdDSA", "one");
    let shut = JwtSessions::new(Outbound::new(AllowList::default()), EnvSecrets::default(), memory());
    is_refused(verify(&shut, &issuer.catalog("EdDSA", "keys"), &token).await, FieldCode::NotAvailable);
    let refused = verify(&issuer.sessions(&memory()), &issuer.catalog("EdDSA", "away"), &token).await;
    assert!(matches!(refused, Err(TokenRefusal::Port(_))), "{refused:?}");
    assert_eq!(issuer.reads(), 0);
}
