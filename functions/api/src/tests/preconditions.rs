//! Catalogs with entity tags.

use serde_json::json;

use super::client::{Api, Reply, shop};

const PATH: &str = "/v1/products/shop";

async fn put(api: &Api, headers: &[(&str, &str)]) -> Reply {
    api.send("PUT", PATH, headers, shop().to_string()).await
}

async fn etag(api: &Api) -> String {
    api.get(PATH).await.ok(200).header("etag").unwrap().to_owned()
}

#[tokio::test]
async fn a_catalog_is_published_read_and_removed() {
    let api = Api::new();
    api.send("DELETE", PATH, &[], "").await.ok(204);
    api.get(PATH).await.is(404, "not_found");
    api.send("DELETE", PATH, &[], "").await.is(404, "not_found");
    let created = put(&api, &[]).await.ok(201);
    let tag = created.header("etag").unwrap().to_owned();
    assert_eq!(created.json, json!({"product_tag": "shop", "revision": tag.trim_matches('"')}));
    assert!(tag.starts_with('"') && tag.ends_with('"'), "a strong tag: {tag}");
    let read = api.get(PATH).await.ok(200);
    assert_eq!((read.header("etag"), &read.json), (Some(tag.as_str()), &shop()));
    assert_eq!(put(&api, &[]).await.ok(200).header("etag"), Some(tag.as_str()), "the same content");
    let other = api.send("PUT", PATH, &[], r#"{"envs": ["dev"]}"#).await.ok(200);
    assert_ne!(other.header("etag"), Some(tag.as_str()));
}

#[tokio::test]
async fn changes_keep_to_their_preconditions() {
    let api = Api::new();
    let tag = etag(&api).await;
    let (weak, among, empties) = (format!("W/{tag}"), format!("\"a,b\", W/\"x\" , {tag}"), format!(", {tag},,\"y\" ,"));
    let stored: [(&[(&str, &str)], u16); 14] = [
        (&[], 200),
        (&[("if-match", &tag)], 200),
        (&[("if-match", "*")], 200),
        (&[("if-match", " * ")], 200),
        (&[("if-match", &among)], 200),
        (&[("if-match", &empties)], 200),
        (&[("if-match", "\"x\""), ("if-match", &tag)], 200),
        (&[("if-match", "\"x\"")], 412),
        (&[("if-match", "\"*\"")], 412),
        (&[("if-match", "\"\"")], 412),
        (&[("if-match", &weak)], 412),
        (&[("if-none-match", "*")], 412),
        (&[("if-match", &tag), ("if-none-match", "*")], 412),
        (&[("if-match", "*"), ("if-none-match", "*")], 412),
    ];
    for (headers, status) in stored {
        assert_eq!(put(&api, headers).await.status, status, "{headers:?} with something stored");
    }
    api.send("DELETE", PATH, &[("if-match", "\"x\"")], "").await.is(412, "precondition_failed");
    api.send("DELETE", PATH, &[("if-none-match", "*")], "").await.is(412, "precondition_failed");
    api.send("DELETE", PATH, &[("if-match", &weak)], "").await.is(412, "precondition_failed");
    api.send("DELETE", PATH, &[("if-match", &among)], "").await.ok(204);
    // A request that is a 404 anyway has no precondition (RFC 9110, 13.2.1).
    api.send("DELETE", PATH, &[("if-match", "*")], "").await.is(404, "not_found");
    let absent: [(&[(&str, &str)], u16); 5] = [
        (&[("if-match", "*")], 412),
        (&[("if-match", &tag)], 412),
        (&[("if-match", &weak)], 412),
        (&[("if-match", "*"), ("if-none-match", "*")], 412),
        (&[("if-none-match", "*")], 201),
    ];
    for (headers, status) in absent {
        assert_eq!(put(&api, headers).await.status, status, "{headers:?} with nothing stored");
    }
}

#[tokio::test]
async fn a_precondition_that_cannot_be_read_is_not_passed_over() {
    let api = Api::new();
    let tag = etag(&api).await;
    let unquoted = tag.trim_matches('"').to_owned();
    let glued = format!("{tag}{tag}");
    for value in ["", ",", &unquoted, "\"open", "*, \"x\"", "w/\"x\"", "\"a b\"", &glued] {
        let reply = put(&api, &[("if-match", value)]).await.is(422, "invalid_request");
        assert_eq!(reply.pointers(), ["header:If-Match"], "{value:?}");
    }
    let reply = put(&api, &[("if-none-match", "nonsense")]).await.is(422, "invalid_request");
    assert_eq!(reply.pointers(), ["header:If-None-Match"]);
    let reply = put(&api, &[("if-none-match", &tag)]).await.is(422, "not_available");
    assert_eq!(reply.pointers(), ["header:If-None-Match"]);
    assert_eq!(etag(&api).await, tag);
}

#[tokio::test]
async fn who_has_the_catalog_already_is_told_so() {
    let api = Api::new();
    let tag = etag(&api).await;
    let (weak, among) = (format!("W/{tag}"), format!("\"x\", {tag}"));
    let cases: [(&[(&str, &str)], u16); 10] = [
        (&[("if-none-match", &tag)], 304),
        (&[("if-none-match", "*")], 304),
        (&[("if-none-match", &among)], 304),
        // Weak comparison (RFC 9110, 13.1.2).
        (&[("if-none-match", &weak)], 304),
        (&[("if-none-match", "\"x\"")], 200),
        (&[("if-none-match", "nonsense")], 200),
        (&[("if-match", &tag)], 200),
        (&[("if-match", "*")], 200),
        (&[("if-match", &weak)], 412),
        (&[("if-match", "\"x\""), ("if-none-match", &tag)], 412),
    ];
    for method in ["GET", "HEAD"] {
        for (headers, status) in cases {
            let reply = api.send(method, PATH, headers, "").await;
            assert_eq!(reply.status, status, "{method} {headers:?}");
            if status < 400 {
                assert_eq!(reply.header("etag"), Some(tag.as_str()));
            }
        }
    }
}

#[tokio::test]
async fn a_bad_catalog_is_refused_with_every_fault_and_changes_nothing() {
    let api = Api::new();
    let tag = etag(&api).await;
    let bad = json!({"envs": ["prd"], "caches": {"c": {"expiry": 0}}, "jobs": {"j": {"event": "nowhere"}}, "x": 1});
    let reply = api.send("PUT", PATH, &[], bad.to_string()).await.is(422, "invalid_request");
    assert_eq!(reply.pointers(), ["/caches/c/expiry", "/x", "/jobs/j/event"]);
    assert_eq!(etag(&api).await, tag);
}

#[tokio::test]
async fn a_product_needs_a_tag_for_a_name() {
    let api = Api::new();
    let wide = super::client::key("*", &["*"], &[carillon_core::access::Scope::CatalogWrite]);
    api.world.admit("car_wide", wide);
    let reply = api.with_key(Some("car_wide")).send("PUT", "/v1/products/.x", &[], "{}").await;
    assert_eq!(reply.is(422, "invalid_request").pointers(), ["path:product_tag"]);
}
