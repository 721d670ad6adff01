//! Sessions as callers meet them: tokens that are taken, tokens that are minted, and an attack table.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use carillon_core::job::Output;
use serde_json::{Value, json};

use super::attacks::attacks;
use super::client::{Api, SECRET, job, shop};
use super::tokens::{KEYS, Signer, plain};

/// The system's time, which tokens are held against, in seconds.
#[expect(clippy::disallowed_methods, reason = "the library that verifies tokens goes by the system's clock")]
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// The claims of a valid token of these sessions, with `more` added.
pub(super) fn claims(more: &Value) -> Value {
    let mut claims = json!({"iss": "https://id.example.com", "aud": "shop", "exp": now() + 600, "details": {"id": 7}});
    let members = claims.as_object_mut().unwrap();
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            members.remove(name)
        } else {
            members.insert(name.clone(), value.clone())
        };
    }
    claims
}

fn api() -> Api {
    let api = Api::with_secrets([
        ("KEY", SECRET.to_owned()),
        ("RSA", KEYS.rsa.pem()),
        ("ES256", KEYS.es256.pem()),
        ("ES384", KEYS.es384.pem()),
        ("ED", KEYS.ed.pem()),
        ("SHORT", "short".to_owned()),
    ]);
    let mut catalog = shop();
    let session = |algorithm: &str, key: &str| json!({"algorithm": algorithm, "envs": {"prd": {"key": key, "issuer": "https://id.example.com", "audience": "shop"}}});
    catalog["sessions"] = json!({
        "hs": session("HS256", "env:KEY"), "hs-too": session("HS256", "env:KEY"), "rs": session("RS256", "env:RSA"),
        "es": session("ES256", "env:ES256"), "es384": session("ES384", "env:ES384"), "ed": session("EdDSA", "env:ED"),
        "open": {"algorithm": "HS256", "envs": {"prd": {"key": "env:KEY"}, "dev": {"key": "env:KEY"}}},
        "lenient": {"algorithm": "HS256", "leeway_seconds": 300, "envs": {"prd": {"key": "env:KEY"}}},
        "hs-of-rs": session("HS256", "env:RSA"), "short": session("HS256", "env:SHORT"), "gone": session("HS256", "env:GONE"),
        "no-pem": session("RS256", "env:KEY"),
    });
    api.world.publish("shop", catalog).unwrap();
    api
}

fn job_of(tag: &str, token: &str) -> Value {
    let mut job = job();
    job["session"] = json!({"tag": tag, "token": token});
    job["input"] = json!({"body": {"user": "$Session{details}{id}"}});
    job
}

#[tokio::test]
async fn a_token_of_each_algorithm_is_taken_and_its_claims_are_shown_to_nobody() {
    let (api, hs) = (api(), Signer::hs256(SECRET.as_bytes()));
    let good = claims(&json!({"canary": "c4n4ry"}));
    for (tag, signer, alg) in [
        ("hs", &hs, "HS256"),
        ("rs", &KEYS.rsa, "RS256"),
        ("es", &KEYS.es256, "ES256"),
        ("es384", &KEYS.es384, "ES384"),
        ("ed", &KEYS.ed, "EdDSA"),
    ] {
        let text = plain(signer, alg, &good);
        let id = api.post("/v1/jobs", &job_of(tag, &text)).await.ok(202).job_id();
        let shown = api.get(&format!("/v1/jobs/{id}")).await.ok(200).json;
        assert_eq!(shown["session"], json!({"tag": tag}));
        assert_eq!(shown["input"]["body"]["user"], "$Session{details}{id}", "as it was sent");
        let all = format!("{shown} {}", api.stored());
        assert!(!all.contains("c4n4ry") && !all.contains(&text), "{all}");
        // Both in one text.
        let mut body = job_of(tag, &text);
        body["session"] = json!(format!("{tag}:{text}"));
        api.post("/v1/jobs", &body).await.ok(202);
    }
    let late = plain(&hs, "HS256", &json!({"exp": now() - 200, "details": {"id": 1}}));
    api.post("/v1/jobs", &job_of("lenient", &late)).await.ok(202);
    let audiences = plain(&hs, "HS256", &claims(&json!({"aud": ["bank", "shop"]})));
    api.post("/v1/jobs", &job_of("hs", &audiences)).await.ok(202);
}

#[tokio::test]
async fn every_attack_is_refused_with_its_own_code_and_stores_nothing() {
    let api = api();
    let attacks = attacks();
    assert!(attacks.len() >= 80, "{}", attacks.len());
    let before = api.stored();
    let mut codes = BTreeSet::new();
    for (name, tag, text, code) in &attacks {
        for path in ["/v1/jobs", "/v1/jobs/preview"] {
            let reply = api.post(path, &job_of(tag, text)).await.ok(422);
            let errors = reply.json["errors"].as_array().unwrap();
            let [error] = errors.as_slice() else { panic!("{name}: {errors:?}") };
            assert_eq!(
                (error["pointer"].as_str(), error["code"].as_str()),
                (Some("/session/token"), Some(*code)),
                "{name}: {error}"
            );
            let told = reply.json.to_string();
            let part = text.split('.').nth(1).filter(|part| part.len() > 20);
            assert!(!part.is_some_and(|part| told.contains(part)), "{name}: the token is quoted");
        }
        codes.insert(*code);
    }
    assert_eq!(api.stored(), before);
    assert!(api.world.tables().armed.is_empty());
    assert!(codes.len() >= 13, "{codes:?}");
}

#[tokio::test]
async fn a_definition_that_cannot_be_used_is_said_to_be_at_fault() {
    let api = api();
    let good = claims(&json!({}));
    let by_the_pem = plain(&Signer::hs256(KEYS.rsa.pem().as_bytes()), "HS256", &good);
    for (tag, text, why) in [
        ("hs-of-rs", by_the_pem, "PEM"),
        ("short", plain(&Signer::hs256(b"short"), "HS256", &good), "32 bytes"),
        ("gone", plain(&Signer::hs256(b""), "HS256", &good), "env:GONE"),
        ("no-pem", plain(&KEYS.rsa, "RS256", &good), "PEM"),
    ] {
        let reply = api.post("/v1/jobs", &job_of(tag, &text)).await.is(422, "not_available");
        let detail = reply.json["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(why) && !detail.contains(SECRET), "{tag}: {detail}");
    }
}

#[tokio::test]
async fn a_minted_token_is_taken_for_its_session_and_for_no_other() {
    let api = api();
    // Tokens are made and held against the system's time.
    api.world.advance(now() * 1_000 - super::client::NOW);
    let body = json!({"data": {"details": {"id": 42}}, "expiry": 60_000});
    let reply = api.post("/v1/products/shop/envs/prd/sessions/hs", &body).await.ok(201);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let text = reply.json["token"].as_str().unwrap().to_owned();
    let lasts_ms = reply.json["expires_at"].as_i64().unwrap() - now() * 1_000;
    assert!((55_000..=61_000).contains(&lasts_ms), "{lasts_ms}");
    let id = api.post("/v1/jobs", &job_of("hs", &text)).await.ok(202).job_id();
    api.attempt(id, Ok(Output::default())).await;
    assert_eq!(api.get(&format!("/v1/jobs/{id}")).await.ok(200).json["status"], "completed");

    let refused = api.post("/v1/jobs", &job_of("hs-too", &text)).await.ok(422);
    assert_eq!(refused.json["errors"][0]["code"], "token_session", "the same key, another session");
    for tag in ["rs", "ed"] {
        let reply = api.post(&format!("/v1/products/shop/envs/prd/sessions/{tag}"), &body).await;
        assert_eq!(reply.is(422, "not_available").pointers(), ["path:tag"]);
    }
    for path in ["nobody", "%00", "..%2f..", "a%2fb"] {
        api.post(&format!("/v1/products/shop/envs/prd/sessions/{path}"), &body).await.is(404, "not_found");
    }
}
