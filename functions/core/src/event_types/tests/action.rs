//! The request of an app's action, piece by piece.

use serde_json::{Value, json};

use super::{action, catalog, faults, headers, named, unchanged, url};
use crate::error::FieldCode;
use crate::job::EventType;

#[test]
fn paths_are_joined_to_the_base_with_one_slash() {
    for (base, path, expected) in [
        ("https://a.example", "/users", "https://a.example/users"),
        ("https://a.example/", "/users", "https://a.example/users"),
        ("https://a.example/v1", "/users", "https://a.example/v1/users"),
        ("https://a.example/v1/", "/users", "https://a.example/v1/users"),
        ("https://a.example:8443/v1/x", "/", "https://a.example:8443/v1/x/"),
        ("https://a.example", "/", "https://a.example/"),
        ("https://a.example/v1", "/users/", "https://a.example/v1/users/"),
        ("https://a.example//v1//", "//users", "https://a.example//v1///users"),
        ("https://a.example/a%2Fb/%C3%A9", "/\u{e9}", "https://a.example/a%2Fb/%C3%A9/%C3%A9"),
    ] {
        assert_eq!(url(base, path, json!({})), expected, "{base} and {path}");
    }
}

#[test]
fn values_of_the_path_are_encoded_as_one_segment_each() {
    for (value, expected) in [
        (json!("plain-_.~!*'()"), "plain-_.~!*'()"),
        (json!("a/b"), "a%2Fb"),
        (json!("a?b#c"), "a%3Fb%23c"),
        (json!("100%"), "100%25"),
        (json!("%2e%2e"), "%252e%252e"),
        (json!("..%2f"), "..%252f"),
        (json!("a b"), "a%20b"),
        (json!("a+b&c=d;e:f@g,h$"), "a%2Bb%26c%3Dd%3Be%3Af%40g%2Ch%24"),
        (json!("caf\u{e9} \u{1f600}"), "caf%C3%A9%20%F0%9F%98%80"),
        (json!("//evil.example"), "%2F%2Fevil.example"),
        (json!("\\\\evil"), "%5C%5Cevil"),
        (json!(".\t."), ".%09."),
        (json!("\n..\r"), "%0A..%0D"),
        (json!("..."), "..."),
        (json!(7), "7"),
        (json!(-2.5), "-2.5"),
        (json!(true), "true"),
    ] {
        let made = url("https://a.example/v1/", "/users/:id/orders", json!({"params": {"id": value}}));
        assert_eq!(made, format!("https://a.example/v1/users/{expected}/orders"), "{value}");
    }
}

#[test]
fn parameters_of_the_path_are_all_given_and_no_others() {
    let catalog = catalog("https://a.example", "/users/:user_id/orders/:orderId", unchanged);
    let of = |params: Value| faults(&catalog, "call", EventType::Action, &json!({"params": params}));
    assert_eq!(of(json!({"user_id": "1", "orderId": 2})), []);
    assert_eq!(faults(&catalog, "call", EventType::Action, &json!({})), named([("/params", FieldCode::Required)]));
    let missing = named([("/params/orderId", FieldCode::Required), ("/params/user_id", FieldCode::Required)]);
    assert_eq!(of(json!({})), missing);
    assert_eq!(
        of(json!({"user_id": "..", "userId": "1", "a/b": "x"})),
        named([
            ("/params/a~1b", FieldCode::UnknownField),
            ("/params/userId", FieldCode::UnknownField),
            ("/params/user_id", FieldCode::Malformed),
            ("/params/orderId", FieldCode::Required),
        ])
    );
    for value in [json!(""), json!("."), json!("..")] {
        let malformed = named([("/params/user_id", FieldCode::Malformed)]);
        assert_eq!(of(json!({"user_id": value, "orderId": "1"})), malformed, "{value}");
    }
    for value in [json!(null), json!([]), json!({})] {
        let wrong = named([("/params/user_id", FieldCode::WrongType)]);
        assert_eq!(of(json!({"user_id": value, "orderId": "1"})), wrong, "{value}");
    }
}

#[test]
fn the_query_repeats_a_name_for_each_element_of_its_array() {
    let query = json!({"tag": ["a b", 2, true], "q": "x&y=z#\u{e9}", "none": [], "": "", "nl": "a\r\nb"});
    let expected = "https://a.example/?=&nl=a%0D%0Ab&q=x%26y%3Dz%23%C3%A9&tag=a+b&tag=2&tag=true";
    assert_eq!(url("https://a.example", "/", json!({"query": query})), expected);
    assert_eq!(url("https://a.example", "/", json!({"query": {}})), "https://a.example/");
    let catalog = catalog("https://a.example", "/", unchanged);
    let bad = json!({"query": {"a": [1, null, {}], "b": null}, "paths": {}});
    let expected = [
        ("/query/a/1", FieldCode::WrongType),
        ("/query/a/2", FieldCode::WrongType),
        ("/query/b", FieldCode::WrongType),
        ("/paths", FieldCode::UnknownField),
    ];
    assert_eq!(faults(&catalog, "call", EventType::Action, &bad), named(expected));
}

#[test]
fn headers_of_the_job_win_over_the_actions_and_these_over_the_apps() {
    let catalog = catalog("https://a.example", "/", |document| {
        let app = json!({"x-all": "app", "x-two": "app", "x-app": "app", "content-type": "application/vnd.shop+json"});
        document["apps"]["shop"]["envs"]["prd"]["headers"] = app;
        document["apps"]["shop"]["actions"]["call"]["headers"] = json!({"X-ALL": "action", "X-Two": "action"});
    });
    let request = action(&catalog, json!({"headers": {"X-All": "job"}, "body": 1}));
    let expected =
        [("content-type", "application/vnd.shop+json"), ("x-all", "job"), ("x-app", "app"), ("x-two", "action")];
    assert_eq!(headers(&request), expected);
    let of = |headers: Value| faults(&catalog, "call", EventType::Action, &json!({"headers": headers}));
    for value in ["a\r\nx-evil: 1", "a\nb", "\0", "\u{e9}"] {
        assert_eq!(of(json!({"x-shop": value})), named([("/headers/x-shop", FieldCode::Malformed)]), "{value:?}");
    }
    for name in ["Host", "Content-Length", "Transfer-Encoding", "webhook-id", "webhook-signature", "a b", "a\r\nb", ""]
    {
        assert_eq!(of(json!({name: "x"})), named([(&format!("/headers/{name}"), FieldCode::Malformed)]), "{name:?}");
    }
}

#[test]
fn the_body_is_sent_in_the_actions_format() {
    let with = |format: Option<&str>, input: Value| {
        let format = format.map(Value::from);
        let catalog = catalog("https://a.example", "/", |document| {
            if let Some(format) = format {
                document["apps"]["shop"]["actions"]["call"]["body"] = format;
            }
        });
        let request = action(&catalog, input);
        let content_type = headers(&request).first().map(|(_, value)| (*value).to_owned());
        (content_type.unwrap_or_default(), String::from_utf8(request.body).unwrap())
    };
    let sent = |content_type: &str, body: &str| (content_type.to_owned(), body.to_owned());
    let json_type = "application/json";
    let form_type = "application/x-www-form-urlencoded";
    assert_eq!(with(None, json!({})), sent("", ""), "no body, no type");
    assert_eq!(with(None, json!({"body": {"a": [1, null]}})), sent(json_type, r#"{"a":[1,null]}"#));
    assert_eq!(with(Some("json"), json!({"body": "x"})), sent(json_type, r#""x""#));
    assert_eq!(with(Some("json"), json!({"body": null})), sent(json_type, "null"));
    assert_eq!(
        with(Some("form"), json!({"body": {"a b": ["1&", true], "c": "\u{e9}"}})),
        sent(form_type, "a+b=1%26&a+b=true&c=%C3%A9")
    );
    assert_eq!(with(Some("text"), json!({"body": "h\u{e9}"})), sent("text/plain; charset=utf-8", "h\u{e9}"));
    let own = json!({"body": 1, "headers": {"content-type": "application/merge-patch+json"}});
    assert_eq!(with(None, own), sent("application/merge-patch+json", "1"), "the job's own type wins");
}

#[test]
fn a_body_that_does_not_fit_its_format_is_named() {
    for (format, body, expected) in [
        ("form", json!({"a": {}}), "/body/a"),
        ("form", json!("a=b"), "/body"),
        ("text", json!({}), "/body"),
        ("text", json!(7), "/body"),
    ] {
        let catalog = catalog("https://a.example", "/", |document| {
            document["apps"]["shop"]["actions"]["call"]["body"] = json!(format);
        });
        let found = faults(&catalog, "call", EventType::Action, &json!({"body": body}));
        assert_eq!(found, named([(expected, FieldCode::WrongType)]), "{format} {body}");
    }
}

#[test]
fn a_multipart_body_has_a_part_for_each_member_and_each_file() {
    let multipart = |document: &mut Value| document["apps"]["shop"]["actions"]["call"]["body"] = json!("multipart");
    let catalog = catalog("https://a.example", "/", multipart);
    let body = json!({
        "title": "Lamp", "price": 7.5, "tags": ["new", "red"],
        "photo\"\r\n": {"buffer": "AAEC/w==", "fileName": "a\"b\r\nc.png", "mimeType": "image/png"},
        "notes": [{"buffer": "aGk=", "fileName": "n.txt"}],
    });
    let request = action(&catalog, json!({"body": body, "headers": {"content-type": "text/plain"}}));
    let [(_, content_type)] = request.headers.iter().filter(|(name, _)| name == "content-type").collect::<Vec<_>>()[..]
    else {
        panic!("one Content-Type: {:?}", request.headers)
    };
    let boundary = content_type.to_str().unwrap().strip_prefix("multipart/form-data; boundary=").unwrap();
    let part = |head: &str, content: &[u8]| {
        [format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes(), content, b"\r\n"]
            .concat()
    };
    let expected = [
        part("name=\"notes\"; filename=\"n.txt\"\r\nContent-Type: application/octet-stream", b"hi"),
        part("name=\"photo%22%0D%0A\"; filename=\"a%22b%0D%0Ac.png\"\r\nContent-Type: image/png", &[0, 1, 2, 255]),
        part("name=\"price\"", b"7.5"),
        part("name=\"tags\"", b"new"),
        part("name=\"tags\"", b"red"),
        part("name=\"title\"", b"Lamp"),
        format!("--{boundary}--\r\n").into_bytes(),
    ];
    assert_eq!(String::from_utf8_lossy(&request.body), String::from_utf8_lossy(&expected.concat()));
    assert_eq!(request.body, expected.concat());

    let bad = json!({"a": {"buffer": "no base64", "fileName": "", "mimeType": "text/html\r\nx: y", "size": 1}, "b": [[1]], "c": null});
    let expected = [
        ("/body/a/buffer", FieldCode::Malformed),
        ("/body/a/fileName", FieldCode::OutOfRange),
        ("/body/a/mimeType", FieldCode::Malformed),
        ("/body/a/size", FieldCode::UnknownField),
        ("/body/b/0", FieldCode::WrongType),
        ("/body/c", FieldCode::WrongType),
    ];
    assert_eq!(faults(&catalog, "call", EventType::Action, &json!({"body": bad})), named(expected));
}
