use std::time::Duration;

use carillon_core::catalog::SecretRef;
use carillon_core::job::codes;
use carillon_core::request::Bound;
use carillon_core::time::UnixMillis;
use carillon_outbound::AllowList;
use carillon_outbound::secrets::EnvSecrets;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

#[derive(Clone)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_700_000_000_000)
    }
}

/// Runs a statement with this URL, with these addresses allowed.
async fn performed(url: &str, allow: &[&str], root_certificate: Option<&str>) -> RunError {
    let allow = AllowList::parse(&allow.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    let variables = [("DB", Some(url)), ("CA", root_certificate)];
    let variables = variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    let postgres = Postgres::new(Outbound::new(allow), EnvSecrets::new(variables), Fixed);
    let request = SqlRequest {
        url: SecretRef::parse("env:DB").unwrap(),
        root_certificate: root_certificate.and_then(|_| SecretRef::parse("env:CA")),
        statement: "SELECT $1".to_owned(),
        parameters: vec![Bound::Text(Some("x".to_owned()))],
        max_rows: 1,
    };
    postgres.perform(Duration::from_secs(5), request).await.unwrap_err()
}

/// A server that answers the wish for TLS with these bytes and hangs up.
async fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 8];
            stream.read_exact(&mut asked).await.unwrap();
            stream.write_all(bytes).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn an_address_that_is_not_public_is_refused_before_anything_is_dialled() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in
        ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "10.0.0.1", "169.254.169.254", "a..b", "a b"]
    {
        let error = performed(&format!("postgresql://u:hidden@{host}:{port}/d?sslmode=disable"), &[], None).await;
        assert_eq!((error.code.as_str(), error.retryable), (codes::TARGET_REFUSED, false), "{host}: {}", error.message);
        assert!(!error.message.contains("hidden"), "{}", error.message);
    }
    let accepted = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(accepted.is_err(), "something was dialled");
}

#[tokio::test]
async fn a_secret_that_is_no_url_or_no_certificate_is_named_and_not_shown() {
    let error = performed("hidden", &[], None).await;
    assert_eq!((error.code.as_str(), error.retryable), (codes::SECRET_NOT_FOUND, false));
    assert!(error.message.contains("env:DB") && !error.message.contains("hidden"), "{}", error.message);
    let address = answering(b"S").await;
    for pem in ["hidden", "-----BEGIN CERTIFICATE-----\nhidden\n-----END CERTIFICATE-----\n"] {
        let error = performed(&format!("postgresql://u@{address}/d"), &[&address], Some(pem)).await;
        assert_eq!((error.code.as_str(), error.retryable), (codes::SECRET_NOT_FOUND, false));
        assert!(error.message.contains("env:CA") && !error.message.contains("hidden"), "{}", error.message);
    }
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_is_tried_again() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    for (address, mode, word) in [
        (free, "disable", "could be opened"),
        (answering(b"N").await, "require", "offers no TLS"),
        (answering(b"").await, "require", "broke off"),
        (answering(b"Snonsense").await, "require", "handshake"),
        (answering(b"N").await, "prefer", "broke off"),
        (answering(b"").await, "disable", "broke off"),
    ] {
        let error = performed(&format!("postgresql://u@{address}/d?sslmode={mode}"), &[&address], None).await;
        let found = (error.code.as_str(), error.retryable);
        assert_eq!(found, (codes::CONNECTION_ERROR, true), "{mode} {word}: {}", error.message);
        assert!(error.message.contains(word), "{mode} {word}: {}", error.message);
    }
}

#[test]
fn the_server_is_told_to_end_a_statement_shortly_before_the_time_is_over() {
    for (left, expected) in [(30_000, 29_500), (1_000, 900), (10, 9), (1, 1), (0, 1), (u64::MAX, i64::from(i32::MAX))] {
        assert_eq!(statement_timeout_ms(Duration::from_millis(left)), expected, "{left}");
    }
}
