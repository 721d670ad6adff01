//! Attempts against a real server on loopback, which the allow list opens.

mod fetch;
mod oauth2;
mod renewal;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request as Received;
use axum::response::Response;
use carillon_core::catalog::{Catalog, SigningSecrets};
use carillon_core::ids::Fire;
use carillon_core::ports::Targets;
use carillon_core::request::{DispatchId, DispatchRequest, HttpRequest, Request};
use carillon_core::time::UnixMillis;
use carillon_outbound::AllowList;
use carillon_outbound::secrets::EnvSecrets;
use http::{Method, StatusCode};
use serde_json::json;

use super::*;
use crate::targets::{MAX_RESULT_BYTES, NoAws, Providers};

const NOW: UnixMillis = UnixMillis(1_800_000_000_500);
const OLD_KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW_KEY: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

#[derive(Clone, Copy)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> UnixMillis {
        NOW
    }
}

/// A server that gives one answer to everything and keeps what it was asked.
struct Server {
    base: Url,
    seen: Arc<Mutex<Vec<(http::request::Parts, Bytes)>>>,
}

impl Server {
    async fn answering(status: u16, headers: &'static [(&'static str, &'static str)], body: impl Into<Bytes>) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (body, kept) = (body.into(), Arc::clone(&seen));
        let app = Router::new().fallback(move |received: Received| {
            let (body, kept) = (body.clone(), Arc::clone(&kept));
            async move {
                let (parts, sent) = received.into_parts();
                let sent = axum::body::to_bytes(sent, 1 << 20).await.unwrap();
                kept.lock().unwrap().push((parts, sent));
                let mut response = Response::builder().status(status);
                for (name, value) in headers {
                    response = response.header(*name, *value);
                }
                response.body(Body::from(body)).unwrap()
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { base, seen }
    }

    fn targets(&self) -> Providers<EnvSecrets, Fixed, NoAws> {
        let allow = AllowList::parse(&[self.base.authority().to_owned()]).unwrap();
        let secrets =
            [("TOKEN", "s3cr3t"), ("OLD", OLD_KEY), ("NEW", NEW_KEY), ("BROKEN", "not a key"), ("LINES", "a\nb")];
        let secrets = EnvSecrets::new(secrets.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Providers::new(Outbound::new(allow), secrets, Fixed, NoAws)
    }

    fn call(&self) -> DispatchRequest {
        let request = HttpRequest {
            method: Method::POST,
            url: self.base.join("/path?q=1").unwrap(),
            headers: Vec::new(),
            body: br#"{"n":1}"#.to_vec(),
            auth: None,
            signing_secrets: SigningSecrets::default(),
        };
        let fire: Fire = "job_01HF7YAT00000000000000000Z_g1_r1".parse().unwrap();
        let request = Request::Http(Box::new(request));
        DispatchRequest { id: DispatchId::of(fire), attempt: 2, timeout_ms: 5_000, trace: None, request }
    }

    async fn attempt(&self) -> Result<Output, RunError> {
        self.targets().dispatch(self.call()).await
    }
}

fn auth(document: &serde_json::Value) -> Auth {
    let app = json!({"envs": {"e": {"base_url": "https://a.example.com", "auth": document}}});
    let catalog = Catalog::from_document(&json!({"envs": ["e"], "apps": {"a": app}})).unwrap();
    catalog.apps["a"].envs["e"].auth.clone().unwrap()
}

fn http(call: &mut DispatchRequest) -> &mut HttpRequest {
    let Request::Http(request) = &mut call.request else { unreachable!("the call goes over HTTP") };
    request
}

fn secret(name: &str) -> SecretRef {
    SecretRef::parse(&format!("env:{name}")).unwrap()
}

#[tokio::test]
async fn each_way_of_authorisation_reaches_the_target_and_no_error() {
    let server = Server::answering(200, &[], "").await;
    for (document, header, value) in [
        (json!({"bearer": "env:TOKEN"}), "authorization", "Bearer s3cr3t"),
        (json!({"basic": {"username": "svc", "password": "env:TOKEN"}}), "authorization", "Basic c3ZjOnMzY3IzdA=="),
        (json!({"header": {"name": "X-Api-Key", "value": "env:TOKEN"}}), "x-api-key", "s3cr3t"),
    ] {
        let mut call = server.call();
        http(&mut call).auth = Some(auth(&document));
        server.targets().dispatch(call).await.unwrap();
        assert_eq!(server.seen.lock().unwrap().last().unwrap().0.headers[header], value);
    }
    let mut call = server.call();
    http(&mut call).auth = Some(auth(&json!({"query": {"name": "key", "value": "env:TOKEN"}})));
    server.targets().dispatch(call).await.unwrap();
    assert_eq!(server.seen.lock().unwrap().last().unwrap().0.uri.query(), Some("q=1&key=s3cr3t"));
}

#[tokio::test]
async fn a_secret_that_is_missing_or_unusable_ends_the_attempt_before_it_is_sent() {
    let server = Server::answering(200, &[], "").await;
    for (document, name) in [
        (json!({"bearer": "env:NOWHERE"}), "env:NOWHERE"),
        (json!({"bearer": "ssm:/elsewhere"}), "ssm:/elsewhere"),
        (json!({"bearer": "env:LINES"}), "env:LINES"),
    ] {
        let mut call = server.call();
        http(&mut call).auth = Some(auth(&document));
        let error = server.targets().dispatch(call).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (codes::SECRET_NOT_FOUND, false));
        assert!(error.message.contains(name) && !error.message.contains('\n'));
    }
    let mut call = server.call();
    http(&mut call).signing_secrets.0.push(secret("BROKEN"));
    assert_eq!(server.targets().dispatch(call).await.unwrap_err().code, codes::SECRET_NOT_FOUND);
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn every_request_carries_its_fire_and_both_signatures_verify() {
    let server = Server::answering(200, &[], "").await;
    let mut call = server.call();
    http(&mut call).signing_secrets.0.extend([secret("NEW"), secret("OLD")]);
    server.targets().dispatch(call).await.unwrap();
    let (parts, body) = server.seen.lock().unwrap().pop().unwrap();
    assert_eq!(parts.headers["webhook-id"], "job_01HF7YAT00000000000000000Z_g1_r1");
    assert_eq!(parts.headers["webhook-timestamp"], "1800000000");
    assert_eq!(parts.headers["webhook-attempt"], "2");
    let sent = parts.headers["webhook-signature"].to_str().unwrap();
    // The specification's own library, as a receiver would use it.
    let signed = [NEW_KEY, OLD_KEY].map(|key| {
        let webhook = standardwebhooks::Webhook::new(key).unwrap();
        webhook.sign("job_01HF7YAT00000000000000000Z_g1_r1", 1_800_000_000, &body).unwrap()
    });
    assert_eq!(sent, signed.join(" "));
}

#[tokio::test]
async fn statuses_become_codes_and_the_targets_own_code_wins() {
    for (status, code, retryable) in [
        (302, codes::REDIRECTED, false),
        (400, codes::VALIDATION_ERROR, false),
        (401, codes::UNAUTHORIZED, false),
        (403, codes::FORBIDDEN, false),
        (404, codes::NOT_FOUND, false),
        (408, codes::TIMEOUT, true),
        (409, codes::VALIDATION_ERROR, false),
        (410, codes::NOT_FOUND, false),
        (422, codes::VALIDATION_ERROR, false),
        (429, codes::RATE_LIMITED, true),
        (500, codes::SERVICE_UNAVAILABLE, true),
        (503, codes::SERVICE_UNAVAILABLE, true),
        (504, codes::TIMEOUT, true),
    ] {
        let error = Server::answering(status, &[], "no").await.attempt().await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (code, retryable), "{status}");
        assert!(error.message.contains(StatusCode::from_u16(status).unwrap().as_str()));
    }
    for (body, code) in [
        (r#"{"code":"CARD_DECLINED"}"#, "CARD_DECLINED"),
        (r#"{"error":{"code":"LIMIT"}}"#, "LIMIT"),
        (r#"{"code":7}"#, codes::VALIDATION_ERROR),
        (r#"{"code":"two words"}"#, codes::VALIDATION_ERROR),
    ] {
        assert_eq!(Server::answering(402, &[], body).await.attempt().await.unwrap_err().code, code);
    }
}

#[tokio::test]
async fn retry_after_is_read_in_seconds_and_as_a_date() {
    let asked = async |status, headers| {
        Server::answering(status, headers, "").await.attempt().await.unwrap_err().retry_after_ms
    };
    assert_eq!(asked(429, &[("retry-after", "7")]).await, Some(7_000));
    // 1,800,000,000 is 2027-01-15T08:00:00Z; the clock stands half a second later.
    assert_eq!(asked(503, &[("retry-after", "Fri, 15 Jan 2027 08:00:10 GMT")]).await, Some(9_500));
    assert_eq!(asked(503, &[("retry-after", "Fri, 15 Jan 2027 07:00:00 GMT")]).await, None);
    assert_eq!(asked(503, &[("retry-after", "soon")]).await, None);
    assert_eq!(asked(400, &[("retry-after", "7")]).await, None);
}

#[tokio::test]
async fn results_keep_their_kind_and_say_when_they_were_cut() {
    let json = [("content-type", "application/json; charset=utf-8")].as_slice();
    let output = Server::answering(201, json, r#"{"id":5}"#).await.attempt().await.unwrap();
    assert_eq!(output.value["body"], json!({"id": 5}));
    assert_eq!(output.value["status"], 201);
    assert!(!output.truncated);

    let output = Server::answering(200, &[("content-type", "text/plain")], "12").await.attempt().await.unwrap();
    assert_eq!(output.value["body"], "12");

    let output = Server::answering(200, &[], vec![0xff, 0xfe]).await.attempt().await.unwrap();
    assert_eq!(output.value["body_base64"], "//4=");

    for text in ["é".repeat(MAX_RESULT_BYTES), "\"".repeat(MAX_RESULT_BYTES - 1), "\u{1}".repeat(MAX_RESULT_BYTES / 2)]
    {
        let output = Server::answering(200, json, text.clone()).await.attempt().await.unwrap();
        assert!(output.truncated);
        let kept = output.value["body"].as_str().unwrap();
        assert!(text.starts_with(kept) && output.value["body"].to_string().len() <= MAX_RESULT_BYTES);
        assert!(output.value["body"].to_string().len() > MAX_RESULT_BYTES - 8);
    }
}

/// A result stands in its job's item, which has at most 400 KB: one that does not fit cannot be recorded, and what the target
/// did would be done again.
#[tokio::test]
async fn json_that_would_grow_when_it_is_written_again_is_kept_as_the_target_wrote_it() {
    let json = [("content-type", "application/json")].as_slice();
    let text = format!("[{}1e15]", "1e15,".repeat(MAX_RESULT_BYTES / 5 - 2));
    let output = Server::answering(200, json, text.clone()).await.attempt().await.unwrap();
    let written = output.value["body"].to_string().len();
    assert!(written <= MAX_RESULT_BYTES, "{written}");
    assert_eq!((output.value["body"].as_str(), output.truncated), (Some(text.as_str()), false));
    let output = Server::answering(200, json, "[1e15]").await.attempt().await.unwrap();
    assert_eq!(output.value["body"], json!([1e15]));
}

#[tokio::test]
async fn without_the_allow_list_loopback_is_refused_for_good() {
    let server = Server::answering(200, &[], "").await;
    let targets = Providers::new(Outbound::new(AllowList::default()), EnvSecrets::default(), Fixed, NoAws);
    let error = targets.dispatch(server.call()).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.retryable), (codes::TARGET_REFUSED, false));
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nobody_listening_is_a_connection_error() {
    let mut server = Server::answering(200, &[], "").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    server.base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = server.attempt().await.unwrap_err();
    assert_eq!((error.code.as_str(), error.retryable), (codes::CONNECTION_ERROR, true));
}
