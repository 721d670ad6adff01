//! The rate over HTTP: the real router behind a real socket, and callers that cost as little as they can.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::serve::ListenerExt as _;
use carillon_api::{Service, router};
use carillon_load::{KEY, Stack, body};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::meter::{Cost, Meter};
use super::{Failure, Sizes};
use carillon_core::testkit::NoSessions;

/// Sends jobs over connections that stay open, one at a time on each. The callers' own time is part of the cost.
pub(super) async fn posting(sizes: Sizes) -> Result<Cost, Failure> {
    let stack = Stack::open().await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let service = router(Service::new(Arc::clone(&stack.ports), Arc::new(NoSessions)));
    let serving = tokio::spawn(async move { axum::serve(listener, service).await });

    let requests: Arc<Vec<_>> = Arc::new((0..sizes.http_jobs).map(|number| request(address, number)).collect());
    let next = Arc::new(AtomicUsize::new(0));
    let meter = Meter::start();
    let connections: Vec<_> = (0..sizes.connections)
        .map(|_| {
            let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await?;
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    connection.send(request).await?;
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for connection in connections {
        connection.await??;
    }
    let cost = meter.stop(sizes.http_jobs);
    serving.abort();
    Ok(cost)
}

fn request(address: SocketAddr, number: usize) -> Vec<u8> {
    let body = body(number, 0);
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

/// A connection that sends a request and reads its answer, and knows no more of HTTP than that takes.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4_096) })
    }

    async fn send(&mut self, request: &[u8]) -> Result<(), Failure> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        while !is_whole(&self.buffer) {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed a connection".into());
            }
        }
        if self.buffer.starts_with(b"HTTP/1.1 202 ") {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&self.buffer).into_owned().into())
    }
}

/// True if an answer has all the bytes that its head announces.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]);
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    answer.len() >= end + 4 + length.unwrap_or(0)
}
