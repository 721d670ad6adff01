//! A client that holds every answer to the OpenAPI document.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use carillon_core::access::{ApiKey, Scope};
use carillon_core::event_types::Limits;
use carillon_core::ids::JobId;
use carillon_core::job::{Output, RunError};
use carillon_core::operations::{Executor, execute};
use carillon_core::ports::Targets;
use carillon_core::request::DispatchRequest;
use carillon_core::testkit::{INNERMOST, Memory};
use carillon_core::time::UnixMillis;
use carillon_outbound::secrets::EnvSecrets;
use carillon_outbound::{AllowList, Outbound};
use http::{HeaderMap, Request, StatusCode};
use jsonschema::Validator;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::sessions::JwtSessions;
use crate::{Service, router};

pub(super) const NOW: i64 = 1_800_000_000_000;

/// Opens everything of the product `shop`.
pub(super) const KEY: &str = "car_owner";
/// Opens everything of another product.
pub(super) const FOREIGN_KEY: &str = "car_foreign";

/// The shared secret behind `env:KEY`.
pub(super) const SECRET: &str = "a shared secret of more than 32 bytes";

/// The document that the service serves.
pub(super) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let operations = crate::table::operations::<Memory>();
    crate::openapi::document(operations.iter().map(|it| &it.doc))
});

/// The documented answers: (path, method, status) to the schema of the body, if there is a body.
static ANSWERS: LazyLock<BTreeMap<(String, String, String), Option<Validator>>> = LazyLock::new(|| {
    let mut answers = BTreeMap::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let content = answer["content"].as_object().and_then(|it| it.values().next());
                let validator = content.map(|content| validator(&content["schema"]));
                answers.insert((path.clone(), method.to_uppercase(), status.clone()), validator);
            }
        }
    }
    answers
});

/// A validator of one of the document's schemas.
pub(super) fn validator(schema: &Value) -> Validator {
    let mut schema = schema.clone();
    schema["components"] = DOCUMENT["components"].clone();
    jsonschema::validator_for(&schema).unwrap()
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Vec<u8>,
    pub(super) json: Value,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(super) fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    /// The pointers of the bad fields, in their order.
    pub(super) fn pointers(&self) -> Vec<&str> {
        let errors = self.json["errors"].as_array().into_iter().flatten();
        errors.map(|error| error["pointer"].as_str().unwrap()).collect()
    }

    pub(super) fn job_id(&self) -> JobId {
        self.json["job_id"].as_str().unwrap().parse().unwrap()
    }

    /// Fails unless the answer is the problem it should be.
    #[track_caller]
    pub(super) fn is(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.code()), (status, code), "{}", self.json);
        self
    }

    /// Fails unless the answer has this status.
    #[track_caller]
    pub(super) fn ok(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.json);
        self
    }
}

/// A target that answers so every time.
struct Scripted(Result<Output, RunError>);

impl Targets for Scripted {
    async fn dispatch(&self, _: DispatchRequest) -> Result<Output, RunError> {
        self.0.clone()
    }

    async fn pause(&self, _: u32) {}
}

/// The service over ports of its own, and a client of it.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) world: Arc<Memory>,
    /// The jobs that the service has counted.
    pub(super) counted: Arc<AtomicUsize>,
    router: Router,
    key: Option<&'static str>,
}

pub(super) fn key(product: &str, envs: &[&str], scopes: &[Scope]) -> ApiKey {
    ApiKey {
        id: format!("key-of-{product}"),
        name: String::new(),
        products: vec![product.to_owned()],
        envs: envs.iter().map(ToString::to_string).collect(),
        scopes: scopes.to_vec(),
        created_at: UnixMillis(NOW),
    }
}

pub(super) fn memory() -> Arc<Memory> {
    Arc::new(Memory::new(UnixMillis(NOW), 1))
}

impl Api {
    pub(super) fn new() -> Self {
        Self::with_secrets([("KEY", SECRET.to_owned())])
    }

    /// The service with these secrets in its environment.
    pub(super) fn with_secrets<const N: usize>(secrets: [(&str, String); N]) -> Self {
        super::log::keep();
        let world = memory();
        let scopes = Scope::WORDS.map(|(_, scope)| scope);
        world.admit(KEY, key("shop", &["*"], &scopes));
        world.admit(FOREIGN_KEY, key("bank", &["*"], &scopes));
        world.publish("shop", shop()).unwrap();
        let secrets = EnvSecrets::new(secrets.map(|(name, secret)| (name.to_owned(), secret)));
        let sessions = JwtSessions::new(Outbound::new(AllowList::default()), secrets, Arc::clone(&world));
        let counted = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&counted);
        let count = move || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        let service = Service::new(Arc::clone(&world), Arc::new(sessions)).counting_jobs(count);
        Self { router: router(service), counted, world, key: Some(KEY) }
    }

    /// A client of the same service with another key, or none.
    pub(super) fn with_key(&self, key: Option<&'static str>) -> Self {
        Self { key, ..self.clone() }
    }

    /// All that is stored, to be compared.
    pub(super) fn stored(&self) -> String {
        let tables = self.world.tables();
        let revisions: Vec<_> = tables.catalogs.iter().map(|(product, it)| (product, &it.revision)).collect();
        format!("{:?} {:?} {revisions:?}", tables.jobs, tables.retired)
    }

    /// Makes one attempt of the job's present fire.
    pub(super) async fn attempt(&self, id: JobId, result: Result<Output, RunError>) {
        let fire = self.world.tables().jobs[&id].fire();
        let executor = Executor { targets: Scripted(result), limits: Limits::default(), trace: None };
        execute(&*self.world, &executor, fire).await.unwrap();
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "").await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, &[], body.to_string()).await
    }

    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send_request(request.body(body.into()).unwrap()).await
    }

    pub(super) async fn send_request(&self, request: Request<Body>) -> Reply {
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let reply = Reply { status, headers, bytes, json };
        check(&method, &path, &reply);
        reply
    }

    /// Schedules a job that is due at once.
    pub(super) async fn schedule(&self) -> JobId {
        self.post("/v1/jobs", &job()).await.ok(202).job_id()
    }
}

/// Checks that hold for every answer.
fn check(method: &str, path: &str, reply: &Reply) {
    let id = reply.header("x-request-id").unwrap_or_default();
    assert!(id.starts_with("req_") && id.len() == 30, "no request id: {id:?}");
    let content_type = reply.header("content-type");
    if reply.status.as_u16() >= 400 {
        assert_eq!(content_type, Some("application/problem+json"));
    }
    if method == "HEAD" {
        assert_eq!(reply.bytes, b"", "a body in answer to HEAD");
        return;
    }
    assert_eq!(reply.bytes.is_empty(), reply.json.is_null(), "a body that is no JSON");
    if reply.status.as_u16() >= 400 {
        assert_eq!(reply.json["request_id"], id);
        assert_eq!(reply.json["status"], reply.status.as_u16());
        assert!(!reply.json.to_string().contains(INNERMOST), "a cause got out: {}", reply.json);
    } else if !reply.bytes.is_empty() {
        assert_eq!(content_type, Some("application/json"));
    }
    // Unknown paths and methods are not documented.
    let Some(template) = template(path) else { return assert_eq!(reply.status, StatusCode::NOT_FOUND) };
    if reply.status == StatusCode::METHOD_NOT_ALLOWED {
        return;
    }
    let documented = (template, method.to_owned(), reply.status.as_str().to_owned());
    let schema = ANSWERS.get(&documented).unwrap_or_else(|| panic!("{documented:?} is not documented"));
    match schema {
        None => assert_eq!(reply.bytes, b""),
        Some(schema) => {
            let faults: Vec<_> = schema.iter_errors(&reply.json).map(|error| error.to_string()).collect();
            assert!(faults.is_empty(), "{documented:?}: {faults:?} in {}", reply.json);
        }
    }
}

/// The documented path that a path is an instance of.
fn template(path: &str) -> Option<String> {
    let fits = |template: &&String| {
        let (mut given, mut wanted) = (path.split('/'), template.split('/'));
        loop {
            match (given.next(), wanted.next()) {
                (None, None) => return true,
                (Some(given), Some(wanted)) if given == wanted || (wanted.starts_with('{') && !given.is_empty()) => {}
                _ => return false,
            }
        }
    };
    DOCUMENT["paths"].as_object().unwrap().keys().find(fits).cloned()
}

/// The catalog of the product `shop`.
pub(super) fn shop() -> Value {
    json!({
        "envs": ["dev", "prd"],
        "apps": {
            "mail": {
                "envs": {"prd": {"base_url": "https://mail.example.com"}, "dev": {"base_url": "https://dev.example.com"}},
                "actions": {
                    "send": {"method": "POST", "path": "/send"},
                    "ping": {"method": "GET", "path": "/ping"},
                },
            },
            "chat": {
                "envs": {"prd": {"base_url": "https://chat.example.com"}},
                "actions": {"ping": {"method": "GET", "path": "/ping"}},
            },
        },
        "notifications": {"send_notification": {"envs": {"prd": {"push": {"provider": "expo"}}}, "messages": {
            "order_update": {"push": {"title": {"en": "{{title}}"}, "body": {"en": "{{body}}"}}},
        }}},
        "sessions": {"user-session": {"algorithm": "HS256", "envs": {"prd": {"key": "env:KEY"}}}},
        "caches": {"orders": {"expiry": 60_000}},
    })
}

/// A job of the product `shop` that is due at once.
pub(super) fn job() -> Value {
    json!({"product_tag": "shop", "env": "prd", "event": "send", "input": {"body": {"to": "someone"}}, "start_at": 0})
}
