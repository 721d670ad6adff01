//! Tokens of attackers.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::client::SECRET;
use super::sessions::{claims, now};
use super::tokens::{KEYS, Signer, message, plain, token};

/// An attack: its name, the session that it is aimed at, the token, and the code of its refusal.
pub(super) type Attack = (&'static str, &'static str, String, &'static str);

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

pub(super) fn attacks() -> Vec<Attack> {
    let (hs, good) = (Signer::hs256(SECRET.as_bytes()), claims(&json!({})));
    let parts = [attacks_on_the_algorithm, attacks_on_the_key, attacks_on_the_signature, attacks_on_the_claims];
    parts.into_iter().flat_map(|part| part(&hs, &good)).collect()
}
