//! The client: vets the URL, sends the request, reads the answer up to its caps.

use super::allow::{AllowList, without_root};
use super::resolver::{Lookup, NameError, SystemLookup, VettingResolver};
use super::roots::Roots;
use super::{Answer, OutboundError, Request, SendError};
use http::{HeaderMap, HeaderValue, Method, header};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use url::{Host, Url};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const USER_AGENT: &str = concat!("carillon/", env!("CARGO_PKG_VERSION"));

/// Header fields that describe this connection and not the request (RFC 9110, section 7.6.1). The client writes its own;
/// a user's would let the message's framing, or the virtual host it is for, differ from what was vetted.
const CONNECTION_FIELDS: &[&str] = &[
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The only way out of this process to a target that a user named.
///
/// It dials public addresses, and what the [`AllowList`] opens; it follows no redirect, uses no proxy, and retries
/// nothing. Clones share one connection pool. See the [module](super) for the whole set of rules.
#[derive(Clone)]
pub struct Outbound {
    shared: Arc<Shared>,
}

struct Shared {
    allow: Arc<AllowList>,
    lookup: Arc<dyn Lookup>,
    roots: Option<Roots>,
    /// One client for each port class: one in all, unless the allow list has entries with ports. The resolver cannot see
    /// the port, so it must know it. Sockets are pooled by port anyway; nothing that could be shared is kept apart.
    clients: Mutex<BTreeMap<Option<u16>, reqwest::Client>>,
}

impl Outbound {
    /// An outbound that asks the operating system's resolver. Nothing is loaded before the first request.
    pub fn new(allow: AllowList) -> Self {
        Self::with_lookup(allow, SystemLookup)
    }

    /// An outbound as the operator configures it: with what is opened, and with root certificates in PEM.
    ///
    /// # Errors
    /// [`OutboundError`], for what cannot be read.
    pub fn configured(allow: &[String], roots: Option<&str>) -> Result<Self, OutboundError> {
        let outbound = Self::new(AllowList::parse(allow)?);
        Ok(match roots {
            Some(pem) => outbound.trusting(Roots::parse(pem)?),
            None => outbound,
        })
    }

    /// An outbound with its own way of resolving names.
    pub fn with_lookup(allow: AllowList, lookup: impl Lookup) -> Self {
        let (allow, lookup) = (Arc::new(allow), Arc::new(lookup));
        Self { shared: Arc::new(Shared { allow, lookup, roots: None, clients: Mutex::default() }) }
    }

    /// Creates a client that also trusts the operator's certificates.
    #[must_use]
    pub fn trusting(self, roots: Roots) -> Self {
        let (allow, lookup) = (Arc::clone(&self.shared.allow), Arc::clone(&self.shared.lookup));
        Self { shared: Arc::new(Shared { allow, lookup, roots: Some(roots), clients: Mutex::default() }) }
    }

    /// Certificates that are trusted besides the platform's.
    pub fn roots(&self) -> Option<&Roots> {
        self.shared.roots.as_ref()
    }

    /// The rules for addresses.
    pub(super) fn guard(&self) -> (&AllowList, &dyn Lookup) {
        (&self.shared.allow, &*self.shared.lookup)
    }

    /// Sends one request, once, and reads its answer. Any status is an answer, redirects included.
    ///
    /// `request.timeout` covers all of it: name lookup, connection, headers and body.
    ///
    /// The fields that belong to the connection (Host, Content-Length, Transfer-Encoding, Connection and their kin) are
    /// the client's: those among `request.headers` are not sent.
    pub async fn send(&self, request: Request) -> Result<Answer, SendError> {
        let host = request.url.host_str().unwrap_or_default().to_owned();
        let port = vet_url(&request.url, &self.shared.allow)
            .map_err(|reason| SendError::Refused { host: host.clone(), reason })?;
        if request.method == Method::CONNECT {
            return Err(SendError::Refused { host, reason: "CONNECT opens a tunnel" });
        }
        let client = self.shared.client(port).map_err(SendError::Client)?;
        let timeout = request.timeout;
        match tokio::time::timeout(timeout, exchange(&client, request)).await {
            Ok(answer) => answer.map_err(|error| classify(host, error)),
            Err(_) => Err(SendError::Timeout { host, timeout }),
        }
    }
}

impl Shared {
    /// The client for a port class, built at its first use: reading the trusted certificates would cost every cold start.
    /// The lock is held meanwhile, so that a first batch of requests reads them once.
    fn client(&self, port: Option<u16>) -> reqwest::Result<reqwest::Client> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&port) {
            return Ok(client.clone());
        }
        let resolver = VettingResolver { lookup: Arc::clone(&self.lookup), allow: Arc::clone(&self.allow), port };
        let roots = self.roots.as_ref().map_or_else(|| Ok(Vec::new()), Roots::certificates)?;
        let client = reqwest::Client::builder()
            .tls_certs_merge(roots)
            .dns_resolver(resolver)
            .redirect(reqwest::redirect::Policy::none()) // a redirect's target was not vetted
            .no_proxy() // a proxy would resolve the name once more, out of our sight
            .retry(reqwest::retry::never()) // attempts are counted by the job, not here
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(USER_AGENT)
            .build()?;
        clients.insert(port, client.clone());
        Ok(client)
    }
}

/// Vets what can be judged without a lookup, and gives the port class. An address in the URL must be judged here:
/// the HTTP client dials it without asking its resolver.
fn vet_url(url: &Url, allow: &AllowList) -> Result<Option<u16>, &'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("the scheme is neither http nor https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL carries a user name or password");
    }
    let port = allow.port_class(url.port_or_known_default().ok_or("the URL has no port")?);
    // The URL parser has normalised every spelling of an IPv4 address (octal, hexadecimal, one number, full-width
    // digits, a final dot), so a name here is a name to the client too.
    match url.host() {
        Some(Host::Ipv4(ip)) => allow.vet(None, ip.into(), port)?,
        Some(Host::Ipv6(ip)) => allow.vet(None, ip.into(), port)?,
        Some(Host::Domain(name)) if without_root(name).split('.').all(|label| !label.is_empty()) => {}
        Some(Host::Domain(_)) | None => return Err("the host name has an empty part"),
    }
    Ok(port)
}

async fn exchange(client: &reqwest::Client, request: Request) -> reqwest::Result<Answer> {
    let cap = request.max_response_bytes;
    let mut response = client.execute(prepare(request)).await?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let mut body = Vec::new();
    let mut truncated = false;
    while let Some(chunk) = response.chunk().await? {
        let room = cap - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        truncated = chunk.len() > room;
        if truncated {
            break; // dropping the response closes its connection: what follows is never read
        }
    }
    Ok(Answer { status, headers, body: body.into(), truncated })
}

fn prepare(request: Request) -> reqwest::Request {
    let mut headers = request.headers;
    for field in CONNECTION_FIELDS {
        headers.remove(*field);
    }
    announce_empty_body(&mut headers, &request.method, request.body.is_empty());
    let mut prepared = reqwest::Request::new(request.method, request.url);
    *prepared.headers_mut() = headers;
    *prepared.body_mut() = Some(request.body.into());
    prepared
}

/// The client announces no length for an empty body, and strict servers answer 411 to a POST without one. RFC 9110,
/// section 8.6 asks for `Content-Length: 0` where the method gives a body a meaning.
fn announce_empty_body(headers: &mut HeaderMap, method: &Method, empty: bool) {
    if empty && matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
}

fn classify(host: String, error: reqwest::Error) -> SendError {
    // The URL's query may hold a secret, and logging the error would print its source.
    let error = error.without_url();
    match name_error(&error) {
        Some(NameError::Refused(reason)) => SendError::Refused { host, reason },
        Some(NameError::Failed(_) | NameError::Empty) => SendError::Unresolvable { host, source: error },
        None if error.is_connect() => SendError::Connect { host, source: error },
        None => SendError::Protocol { host, source: error },
    }
}

fn name_error(error: &reqwest::Error) -> Option<&NameError> {
    std::iter::successors(error.source(), |&error| error.source()).find_map(|error| error.downcast_ref())
}
