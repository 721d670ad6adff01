//! Client credentials against a real token endpoint and a real API.

use std::sync::atomic::{AtomicI64, AtomicU16, AtomicUsize, Ordering};

use axum::routing::{any, post};
use futures_util::future::join_all;

use super::*;

/// An authorisation server and an API in one: token number n is `token-n`, and only the newest is taken.
struct World {
    base: Url,
    allow: AllowList,
    fetched: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    called: Arc<Mutex<Vec<String>>>,
    /// The endpoint's answers, and the lifetime that they give a token.
    status: Arc<AtomicU16>,
    revoked: Arc<AtomicUsize>,
}

/// A clock that is moved.
#[derive(Clone, Default)]
struct Moved(Arc<AtomicI64>);

impl Clock for Moved {
    fn now(&self) -> UnixMillis {
        NOW.plus(self.0.load(Ordering::SeqCst))
    }
}

impl World {
    async fn start() -> Self {
        let (fetched, status, revoked) =
            (Arc::<AtomicUsize>::default(), Arc::new(AtomicU16::new(200)), Arc::<AtomicUsize>::default());
        let (asked, called) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let endpoint = {
            let (fetched, status, asked) = (Arc::clone(&fetched), Arc::clone(&status), Arc::clone(&asked));
            move |headers: HeaderMap, body: Bytes| async move {
                asked.lock().unwrap().push((headers, body));
                let number = fetched.fetch_add(1, Ordering::SeqCst) + 1;
                let body =
                    json!({"access_token": format!("token-{number}"), "token_type": "Bearer", "expires_in": 3_600});
                let response = Response::builder().status(status.load(Ordering::SeqCst)).header("retry-after", "7");
                response.body(Body::from(body.to_string())).unwrap()
            }
        };
        let api = {
            let (called, revoked) = (Arc::clone(&called), Arc::clone(&revoked));
            move |headers: HeaderMap| async move {
                let token = headers["authorization"].to_str().unwrap().to_owned();
                let number: usize = token.strip_prefix("Bearer token-").unwrap().parse().unwrap();
                called.lock().unwrap().push(token);
                let status = if number <= revoked.load(Ordering::SeqCst) { 401 } else { 200 };
                Response::builder().status(status).body(Body::empty()).unwrap()
            }
        };
        let app = Router::new().route("/token", post(endpoint)).route("/path", any(api));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let allow = AllowList::parse(&[base.authority().to_owned()]).unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { base, allow, fetched, asked, called, status, revoked }
    }

    fn targets(&self, clock: Moved) -> Providers<EnvSecrets, Moved, NoAws> {
        let secrets = EnvSecrets::new([("CLIENT".to_owned(), "s3cr3t/+&".to_owned())]);
        Providers::new(Outbound::new(self.allow.clone()), secrets, clock, NoAws)
    }

    fn call(&self, scope: Option<&str>) -> DispatchRequest {
        let mut oauth2 = json!({"token_url": self.base.join("/token").unwrap().as_str(), "client_id": "the client", "client_secret": "env:CLIENT"});
        if let Some(scope) = scope {
            oauth2["scope"] = json!(scope);
        }
        let request = HttpRequest {
            method: Method::POST,
            url: self.base.join("/path").unwrap(),
            headers: Vec::new(),
            body: b"{}".to_vec(),
            auth: Some(auth(&json!({"oauth2": oauth2}))),
            signing_secrets: SigningSecrets::default(),
        };
        let fire: Fire = "job_01HF7YAT00000000000000000Z_g1_r1".parse().unwrap();
        let request = Request::Http(Box::new(request));
        DispatchRequest { id: DispatchId::of(fire), attempt: 1, timeout_ms: 5_000, trace: None, request }
    }

    fn called(&self) -> Vec<String> {
        self.called.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_token_is_fetched_once_for_many_and_again_before_it_expires() {
    let (world, clock) = (World::start().await, Moved::default());
    let targets = world.targets(clock.clone());
    let all = join_all((0..10).map(|_| targets.dispatch(world.call(None)))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!((world.fetched.load(Ordering::SeqCst), world.called().len()), (1, 10));
    let (headers, body) = world.asked.lock().unwrap()[0].clone();
    // The client and its secret, each form-encoded.
    assert_eq!(headers["authorization"], format!("Basic {}", STANDARD.encode("the+client:s3cr3t%2F%2B%26")));
    assert_eq!(body, "grant_type=client_credentials");
    clock.0.store(3_539_000, Ordering::SeqCst);
    targets.dispatch(world.call(None)).await.unwrap();
    assert_eq!(world.fetched.load(Ordering::SeqCst), 1);
    clock.0.store(3_541_000, Ordering::SeqCst);
    targets.dispatch(world.call(None)).await.unwrap();
    assert_eq!(world.fetched.load(Ordering::SeqCst), 2, "a minute before its end");
    // Another scope is another token.
    targets.dispatch(world.call(Some("orders:write"))).await.unwrap();
    assert_eq!(world.asked.lock().unwrap()[2].1, "grant_type=client_credentials&scope=orders%3Awrite");
}

#[tokio::test]
async fn a_remembered_token_that_is_refused_is_replaced_once() {
    let world = World::start().await;
    let targets = world.targets(Moved::default());
    targets.dispatch(world.call(None)).await.unwrap();
    world.revoked.store(1, Ordering::SeqCst);
    targets.dispatch(world.call(None)).await.unwrap();
    assert_eq!(world.called(), ["Bearer token-1", "Bearer token-1", "Bearer token-2"]);
    // A new token that is refused: the target's answer stands.
    world.revoked.store(100, Ordering::SeqCst);
    let error = targets.dispatch(world.call(None)).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.retryable), (codes::UNAUTHORIZED, false));
    assert_eq!(world.called().len(), 5);
}

#[tokio::test]
async fn what_the_endpoint_refuses_is_refused_and_what_it_cannot_do_now_may_pass() {
    let world = World::start().await;
    for (status, code, retryable) in [
        (302, codes::REDIRECTED, false),
        (400, codes::UNAUTHORIZED, false),
        (401, codes::UNAUTHORIZED, false),
        (404, codes::UNAUTHORIZED, false),
        (408, codes::TIMEOUT, true),
        (429, codes::RATE_LIMITED, true),
        (503, codes::SERVICE_UNAVAILABLE, true),
        (504, codes::TIMEOUT, true),
    ] {
        world.status.store(status, Ordering::SeqCst);
        let error = world.targets(Moved::default()).dispatch(world.call(None)).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (code, retryable), "{status}");
        assert_eq!(error.retry_after_ms, retryable.then_some(7_000), "{status}");
        assert!(!error.message.contains("token-") && !error.message.contains("s3cr3t"), "{}", error.message);
    }
    assert!(world.called().is_empty());
    world.status.store(200, Ordering::SeqCst);
    let shut = Providers::new(
        Outbound::new(AllowList::default()),
        EnvSecrets::new([("CLIENT".to_owned(), "s".to_owned())]),
        Moved::default(),
        NoAws,
    );
    assert_eq!(shut.dispatch(world.call(None)).await.unwrap_err().code, codes::TARGET_REFUSED);
}
