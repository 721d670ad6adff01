//! Dead letters that come back.

use carillon_core::access::{ApiKey, Scope};
use carillon_core::ids::JobId;
use carillon_core::job::{RunError, Status};
use carillon_core::ports::Redriven;
use carillon_core::testkit::{Port, Trouble};
use serde_json::{Value, json};

use super::client::{Api, DOCUMENT, KEY, Reply, job, key, shop, validator};

const ALL: &str = "car_all";

/// A service with a key to everything of it.
fn api() -> Api {
    let api = Api::new();
    let scopes = Scope::WORDS.map(|(_, scope)| scope);
    api.world.admit(ALL, ApiKey { products: vec!["*".into()], ..key("shop", &["*"], &scopes) });
    api.world.publish("bank", shop()).unwrap();
    api.with_key(Some(ALL))
}

/// A failed job of the product and environment.
async fn spent(api: &Api, product: &str, env: &str) -> JobId {
    let mut body = job();
    (body["product_tag"], body["env"]) = (json!(product), json!(env));
    let id = api.with_key(Some(ALL)).post("/v1/jobs", &body).await.ok(202).job_id();
    api.attempt(id, Err(RunError::permanent("NOT_FOUND", "gone"))).await;
    assert_eq!(status(api, id), Status::Failed);
    id
}

fn status(api: &Api, id: JobId) -> Status {
    api.world.tables().jobs[&id].state.status
}

async fn redrive(api: &Api, body: &Value) -> Reply {
    api.post("/v1/dead-letters/redrive", body).await
}

#[tokio::test]
async fn a_redrive_stays_within_its_product_and_environment() {
    let api = api();
    let wanted = [spent(&api, "shop", "prd").await, spent(&api, "shop", "prd").await];
    let others = [spent(&api, "shop", "dev").await, spent(&api, "bank", "prd").await];
    let reply = redrive(&api, &json!({"product_tag": "shop", "env": "prd"})).await.ok(200);
    assert_eq!(reply.json, json!({"redriven": 2}));
    assert_eq!(
        (wanted.map(|id| status(&api, id)), others.map(|id| status(&api, id))),
        ([Status::Queued; 2], [Status::Failed; 2])
    );
    assert_eq!(redrive(&api, &json!({"product_tag": "shop", "env": "prd"})).await.ok(200).json, json!({"redriven": 0}));
    let armed: Vec<_> = api.world.tables().armed.iter().map(|(_, fire)| (fire.job_id, fire.generation)).collect();
    assert!(wanted.iter().all(|id| armed.contains(&(*id, 2))));
}

#[tokio::test]
async fn without_an_environment_it_takes_those_that_the_key_opens() {
    let api = api();
    for env in ["dev", "prd"] {
        spent(&api, "shop", env).await;
    }
    let dev = key("shop", &["dev", "tst"], &[Scope::JobsWrite]);
    api.world.admit("car_dev", dev.clone());
    api.world.admit("car_tst", ApiKey { envs: vec!["tst".into()], ..dev });
    let body = json!({"product_tag": "shop"});
    assert_eq!(redrive(&api.with_key(Some("car_dev")), &body).await.ok(200).json, json!({"redriven": 1}));
    redrive(&api.with_key(Some("car_tst")), &body).await.is(403, "not_permitted");
    assert_eq!(redrive(&api, &body).await.ok(200).json, json!({"redriven": 1}));
    redrive(&api, &json!({"product_tag": "none"})).await.is(404, "not_found");
    redrive(&api.with_key(Some(KEY)), &json!({"product_tag": "none"})).await.is(403, "not_permitted");
}

#[tokio::test]
async fn everything_is_for_keys_that_open_everything() {
    let api = api();
    let jobs = [spent(&api, "shop", "prd").await, spent(&api, "bank", "dev").await];
    let writes = key("shop", &["*"], &[Scope::JobsWrite]);
    api.world.admit("car_prd", ApiKey { products: vec!["*".into()], envs: vec!["prd".into()], ..writes });
    for narrower in [KEY, "car_prd"] {
        redrive(&api.with_key(Some(narrower)), &json!({})).await.is(403, "not_permitted");
    }
    assert_eq!(jobs.map(|id| status(&api, id)), [Status::Failed; 2]);
    // A body that says nothing may be left out.
    let reply = api.send("POST", "/v1/dead-letters/redrive", &[], "").await.ok(200);
    assert_eq!((reply.json, jobs.map(|id| status(&api, id))), (json!({"redriven": 2}), [Status::Queued; 2]));
}

#[tokio::test]
async fn a_queue_that_keeps_the_dead_letters_moves_them_itself_and_once_at_a_time() {
    let api = api();
    let id = spent(&api, "shop", "prd").await;
    api.world.tables().redriven = Some(Redriven::Started);
    assert_eq!(redrive(&api, &json!({})).await.ok(202).json, json!({"started": true}));
    api.world.tables().redriven = Some(Redriven::UnderWay);
    redrive(&api, &json!({})).await.is(409, "redrive_under_way");
    assert_eq!(status(&api, id), Status::Failed, "its letter brings it back");
    redrive(&api, &json!({"product_tag": "shop", "env": "prd"})).await.ok(200);
    assert_eq!(status(&api, id), Status::Queued, "one product does without the queue");
}

#[tokio::test]
async fn the_limit_counts_over_all_environments() {
    let api = api();
    for env in ["dev", "prd"] {
        for _ in 0..3 {
            spent(&api, "shop", env).await;
        }
    }
    for (limit, redriven) in [(4, 4), (1, 1), (1_000, 1)] {
        let reply = redrive(&api, &json!({"product_tag": "shop", "limit": limit})).await.ok(200);
        assert_eq!(reply.json, json!({"redriven": redriven}), "{limit}");
    }
    for _ in 0..102 {
        spent(&api, "shop", "prd").await;
    }
    assert_eq!(redrive(&api, &json!({})).await.ok(200).json, json!({"redriven": 100}), "the default");
    assert_eq!(redrive(&api, &json!({"limit": 1})).await.ok(200).json, json!({"redriven": 1}));
}

#[tokio::test]
async fn whoever_waits_for_a_long_redrive_is_answered_in_time() {
    let api = api();
    for _ in 0..10 {
        spent(&api, "shop", "prd").await;
    }
    api.world.trouble(Port::Timers, Trouble::Slow(6_000));
    let body = json!({"product_tag": "shop", "env": "prd"});
    for redriven in [3, 3, 3, 1, 0] {
        assert_eq!(redrive(&api, &body).await.ok(200).json, json!({"redriven": redriven}));
    }
}

#[tokio::test]
async fn what_is_redriven_is_said_in_the_documented_words() {
    let api = api();
    let reply = redrive(&api, &json!({"env": "prd", "limit": 0, "product": "shop"})).await;
    assert_eq!(reply.is(422, "invalid_request").pointers(), ["/product_tag", "/limit", "/product"]);
    let schema = validator(&json!({"$ref": "#/components/schemas/RedriveRequest"}));
    let named = DOCUMENT["components"]["schemas"]["RedriveRequest"]["properties"].as_object().unwrap();
    assert_eq!(named.keys().collect::<Vec<_>>(), ["env", "limit", "product_tag"]);
    for body in [
        json!({}),
        json!([]),
        json!(null),
        json!({"env": "prd"}),
        json!({"product_tag": "shop", "env": ""}),
        json!({"product_tag": "*"}),
        json!({"product_tag": "shop", "env": "prd", "limit": 1_000}),
        json!({"limit": 1_001}),
        json!({"limit": "1"}),
        json!({"limit": 1.5}),
        json!({"product_tag": {}}),
        json!({"x": 1}),
    ] {
        let taken = redrive(&api, &body).await.status != 422;
        assert_eq!(taken, schema.is_valid(&body), "{body}");
    }
}

#[tokio::test]
async fn a_queue_in_trouble_starts_nothing() {
    let api = api();
    api.world.trouble(Port::DeadLetters, Trouble::Throttled);
    redrive(&api, &json!({})).await.is(503, "throttled");
}
