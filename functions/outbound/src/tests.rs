//! The guard against hostile targets, and the caps against slow and large ones.

mod addresses;
mod allowed;
mod dial;
mod exchange;
mod hostile;
mod names;

use super::{AllowList, Answer, Lookup, Request, SendError};
use futures_util::future::BoxFuture;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Long enough for a loaded machine; a test that hits it fails on its answer.
const PATIENT: Duration = Duration::from_secs(20);

/// A resolver whose answers are written down: each name gives its answers in turn, and the last one for ever.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<HashMap<&'static str, VecDeque<Step>>>>,
    asked: Arc<AtomicUsize>,
}

#[derive(Clone)]
enum Step {
    Addresses(Vec<IpAddr>),
    Fails,
    NeverAnswers,
}

impl Script {
    fn name(self, name: &'static str, steps: &[Step]) -> Self {
        self.answers.lock().unwrap().insert(name, steps.iter().cloned().collect());
        self
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Lookup for Script {
    fn lookup(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let step = match answers.get_mut(host) {
            None => Step::Fails,
            Some(steps) if steps.len() > 1 => steps.pop_front().unwrap(),
            Some(steps) => steps[0].clone(),
        };
        match step {
            Step::Addresses(addresses) => Box::pin(std::future::ready(Ok(addresses))),
            Step::Fails => Box::pin(std::future::ready(Err(io::Error::other("no such name")))),
            Step::NeverAnswers => Box::pin(std::future::pending()),
        }
    }
}

fn addresses(texts: &[&str]) -> Step {
    Step::Addresses(texts.iter().map(|text| text.parse().unwrap()).collect())
}

fn allow(entries: &[&str]) -> AllowList {
    AllowList::parse(&entries.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

fn get(url: &str) -> Request {
    Request {
        method: http::Method::GET,
        url: url.parse().unwrap(),
        headers: http::HeaderMap::new(),
        body: bytes::Bytes::new(),
        timeout: PATIENT,
        max_response_bytes: 1 << 16,
    }
}

fn reason(result: Result<Answer, SendError>) -> &'static str {
    match result {
        Err(SendError::Refused { reason, .. }) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

/// A real server on a free port of the loopback interface.
async fn serve(router: axum::Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A listener that tells whether anyone has dialled it: the kernel completes the connection without us.
struct Trap(std::net::TcpListener);

impl Trap {
    fn set() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn was_dialled(&self) -> bool {
        match self.0.accept() {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                false
            }
        }
    }
}

/// A port on which nothing listens, as long as the socket that holds it lives.
fn silent_port() -> (tokio::net::TcpSocket, u16) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}
