//! Channels of notifications at their providers, which stand on this machine. E-mail is in `tests/mail.rs`, with a mail server.

use std::collections::BTreeMap;

use carillon_tests::receiver::answer;
use carillon_tests::target::{Target, Wire, done};
use http::StatusCode;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

use super::{World, job};

/// A catalog whose notification `order` has these channels in `dev`, and the message `shipped`.
fn catalog(channels: &Value) -> Value {
    let title = json!({"en": "Order {{order}}", "pt": "Pedido {{order}}"});
    let body = json!({"en": "Hi {{name}}", "pt": "Olá {{name}}", "pt-PT": "Viva {{name}}"});
    json!({"notifications": {"order": {"envs": {"dev": channels}, "messages": {"shipped": {
        "push": {"title": title, "body": body, "data": {"kind": "order", "n": 1}},
        "sms": body,
        "callback": {"order": "{{order}}", "text": "{{order}} is on its way"},
    }}}}})
}

/// The headers of a request but for those that tell nothing of the provider: they are the same in all of them.
fn own_headers(wire: &Wire) -> BTreeMap<&str, &str> {
    let common = ["content-length", "host", "user-agent", "webhook-timestamp"];
    let headers = wire.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    headers.filter(|(name, _)| !common.contains(name)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_sends_the_channel_that_failed_and_no_other() {
    let target = Target::start(async |wire| match (wire.path.as_str(), wire.nth) {
        ("/hooks/orders", 1) => answer(StatusCode::SERVICE_UNAVAILABLE, &json!({})),
        ("/hooks/orders", _) => done(&wire),
        _ => answer(StatusCode::CREATED, &json!({"sid": format!("SM{}", wire.nth), "error_code": null})),
    })
    .await;
    let sms = json!({"provider": "twilio", "from": "+15550100", "account_sid": "AC0123456789abcdef", "auth_token": "env:TWILIO", "url": target.url()});
    let callback = json!({"url": format!("{}/hooks/orders", target.url()), "auth": {"bearer": "env:HOOK"}});
    let secrets = [("TWILIO", "canary-of-twilio"), ("HOOK", "canary-of-the-hook")];
    let world = World::start(catalog(&json!({"sms": sms, "callback": callback})), &secrets).await;
    let mut asked = job(
        "order:shipped",
        &json!({
            "locale": "pt-BR",
            "sms": {"to": ["+31612345678", "+31687654321"], "data": {"name": "Ada & Bob"}},
            "callback": {"data": {"order": 7}},
        }),
    );
    asked["retries"] = json!(1);
    let run = world.run(&asked).await;
    assert_eq!((&run["status"], &run["attempts"]), (&json!("completed"), &json!(2)), "{run}");
    let failure = &run["failures"][0]["error"];
    assert_eq!(failure["code"], "SERVICE_UNAVAILABLE", "{run}");
    assert!(failure["message"].as_str().unwrap().starts_with("sent: sms_0, sms_1; not sent: callback ("), "{failure}");
    let sent = |number: u32| json!({"provider": "twilio", "id": format!("SM{number}")});
    let channels = &run["result"]["channels"];
    assert_eq!(channels["sms"], json!([sent(1), sent(2)]), "{run}");
    assert_eq!((&channels["callback"]["provider"], &channels["callback"]["body"]["nth"]), (&json!("http"), &json!(2)));

    let id = run["webhook_id"].as_str().unwrap();
    let messages = target.seen_at("/2010-04-01/Accounts/AC0123456789abcdef/Messages.json");
    assert_eq!(messages.len(), 2, "one request a number, and none of them twice: {messages:?}");
    for (index, (message, number)) in messages.iter().zip(["+31612345678", "+31687654321"]).enumerate() {
        assert!(message.line.starts_with("POST "), "{message:?}");
        let form = [("To", number), ("From", "+15550100"), ("Body", "Olá Ada & Bob")];
        assert_eq!(message.form(), form.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let place = format!("{id}_sms_{index}");
        let expected = BTreeMap::from([
            ("accept", "application/json"),
            ("authorization", "Basic QUMwMTIzNDU2Nzg5YWJjZGVmOmNhbmFyeS1vZi10d2lsaW8="),
            ("content-type", "application/x-www-form-urlencoded"),
            ("webhook-attempt", "1"),
            ("webhook-id", &place),
        ]);
        assert_eq!(own_headers(message), expected);
    }
    let calls = target.seen_at("/hooks/orders");
    assert_eq!(calls.len(), 2, "{calls:?}");
    for (index, call) in calls.iter().enumerate() {
        assert_eq!(call.json(), json!({"order": 7, "text": "7 is on its way"}));
        let (place, attempt) = (format!("{id}_callback"), (index + 1).to_string());
        let headers = ["authorization", "webhook-id", "webhook-attempt"].map(|name| call.header(name));
        assert_eq!(headers, ["Bearer canary-of-the-hook", &place, &attempt]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expo_gets_one_request_in_the_wanted_language_and_its_tickets_are_the_result() {
    let target = Target::start(async |_| {
        let tickets = json!([
            {"status": "ok", "id": "ticket-1"},
            {"status": "error", "message": "gone", "details": {"error": "DeviceNotRegistered"}},
        ]);
        answer(StatusCode::OK, &json!({"data": tickets}))
    })
    .await;
    let push = json!({"provider": "expo", "access_token": "env:EXPO", "url": target.url()});
    let world = World::start(catalog(&json!({"push": push})), &[("EXPO", "canary-of-expo")]).await;
    let tokens = json!(["ExponentPushToken[first]", "ExponentPushToken[second]"]);
    let message = json!({"device_token": tokens, "data": {"order": "7", "name": "Ada", "n": 2}});
    let input = json!({"slug": "shipped", "locale": "pt-PT", "push_notification": message});
    let run = world.run(&job("order", &input)).await;
    let id = format!("{}_push", run["webhook_id"].as_str().unwrap());
    let wire = target.only("/--/api/v2/push/send");
    assert_eq!((target.seen().len(), wire.line.as_str()), (1, "POST /--/api/v2/push/send"));
    let expected = BTreeMap::from([
        ("accept", "application/json"),
        ("authorization", "Bearer canary-of-expo"),
        ("content-type", "application/json"),
        ("webhook-attempt", "1"),
        ("webhook-id", &id),
    ]);
    assert_eq!(own_headers(&wire), expected);
    // The title has no text for Portugal, but one in Portuguese.
    let data = json!({"kind": "order", "order": "7", "name": "Ada", "n": 2});
    assert_eq!(wire.json(), json!({"to": tokens, "title": "Pedido 7", "body": "Viva Ada", "data": data}));
    let tickets = &run["result"]["channels"]["push"]["tickets"];
    assert_eq!((&tickets[0], &tickets[1]["error"]["code"]), (&json!({"id": "ticket-1"}), &json!("NOT_FOUND")), "{run}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fcm_gets_a_request_a_device_with_one_token_that_the_service_account_has_signed_for() {
    let target = Target::start(async |wire| match wire.path.as_str() {
        "/token" => answer(StatusCode::OK, &json!({"access_token": "canary-of-access", "expires_in": 3_600})),
        _ => answer(StatusCode::OK, &json!({"name": format!("projects/shop/messages/{}", wire.nth)})),
    })
    .await;
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let token_uri = format!("{}/token", target.url());
    let account = json!({
        "type": "service_account", "project_id": "shop", "private_key_id": "key-7", "private_key": key.serialize_pem(),
        "client_email": "push@shop.iam.gserviceaccount.com", "token_uri": token_uri,
    });
    let push = json!({"provider": "fcm", "service_account": "env:FCM", "url": target.url()});
    let secrets = [("FCM", account.to_string()), ("UNUSED", "canary-of-access".to_owned())];
    let secrets = secrets.each_ref().map(|(name, secret)| (*name, secret.as_str()));
    let world = World::start(catalog(&json!({"push": push})), &secrets).await;
    let message = json!({"device_token": ["one", "two"], "data": {"order": "7", "name": "Ada"}});
    let sent = world.result("order:shipped", json!({"push_notification": message})).await;
    let id = |number: u32| json!({"provider": "fcm", "id": format!("projects/shop/messages/{number}")});
    assert_eq!(sent["channels"]["push"], json!([id(1), id(2)]), "{sent}");

    let form: BTreeMap<_, _> = target.only("/token").form().into_iter().collect();
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[&token_uri]);
    validation.set_issuer(&["push@shop.iam.gserviceaccount.com"]);
    validation.set_required_spec_claims(&["exp", "aud", "iss"]);
    let public = DecodingKey::from_rsa_pem(key.public_key_pem().as_bytes()).unwrap();
    let assertion =
        jsonwebtoken::decode::<Value>(&form["assertion"], &public, &validation).expect("its own key signed it");
    assert_eq!(assertion.header.kid.as_deref(), Some("key-7"));
    assert_eq!(assertion.claims["scope"], "https://www.googleapis.com/auth/firebase.messaging");
    let lasts = assertion.claims["exp"].as_i64().unwrap() - assertion.claims["iat"].as_i64().unwrap();
    assert_eq!(lasts, 3_600);

    let messages = target.seen_at("/v1/projects/shop/messages:send");
    assert_eq!((messages.len(), target.seen().len()), (2, 3), "{messages:?}");
    for (message, device) in messages.iter().zip(["one", "two"]) {
        let headers = ["authorization", "content-type"].map(|name| message.header(name));
        assert_eq!(headers, ["Bearer canary-of-access", "application/json"]);
        // FCM takes texts alone.
        let data = json!({"kind": "order", "n": "1", "order": "7", "name": "Ada"});
        let notification = json!({"title": "Order 7", "body": "Hi Ada"});
        assert_eq!(message.json(), json!({"message": {"token": device, "notification": notification, "data": data}}));
    }
    // Another job goes by the same token.
    let message = json!({"device_token": "three", "title": "t", "body": "b"});
    let sent = world.result("order", json!({"push_notification": message})).await;
    assert_eq!((&sent["channels"]["push"], target.seen_at("/token").len()), (&id(3), 1), "{sent}");
}
