//! The encryption of connections.

use carillon_tests::postgres::{Authority, Server};
use serde_json::json;

use super::World;

const STATEMENT: (&str, &str) = ("ssl", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");

async fn encrypted(server: &Server, url: &str, root: &str) -> bool {
    let world = World::with(server, url, root, &["localhost"], &[STATEMENT]).await;
    world.result("ssl", &json!({})).await["rows"][0]["ssl"].as_bool().unwrap()
}

async fn refused(server: &Server, url: &str, root: &str) -> String {
    let world = World::with(server, url, root, &["localhost"], &[STATEMENT]).await;
    let (code, message) = world.error("ssl", &json!({})).await;
    assert_eq!(code, "CONNECTION_ERROR", "{message}");
    message
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_has_to_show_a_certificate_that_is_trusted_for_its_host() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = Server::start(Some(&authority)).await;
    for mode in ["", "sslmode=require", "sslmode=verify-ca", "sslmode=verify-full", "sslmode=prefer"] {
        assert!(encrypted(&server, &server.url(mode), &authority.pem).await, "{mode}");
    }
    assert!(!encrypted(&server, &server.url("sslmode=disable"), &authority.pem).await);
    assert!(encrypted(&server, &server.url("sslmode=require&channel_binding=require"), &authority.pem).await);
    let both = format!("{}{}", stranger.pem, authority.pem);
    assert!(encrypted(&server, &server.url("sslmode=require"), &both).await);
    let elsewhere = server.url("sslmode=require").replace("127.0.0.1", "localhost");
    for (url, root) in [
        (server.url("sslmode=require"), ""),
        (server.url("sslmode=prefer"), ""),
        (server.url("sslmode=require"), stranger.pem.as_str()),
        (elsewhere, authority.pem.as_str()),
    ] {
        let message = refused(&server, &url, root).await;
        assert!(message.contains("is not one that is trusted"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_is_used_only_where_the_url_allows_it() {
    let server = Server::start(None).await;
    for mode in ["sslmode=disable", "sslmode=prefer"] {
        assert!(!encrypted(&server, &server.url(mode), "").await, "{mode}");
    }
    for mode in ["", "sslmode=require"] {
        let message = refused(&server, &server.url(mode), "").await;
        assert!(message.contains("offers no TLS"), "{message}");
    }
}
