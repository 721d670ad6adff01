//! Messages as they are sent, replies as they are read. A real server stands in tests/tests/mail.rs.

use carillon_core::ids::Fire;
use carillon_core::ports::Targets as _;
use carillon_outbound::AllowList;
use carillon_outbound::secrets::EnvSecrets;
use proptest::prelude::*;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::targets::tests::{Moved, call, channel};
use crate::targets::{NoAws, Providers};

fn id() -> DispatchId {
    let fire: Fire = "job_01HF7YAT00000000000000000Z_g1_r1".parse().unwrap();
    DispatchId { fire, place: "email".to_owned(), message: None }
}

fn email() -> Email {
    Email {
        from: "Café <shop@example.com>".to_owned(),
        to: vec!["a@example.com".to_owned(), "b@example.com".to_owned()],
        cc: vec!["c@example.com".to_owned()],
        bcc: vec!["hidden@example.com".to_owned()],
        reply_to: Some("help@example.com".to_owned()),
        subject: "Grüße".to_owned(),
        text: Some("Hi é\n.\nbye".to_owned()),
        html: Some("<p>é</p>".to_owned()),
    }
}

fn formatted(email: &Email) -> (Message, String) {
    let message_id = message_id(&id(), &email.from).unwrap();
    let message = message(email, &message_id, UnixMillis(1_800_000_000_000)).unwrap();
    let text = String::from_utf8(message.formatted()).unwrap();
    (message, text)
}

#[test]
fn a_message_is_the_same_in_every_attempt_and_hides_whom_it_hides() {
    let (message, text) = formatted(&email());
    assert_eq!(text, formatted(&email()).1);
    let headers: Vec<&str> = text.split("\r\n\r\n").next().unwrap().split("\r\n").collect();
    for line in [
        "Message-ID: <job_01HF7YAT00000000000000000Z_g1_r1_email@example.com>",
        "Date: Fri, 15 Jan 2027 08:00:00 +0000",
        "To: a@example.com, b@example.com",
        "Cc: c@example.com",
        "Reply-To: help@example.com",
        "MIME-Version: 1.0",
    ] {
        assert!(headers.contains(&line), "{line} is missing in {headers:#?}");
    }
    assert!(headers.iter().any(|line| line.starts_with("Subject: =?utf-8?")), "{headers:#?}");
    assert!(
        headers.iter().any(|line| line.starts_with("From: =?utf-8?") && line.ends_with(" <shop@example.com>")),
        "{headers:#?}"
    );
    assert!(!text.contains("hidden@example.com") && text.is_ascii());
    let recipients: Vec<_> = message.envelope().to().iter().map(ToString::to_string).collect();
    assert_eq!(recipients, ["a@example.com", "b@example.com", "c@example.com", "hidden@example.com"]);
}

proptest! {
    #[test]
    fn nothing_that_is_said_becomes_a_header(subject in any::<String>(), text in any::<String>(), name in any::<String>()) {
        let from = format!("{name} <shop@example.com>");
        let email = Email { from, subject, text: Some(text), html: None, ..email() };
        if Sender::parse(&email.from).is_some() {
            let (_, text) = formatted(&email);
            let (headers, _) = text.split_once("\r\n\r\n").unwrap();
            let own: Vec<&str> = headers.split("\r\n").filter(|line| !line.starts_with([' ', '\t'])).collect();
            let names: Vec<&str> = own.iter().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
            let known = ["Message-ID", "Date", "From", "Subject", "Reply-To", "To", "Cc", "Content-Type", "Content-Transfer-Encoding", "MIME-Version"];
            prop_assert!(own.len() == names.len() && names.iter().all(|name| known.contains(name)), "{}", headers);
        }
    }
}

/// The error of a server that greets with these bytes.
async fn greeted(greeting: &'static [u8]) -> RunError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { listener.accept().await.unwrap().0.write_all(greeting).await.unwrap() });
    let name = ClientId::Domain("example.com".to_owned());
    let connected = AsyncSmtpConnection::connect_tokio1(address, None, &name, None, None).await;
    server.await.unwrap();
    refused(&connected.err().unwrap(), "without a reply")
}

#[tokio::test]
async fn replies_become_codes_and_are_not_repeated() {
    for (greeting, code, retryable) in [
        (b"421 <a@example.com>\r\n", codes::SERVICE_UNAVAILABLE, true),
        (b"450 <a@example.com>\r\n", codes::SERVICE_UNAVAILABLE, true),
        (b"451 <a@example.com>\r\n", codes::SERVICE_UNAVAILABLE, true),
        (b"452 <a@example.com>\r\n", codes::RATE_LIMITED, true),
        (b"454 <a@example.com>\r\n", codes::SERVICE_UNAVAILABLE, true),
        (b"521 <a@example.com>\r\n", codes::NOT_FOUND, false),
        (b"530 <a@example.com>\r\n", codes::UNAUTHORIZED, false),
        (b"534 <a@example.com>\r\n", codes::UNAUTHORIZED, false),
        (b"535 <a@example.com>\r\n", codes::UNAUTHORIZED, false),
        (b"538 <a@example.com>\r\n", codes::UNAUTHORIZED, false),
        (b"550 <a@example.com>\r\n", codes::NOT_FOUND, false),
        (b"551 <a@example.com>\r\n", codes::NOT_FOUND, false),
        (b"552 <a@example.com>\r\n", codes::VALIDATION_ERROR, false),
        (b"553 <a@example.com>\r\n", codes::VALIDATION_ERROR, false),
        (b"554 <a@example.com>\r\n", codes::VALIDATION_ERROR, false),
        (b"556 <a@example.com>\r\n", codes::NOT_FOUND, false),
    ] {
        let error = greeted(greeting).await;
        let number = String::from_utf8_lossy(&greeting[..3]);
        assert_eq!((error.code.as_str(), error.retryable), (code, retryable), "{number}");
        assert_eq!(error.message, format!("the mail server answered {number}"));
    }
    for greeting in [b"HTTP/1.1 400\r\n".as_slice(), b""] {
        let error = greeted(greeting).await;
        assert_eq!((error.code.as_str(), error.retryable), (codes::CONNECTION_ERROR, true));
        assert_eq!(error.message, "without a reply");
    }
}

/// Takes one message, and answers nothing to QUIT. Gives the last that it was told before the client left.
async fn takes_and_stalls(stream: TcpStream) -> String {
    let (reader, mut writer) = stream.into_split();
    let (mut reader, mut line, mut is_data) = (BufReader::new(reader), String::new(), false);
    writer.write_all(b"220 mail\r\n").await.unwrap();
    loop {
        line.clear();
        reader.read_line(&mut line).await.unwrap();
        let answer = match line.trim_end() {
            "QUIT" => {
                assert_eq!(reader.read(&mut [0]).await.unwrap_or(0), 0, "something comes after QUIT");
                return line;
            }
            "." => "250 2.0.0 queued",
            "DATA" => "354 go on",
            _ if is_data => continue,
            _ => "250 OK",
        };
        is_data = answer.starts_with("354");
        writer.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn what_the_server_took_is_sent_though_it_never_says_good_bye() {
    let soon = Duration::from_secs(20);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { takes_and_stalls(listener.accept().await.unwrap().0).await });
    let name = ClientId::Domain("example.com".to_owned());
    let connection = AsyncSmtpConnection::connect_tokio1(address, None, &name, None, None).await.unwrap();
    let (message, _) = formatted(&email());
    let handed = timeout(soon, hand_over(connection, None, &message, "<m@example.com>")).await;
    let output = handed.expect("nobody waits for the good-bye").unwrap();
    assert_eq!(output.value, json!({"message_id": "<m@example.com>", "response": "2.0.0 queued"}));
    // The server is left alone soon after.
    assert_eq!(timeout(soon, server).await.expect("the connection ends").unwrap(), "QUIT\r\n");
}

#[tokio::test]
async fn no_mail_server_is_dialled_that_may_not_be() {
    for (host, allow) in [
        ("127.0.0.1", "127.0.0.1:1"),
        ("localhost", "localhost:1"),
        ("169.254.169.254", "127.0.0.1"),
        ("127.1", "10.0.0.0/8"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let place =
            serde_json::json!({"email": {"provider": "smtp", "from": "a@example.com", "host": host, "port": port}});
        let input = serde_json::json!({"email": {"to": "b@example.com", "subject": "s", "text": "t"}});
        let allow = AllowList::parse(&[allow.to_owned()]).unwrap();
        let targets = Providers::new(Outbound::new(allow), EnvSecrets::default(), Moved::default(), NoAws);
        let error = targets.dispatch(call(&channel(&place, &input))).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (codes::TARGET_REFUSED, false), "{host}");
    }
}
