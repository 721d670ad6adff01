//! Values that try to leave their place in a request.

use http::header;
use proptest::prelude::*;
use serde_json::json;
use url::{Url, form_urlencoded};

use super::{catalog, http_request, spec, unchanged};
use crate::job::{EventType, codes};

/// Texts that an attacker would try, and any others.
fn hostile_text() -> impl Strategy<Value = String> {
    const PARTS: &[&str] = &[
        "..",
        ".",
        "%2e",
        "%2E",
        "%2f",
        "/",
        "\\",
        "\t",
        "\n",
        "\r",
        "//evil.example",
        "?",
        "#",
        "@",
        ":",
        ";",
        "%",
        "\u{2024}",
        "\u{ff0f}",
        "a",
    ];
    prop_oneof![
        any::<String>(),
        proptest::collection::vec(proptest::sample::select(PARTS), 1..6).prop_map(|parts| parts.concat()),
    ]
}

const BASES: &[&str] = &["https://a.example", "http://a.example:8080/v1/", "https://[::1]/a%2Fb//c"];

proptest! {
    #[test]
    fn no_value_leaves_its_place_in_the_address(
        first in hostile_text(), second in hostile_text(), name in hostile_text(), value in hostile_text(),
        base in proptest::sample::select(BASES),
    ) {
        let catalog = catalog(base, "/users/:first/:second/end", unchanged);
        let input = json!({"params": {"first": first, "second": second}, "query": {name.clone(): value.clone()}});
        let base = Url::parse(base).unwrap();
        match http_request(&catalog, &spec("call", EventType::Action, input)) {
            Ok(request) => {
                let url = request.url;
                prop_assert_eq!((url.scheme(), url.host(), url.port()), (base.scheme(), base.host(), base.port()));
                prop_assert_eq!((url.username(), url.password(), url.fragment()), ("", None, None));
                let prefix = format!("{}/users/", base.path().trim_end_matches('/'));
                prop_assert!(url.path().starts_with(&prefix) && url.path().ends_with("/end"), "{}", url);
                let segments: Vec<&str> = url.path()[prefix.len()..].split('/').collect();
                prop_assert_eq!(segments.len(), 3, "{}", url);
                // The receiver gets what was sent: each segment is read as a form's one value, and `+` and `&`, which
                // have a meaning only in forms, as themselves.
                let decode = |segment: &str| {
                    let value = segment.replace('+', "%2B").replace('&', "%26");
                    form_urlencoded::parse(format!("={value}").as_bytes()).next().unwrap().1.into_owned()
                };
                prop_assert_eq!((decode(segments[0]), decode(segments[1])), (first, second));
                prop_assert_eq!(url.query_pairs().collect::<Vec<_>>(), [(name.into(), value.into())]);
                prop_assert_eq!(Url::parse(url.as_str()).unwrap(), url);
            }
            Err(error) => {
                prop_assert_eq!(error.code, codes::VALIDATION_ERROR);
                prop_assert!([&first, &second].iter().any(|text| ["", ".", ".."].contains(&text.as_str())));
            }
        }
    }

    #[test]
    fn no_header_of_a_job_holds_a_line_break(name in hostile_text(), value in hostile_text()) {
        let catalog = catalog("https://a.example", "/", unchanged);
        if let Ok(request) = http_request(&catalog, &spec("call", EventType::Action, json!({"headers": {name: value}}))) {
            for (name, value) in &request.headers {
                prop_assert!(!name.as_str().starts_with("webhook-") && name != header::HOST);
                prop_assert!(value.as_bytes().iter().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e)));
            }
        }
    }
}
