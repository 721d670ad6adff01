//! Secrets that change while they are cached.

use std::collections::VecDeque;

use carillon_core::ports::SecretStore;
use carillon_outbound::secrets::Secrets;
use zeroize::Zeroizing;

use super::*;

/// A service that gives these values, the last one for good, and counts.
#[derive(Clone)]
struct Service {
    values: Arc<Mutex<VecDeque<Result<String, RunError>>>>,
    fetched: Arc<Mutex<Vec<String>>>,
}

impl Service {
    fn giving(values: &[&str]) -> Self {
        let values = values.iter().map(|value| Ok((*value).to_owned())).collect();
        Self { values: Arc::new(Mutex::new(values)), fetched: Arc::default() }
    }

    fn fetched(&self) -> usize {
        self.fetched.lock().unwrap().len()
    }
}

impl SecretStore for Service {
    async fn fetch(&self, secret: &SecretRef) -> Result<Zeroizing<String>, RunError> {
        self.fetched.lock().unwrap().push(secret.to_string());
        let mut values = self.values.lock().unwrap();
        let value = if values.len() > 1 { values.pop_front() } else { values.front().cloned() };
        value.unwrap().map(Zeroizing::new)
    }
}

/// A target that takes one bearer token, and a token endpoint that takes one client secret and gives out `good`.
struct World {
    base: Url,
    good: Arc<Mutex<String>>,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

impl World {
    async fn taking(good: &str) -> Self {
        let good = Arc::new(Mutex::new(good.to_owned()));
        let seen = Arc::<Mutex<Vec<HeaderMap>>>::default();
        let (taken, kept) = (Arc::clone(&good), Arc::clone(&seen));
        let app = Router::new().fallback(move |received: Received| {
            let (taken, kept) = (taken.lock().unwrap().clone(), Arc::clone(&kept));
            async move {
                let authorization = received.headers()["authorization"].to_str().unwrap().to_owned();
                let is_endpoint = received.uri().path() == "/token";
                let basic = format!("Basic {}", STANDARD.encode(format!("the-client:{taken}")));
                let is_taken = authorization == if is_endpoint { basic } else { format!("Bearer {taken}") };
                kept.lock().unwrap().push(received.headers().clone());
                let body = if is_endpoint { json!({"access_token": taken}).to_string() } else { String::new() };
                Response::builder().status(if is_taken { 200 } else { 401 }).body(Body::from(body)).unwrap()
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { base, good, seen }
    }

    fn targets(&self, service: &Service) -> Providers<Secrets<Service, Fixed>, Fixed, NoAws> {
        let allow = AllowList::parse(&[self.base.authority().to_owned()]).unwrap();
        let secrets = Secrets::new(EnvSecrets::default(), service.clone(), Fixed);
        Providers::new(Outbound::new(allow), secrets, Fixed, NoAws)
    }

    fn call(&self, authorisation: &serde_json::Value, signing: &[&str]) -> DispatchRequest {
        let signing = signing.iter().map(|reference| SecretRef::parse(reference).unwrap());
        let request = HttpRequest {
            method: Method::POST,
            url: self.base.join("/path").unwrap(),
            headers: Vec::new(),
            body: Vec::new(),
            auth: Some(auth(authorisation)),
            signing_secrets: SigningSecrets(signing.collect()),
        };
        let fire: Fire = "job_01HF7YAT00000000000000000Z_g1_r1".parse().unwrap();
        let request = Request::Http(Box::new(request));
        DispatchRequest { id: DispatchId::of(fire), attempt: 1, timeout_ms: 5_000, trace: None, request }
    }

    /// The authorisations that came in since the last look.
    fn authorisations(&self) -> Vec<String> {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        seen.iter().map(|headers| headers["authorization"].to_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_remembered_secret_that_is_refused_is_fetched_and_sent_once_more() {
    let world = World::taking("one").await;
    let service = Service::giving(&["one", "two"]);
    let targets = world.targets(&service);
    let call = || world.call(&json!({"bearer": "ssm:/token"}), &[]);
    targets.dispatch(call()).await.unwrap();
    targets.dispatch(call()).await.unwrap();
    assert_eq!((world.authorisations().len(), service.fetched()), (2, 1));
    *world.good.lock().unwrap() = "two".to_owned();
    targets.dispatch(call()).await.unwrap();
    assert_eq!((world.authorisations(), service.fetched()), (vec!["Bearer one".into(), "Bearer two".into()], 2));
    // From here on the new one is cached.
    targets.dispatch(call()).await.unwrap();
    assert_eq!((world.authorisations(), service.fetched()), (vec!["Bearer two".into()], 2));
}

#[tokio::test]
async fn what_is_refused_again_is_the_targets_answer() {
    let world = World::taking("three").await;
    let service = Service::giving(&["one", "two"]);
    let targets = world.targets(&service);
    let call = || world.call(&json!({"bearer": "ssm:/token"}), &[]);
    // New, and refused as well.
    assert_eq!(targets.dispatch(call()).await.unwrap_err().code, codes::UNAUTHORIZED);
    assert_eq!((world.authorisations().len(), service.fetched()), (1, 1));
    // Remembered, another by now, and refused again.
    let error = targets.dispatch(call()).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.retryable), (codes::UNAUTHORIZED, false));
    assert_eq!((world.authorisations().len(), service.fetched()), (2, 2));
    // Remembered, and still the same: there is nothing else to send.
    assert_eq!(targets.dispatch(call()).await.unwrap_err().code, codes::UNAUTHORIZED);
    assert_eq!((world.authorisations().len(), service.fetched()), (1, 3));
}

#[tokio::test]
async fn a_secret_that_cannot_be_fetched_once_more_may_come_back_later() {
    let world = World::taking("two").await;
    let service = Service::giving(&["one"]);
    let targets = world.targets(&service);
    let call = || world.call(&json!({"bearer": "ssm:/token"}), &[]);
    targets.dispatch(call()).await.unwrap_err();
    let throttled = RunError::transient(codes::RATE_LIMITED, "the secret ssm:/token cannot be fetched");
    *service.values.lock().unwrap() = [Err(throttled.clone())].into();
    assert_eq!(targets.dispatch(call()).await.unwrap_err(), throttled);
}

#[tokio::test]
async fn a_signing_secret_is_renewed_with_the_others() {
    let world = World::taking("token").await;
    let service = Service::giving(&["wrong", OLD_KEY, "token", NEW_KEY]);
    let targets = world.targets(&service);
    let call = || world.call(&json!({"bearer": "ssm:/token"}), &["ssm:/signing"]);
    targets.dispatch(call()).await.unwrap_err();
    world.seen.lock().unwrap().clear();
    targets.dispatch(call()).await.unwrap();
    let signed: Vec<_> = world.seen.lock().unwrap().iter().map(|it| it["webhook-signature"].clone()).collect();
    assert_eq!(signed.len(), 2);
    assert_ne!(signed[0], signed[1]);
    assert_eq!(service.fetched(), 4);
}

#[tokio::test]
async fn a_remembered_client_secret_that_the_token_endpoint_refuses_is_fetched_once_more() {
    let world = World::taking("one").await;
    let service = Service::giving(&["one", "two"]);
    let targets = world.targets(&service);
    let endpoint = world.base.join("/token").unwrap();
    let oauth2 =
        json!({"oauth2": {"token_url": endpoint.as_str(), "client_id": "the-client", "client_secret": "ssm:/client"}});
    targets.dispatch(world.call(&oauth2, &[])).await.unwrap();
    assert_eq!((world.authorisations().len(), service.fetched()), (2, 1));
    *world.good.lock().unwrap() = "two".to_owned();
    targets.dispatch(world.call(&oauth2, &[])).await.unwrap();
    let basic = |secret: &str| format!("Basic {}", STANDARD.encode(format!("the-client:{secret}")));
    // The target refuses the token: the token and the client secret are fetched again, and the request is sent once
    // more.
    assert_eq!(world.authorisations(), ["Bearer one".to_owned(), basic("two"), "Bearer two".to_owned()]);
    assert_eq!(service.fetched(), 2);
    // No token is known, and the client secret is an old one.
    let service = Service::giving(&["one", "two"]);
    let targets = world.targets(&service);
    targets.dispatch(world.call(&oauth2, &[])).await.unwrap_err();
    assert_eq!(world.authorisations(), [basic("one")]);
    targets.dispatch(world.call(&oauth2, &[])).await.unwrap();
    assert_eq!(world.authorisations(), [basic("one"), basic("two"), "Bearer two".to_owned()]);
}
