//! Requests to a real server on the loopback interface: what is sent, what is kept, what is cut off.

use super::{Trap, allow, get, serve, silent_port};
use crate::{Outbound, SendError};
use axum::Router;
use axum::body::Body;
use axum::routing;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::convert::Infallible;
use std::error::Error;
use std::future::pending;
use std::io;
use std::time::Duration;

fn outbound() -> Outbound {
    Outbound::new(allow(&["127.0.0.1"]))
}

/// Serves one route, and gives its URL.
async fn url_of(route: routing::MethodRouter) -> String {
    format!("http://{}/", serve(Router::new().route("/", route)).await)
}

/// A server that writes these bytes to each connection, and closes it.
async fn url_of_raw(answer: &'static [u8]) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            // The request is read first: closing a socket with unread bytes resets it, and takes the answer along.
            connection.readable().await.unwrap();
            while connection.try_read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
            connection.writable().await.unwrap();
            assert_eq!(connection.try_write(answer).unwrap(), answer.len());
        }
    });
    url
}

#[tokio::test]
async fn a_redirect_to_the_metadata_service_is_returned_and_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let status = StatusCode::from_u16(status).unwrap();
        let target = "http://169.254.169.254/latest/meta-data/";
        let url = url_of(routing::get(move || async move { (status, [(header::LOCATION, target)], "moved") })).await;
        let answer = outbound().send(get(&url)).await.unwrap();
        assert_eq!(answer.status, status);
        assert_eq!(answer.headers[header::LOCATION], target);
        assert_eq!(answer.body, "moved");
    }
}

#[tokio::test]
async fn a_redirect_to_an_open_address_is_not_followed_either() {
    let trap = Trap::set();
    let target = format!("http://127.0.0.1:{}/", trap.port());
    let url = url_of(routing::get(move || async move { (StatusCode::FOUND, [(header::LOCATION, target)]) })).await;
    assert_eq!(outbound().send(get(&url)).await.unwrap().status, StatusCode::FOUND);
    assert!(!trap.was_dialled());
}

/// The environment belongs to the whole process, so this test runs in a process of its own.
#[test]
fn a_proxy_in_the_environment_is_not_used() {
    let trap = Trap::set();
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("{module}::an_error_status_is_an_answer")]);
    for variable in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        child.env(variable, format!("http://127.0.0.1:{}", trap.port()));
    }
    let output = child.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
    assert!(!trap.was_dialled());
}

#[tokio::test]
async fn an_error_status_is_an_answer() {
    let url = url_of(routing::get(|| async { (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "7")]) })).await;
    let answer = outbound().send(get(&url)).await.unwrap();
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers[header::RETRY_AFTER], "7");
}

#[tokio::test]
async fn method_headers_and_body_arrive_as_given() {
    let echo = routing::put(|headers: HeaderMap, body: Bytes| async move { (headers, body) });
    let mut request = get(&url_of(echo).await);
    request.method = Method::PUT;
    request.headers.insert("webhook-id", HeaderValue::from_static("fire-1"));
    request.headers.append("x-twice", HeaderValue::from_static("a"));
    request.headers.append("x-twice", HeaderValue::from_static("b"));
    request.body = Bytes::from_static(b"{\"n\":1}");
    let answer = outbound().send(request).await.unwrap();
    assert_eq!(answer.body, "{\"n\":1}");
    assert_eq!(answer.headers["webhook-id"], "fire-1");
    assert_eq!(answer.headers.get_all("x-twice").iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(answer.headers[header::USER_AGENT], concat!("carillon/", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn the_callers_user_agent_wins_and_its_connection_fields_are_not_sent() {
    let echo = routing::post(|headers: HeaderMap| async move {
        format!("{}|{}", headers[header::USER_AGENT].to_str().unwrap(), headers[header::HOST].to_str().unwrap())
    });
    let url = url_of(echo).await;
    let mut request = get(&url);
    request.method = Method::POST;
    request.body = Bytes::from_static(b"four");
    for (field, value) in [
        ("user-agent", "mine/1"),
        ("host", "metadata.internal"),
        ("content-length", "9999"),
        ("transfer-encoding", "chunked"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
    ] {
        request.headers.insert(field, HeaderValue::from_static(value));
    }
    let answer = outbound().send(request).await.unwrap();
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    assert_eq!(answer.body, format!("mine/1|{host}"));
}

#[tokio::test]
async fn an_empty_post_announces_its_empty_body() {
    let echo = |headers: HeaderMap| async move { format!("{:?}", headers.get(header::CONTENT_LENGTH)) };
    let url = url_of(routing::post(echo).get(echo)).await;
    let mut request = get(&url);
    assert_eq!(outbound().send(request.clone()).await.unwrap().body, "None");
    request.method = Method::POST;
    assert_eq!(outbound().send(request).await.unwrap().body, "Some(\"0\")");
}

#[tokio::test]
async fn a_body_is_kept_up_to_the_cap_and_no_further() {
    let url = url_of(routing::get(|| async { "0123456789" })).await;
    // cap, kept, truncated
    let cases = [(11, "0123456789", false), (10, "0123456789", false), (9, "012345678", true), (0, "", true)];
    for (cap, kept, truncated) in cases {
        let mut request = get(&url);
        request.max_response_bytes = cap;
        let answer = outbound().send(request).await.unwrap();
        assert_eq!((answer.body.as_ref(), answer.truncated), (kept.as_bytes(), truncated), "cap {cap}");
    }
}

#[tokio::test]
async fn reading_an_endless_body_stops_at_the_cap() {
    let endless = || stream::repeat(Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 1000])));
    let mut request = get(&url_of(routing::get(move || async move { Body::from_stream(endless()) })).await);
    request.max_response_bytes = 123_456;
    let answer = outbound().send(request).await.unwrap();
    assert_eq!((answer.body.len(), answer.truncated), (123_456, true));
}

#[tokio::test]
async fn headers_that_do_not_come_end_with_the_deadline() {
    let mut request = get(&url_of(routing::get(pending::<&str>)).await);
    request.timeout = Duration::from_millis(300);
    assert_timeout(request).await;
}

#[tokio::test]
async fn a_body_that_stalls_ends_with_the_deadline() {
    let stalls = || stream::iter([Ok::<_, Infallible>("some")]).chain(stream::pending());
    let mut request = get(&url_of(routing::get(move || async move { Body::from_stream(stalls()) })).await);
    request.timeout = Duration::from_millis(300);
    assert_timeout(request).await;
}

async fn assert_timeout(request: crate::Request) {
    match tokio::time::timeout(super::PATIENT, outbound().send(request)).await.expect("the deadline holds") {
        Err(SendError::Timeout { host, timeout }) => {
            assert_eq!((host.as_str(), timeout), ("127.0.0.1", Duration::from_millis(300)));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_a_connect_error_with_its_cause() {
    let (_held, port) = silent_port();
    let error = outbound().send(get(&format!("http://127.0.0.1:{port}/"))).await.unwrap_err();
    assert!(matches!(error, SendError::Connect { .. }), "{error:?}");
    let cause = chain(&error).find_map(|error| error.downcast_ref::<io::Error>()).unwrap();
    assert_eq!(cause.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_failed_tls_handshake_is_a_connect_error() {
    let url = url_of_raw(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.replace("http:", "https:");
    let error = outbound().send(get(&url)).await.unwrap_err();
    assert!(matches!(error, SendError::Connect { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_is_not_http_or_breaks_off_is_a_protocol_error() {
    for answer in
        [b"220 smtp.example.com ESMTP\r\n\r\n".as_slice(), b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"]
    {
        let error = outbound().send(get(&url_of_raw(answer).await)).await.unwrap_err();
        assert!(matches!(error, SendError::Protocol { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn no_error_shows_the_requests_query_headers_or_body() {
    let stalls = url_of(routing::get(pending::<&str>)).await;
    let broken = url_of_raw(b"nonsense").await;
    let (_held, port) = silent_port();
    let refused = format!("http://127.0.0.1:{port}/");
    let bases = [stalls.as_str(), &broken, &refused, "http://10.0.0.1/", "http://s3cret:s3cret@example.com/"];
    for base in bases {
        let mut request = get(&format!("{base}s3cret?token=s3cret"));
        request.url.set_path("/");
        request.headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer s3cret"));
        request.body = Bytes::from_static(b"s3cret");
        request.timeout = Duration::from_millis(500);
        let error = outbound().send(request).await.unwrap_err();
        for shown in chain(&error).map(|error| format!("{error} {error:?}")) {
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }
}

#[tokio::test]
async fn errors_read_as_sentences_about_the_host() {
    let error = outbound().send(get("http://10.0.0.1/a?b=c")).await.unwrap_err();
    assert_eq!(error.to_string(), "the target \"10.0.0.1\" is refused: private");
    let (_held, port) = silent_port();
    let error = outbound().send(get(&format!("http://127.0.0.1:{port}/a?b=c"))).await.unwrap_err();
    assert_eq!(error.to_string(), "no connection to \"127.0.0.1\" could be opened");
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
