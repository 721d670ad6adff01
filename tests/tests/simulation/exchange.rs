//! The exchange of one request and its answer, with the checks that hold for every answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::{Body, to_bytes};
use http::{Method, Request, header};
use serde_json::Value;
use tokio::time::timeout;
use tower::ServiceExt as _;

use crate::actor::Actor;
use crate::catalogs::REMEMBERED_MS;
use crate::drive::{KEY, REQUEST, REVOKED_KEY, Simulation};
use crate::mutation::Mutation;
use crate::oracle::SKEW_MS;
use crate::ports::CALLER;

/// A request.
pub(crate) struct Asked<'a> {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: &'a Value,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(method: Method, path: impl Into<String>, body: &'a Value) -> Self {
        Self { method, path: path.into(), body, headers: Vec::new() }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, &Value::Null)
    }

    pub(crate) fn with(mut self, header: Option<(&'static str, String)>) -> Self {
        self.headers.extend(header);
        self
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) etag: String,
    /// True if it is marked as the answer to an earlier request.
    pub(crate) is_replayed: bool,
    pub(crate) body: Value,
}

impl Simulation {
    /// Sends a request, and holds what is always true of an answer. `None` when the process dies over it, or it takes too long.
    pub(crate) async fn ask(&self, actor: &Arc<Actor>, asked: Asked<'_>) -> Option<Answer> {
        let changes = actor.changes.load(Ordering::Relaxed);
        let began_at = self.shared.now();
        self.shared.world().note(began_at, &actor.name, || {
            format!("{} {} {} {:?}", asked.method, asked.path, asked.body, asked.headers)
        });
        let answer = self.send(actor, &asked).await?;
        let now = self.shared.now();
        let revoked_at = self.shared.plan.begin.plus(self.shared.plan.revoked_ms);
        {
            let mut world = self.shared.world();
            world.note(now, &actor.name, || format!("is answered {}", answer.status));
            let is_refused = answer.status == 401;
            let (is_void, has_been) = (began_at >= revoked_at.plus(REMEMBERED_MS + SKEW_MS), now >= revoked_at);
            let holds = if actor.is_revocable.load(Ordering::Relaxed) {
                is_refused && has_been || !is_refused && !is_void
            } else {
                !is_refused
            };
            world.oracle.hold(holds || answer.status >= 500, "key", || {
                format!("{} was answered {}, with a key that is revoked at {revoked_at}", actor.name, answer.status)
            });
        }
        self.check(actor, &asked.path, &answer, changes);
        Some(answer)
    }

    /// Only who met a fault is answered with one, and who is refused has changed nothing.
    pub(crate) fn check(&self, actor: &Actor, path: &str, answer: &Answer, changes_before: u64) {
        let mut world = self.shared.world();
        let is_excused = answer.status < 500 || actor.has_met_fault.load(Ordering::Relaxed);
        let what = || format!("{path} was answered {} {}", answer.status, answer.body);
        world.oracle.hold(is_excused, "API", || format!("{} for no reason", what()));
        let has_changed = actor.changes.load(Ordering::Relaxed) > changes_before;
        let is_refused = (400..500).contains(&answer.status);
        // Without knowing that a client repeated a write, one cannot know that the first one was followed by another.
        let is_excused = actor.has_repeated.load(Ordering::Relaxed);
        if is_refused && has_changed && is_excused {
            world.count("refused as its own repetition came too late");
        }
        world.oracle.hold(!is_refused || !has_changed || is_excused, "API", || format!("{}, and was done", what()));
    }

    pub(crate) async fn send(&self, actor: &Arc<Actor>, asked: &Asked<'_>) -> Option<Answer> {
        let body = if asked.body.is_null() { Body::empty() } else { Body::from(asked.body.to_string()) };
        let key = if actor.is_revocable.load(Ordering::Relaxed) { REVOKED_KEY } else { KEY };
        let mut request = Request::builder().method(asked.method.clone()).uri(&asked.path);
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        for (name, value) in &asked.headers {
            request = request.header(*name, value);
        }
        let request = request.body(body).expect("a well-formed request");
        let answered = CALLER.scope(Arc::clone(actor), self.router.clone().oneshot(request));
        let answered = async {
            tokio::select! { biased; () = actor.death() => None, answer = answered => answer.ok() }
        };
        let response = timeout(REQUEST, answered).await.ok()??;
        let status = response.status().as_u16();
        let etag = response.headers().get(header::ETAG).and_then(|etag| etag.to_str().ok()).unwrap_or_default();
        let etag = etag.to_owned();
        let is_told = self.shared.world().mutation != Some(Mutation::ReplayUntold);
        let is_replayed = is_told && response.headers().contains_key("idempotency-replayed");
        let bytes = to_bytes(response.into_body(), usize::MAX).await.ok()?;
        Some(Answer { status, etag, is_replayed, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    }

    /// A request to which nothing happens.
    pub(crate) async fn quietly(&self, method: Method, path: &str, body: &Value) -> Value {
        let mut key = 1 << 40;
        loop {
            // The luck of another key, until it is good.
            let actor = self.actor("caller".to_owned(), key, 0);
            match self.send(&actor, &Asked::new(method.clone(), path, body)).await {
                Some(answer) if answer.status < 300 => return answer.body,
                _ => key += 1,
            }
        }
    }
}
