//! Connections for what is not HTTP: the same rules.

use super::*;
use crate::{DialError, Outbound};

fn addresses(list: &[&str]) -> Step {
    Step::Addresses(list.iter().map(|address| address.parse().unwrap()).collect())
}

#[tokio::test]
async fn a_name_is_resolved_once_and_one_refused_address_refuses_it() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = Script::default()
        .name("open.example", &[addresses(&["127.0.0.1"]), addresses(&["10.0.0.1"])])
        .name("mixed.example", &[addresses(&["127.0.0.1", "10.0.0.1"])])
        .name("shut.example", &[addresses(&["169.254.169.254"])])
        .name("empty.example", &[addresses(&[])]);
    let allow = AllowList::parse(&[format!("127.0.0.1:{port}")]).unwrap();
    let outbound = Outbound::with_lookup(allow, script.clone());
    let stream = outbound.dial("open.example", port).await.unwrap();
    assert_eq!((stream.peer_addr().unwrap().port(), script.asked()), (port, 1));
    outbound.dial("127.0.0.1", port).await.unwrap();
    outbound.dial("0x7f000001", port).await.unwrap();
    for (host, port, word) in [
        ("open.example", port, "private"),
        ("mixed.example", port, "private"),
        ("shut.example", port, "link-local"),
        ("127.0.0.1", port.wrapping_add(1).max(1), "loopback"),
        ("::1", port, "loopback"),
        ("[::1]", port, "loopback"),
        ("a..example", port, "empty part"),
        ("not a host", port, "no host name"),
    ] {
        let error = outbound.dial(host, port).await.unwrap_err();
        assert!(matches!(&error, DialError::Refused { reason, .. } if reason.contains(word)), "{host}: {error:?}");
    }
    for host in ["empty.example", "unknown.example"] {
        let error = outbound.dial(host, port).await.unwrap_err();
        assert!(matches!(error, DialError::Unresolvable { .. }), "{host}: {error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_hangs_ends_with_the_time_for_a_connection() {
    let script = Script::default().name("slow.example", &[Step::NeverAnswers]);
    let error = Outbound::with_lookup(AllowList::default(), script).dial("slow.example", 5432).await.unwrap_err();
    assert!(matches!(error, DialError::Connect { .. }), "{error:?}");
}
