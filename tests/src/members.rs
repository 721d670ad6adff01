//! A product with a session, a cache and an app, and what has to hold for its jobs on every stack that is up.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Client, catalog, job};
use crate::env::until;
use crate::receiver::{Delivery, answer};

/// Timeout for something that happens at once on an idle machine.
const SOON: Duration = Duration::from_mins(1);
/// A claim of the tokens. Only the app may see it, in the path of a request.
pub const CANARY: &str = "canary-of-a-claim";
/// The tag of the session.
pub const SESSION: &str = "member";
/// The tag of the cache.
pub const CACHE: &str = "answers";

/// The product's catalog: its session's secret stands behind `env:` and this name.
pub fn members(target: SocketAddr, secret: &str) -> Value {
    let mut document = catalog(target);
    document["sessions"] = json!({SESSION: {"algorithm": "HS256", "envs": {"dev": {"key": format!("env:{secret}")}}}});
    document["caches"] = json!({CACHE: {"expiry": 600_000}});
    document
}

/// The app: content, but for the tasks that hold `fails`. It repeats nothing of what it was asked: its answers are kept.
pub fn content_but_for_fails(delivery: &Delivery) -> axum::response::Response {
    if delivery.path.contains("fails") {
        return answer(StatusCode::BAD_REQUEST, &json!({"code": "NO_SUCH_TASK"}));
    }
    answer(StatusCode::OK, &json!({"id": delivery.id}))
}

/// The requests and answers about the jobs of a session.
#[derive(Debug)]
pub struct Told {
    /// The token, which must be nowhere.
    pub token: String,
    /// The jobs: one that completed, one that failed, one of two runs.
    pub ids: [String; 3],
    /// Every answer to a request of them.
    pub answers: Vec<String>,
}

/// Runs jobs with sessions, and collects every answer about them.
///
/// # Panics
///
/// If one of them does not end as it should.
pub async fn live(client: &Client, product: &str) -> Told {
    let path = format!("/v1/products/{product}/envs/dev/sessions/{SESSION}");
    let data = json!({"data": {"details": {"task": CANARY, "bad": format!("{CANARY}-fails")}}});
    let minted = client.post(&path, &data).await.json(201);
    let token = minted["token"].as_str().expect("a token").to_owned();
    let of = |task: &str| {
        let mut job = job(product, 0, 0);
        job["session"] = json!({"tag": SESSION, "token": token});
        job["input"]["params"]["number"] = json!(task);
        job
    };
    let mut series = of("$Session{details}{task}");
    series["repeat"] = json!({"every": 1_000, "limit": 2});
    let bodies = [of("$Session{member}{details}{task}"), of("$Session{details}{bad}"), series];
    let mut answers = Vec::new();
    let mut forged = bodies[0].clone();
    forged["session"]["token"] = json!(format!("{}x", &token[..token.len() - 1]));
    let refused = client.post("/v1/jobs", &forged).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    answers.push(refused.text);
    let mut ids = Vec::new();
    for body in &bodies {
        let accepted = client.post("/v1/jobs", body).await;
        ids.push(accepted.json(202)["job_id"].as_str().expect("an id").to_owned());
        answers.push(accepted.text);
    }
    let ids: [String; 3] = ids.try_into().expect("as many as bodies");
    let edit = json!({"input": {"params": {"number": "$Session{details}{task}"}, "body": {}}});
    let edited =
        client.send(Method::PATCH, &format!("/v1/jobs/{}", ids[2]), &[], Some(&edit)).await.expect("an answer");
    answers.push(edited.text);
    for (id, status) in ids.iter().zip(["completed", "failed", "completed"]) {
        let look = async || Some(client.job(id).await).filter(|job| job["status"] == status);
        answers.push(until(format!("{id} is {status}"), SOON, look).await.to_string());
        answers.push(client.get(&format!("/v1/jobs/{id}/runs")).await.text);
    }
    answers.push(client.get(&format!("/v1/jobs?product_tag={product}&env=dev")).await.text);
    answers.push(client.get(&format!("/v1/products/{product}")).await.text);
    Told { token, ids, answers }
}

impl Told {
    /// Fails when a text holds something of the token or of its claims.
    ///
    /// # Panics
    /// Then.
    pub fn is_not_in(&self, place: &str, text: &str) {
        let payload = self.token.split('.').nth(1).expect("a token has a payload");
        for private in [CANARY, &self.token, payload] {
            assert!(!text.contains(private), "{private} stands in {place}");
        }
    }
}

/// Has identical jobs ask one question at once: one of them is dispatched, and its result is that of all.
///
/// # Panics
/// When it is not so.
pub async fn ask_at_once(client: &Client, product: &str, task: &str, jobs: usize) -> Vec<Value> {
    let mut body = job(product, 0, 0);
    body["cache"] = json!(CACHE);
    body["input"] = json!({"params": {"number": task}});
    let ids = join_all((0..jobs).map(|_| client.schedule(&body))).await;
    let mut ended = Vec::new();
    for id in &ids {
        let look = async || {
            let job = client.job(id).await;
            matches!(job["status"].as_str(), Some("completed" | "failed")).then_some(job)
        };
        ended.push(until(format!("{id} has ended"), SOON, look).await);
    }
    ended
}

/// Has one request come in many times at once, and gives the ids that the answers name.
///
/// # Panics
/// When one is not accepted.
pub async fn send_at_once(client: &Client, product: &str, key: &str, requests: usize) -> Vec<(String, bool)> {
    let body = job(product, 7, 0);
    let send = |_| async {
        let headers = [("idempotency-key", key)];
        let answer = client.send(Method::POST, "/v1/jobs", &headers, Some(&body)).await.expect("an answer");
        let id = answer.json(202)["job_id"].as_str().expect("an id").to_owned();
        (id, answer.headers.contains_key("idempotency-replayed"))
    };
    join_all((0..requests).map(send)).await
}
