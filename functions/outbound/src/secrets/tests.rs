//! Cached secrets, with a clock that the test moves and a store that counts.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use carillon_core::ports::{Clock, SecretStore};
use carillon_core::time::UnixMillis;
use futures_util::future::join_all;

use super::*;

/// A service that gives these answers, each after others had their turn, and then `value-4`, `value-5` and so on.
#[derive(Clone, Default)]
struct Service {
    script: Arc<Mutex<VecDeque<Result<&'static str, RunError>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl SecretStore for Service {
    async fn fetch(&self, secret: &SecretRef) -> Result<Zeroizing<String>, RunError> {
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(secret.to_string());
            asked.len()
        };
        tokio::task::yield_now().await;
        let scripted = self.script.lock().unwrap().pop_front();
        scripted.map_or_else(|| Ok(format!("value-{number}")), |it| it.map(str::to_owned)).map(Zeroizing::new)
    }
}

#[derive(Clone, Default)]
struct Moved(Arc<AtomicI64>);

impl Clock for Moved {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

fn world(script: Vec<Result<&'static str, RunError>>) -> (Secrets<Service, Moved>, Service, Moved) {
    let service = Service { script: Arc::new(Mutex::new(script.into())), ..Service::default() };
    let clock = Moved::default();
    let variables = [("TOKEN", "from the environment"), ("AWS_SECRET_ACCESS_KEY", "the process's own")];
    let variables = EnvSecrets::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    (Secrets::new(variables, service.clone(), clock.clone()), service, clock)
}

fn reference(text: &str) -> SecretRef {
    SecretRef::parse(text).unwrap()
}

async fn text<S: SecretSource>(secrets: &S, name: &str) -> String {
    secrets.fetch(&reference(name)).await.unwrap().expose().to_owned()
}

#[tokio::test]
async fn a_secret_is_fetched_again_after_five_minutes_and_no_sooner() {
    let (secrets, service, clock) = world(Vec::new());
    assert_eq!(text(&secrets, "ssm:/a").await, "value-1");
    clock.0.store(KEPT_MS - 1, Ordering::SeqCst);
    // Clones share the cache.
    assert_eq!(text(&secrets.clone(), "ssm:/a").await, "value-1");
    assert_eq!(text(&secrets, "secretsmanager:a").await, "value-2");
    clock.0.store(KEPT_MS, Ordering::SeqCst);
    assert_eq!(text(&secrets, "ssm:/a").await, "value-3");
    assert_eq!(text(&secrets, "secretsmanager:a").await, "value-2");
    assert_eq!(*service.asked.lock().unwrap(), ["ssm:/a", "secretsmanager:a", "ssm:/a"]);
}

#[tokio::test]
async fn variables_are_there_and_ask_no_service() {
    let (secrets, service, _) = world(Vec::new());
    assert_eq!(text(&secrets, "env:TOKEN").await, "from the environment");
    let fetched = secrets.get(&reference("env:TOKEN")).await.unwrap();
    assert!(!fetched.is_old, "nothing newer can be had");
    let renewed = secrets.renew(&reference("env:TOKEN"), &fetched.secret).await.unwrap();
    assert_eq!(renewed, fetched.secret);
    for name in ["env:NOWHERE", "env:AWS_SECRET_ACCESS_KEY"] {
        let error = secrets.fetch(&reference(name)).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (codes::SECRET_NOT_FOUND, false));
        assert!(error.message.contains(name));
    }
    assert!(service.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn of_many_that_want_a_secret_at_once_one_fetches_it() {
    let (secrets, service, _) = world(Vec::new());
    let wanted = reference("ssm:/a");
    let all = join_all((0..20).map(|_| secrets.get(&wanted))).await;
    assert!(all.iter().all(|it| it.as_ref().is_ok_and(|it| it.secret.expose() == "value-1" && !it.is_old)));
    assert_eq!(service.asked.lock().unwrap().len(), 1);
    assert!(secrets.get(&wanted).await.unwrap().is_old);
}

#[tokio::test]
async fn an_error_is_shared_by_those_who_waited_for_it_and_remembered_by_nobody() {
    let throttled = RunError::transient(codes::RATE_LIMITED, "the secret ssm:/a cannot be fetched");
    let (secrets, service, _) = world(vec![Err(throttled.clone())]);
    let wanted = reference("ssm:/a");
    let all = join_all((0..20).map(|_| secrets.fetch(&wanted))).await;
    assert!(all.iter().all(|it| *it == Err(throttled.clone())));
    assert_eq!(service.asked.lock().unwrap().len(), 1);
    assert_eq!(text(&secrets, "ssm:/a").await, "value-2");
}

#[tokio::test]
async fn one_that_gives_up_leaves_the_fetching_to_the_next() {
    let (secrets, service, _) = world(Vec::new());
    let wanted = reference("ssm:/a");
    {
        let mut given_up = Box::pin(secrets.fetch(&wanted));
        assert!(futures_util::poll!(&mut given_up).is_pending());
    }
    assert_eq!(text(&secrets, "ssm:/a").await, "value-2");
    assert_eq!(service.asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_refused_secret_is_fetched_once_for_all_who_were_refused() {
    let (secrets, service, _) = world(vec![Ok("old"), Ok("new")]);
    let wanted = reference("ssm:/a");
    let old = secrets.fetch(&wanted).await.unwrap();
    let renewed = join_all((0..10).map(|_| secrets.renew(&wanted, &old))).await;
    assert!(renewed.iter().all(|it| it.as_ref().is_ok_and(|it| it.expose() == "new")));
    // A later refusal finds that the secret was fetched meanwhile.
    assert_eq!(secrets.renew(&wanted, &old).await.unwrap().expose(), "new");
    assert_eq!(text(&secrets, "ssm:/a").await, "new");
    assert_eq!(service.asked.lock().unwrap().len(), 2);
}

#[test]
fn a_secret_shows_nothing_of_itself() {
    let fetched = FetchedSecret { secret: Secret::new("hunter2"), is_old: true };
    assert!(
        !format!("{fetched:?} {:?}", EnvSecrets::new([("A".to_owned(), "hunter2".to_owned())])).contains("hunter2")
    );
}
