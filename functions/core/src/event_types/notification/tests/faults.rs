//! Inputs that are wrong, and values that try to leave their place.

use proptest::prelude::*;

use super::*;
use FieldCode::{Conflict, Malformed, OutOfRange, Required, UnknownField, UnknownTag, WrongType};

fn faults(env: &str, input: &Value) -> Vec<(String, FieldCode)> {
    let faults = sent(env, input).unwrap_err();
    faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
}

fn named(faults: &[(&str, FieldCode)]) -> Vec<(String, FieldCode)> {
    faults.iter().map(|(pointer, code)| ((*pointer).to_owned(), *code)).collect()
}

#[test]
fn every_fault_of_every_channel_is_named_at_once() {
    let input = json!({
        "slug": "shipped",
        "push_notification": {"title": 7, "data": {"order": {}, "count": [], "all": 1}, "devise_token": "x"},
        "email": {"to": ["a@example.com", "b@"], "reply_to": "x", "subject": "a\r\nBcc: b@example.com", "data": {}},
        "sms": {"to": "0612345678"},
        "callback": {"query": [], "headers": {"host": "x"}, "data": {"name": "x"}},
        "fax": {},
    });
    let expected = [
        ("/push_notification/device_token", Required),
        ("/push_notification/title", WrongType),
        ("/push_notification/data/count", WrongType),
        ("/push_notification/devise_token", UnknownField),
        ("/email/to/1", Malformed),
        ("/email/reply_to", Malformed),
        ("/email/subject", Malformed),
        ("/email/data/name", Required),
        ("/sms/to", Malformed),
        ("/sms/data/name", Required),
        ("/callback/query", WrongType),
        ("/callback/headers/host", Malformed),
        ("/callback/data/order", Required),
        ("/callback/data/order/number", Required),
        ("/fax", UnknownField),
    ];
    assert_eq!(faults("dev", &input), named(&expected));
}

#[test]
fn what_is_neither_given_nor_in_a_message_is_asked_for() {
    let input = json!({"push_notification": {"device_token": TOKEN}, "email": {"to": "a@example.com"},
        "sms": {"to": "+31612345678"}, "callback": {}});
    let expected = [
        ("/push_notification/title", Required),
        ("/push_notification/body", Required),
        ("/email/subject", Required),
        ("/email/text", Required),
        ("/sms/body", Required),
        ("/callback/body", Required),
    ];
    assert_eq!(faults("dev", &input), named(&expected));
    // A name inside of one that is missing is missing too.
    let input =
        json!({"slug": "shipped", "push_notification": {"device_token": TOKEN, "data": {"count": 1, "all": 1}}});
    assert_eq!(faults("dev", &input), named(&[("/push_notification/data/order/number", Required)]));
}

#[test]
fn every_other_fault_has_its_place() {
    let push = |member: &str, value: Value| {
        let mut push = json!({"device_token": TOKEN, "title": "t", "body": "b"});
        push[member] = value;
        json!({"push_notification": push})
    };
    let email = |member: &str, value: Value| {
        let mut email = json!({"to": "a@example.com", "subject": "s", "text": "t"});
        email[member] = value;
        json!({"email": email})
    };
    let sms = |member: &str, value: Value| {
        let mut sms = json!({"to": "+31612345678", "body": "b"});
        sms[member] = value;
        json!({"sms": sms})
    };
    let many = |count: usize| json!(vec!["a@example.com"; count]);
    let line = |subject: &str| json!({"slug": "shipped", "email": {"to": "a@example.com", "data": {"name": subject}}});
    for (env, input, pointer, code) in [
        ("dev", json!([]), "", WrongType),
        ("dev", json!({}), "", Required),
        ("dev", json!({"slug": "shipped"}), "", Required),
        ("dev", json!({"slug": "shiped", "email": {}}), "/slug", UnknownTag),
        ("dev", json!({"slug": 7, "email": {}}), "/slug", WrongType),
        ("dev", json!({"locale": "en_GB", "email": {}}), "/locale", Malformed),
        ("bare", email("to", json!("a@example.com")), "/email", UnknownTag),
        ("dev", push("device_token", json!([])), "/push_notification/device_token", OutOfRange),
        ("dev", push("device_token", json!(vec![TOKEN; 101])), "/push_notification/device_token", OutOfRange),
        ("prd", push("device_token", json!(vec!["t"; 11])), "/push_notification/device_token", OutOfRange),
        ("dev", push("device_token", json!("")), "/push_notification/device_token", Malformed),
        ("dev", push("device_token", json!(["a", "b c"])), "/push_notification/device_token/1", Malformed),
        ("dev", push("device_token", json!("ExponentPushToken[x")), "/push_notification/device_token", Malformed),
        ("dev", push("device_token", json!("ExpoPushToken[]")), "/push_notification/device_token", Malformed),
        ("dev", push("body", json!("x".repeat(4_080))), "/push_notification", OutOfRange),
        ("dev", push("body", json!({})), "/push_notification/body", OutOfRange),
        ("dev", push("data", json!([])), "/push_notification/data", WrongType),
        ("prd", push("data", json!({"google.x": 1})), "/push_notification/data/google.x", Malformed),
        ("prd", push("data", json!({"from": 1})), "/push_notification/data/from", Malformed),
        ("dev", email("to", json!({})), "/email/to", WrongType),
        ("dev", email("to", many(51)), "/email/to", OutOfRange),
        ("dev", email("cc", many(50)), "/email", OutOfRange),
        ("dev", email("to", json!("a@example.com, b@example.com")), "/email/to", Malformed),
        ("dev", email("bcc", json!("a@example.com\r\nX: y")), "/email/bcc", Malformed),
        ("dev", email("to", json!("Ada <a@example.com>")), "/email/to", Malformed),
        ("dev", email("subject", json!("x".repeat(501))), "/email/subject", Malformed),
        ("dev", email("subject", json!("\u{85}")), "/email/subject", Malformed),
        ("dev", line("a\nb"), "/email/data", Malformed),
        ("dev", sms("body", json!("x".repeat(1_601))), "/sms/body", OutOfRange),
        ("dev", sms("to", json!(vec!["+31612345678"; 11])), "/sms/to", OutOfRange),
        ("dev", sms("to", json!("+0612345678")), "/sms/to", Malformed),
        ("dev", sms("to", json!("+31 6 12345678")), "/sms/to", Malformed),
        ("dev", sms("from", json!("+1")), "/sms/from", UnknownField),
    ] {
        assert_eq!(faults(env, &input), named(&[(pointer, code)]), "{input}");
    }
    let input = json!({"slug": "shipped", "sms": {"to": "+31612345678", "data": {"name": "x".repeat(1_600)}}});
    assert_eq!(faults("dev", &input), named(&[("/sms/data", OutOfRange)]));
    let other = json!({"slug": "other", "email": {}});
    let found = sent_as(&document(), "orders:shipped", "dev", &other).unwrap_err();
    assert_eq!((found[0].pointer.as_str(), found[0].code, found.len()), ("/slug", Conflict, 1));
}

#[test]
fn a_short_template_cannot_make_a_long_message() {
    let mut document = document();
    let message = &mut document["notifications"]["orders"]["messages"]["shipped"];
    message["email"]["html"] = json!("{{name}}".repeat(8_000));
    message["callback"] = json!(vec!["{{name}}"; 8_000]);
    for channel in ["email", "callback"] {
        let mut input = json!({"slug": "shipped"});
        input[channel] = json!({"data": {"name": "x".repeat(100_000)}});
        if channel == "email" {
            (input["email"]["to"], input["email"]["subject"]) = (json!("a@example.com"), json!("s"));
        }
        let found = sent_as(&document, "orders", "dev", &input).unwrap_err();
        assert_eq!((found[0].pointer.clone(), found[0].code), (format!("/{channel}/data"), OutOfRange));
    }
}

#[test]
fn a_catalog_with_channels_or_templates_that_cannot_work_is_refused() {
    let mut document = document();
    let notification = &mut document["notifications"]["orders"];
    notification["envs"]["prd"] = json!({
        "push": {"provider": "fcm", "url": "https://fcm.example.com/?q=1"},
        "email": {"provider": "smtp", "from": "Shop\r\nBcc: x <a@example.com>", "username": "u"},
        "sms": {"provider": "sns", "url": "https://sns.example.com"},
    });
    notification["envs"]["bare"] = json!({
        "push": {"provider": "fcm"},
        "email": {"provider": "smtp", "from": "a@example.com", "username": "u"},
        "sms": {"provider": "twilio", "account_sid": "../x"},
    });
    let found = |document: &Value| -> Vec<(String, FieldCode)> {
        let faults = Catalog::from_document(document).unwrap_err();
        faults.into_iter().map(|fault| (fault.pointer.replace("/notifications/orders", ""), fault.code)).collect()
    };
    // An unreadable member is not checked further.
    let read = [
        ("/envs/bare/sms/account_sid", Malformed),
        ("/envs/prd/push/url", Malformed),
        ("/envs/prd/email/from", Malformed),
    ];
    assert_eq!(found(&document), named(&read));
    let envs = &mut document["notifications"]["orders"]["envs"];
    envs["bare"]["sms"]["account_sid"] = json!("AC1");
    envs["prd"]["push"]["url"] = json!("https://fcm.example.com/");
    envs["prd"]["email"]["from"] = json!("a@example.com");
    let message = &mut document["notifications"]["orders"]["messages"]["shipped"];
    message["push"]["title"]["nl"] = json!("{{");
    message["email"] = json!({"subject": "{{#if x}}"});
    message["sms"] = json!("{{a..b}}");
    message["callback"] = json!({"a/b": ["x", "{{ }}"]});
    let checked = [
        ("/envs/bare/push/service_account", Required),
        ("/envs/bare/email/host", Required),
        ("/envs/bare/sms/from", Required),
        ("/envs/bare/sms/auth_token", Required),
        ("/envs/bare/email", Conflict),
        ("/envs/prd/push/service_account", Required),
        ("/envs/prd/email/host", Required),
        ("/envs/prd/email", Conflict),
        ("/envs/prd/sms/url", Conflict),
        ("/messages/shipped/push/title/nl", Malformed),
        ("/messages/shipped/email", Required),
        ("/messages/shipped/email/subject", Malformed),
        ("/messages/shipped/sms", Malformed),
        ("/messages/shipped/callback/a~1b/1", Malformed),
    ];
    assert_eq!(found(&document), named(&checked));
}

proptest! {
    #[test]
    fn no_value_ends_a_line_of_a_message_or_leaves_its_form(name in any::<String>(), to in any::<String>()) {
        let input = json!({"slug": "shipped", "email": {"to": [to, "a@example.com"], "data": {"name": name}}});
        if let Ok(channels) = sent("dev", &input) {
            let Email { to, subject, .. } = email(channels[0].request.clone());
            prop_assert!(to.iter().all(|to| to.bytes().all(|byte| byte.is_ascii_graphic())) && !to[0].contains(','));
            prop_assert!(!subject.chars().any(char::is_control));
        }
        let input = json!({"sms": {"to": "+31612345678", "body": name}});
        if let Ok(channels) = sent("dev", &input) {
            let form: Vec<_> = url::form_urlencoded::parse(&http(&channels[0].request).body).collect();
            let names: Vec<_> = form.iter().map(|(name, _)| name.as_ref()).collect();
            prop_assert_eq!(names, ["To", "From", "Body"]);
            prop_assert_eq!(form[2].1.as_ref(), name);
        }
    }
}
