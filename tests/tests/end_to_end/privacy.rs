//! The privacy of jobs: other tenants, and the logs.

use std::collections::BTreeSet;

use carillon_core::access::{ApiKey, KeyHash, Scope, new_key};
use carillon_core::ports::{Clock as _, Entropy as _, KeyStore as _, Ports as _};
use carillon_tests::client::{catalog, job};
use carillon_tests::deployment::{Deployment, SOON};
use carillon_tests::env::{epoch_ms, until};
use carillon_tests::receiver::{Receiver, answer};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{among_others, text};

/// A key that opens one product.
async fn confined_key(deployment: &Deployment, product: &str) -> String {
    let ports = deployment.ports();
    let key = new_key(ports.entropy().bits(), ports.entropy().bits());
    let record = ApiKey {
        id: format!("key_{product}"),
        name: "confined".to_owned(),
        products: vec![product.to_owned()],
        envs: vec!["*".to_owned()],
        scopes: Scope::WORDS.map(|(_, scope)| scope).to_vec(),
        created_at: ports.clock().now(),
    };
    ports.keys().add(&KeyHash::of(&key), &record).await.unwrap();
    key
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_finds_neither_the_jobs_nor_the_catalog_of_another() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::content().await;
    let ours = deployment.product("ours", receiver.address).await;
    let theirs = format!("theirs-{}", epoch_ms());
    let tenant = deployment.client.with_key(&confined_key(&deployment, &theirs).await);
    let id = deployment.client.schedule(&job(&ours, 1, epoch_ms() + 3_600_000)).await;

    for path in [format!("/v1/jobs/{id}"), format!("/v1/jobs/{id}/runs"), format!("/v1/products/{ours}")] {
        assert_eq!(tenant.get(&path).await.status, 404, "{path}");
    }
    for action in ["cancel", "retry"] {
        assert_eq!(tenant.post(&format!("/v1/jobs/{id}/{action}"), &json!({})).await.status, 404, "{action}");
    }
    assert_eq!(tenant.get(&format!("/v1/jobs?product_tag={ours}&env=dev")).await.status, 403);
    assert_eq!(tenant.post("/v1/jobs", &job(&ours, 2, 0)).await.status, 403);
    assert_eq!(tenant.put(&format!("/v1/products/{ours}"), &catalog(receiver.address)).await.status, 403);
    let redrive = json!({"product_tag": ours, "env": "dev"});
    assert_eq!(tenant.post("/v1/dead-letters/redrive", &redrive).await.status, 403);
    assert_eq!(tenant.post("/v1/dead-letters/redrive", &json!({})).await.status, 403);
    let stranger = deployment.client.with_key("car_of_nobody");
    assert_eq!(stranger.get(&format!("/v1/jobs/{id}")).await.status, 401);

    // Their own jobs are visible to them.
    tenant.put(&format!("/v1/products/{theirs}"), &catalog(receiver.address)).await.json(201);
    let own = tenant.schedule(&job(&theirs, 3, 0)).await;
    deployment.job_that_is("completed", &own).await;
    assert_eq!(tenant.job(&own).await["status"], "completed");
    assert_eq!(deployment.client.job(&id).await["status"], "scheduled");
    deployment.client.post(&format!("/v1/jobs/{id}/cancel"), &json!({})).await.json(200);
    assert_eq!(receiver.counts(), [(format!("{own}_g1_r1"), 1)].into());
    let gone = tenant.send(Method::DELETE, &format!("/v1/products/{theirs}"), &[], None).await.unwrap();
    assert_eq!((gone.status, deployment.client.get(&format!("/v1/products/{ours}")).await.status), (204, 200));
}

/// Texts that no log may contain: parts of payloads, answers and requests, and secrets.
const CANARIES: [&str; 4] =
    ["canary-of-the-payload", "canary-of-the-answer", "canary-of-a-header", "canary-of-a-bad-body"];

/// Every line that the functions have logged since an instant.
pub(crate) async fn logs(deployment: &Deployment, since: i64) -> Vec<String> {
    let mut lines = Vec::new();
    for function in [&deployment.api_function, &deployment.executor_function] {
        lines.extend(deployment.emulator.log_of(function, since).await);
    }
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_logs_are_json_lines_without_payloads_and_secrets() {
    let (deployment, _shared) = among_others().await;
    let receiver = Receiver::start(async |delivery| match delivery.path.as_str() {
        "/tasks/1" => answer(StatusCode::OK, &json!({"text": CANARIES[1]})),
        _ => answer(StatusCode::BAD_REQUEST, &json!({"text": CANARIES[1]})),
    });
    let receiver = receiver.await;
    let begin = epoch_ms();
    let mut document = catalog(receiver.address);
    document["apps"]["app"]["envs"]["dev"]["auth"] = json!({"bearer": "env:END_TO_END_SECRET"});
    let product = format!("logs-{begin}");
    deployment.client.put(&format!("/v1/products/{product}"), &document).await.json(201);
    let mut ids = Vec::new();
    for number in [1, 2] {
        let mut body = job(&product, number, 0);
        body["input"]["body"] = json!({"text": CANARIES[0]});
        let headers = [("user-agent", CANARIES[2]), ("x-amzn-trace-id", CANARIES[2])];
        let accepted = deployment.client.send(Method::POST, "/v1/jobs", &headers, Some(&body)).await.unwrap().json(202);
        ids.push(text(&accepted["job_id"]).to_owned());
    }
    for body in [json!({"product_tag": CANARIES[3]}), json!(CANARIES[3])] {
        let refused = deployment.client.post("/v1/jobs", &body).await;
        assert!((400..500).contains(&refused.status), "{}", refused.text);
    }
    deployment.job_that_is("completed", &ids[0]).await;
    deployment.job_that_is("failed", &ids[1]).await;

    let look = async || {
        let lines = logs(&deployment, begin).await;
        // The api's line of the request, and the executor's of the record.
        ids.iter().all(|id| lines.iter().filter(|line| line.contains(id.as_str())).count() >= 2).then_some(lines)
    };
    let lines = until("the logs tell of both jobs", SOON, look).await;
    let secret = deployment.environment["END_TO_END_SECRET"].as_str();
    let mut levels = BTreeSet::new();
    for line in &lines {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(object.is_object(), "{line}");
        levels.insert(object["level"].as_str().map(str::to_owned));
        for private in CANARIES.iter().chain([&secret, &deployment.key.as_str()]) {
            assert!(!line.contains(private), "{line}");
        }
    }
    assert!(levels.contains(&Some("INFO".to_owned())) && levels.contains(&None), "logs and metrics: {levels:?}");
}
