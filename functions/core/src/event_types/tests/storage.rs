//! Files: what is taken, and what is refused by where it stands.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

fn storage(max_bytes: Option<u64>) -> Catalog {
    catalog("https://a.example", "/", |document| {
        document["storages"] =
            json!({"files": {"envs": {"prd": {"bucket": "b", "prefix": "in/", "region": "eu-west-1"}}}});
        if let Some(most) = max_bytes {
            document["storages"]["files"]["max_bytes"] = json!(most);
        }
    })
}

fn refused(catalog: &Catalog, input: &Value) -> Vec<(String, FieldCode)> {
    faults(catalog, "files", EventType::Storage, input)
}

fn of(catalog: &Catalog, input: Value) -> Request {
    let spec = spec("files", EventType::Storage, input);
    asked_for(&ResolvedEvent::of_job(catalog, &spec).unwrap(), &spec).unwrap()
}

/// The key, the media type and the content of a file that is given.
fn put(request: Request) -> (String, String, Vec<u8>) {
    match request {
        Request::Aws(AwsRequest::PutObject { bucket, region, key, content_type, content }) => {
            assert_eq!((bucket.as_str(), region.as_deref()), ("b", Some("eu-west-1")));
            (key, content_type, content)
        }
        other => panic!("{other:?} puts no object"),
    }
}

#[test]
fn a_file_is_what_its_base64_says_under_the_storages_prefix() {
    let catalog = storage(None);
    for (input, key, content_type, content) in [
        (json!({"buffer": "aGk=", "fileName": "a/hello.txt"}), "in/a/hello.txt", "text/plain", b"hi".as_slice()),
        (json!({"buffer": "aGk", "fileName": "x.unknown"}), "in/x.unknown", "application/octet-stream", b"hi"),
        (json!({"buffer": "", "fileName": "x", "mimeType": "image/png"}), "in/x", "image/png", b""),
        (json!({"buffer": "++//", "fileName": "x.json"}), "in/x.json", "application/json", &[0xfb, 0xef, 0xff]),
    ] {
        assert_eq!(put(of(&catalog, input)), (key.to_owned(), content_type.to_owned(), content.to_vec()));
    }
}

#[test]
fn what_is_no_file_is_named_by_its_pointer() {
    let catalog = storage(None);
    for (input, expected) in [
        (json!({}), named([("/buffer", FieldCode::Required), ("/fileName", FieldCode::Required)])),
        (json!({"buffer": "", "url": "https://a.example", "fileName": "x"}), named([("/url", FieldCode::Conflict)])),
        (json!({"url": "ftp://a.example/x", "fileName": "x"}), named([("/url", FieldCode::Malformed)])),
        (json!({"buffer": 7, "fileName": "x"}), named([("/buffer", FieldCode::WrongType)])),
        (json!({"buffer": "", "fileName": "x", "size": 1}), named([("/size", FieldCode::UnknownField)])),
        (json!({"buffer": "", "fileName": "x", "mimeType": "png"}), named([("/mimeType", FieldCode::Malformed)])),
        (
            json!({"buffer": "", "fileName": "x", "mimeType": "a/b\r\nc: d"}),
            named([("/mimeType", FieldCode::Malformed)]),
        ),
    ] {
        assert_eq!(refused(&catalog, &input), expected, "{input}");
    }
    for base64 in ["no base64", "aGk-", "a_k=", "a", "aGk==", "=aGk", "aGk=\n", "aGl=", "é"] {
        let input = json!({"buffer": base64, "fileName": "x"});
        assert_eq!(refused(&catalog, &input), named([("/buffer", FieldCode::Malformed)]), "{base64:?}");
    }
}

#[test]
fn a_name_stays_under_the_prefix_and_within_what_s3_takes() {
    let catalog = storage(None);
    let of_length = |length| "x".repeat(length);
    for name in ["a", "...", "a/.b/c..", "a b+ü&=?.txt", &of_length(1_024), &"é".repeat(512)] {
        assert_eq!(put(of(&catalog, json!({"buffer": "", "fileName": name}))).0, format!("in/{name}"));
    }
    for name in [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/./b",
        "a\0",
        "a\nb",
        "\u{7f}",
        &of_length(1_025),
        &"é".repeat(513),
    ] {
        let input = json!({"buffer": "", "fileName": name});
        assert_eq!(refused(&catalog, &input), named([("/fileName", FieldCode::Malformed)]), "{name:?}");
    }
}

#[test]
fn a_file_has_as_many_bytes_as_its_storage_says_and_not_one_more() {
    for (most, own) in [(1, Some(1)), (4, Some(4)), (5, Some(5)), (6_291_456, None)] {
        let catalog = storage(own);
        let input = |length: usize| json!({"buffer": STANDARD.encode(vec![b'x'; length]), "fileName": "x"});
        assert_eq!(put(of(&catalog, input(most))).2.len(), most);
        assert_eq!(refused(&catalog, &input(most + 1)), named([("/buffer", FieldCode::OutOfRange)]), "{most}");
        match of(&catalog, json!({"url": "https://a.example/x?y=1", "fileName": "x.png"})) {
            Request::Transfer(transfer) => {
                assert_eq!((transfer.most_bytes, transfer.from.url.as_str()), (most, "https://a.example/x?y=1"));
                let into = put(Request::Aws(transfer.into));
                assert_eq!(into, ("in/x.png".to_owned(), "image/png".to_owned(), Vec::new()));
            }
            other => panic!("{other:?} fetches nothing"),
        }
    }
}
