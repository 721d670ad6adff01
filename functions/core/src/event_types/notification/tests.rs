//! The requests of the channels, as tables.

mod faults;
mod outcomes;

use std::cell::RefCell;
use std::sync::LazyLock;

use http::header;
use serde_json::json;

use super::*;
use crate::catalog::{Auth, Catalog, EventRef, SecretStoreKind, SmtpTls, Target};
use crate::error::{Faults, FieldError};
use crate::request::{AwsRequest, Capabilities, Email, HttpRequest};

/// A notification with every channel in four environments, which differ by their providers.
fn document() -> Value {
    let secret = "env:SECRET";
    let callback = json!({"url": "https://hooks.example.com/in?tenant=1", "headers": {"x-from": "catalog", "x-own": "1"},
        "auth": {"bearer": secret}, "signing_secrets": [secret]});
    let smtp = json!({"provider": "smtp", "from": "Café <shop@example.com>", "reply_to": "help@example.com",
        "host": "smtp.example.com", "username": "svc", "password": secret});
    let twilio =
        json!({"provider": "twilio", "from": "+15550100", "account_sid": "AC0123456789abcdef", "auth_token": secret});
    json!({
        "envs": ["dev", "prd", "bare"],
        "notifications": {"orders": {
            "envs": {
                "dev": {"push": {"provider": "expo", "access_token": secret}, "email": smtp, "sms": twilio, "callback": callback},
                "prd": {
                    "push": {"provider": "fcm", "service_account": secret},
                    "email": {"provider": "ses", "from": "Café <shop@example.com>"},
                    "sms": {"provider": "sns", "from": "Shop"},
                },
                "bare": {"push": {"provider": "expo"}},
            },
            "messages": {"shipped": {
                "push": {"title": {"en": "Order {{ order.number }}", "nl": "Bestelling {{order.number}}"},
                         "body": "Hi {{name}}, {{count}} of {{all}}", "data": {"kind": "order", "name": "you"}},
                "email": {"subject": {"en": "Shipped: {{name}}", "pt": "Enviado: {{name}}"},
                          "text": "Hi {{name}}", "html": "<p title=\"{{name}}\">Hi {{name}}</p>"},
                "sms": {"de": "Hallo {{name}}", "fr": "Bonjour {{name}}"},
                "callback": {"order": "{{order}}", "text": ["Hi {{name}}", 7, null], "{{key}}": "{{order.number}}"},
            }},
        }},
    })
}

fn sent(env: &str, input: &Value) -> Result<Vec<Channel>, Vec<FieldError>> {
    static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::from_document(&document()).unwrap());
    sent_by(&CATALOG, "orders", env, input)
}

fn sent_as(document: &Value, event: &str, env: &str, input: &Value) -> Result<Vec<Channel>, Vec<FieldError>> {
    sent_by(&Catalog::from_document(document).unwrap(), event, env, input)
}

fn sent_by(catalog: &Catalog, event: &str, env: &str, input: &Value) -> Result<Vec<Channel>, Vec<FieldError>> {
    let target = catalog.resolve(EventRef { event, event_type: None, app: None }).unwrap();
    let Target::Notification(NotificationEvent { notification, message }) = target else { panic!("{target:?}") };
    let faults = RefCell::<Faults>::default();
    let channels = channels(notification, message, env, &Field::root(input, &faults));
    let faults = faults.into_inner().into_vec();
    if faults.is_empty() { Ok(channels.unwrap()) } else { Err(faults) }
}

fn one(env: &str, input: &Value) -> Request {
    let mut channels = sent(env, input).unwrap();
    assert_eq!(channels.len(), 1, "{channels:?}");
    channels.remove(0).request
}

fn http(request: &Request) -> &HttpRequest {
    request.http().unwrap_or_else(|| panic!("{request:?} does not go over HTTP"))
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&http(request).body).unwrap()
}

fn email(request: Request) -> Email {
    match request {
        Request::Mail(request) => request.email,
        Request::Aws(AwsRequest::SendEmail(email)) => email,
        other => panic!("{other:?} is no e-mail"),
    }
}

const TOKEN: &str = "ExponentPushToken[xxxxxxxxxxxxxxxxxxxxxx]";

#[test]
fn the_contracts_own_example_asks_for_one_push_message() {
    let mut document = document();
    document["notifications"]["send_notification"] = json!({
        "envs": {"prd": {"push": {"provider": "expo"}}},
        "messages": {"order_update": {"push": {"title": {"en": "{{title}}"}, "body": {"en": "{{body}}"}}}},
    });
    let input = json!({
        "slug": "order_update",
        "push_notification": {
            "title": {"en": "Order Shipped"},
            "body": {"en": "Your order #12345 has been shipped!"},
            "data": {"trackingId": "XYZ987"},
            "device_token": "abcdef123456"
        }
    });
    let [channel] = sent_as(&document, "send_notification", "prd", &input).unwrap().try_into().unwrap();
    assert_eq!((channel.place().as_str(), channel.provider.word()), ("push", "expo"));
    let expected = json!({"to": ["abcdef123456"], "title": "Order Shipped",
        "body": "Your order #12345 has been shipped!", "data": {"trackingId": "XYZ987"}});
    assert_eq!(body(&channel.request), expected);
    let request = http(&channel.request);
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "https://exp.host/--/api/v2/push/send"));
    assert!(request.auth.is_none());
}

#[test]
fn channels_are_sent_in_a_fixed_order_and_receivers_of_their_own_have_a_place_of_their_own() {
    let everything = json!({
        "slug": "shipped",
        "callback": {"data": {"order": {"number": 7}, "name": "Ada"}},
        "sms": {"to": ["+31612345678", "+31612345679"], "body": "Hi"},
        "email": {"to": "a@example.com", "data": {"name": "Ada"}},
        "push_notification": {"device_token": [TOKEN, "fcm"], "title": "t", "body": "b"},
    });
    let places = |env: &str, input: &Value| -> Vec<(String, &str)> {
        sent(env, input).unwrap().iter().map(|channel| (channel.place(), channel.provider.word())).collect()
    };
    let named = |places: &[(&str, &'static str)]| -> Vec<(String, &'static str)> {
        places.iter().map(|(place, provider)| ((*place).to_owned(), *provider)).collect()
    };
    let expected =
        [("push", "expo"), ("email", "smtp"), ("sms_0", "twilio"), ("sms_1", "twilio"), ("callback", "http")];
    assert_eq!(places("dev", &everything), named(&expected));
    let mut everything = everything;
    everything.as_object_mut().unwrap().remove("callback");
    let expected = [("push_0", "fcm"), ("push_1", "fcm"), ("email", "ses"), ("sms_0", "sns"), ("sms_1", "sns")];
    assert_eq!(places("prd", &everything), named(&expected));
    // The event's tag may name the message, and the slug say it once more.
    let input = json!({"slug": "shipped", "email": {"to": "a@example.com", "data": {"name": "Ada"}}});
    assert_eq!(sent_as(&document(), "orders:shipped", "prd", &input).unwrap().len(), 1);
    let input = json!({"email": {"to": "a@example.com", "data": {"name": "Ada"}}});
    assert_eq!(sent_as(&document(), "orders:shipped", "prd", &input).unwrap().len(), 1);
}

#[test]
fn templates_are_filled_in_the_wanted_language_and_escaped_where_they_are_html() {
    let mail = |locale: &str, name: Value| {
        let input =
            json!({"slug": "shipped", "locale": locale, "email": {"to": "a@example.com", "data": {"name": name}}});
        let Email { subject, text, html, .. } = email(one("dev", &input));
        (subject, text.unwrap(), html.unwrap())
    };
    let escaped = "<p title=\"&lt;b&gt;&amp;&quot;&#39;{{x}}\">Hi &lt;b&gt;&amp;&quot;&#39;{{x}}</p>".to_owned();
    let hostile = "<b>&\"'{{x}}";
    assert_eq!(mail("pt-BR", json!(hostile)), (format!("Enviado: {hostile}"), format!("Hi {hostile}"), escaped));
    for (locale, subject) in
        [("pt", "Enviado: 7"), ("PT-br", "Enviado: 7"), ("en-GB", "Shipped: 7"), ("zh-Hant-TW", "Shipped: 7")]
    {
        assert_eq!(mail(locale, json!(7)).0, subject, "{locale}");
    }
    for (locale, text) in [("fr-CA", "Bonjour true"), ("it", "Hallo true")] {
        let input = json!({"slug": "shipped", "locale": locale, "sms": {"to": "+31612345678", "data": {"name": true}}});
        let Request::Aws(AwsRequest::SendSms { text: said, .. }) = one("prd", &input) else { panic!("no SMS") };
        assert_eq!(said, text, "{locale}");
    }
    let push = json!({"slug": "shipped", "locale": "nl-NL", "push_notification": {"device_token": TOKEN,
        "data": {"order": {"number": "N7"}, "count": 1, "all": 2.5}}});
    // The message's texts yield to the input's.
    let data = json!({"kind": "order", "name": "you", "order": {"number": "N7"}, "count": 1, "all": 2.5});
    let expected = json!({"to": [TOKEN], "title": "Bestelling N7", "body": "Hi you, 1 of 2.5", "data": data});
    assert_eq!(body(&one("dev", &push)), expected);
}

#[test]
fn what_the_input_gives_is_sent_as_it_is_and_takes_the_messages_place() {
    let input =
        json!({"slug": "shipped", "email": {"to": "a@example.com", "subject": {"en": "{{name}}"}, "text": "{{name}}"}});
    let Email { subject, text, html, .. } = email(one("dev", &input));
    assert_eq!((subject.as_str(), text.as_deref(), html), ("{{name}}", Some("{{name}}"), None));
    let input = json!({"email": {"to": "a@example.com", "subject": "s", "html": {"nl": "<p>x</p>"}}});
    let Email { text, html, .. } = email(one("dev", &input));
    assert_eq!((text, html.as_deref()), (None, Some("<p>x</p>")));
    let input = json!({"push_notification": {"device_token": TOKEN, "title": "{{t}}", "body": {"de": "{{b}}"}}});
    assert_eq!(body(&one("dev", &input)), json!({"to": [TOKEN], "title": "{{t}}", "body": "{{b}}"}));
}

#[test]
fn an_email_goes_to_all_from_the_channels_sender() {
    let to = json!({"to": ["a@example.com", "b@example.com"], "cc": "c@example.com", "bcc": ["d@example.com"],
        "subject": "s", "text": "t"});
    let mut expected = Email {
        from: "Café <shop@example.com>".to_owned(),
        to: vec!["a@example.com".to_owned(), "b@example.com".to_owned()],
        cc: vec!["c@example.com".to_owned()],
        bcc: vec!["d@example.com".to_owned()],
        reply_to: Some("help@example.com".to_owned()),
        subject: "s".to_owned(),
        text: Some("t".to_owned()),
        html: None,
    };
    let Request::Mail(request) = one("dev", &json!({"email": to.clone()})) else { panic!("not SMTP") };
    assert_eq!(request.email, expected);
    assert_eq!((request.host.as_str(), request.port, request.tls), ("smtp.example.com", None, SmtpTls::StartTls));
    let (user, password) = request.credentials.unwrap();
    assert_eq!((user.as_str(), password.to_string().as_str()), ("svc", "env:SECRET"));
    let mut to = to;
    to["reply_to"] = json!("else@example.com");
    // SES takes a sender as the header has it.
    expected.from = "=?UTF-8?B?Q2Fmw6k=?= <shop@example.com>".to_owned();
    expected.reply_to = Some("else@example.com".to_owned());
    assert_eq!(email(one("prd", &json!({"email": to}))), expected);
}

#[test]
fn each_provider_is_asked_in_its_own_words() {
    let sms = json!({"sms": {"to": "+31612345678", "body": "Hi & bye\n€"}});
    let request = one("dev", &sms);
    let request = http(&request);
    assert_eq!(request.url.as_str(), "https://api.twilio.com/2010-04-01/Accounts/AC0123456789abcdef/Messages.json");
    assert_eq!(request.body, b"To=%2B31612345678&From=%2B15550100&Body=Hi+%26+bye%0A%E2%82%AC");
    let Some(Auth::Basic(basic)) = &request.auth else { panic!("{request:?}") };
    assert_eq!(basic.username, "AC0123456789abcdef");
    let expected = AwsRequest::SendSms {
        phone_number: "+31612345678".to_owned(),
        text: "Hi & bye\n€".to_owned(),
        sender: Some("Shop".to_owned()),
    };
    assert!(matches!(one("prd", &sms), Request::Aws(request) if request == expected));
    let data = json!({"n": 7, "o": {"a": [1]}, "t": "x"});
    let push = json!({"push_notification": {"device_token": "abc:def", "title": "t", "body": "b", "data": data}});
    let Request::Fcm(request) = one("prd", &push) else { panic!("not FCM") };
    let message = json!({"token": "abc:def", "notification": {"title": "t", "body": "b"},
        "data": {"n": "7", "o": "{\"a\":[1]}", "t": "x"}});
    assert_eq!((request.message, request.url), (message, None));
    assert_eq!(request.service_account.store, SecretStoreKind::Env);
}

#[test]
fn a_service_may_stand_elsewhere() {
    let mut document = document();
    let channels = &mut document["notifications"]["orders"]["envs"];
    channels["dev"]["push"]["url"] = json!("http://127.0.0.1:9/expo/");
    channels["dev"]["sms"]["url"] = json!("http://127.0.0.1:9");
    channels["prd"]["push"]["url"] = json!("http://127.0.0.1:9/fcm");
    let push = json!({"push_notification": {"device_token": "t", "title": "t", "body": "b"}});
    let sms = json!({"sms": {"to": "+31612345678", "body": "b"}});
    let url = |input: &Value| {
        let channels = sent_as(&document, "orders", "dev", input).unwrap();
        http(&channels[0].request).url.to_string()
    };
    assert_eq!(url(&push), "http://127.0.0.1:9/expo/--/api/v2/push/send");
    assert_eq!(url(&sms), "http://127.0.0.1:9/2010-04-01/Accounts/AC0123456789abcdef/Messages.json");
    let channels = sent_as(&document, "orders", "prd", &push).unwrap();
    let Request::Fcm(request) = &channels[0].request else { panic!("not FCM") };
    assert_eq!(request.url.as_ref().unwrap().as_str(), "http://127.0.0.1:9/fcm");
}

#[test]
fn a_callback_posts_its_body_with_the_inputs_headers_first() {
    let input = json!({"slug": "shipped", "callback": {"query": {"q": ["1", "2"]}, "headers": {"X-From": "input"},
        "data": {"order": {"number": 7}, "name": "<b>"}}});
    let request = one("dev", &input);
    let expected = json!({"order": {"number": 7}, "text": ["Hi <b>", 7, null], "{{key}}": 7});
    assert_eq!(body(&request), expected, "a name alone becomes the value as it is, and names of members stay");
    let request = http(&request);
    assert_eq!(request.url.as_str(), "https://hooks.example.com/in?tenant=1&q=1&q=2");
    let header = |name: &str| {
        let found: Vec<_> = request.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0].to_str().unwrap().to_owned()
    };
    assert_eq!((header("x-from"), header("x-own")), ("input".to_owned(), "1".to_owned()));
    assert_eq!(header(header::CONTENT_TYPE.as_str()), "application/json");
    assert!(matches!(request.auth, Some(Auth::Bearer(_))) && request.signing_secrets.0.len() == 1);
    let input = json!({"slug": "shipped", "callback": {"body": "{{name}}"}});
    assert_eq!(body(&one("dev", &input)), json!("{{name}}"));
}

#[test]
fn what_a_deployment_cannot_do_is_said_of_the_channel_that_asks_for_it() {
    let capabilities = Capabilities { secret_stores: &[SecretStoreKind::Env], aws: Err("no AWS") };
    let reasons = |change: &dyn Fn(&mut Value), env: &str, input: Value| {
        let mut document = document();
        change(&mut document["notifications"]["orders"]["envs"]);
        let catalog = Catalog::from_document(&document).unwrap();
        let target = catalog.resolve(EventRef { event: "orders", event_type: None, app: None }).unwrap();
        let resolved = crate::event_types::ResolvedEvent::of(&catalog, target).unwrap();
        let lacks = resolved.lacks(env, Some(&input), capabilities);
        lacks.into_iter().map(|lack| (lack.member.unwrap(), lack.reason)).collect::<Vec<_>>()
    };
    let all = json!({"push_notification": {}, "email": {}, "sms": {}, "callback": {}});
    assert_eq!(reasons(&|_| {}, "dev", all.clone()), Vec::new());
    let members = reasons(&|_| {}, "prd", all.clone());
    let words = ["email", "sms"].map(|name| {
        (
            name,
            format!(
                "Amazon {} cannot be reached by this deployment: no AWS",
                if name == "sms" { "SNS" } else { "SES" }
            ),
        )
    });
    assert_eq!(members, words);
    assert_eq!(reasons(&|_| {}, "prd", json!({"push_notification": {}})), Vec::new());
    for (member, channel, name) in
        [("push_notification", "push", "access_token"), ("email", "email", "password"), ("sms", "sms", "auth_token")]
    {
        let change = |envs: &mut Value| envs["dev"][channel][name] = json!("ssm:/secret");
        let reason = "the secret ssm:/secret cannot be fetched by this deployment: no AWS".to_owned();
        assert_eq!(reasons(&change, "dev", all.clone()), [(member, reason)]);
    }
    let change = |envs: &mut Value| envs["dev"]["callback"]["signing_secrets"] = json!(["ssm:/secret"]);
    assert_eq!(reasons(&change, "dev", all.clone())[0].0, "callback");
}
