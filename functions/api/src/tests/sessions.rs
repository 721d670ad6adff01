//! Sessions as callers meet them: tokens that are taken, tokens that are minted, and an attack table.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use carillon_core::job::Output;
use serde_json::{Value, json};

use super::client::{Api, SECRET, job, shop};
use super::tokens::{KEYS, Signer, message, plain, token};

/// The system's time, which tokens are held against, in seconds.
#[expect(clippy::disallowed_methods, reason = "the library that verifies tokens goes by the system's clock")]
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// The claims of a valid token of these sessions, with `more` added.
fn claims(more: &Value) -> Value {
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

/// An attack: its name, the session that it is aimed at, the token, and the code of its refusal.
type Attack = (&'static str, &'static str, String, &'static str);

fn attacks_on_the_algorithm(hs: &Signer, good: &Value) -> Vec<Attack> {
    let unsigned = |alg: &str| format!("{}.", message(&json!({"alg": alg}).to_string(), &good.to_string()));
    let text = good.to_string();
    let mut attacks: Vec<Attack> = vec![
        (
            "RS256 session, HS256 with its public key",
            "rs",
            plain(&Signer::hs256(KEYS.rsa.pem().as_bytes()), "HS256", good),
            "token_algorithm",
        ),
        (
            "RS256 by name, HMAC with its public key",
            "rs",
            plain(&Signer::hs256(KEYS.rsa.pem().as_bytes()), "RS256", good),
            "token_signature",
        ),
        (
            "ES256 by name, HMAC with its public key",
            "es",
            plain(&Signer::hs256(KEYS.es256.pem().as_bytes()), "ES256", good),
            "token_signature",
        ),
        (
            "EdDSA session, HS256 with its public key",
            "ed",
            plain(&Signer::hs256(KEYS.ed.pem().as_bytes()), "HS256", good),
            "token_algorithm",
        ),
        ("HS256 session, RS256", "hs", plain(&KEYS.rsa, "RS256", good), "token_algorithm"),
        ("HS256 session, HS512 by name", "hs", plain(hs, "HS512", good), "token_algorithm"),
        (
            "RS256 session, RS384",
            "rs",
            {
                let message = message(r#"{"alg":"RS384"}"#, &text);
                format!("{message}.{}", URL_SAFE_NO_PAD.encode(KEYS.rsa.rs384(message.as_bytes())))
            },
            "token_algorithm",
        ),
        (
            "RS256 by name, signed as RS384",
            "rs",
            {
                let message = message(r#"{"alg":"RS256"}"#, &text);
                format!("{message}.{}", URL_SAFE_NO_PAD.encode(KEYS.rsa.rs384(message.as_bytes())))
            },
            "token_signature",
        ),
        ("ES256 by name on the curve of ES384", "es", plain(&KEYS.es384, "ES256", good), "token_signature"),
        ("ES384 session, ES256 key", "es384", plain(&KEYS.es256, "ES384", good), "token_signature"),
        ("an algorithm in lower case", "hs", plain(hs, "hs256", good), "token_algorithm"),
        ("an algorithm that is a list", "hs", token(hs, r#"{"alg":["HS256","none"]}"#, &text), "token_algorithm"),
        ("no algorithm", "hs", token(hs, r#"{"typ":"JWT"}"#, &text), "token_algorithm"),
        ("an algorithm said twice", "hs", token(hs, r#"{"alg":"none","alg":"HS256"}"#, &text), "token_malformed"),
    ];
    for alg in ["none", "None", "NONE", "nOnE", "", " none", "none\u{0}"] {
        attacks.push(("none", "hs", unsigned(alg), "token_algorithm"));
    }
    attacks.push(("none with a signature", "hs", plain(hs, "none", good), "token_algorithm"));
    attacks.push(("HS256 without a signature", "hs", unsigned("HS256"), "token_signature"));
    attacks
}

fn attacks_on_the_key(hs: &Signer, good: &Value) -> Vec<Attack> {
    let text = good.to_string();
    let empty = Signer::hs256(b"");
    let by_kid = |kid: &str, signer: &Signer| token(signer, &json!({"alg": "HS256", "kid": kid}).to_string(), &text);
    let jwk = json!({"alg": "ES256", "jwk": KEYS.foreign_es256.jwk("own")}).to_string();
    let address = |name: &str| json!({"alg": "RS256", name: "https://evil.example.com/keys"}).to_string();
    vec![
        ("a key of somebody else, RS256", "rs", plain(&KEYS.foreign_rsa, "RS256", good), "token_signature"),
        ("a key of somebody else, ES256", "es", plain(&KEYS.foreign_es256, "ES256", good), "token_signature"),
        ("a key of somebody else, EdDSA", "ed", plain(&KEYS.foreign_ed, "EdDSA", good), "token_signature"),
        ("a guessed secret", "hs", plain(&Signer::hs256(b"secret"), "HS256", good), "token_signature"),
        ("the name of the secret", "hs", plain(&Signer::hs256(b"env:KEY"), "HS256", good), "token_signature"),
        ("an empty secret", "hs", plain(&empty, "HS256", good), "token_signature"),
        ("kid with a path to an empty file", "hs", by_kid("../../../../dev/null", &empty), "token_signature"),
        ("kid with SQL", "hs", by_kid("x' UNION SELECT 'secret' --", &Signer::hs256(b"secret")), "token_signature"),
        ("kid with a command", "hs", by_kid("|/usr/bin/id", &empty), "token_signature"),
        ("kid that is a number", "hs", token(hs, r#"{"alg":"HS256","kid":1}"#, &text), "token_malformed"),
        ("its own key in jwk", "es", token(&KEYS.foreign_es256, &jwk, &text), "token_signature"),
        ("its own keys behind jku", "rs", token(&KEYS.foreign_rsa, &address("jku"), &text), "token_signature"),
        ("its own certificate behind x5u", "rs", token(&KEYS.foreign_rsa, &address("x5u"), &text), "token_signature"),
        (
            "its own certificate in x5c",
            "rs",
            token(&KEYS.foreign_rsa, r#"{"alg":"RS256","x5c":["MIIB"]}"#, &text),
            "token_signature",
        ),
        (
            "an extension that must be understood",
            "hs",
            token(hs, r#"{"alg":"HS256","crit":["exp"],"exp":1}"#, &text),
            "token_header",
        ),
        (
            "an unencoded payload",
            "hs",
            token(hs, r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#, &text),
            "token_header",
        ),
    ]
}

fn attacks_on_the_signature(hs: &Signer, good: &Value) -> Vec<Attack> {
    let text = plain(hs, "HS256", good);
    let parts: Vec<&str> = text.split('.').collect();
    let zeros = |alg: &str, bytes: usize| {
        format!(
            "{}.{}",
            message(&json!({"alg": alg}).to_string(), &good.to_string()),
            URL_SAFE_NO_PAD.encode(vec![0; bytes])
        )
    };
    let other = URL_SAFE_NO_PAD.encode(claims(&json!({"details": {"id": 1}})).to_string());
    let mut flipped = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    flipped[0] ^= 1;
    vec![
        ("ECDSA, all zeros", "es", zeros("ES256", 64), "token_signature"),
        ("ECDSA P-384, all zeros", "es384", zeros("ES384", 96), "token_signature"),
        ("EdDSA, all zeros", "ed", zeros("EdDSA", 64), "token_signature"),
        ("RSA, all zeros", "rs", zeros("RS256", 256), "token_signature"),
        ("HMAC, all zeros", "hs", zeros("HS256", 32), "token_signature"),
        ("another payload under the signature", "hs", format!("{}.{other}.{}", parts[0], parts[2]), "token_signature"),
        (
            "another header under the signature",
            "hs",
            format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#), parts[1], parts[2]),
            "token_signature",
        ),
        (
            "a signature with a bit flipped",
            "hs",
            format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode(&flipped)),
            "token_signature",
        ),
        ("a signature cut short", "hs", format!("{}.{}.{}", parts[0], parts[1], &parts[2][..24]), "token_signature"),
        ("a signature of one byte", "hs", format!("{}.{}.AA", parts[0], parts[1]), "token_signature"),
        ("a signature with more behind it", "hs", format!("{text}AAAA"), "token_signature"),
        ("a padded signature", "hs", format!("{text}="), "token_malformed"),
        ("a signature in the other alphabet", "hs", format!("{}.{}.+/+/", parts[0], parts[1]), "token_malformed"),
        ("two parts", "hs", format!("{}.{}", parts[0], parts[1]), "token_malformed"),
        ("four parts", "hs", format!("{text}.{}", parts[2]), "token_malformed"),
        (
            "five parts, as an encrypted token has",
            "hs",
            format!("{}..{}.{}.{}", parts[0], parts[1], parts[2], parts[2]),
            "token_malformed",
        ),
        ("white space before it", "hs", format!(" {text}"), "token_malformed"),
        ("a line break within", "hs", text.replacen('.', "\n.", 1), "token_malformed"),
        ("only dots", "hs", "..".to_owned(), "token_malformed"),
        ("the JSON form", "hs", json!({"payload": parts[1], "signatures": []}).to_string(), "token_malformed"),
        ("a huge token", "hs", plain(hs, "HS256", &claims(&json!({"x": "x".repeat(20_000)}))), "out_of_range"),
    ]
}

fn attacks_on_the_claims(hs: &Signer, good: &Value) -> Vec<Attack> {
    let said = |more: Value| plain(hs, "HS256", &claims(&more));
    let raw = |payload: &str| token(hs, r#"{"alg":"HS256"}"#, payload);
    let exp = now() + 600;
    let minted = |for_what: &str| plain(hs, "HS256", &json!({"exp": exp, "details": {"id": 7}, "carillon": for_what}));
    vec![
        ("expired", "hs", said(json!({"exp": now() - 10})), "token_expired"),
        ("expires now", "hs", said(json!({"exp": now()})), "token_expired"),
        ("expired long ago", "hs", said(json!({"exp": 0})), "token_expired"),
        ("expired beyond the leeway", "lenient", plain(hs, "HS256", &json!({"exp": now() - 310})), "token_expired"),
        ("never expires", "hs", said(json!({"exp": null})), "token_claim"),
        ("expires at a text", "hs", said(json!({"exp": "tomorrow"})), "token_claim"),
        ("expires before 1970", "hs", said(json!({"exp": -1})), "token_claim"),
        (
            "expires at infinity",
            "hs",
            raw(&good.to_string().replace(&good["exp"].to_string(), "1e400")),
            "token_payload",
        ),
        ("not valid yet", "hs", said(json!({"nbf": now() + 60})), "token_not_yet_valid"),
        ("not valid before a text", "hs", said(json!({"nbf": "now"})), "token_claim"),
        ("of another issuer", "hs", said(json!({"iss": "https://id.example.com.evil.com"})), "token_issuer"),
        ("of no issuer", "hs", said(json!({"iss": null})), "token_claim"),
        ("for another audience", "hs", said(json!({"aud": "bank"})), "token_audience"),
        ("for other audiences", "hs", said(json!({"aud": ["bank", "Shop"]})), "token_audience"),
        ("for no audience", "hs", said(json!({"aud": null})), "token_claim"),
        ("for an audience that nobody defined", "open", said(json!({"iss": null})), "token_audience"),
        ("minted for another session", "open", minted("shop/prd/hs"), "token_session"),
        ("minted for another environment", "open", minted("shop/dev/open"), "token_session"),
        ("minted for another product", "open", minted("bank/prd/open"), "token_session"),
        (
            "minted for a list",
            "open",
            plain(hs, "HS256", &json!({"exp": exp, "carillon": ["shop/prd/open"]})),
            "token_session",
        ),
        ("a payload that is a list", "hs", raw("[1]"), "token_payload"),
        ("a payload that is a text", "hs", raw("\"admin\""), "token_payload"),
        ("a payload that is nothing", "hs", raw(""), "token_payload"),
        ("a payload that is no JSON", "hs", raw("{exp: 1}"), "token_payload"),
        (
            "a payload that is no UTF-8",
            "hs",
            {
                let message = format!(
                    "{}.{}",
                    URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#),
                    URL_SAFE_NO_PAD.encode([b'{', 0xff, b'}'])
                );
                format!("{message}.{}", URL_SAFE_NO_PAD.encode(hs.sign(message.as_bytes())))
            },
            "token_payload",
        ),
        (
            "a claim said twice",
            "hs",
            raw(&good.to_string().replacen('{', r#"{"details":{"id":1},"#, 1)),
            "token_duplicate_claim",
        ),
        (
            "an expiry said twice",
            "hs",
            raw(&good.to_string().replacen('{', r#"{"exp":9999999999,"#, 1)),
            "token_duplicate_claim",
        ),
        (
            "a deep claim said twice",
            "hs",
            raw(&good.to_string().replacen(r#"{"id":7}"#, r#"{"id":7,"id":8}"#, 1)),
            "token_duplicate_claim",
        ),
    ]
}

fn attacks() -> Vec<Attack> {
    let (hs, good) = (Signer::hs256(SECRET.as_bytes()), claims(&json!({})));
    let parts = [attacks_on_the_algorithm, attacks_on_the_key, attacks_on_the_signature, attacks_on_the_claims];
    parts.into_iter().flat_map(|part| part(&hs, &good)).collect()
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
