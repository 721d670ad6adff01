//! From the name to the socket: what was vetted is what is dialled.

use super::{PATIENT, Script, Step, Trap, addresses, allow, get, reason, serve};
use crate::resolver::VettingResolver;
use crate::{AllowList, Outbound, SendError};
use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing;
use http::header;
use reqwest::dns::{Name, Resolve};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn a_public_name_is_dialled_at_exactly_its_addresses_in_their_order() {
    let lookup =
        Script::default().name("public.example", &[addresses(&["93.184.215.14", "2606:4700::1111", "1.1.1.1"])]);
    let resolver = VettingResolver { lookup: Arc::new(lookup), allow: Arc::new(AllowList::default()), port: None };
    let name: Name = "public.example".parse().unwrap();
    let dialled: Vec<IpAddr> = resolver.resolve(name).await.unwrap().map(|address| address.ip()).collect();
    assert_eq!(dialled, ["93.184.215.14", "2606:4700::1111", "1.1.1.1"].map(|ip| ip.parse::<IpAddr>().unwrap()));
}

/// The loopback address plays the public one of the attack: it is allowed here, and the second answer is not.
#[tokio::test]
async fn a_rebinding_resolver_is_asked_once_per_dial_and_its_second_answer_is_vetted_too() {
    let closing = routing::get(|| async { ([(header::CONNECTION, "close")], "vetted") });
    let server = serve(Router::new().route("/", closing)).await;
    let script = Script::default().name("rebind.example", &[addresses(&["127.0.0.1"]), addresses(&["10.0.0.1"])]);
    let outbound = Outbound::with_lookup(allow(&["127.0.0.1"]), script.clone());
    let url = format!("http://rebind.example:{}/", server.port());

    let answer = outbound.send(get(&url)).await.unwrap();
    assert_eq!(answer.body, "vetted", "a second lookup before the dial would have led to 10.0.0.1");
    assert_eq!(script.asked(), 1);

    assert_eq!(reason(outbound.send(get(&url)).await), "private");
    assert_eq!(script.asked(), 2);
}

#[tokio::test]
async fn a_pooled_connection_is_used_again_without_a_lookup_that_counts() {
    let peer = routing::get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() });
    let router = Router::new().route("/", peer).into_make_service_with_connect_info::<SocketAddr>();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    // The second lookup never ends, so only the pooled connection can carry the second request.
    let script = Script::default().name("pooled.example", &[addresses(&["127.0.0.1"]), Step::NeverAnswers]);
    let outbound = Outbound::with_lookup(allow(&["pooled.example"]), script);
    let url = format!("http://pooled.example:{port}/");

    let first = outbound.send(get(&url)).await.unwrap();
    let second = outbound.clone().send(get(&url)).await.unwrap();
    assert_eq!(first.body, second.body, "both came over one connection");
}

#[tokio::test]
async fn loopback_is_open_only_with_an_entry_for_it_and_its_port() {
    let server = serve(Router::new().route("/", routing::get(|| async { "open" }))).await;
    let port = server.port();
    let script = Script::default().name("local.example", &[addresses(&["127.0.0.1"])]);
    let other = if port == 9 { 10 } else { 9 };
    // entries, opened as an address, opened by name
    let cases = [
        (vec![], false, false),
        (vec!["127.0.0.1".to_owned()], true, true),
        (vec![format!("127.0.0.1:{port}")], true, true),
        (vec![format!("127.0.0.1:{other}")], false, false),
        (vec![format!("127.0.0.0/8:{port}")], true, true),
        (vec![format!("127.0.0.0/8:{other}")], false, false),
        (vec![format!("127.0.0.1:{other}"), format!("127.0.0.0/8:{port}")], true, true),
        (vec!["local.example".to_owned()], false, true),
        (vec![format!("local.example:{port}")], false, true),
        (vec![format!("local.example:{other}")], false, false),
        (vec!["other.example".to_owned()], false, false),
    ];
    for (entries, by_address, by_name) in cases {
        let outbound = Outbound::with_lookup(AllowList::parse(&entries).unwrap(), script.clone());
        for (host, opened) in [("127.0.0.1", by_address), ("local.example", by_name)] {
            let result = outbound.send(get(&format!("http://{host}:{port}/"))).await;
            if opened {
                assert_eq!(result.unwrap().body, "open", "{entries:?} for {host}");
            } else {
                assert_eq!(reason(result), "loopback", "{entries:?} for {host}");
            }
        }
    }
}

#[tokio::test]
async fn an_open_port_of_a_name_opens_none_of_its_other_ports() {
    let server = serve(Router::new().route("/", routing::get(|| async { "open" }))).await;
    let trap = Trap::set();
    let script = Script::default().name("local.example", &[addresses(&["127.0.0.1"])]);
    let outbound = Outbound::with_lookup(allow(&[&format!("127.0.0.1:{}", server.port())]), script);
    let open = format!("http://local.example:{}/", server.port());
    let shut = format!("http://local.example:{}/", trap.port());
    for _ in 0..10 {
        let (open, shut) = tokio::join!(outbound.send(get(&open)), outbound.send(get(&shut)));
        assert_eq!(open.unwrap().body, "open");
        assert_eq!(reason(shut), "loopback");
    }
    assert!(!trap.was_dialled());
}

#[tokio::test]
async fn a_refused_target_is_not_dialled() {
    let trap = Trap::set();
    let script = Script::default().name("local.example", &[addresses(&["127.0.0.1"])]);
    let outbound = Outbound::with_lookup(AllowList::default(), script);
    for host in ["127.0.0.1", "local.example"] {
        assert_eq!(reason(outbound.send(get(&format!("http://{host}:{}/", trap.port()))).await), "loopback");
    }
    assert!(!trap.was_dialled());
}

#[tokio::test]
async fn the_systems_resolver_finds_localhost_and_the_guard_refuses_it() {
    let outbound = Outbound::new(AllowList::default());
    for url in ["http://localhost/", "https://localhost:8443/"] {
        assert_eq!(reason(outbound.send(get(url)).await), "loopback");
    }
}

#[tokio::test]
async fn a_name_without_an_address_is_unresolvable() {
    let script = Script::default().name("fails.example", &[Step::Fails]).name("empty.example", &[addresses(&[])]);
    let outbound = Outbound::with_lookup(AllowList::default(), script);
    for (url, host) in [("http://fails.example/", "fails.example"), ("https://empty.example/", "empty.example")] {
        match outbound.send(get(url)).await {
            Err(SendError::Unresolvable { host: named, .. }) => assert_eq!(named, host),
            other => panic!("{url}: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_hangs_ends_with_the_connect_timeout_or_the_deadline_whichever_is_first() {
    let script = Script::default().name("hangs.example", &[Step::NeverAnswers]);
    let outbound = Outbound::with_lookup(AllowList::default(), script);
    let mut request = get("http://hangs.example/");
    request.timeout = PATIENT;
    assert!(matches!(outbound.send(request.clone()).await, Err(SendError::Connect { .. })));
    request.timeout = Duration::from_secs(4);
    assert!(matches!(outbound.send(request).await, Err(SendError::Timeout { .. })));
}
