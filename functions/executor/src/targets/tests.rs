//! Requests to the providers of notifications, to the byte, and the results of their answers.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request as Received;
use axum::response::Response;
use carillon_core::catalog::{Catalog, EventRef, NotificationEvent, Target};
use carillon_core::event_types::notification::{self, Channel};
use carillon_core::ids::Fire;
use carillon_core::json::Field;
use carillon_core::time::UnixMillis;
use carillon_outbound::AllowList;
use carillon_outbound::secrets::EnvSecrets;
use serde_json::{Value, json};
use url::Url;

use super::*;

/// A clock that is moved. It begins at 2027-01-15T08:00:00Z.
#[derive(Clone, Default)]
pub(super) struct Moved(pub(super) Arc<AtomicI64>);

impl Clock for Moved {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_800_000_000_000 + self.0.load(Ordering::SeqCst))
    }
}

/// A request as it came over the wire.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wire {
    pub(super) line: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

/// A service that gives its answers in turn, the last one for ever, and keeps what it was asked.
pub(super) struct Service {
    pub(super) base: Url,
    seen: Arc<Mutex<Vec<Wire>>>,
}

/// A status, headers and a JSON body.
pub(super) type Told = (u16, Vec<(&'static str, &'static str)>, Value);

impl Service {
    pub(super) async fn answering(answers: Vec<Told>) -> Self {
        let seen = Arc::<Mutex<Vec<Wire>>>::default();
        let (answers, kept) = (Arc::new(Mutex::new(VecDeque::from(answers))), Arc::clone(&seen));
        let app = Router::new().fallback(move |received: Received| {
            let (answers, kept) = (Arc::clone(&answers), Arc::clone(&kept));
            async move {
                let (parts, body) = received.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let headers = parts.headers.iter();
                kept.lock().unwrap().push(Wire {
                    line: format!("{} {}", parts.method, parts.uri),
                    headers: headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().into())).collect(),
                    body: String::from_utf8(body.to_vec()).unwrap(),
                });
                let mut answers = answers.lock().unwrap();
                let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
                let (status, headers, body) = answer.unwrap();
                let mut response = Response::builder().status(status).header("content-type", "application/json");
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                response.body(Body::from(Bytes::from(body.to_string()))).unwrap()
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { base, seen }
    }

    pub(super) fn seen(&self) -> Vec<Wire> {
        self.seen.lock().unwrap().clone()
    }

    /// The host and what every request to it has but for its content's headers.
    pub(super) fn headers(&self, others: &[(&str, &str)]) -> BTreeMap<String, String> {
        let user_agent = concat!("carillon/", env!("CARGO_PKG_VERSION"));
        let always = [("accept", "*/*"), ("host", self.base.authority()), ("user-agent", user_agent)];
        let all = always.iter().chain(others);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    pub(super) fn targets(&self, secrets: &[(&str, &str)], clock: Moved) -> Providers<EnvSecrets, Moved, NoAws> {
        let allow = AllowList::parse(&[self.base.authority().to_owned()]).unwrap();
        let secrets = secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Providers::new(Outbound::new(allow), EnvSecrets::new(secrets), clock, NoAws)
    }
}

/// The only request of a notification's input over a channel.
pub(super) fn channel(place: &Value, input: &Value) -> Channel {
    let document = json!({"envs": ["prd"], "notifications": {"n": {"envs": {"prd": place}}}});
    let catalog = Catalog::from_document(&document).unwrap();
    let target = catalog.resolve(EventRef { event: "n", event_type: None, app: None }).unwrap();
    let Target::Notification(NotificationEvent { notification, message }) = target else { panic!("{target:?}") };
    let faults = RefCell::default();
    let channels = notification::channels(notification, message, "prd", &Field::root(input, &faults));
    let [channel] = channels.unwrap_or_else(|| panic!("{faults:?}")).try_into().unwrap();
    channel
}

pub(super) fn call(channel: &Channel) -> DispatchRequest {
    let fire: Fire = "job_01HF7YAT00000000000000000Z_g1_r1".parse().unwrap();
    let id = DispatchId { fire, place: channel.place(), message: None };
    DispatchRequest { id, attempt: 2, timeout_ms: 10_000, trace: None, request: channel.request.clone() }
}

/// The headers of a delivery, as every request of an action has them.
const DELIVERY: [(&str, &str); 3] = [
    ("webhook-attempt", "2"),
    ("webhook-id", "job_01HF7YAT00000000000000000Z_g1_r1"),
    ("webhook-timestamp", "1800000000"),
];

fn delivery(place: &str) -> Vec<(&'static str, String)> {
    DELIVERY
        .map(|(name, value)| (name, if name == "webhook-id" { format!("{value}_{place}") } else { value.into() }))
        .into()
}

#[tokio::test]
async fn expo_receives_one_request_for_all_tokens() {
    let tickets = json!({"data": [{"status": "ok", "id": "t-1"}, {"status": "error", "message": "no", "details": {"error": "DeviceNotRegistered"}}]});
    let service = Service::answering(vec![(200, Vec::new(), tickets)]).await;
    let place = json!({"push": {"provider": "expo", "access_token": "env:EXPO", "url": service.base.as_str()}});
    let tokens = ["ExponentPushToken[a]", "ExpoPushToken[b]"];
    let input = json!({"push_notification": {"device_token": tokens, "title": "Café", "body": "b", "data": {"n": 1}}});
    let channel = channel(&place, &input);
    let answered = service.targets(&[("EXPO", "s3cr3t")], Moved::default()).dispatch(call(&channel)).await;
    let body = r#"{"body":"b","data":{"n":1},"title":"Café","to":["ExponentPushToken[a]","ExpoPushToken[b]"]}"#;
    let length = body.len().to_string();
    let delivery = delivery("push");
    let mut headers = vec![
        ("accept", "application/json"),
        ("authorization", "Bearer s3cr3t"),
        ("content-length", &length),
        ("content-type", "application/json"),
    ];
    headers.extend(delivery.iter().map(|(name, value)| (*name, value.as_str())));
    let expected = Wire {
        line: "POST /--/api/v2/push/send".to_owned(),
        headers: service.headers(&headers),
        body: body.to_owned(),
    };
    assert_eq!(service.seen(), [expected]);
    let result = notification::outcome(channel.provider, answered).unwrap();
    assert_eq!(
        (&result["tickets"][0], &result["tickets"][1]["error"]["code"]),
        (&json!({"id": "t-1"}), &json!(codes::NOT_FOUND))
    );
}

#[tokio::test]
async fn an_error_of_expo_as_a_whole_counts_by_its_status() {
    let errors = json!({"errors": [{"code": "TOO_MANY_REQUESTS", "message": "slow down"}]});
    for (status, code, retryable) in [
        (400, codes::VALIDATION_ERROR, false),
        (401, codes::UNAUTHORIZED, false),
        (429, codes::RATE_LIMITED, true),
        (503, codes::SERVICE_UNAVAILABLE, true),
    ] {
        let service = Service::answering(vec![(status, Vec::new(), errors.clone())]).await;
        let place = json!({"push": {"provider": "expo", "url": service.base.as_str()}});
        let channel = channel(&place, &json!({"push_notification": {"device_token": "t", "title": "t", "body": "b"}}));
        let answered = service.targets(&[], Moved::default()).dispatch(call(&channel)).await;
        let error = notification::outcome(channel.provider, answered).unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (code, retryable), "{status}");
    }
}

#[tokio::test]
async fn twilio_receives_a_form_of_the_account() {
    let made = json!({"sid": "SM0123", "status": "queued", "error_code": null});
    let service = Service::answering(vec![(201, Vec::new(), made)]).await;
    let place = json!({"sms": {"provider": "twilio", "from": "+15550100", "account_sid": "AC0123456789abcdef",
        "auth_token": "env:TWILIO", "url": service.base.as_str()}});
    let channel = channel(&place, &json!({"sms": {"to": "+31612345678", "body": "Hi Ada & all: 5 €"}}));
    let answered = service.targets(&[("TWILIO", "s3cr3t")], Moved::default()).dispatch(call(&channel)).await;
    let body = "To=%2B31612345678&From=%2B15550100&Body=Hi+Ada+%26+all%3A+5+%E2%82%AC";
    let length = body.len().to_string();
    let delivery = delivery("sms");
    let mut headers = vec![
        ("accept", "application/json"),
        ("authorization", "Basic QUMwMTIzNDU2Nzg5YWJjZGVmOnMzY3IzdA=="),
        ("content-length", &length),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    headers.extend(delivery.iter().map(|(name, value)| (*name, value.as_str())));
    let expected = Wire {
        line: "POST /2010-04-01/Accounts/AC0123456789abcdef/Messages.json".to_owned(),
        headers: service.headers(&headers),
        body: body.to_owned(),
    };
    assert_eq!(service.seen(), [expected]);
    assert_eq!(notification::outcome(channel.provider, answered), Ok(json!({"provider": "twilio", "id": "SM0123"})));
}

#[tokio::test]
async fn an_error_of_twilio_counts_by_its_status_and_names_its_code() {
    for (status, number, code, retryable) in [
        (400, 21_211, codes::VALIDATION_ERROR, false),
        (401, 20_003, codes::UNAUTHORIZED, false),
        (404, 20_404, codes::NOT_FOUND, false),
        (429, 20_429, codes::RATE_LIMITED, true),
        (500, 20_500, codes::SERVICE_UNAVAILABLE, true),
    ] {
        let said = json!({"code": number, "message": "The number +31612345678 is wrong", "status": status});
        let service = Service::answering(vec![(status, vec![("retry-after", "3")], said)]).await;
        let place = json!({"sms": {"provider": "twilio", "from": "+15550100", "account_sid": "AC1",
            "auth_token": "env:TWILIO", "url": service.base.as_str()}});
        let channel = channel(&place, &json!({"sms": {"to": "+31612345678", "body": "b"}}));
        let answered = service.targets(&[("TWILIO", "s3cr3t")], Moved::default()).dispatch(call(&channel)).await;
        let error = notification::outcome(channel.provider, answered).unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (code, retryable), "{status}");
        assert_eq!(error.retry_after_ms, retryable.then_some(3_000));
        assert!(
            error.message.ends_with(&format!("with code {number}")) && !error.message.contains("+31"),
            "{}",
            error.message
        );
    }
}
