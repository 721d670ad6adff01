//! From a name to addresses that may be dialled.

use super::allow::AllowList;
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Resolves host names. The process uses [`SystemLookup`]; a test scripts its own.
pub trait Lookup: Send + Sync + 'static {
    /// Every address of `host`, in the order in which they are to be tried.
    fn lookup(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let host = host.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

/// The resolver of one HTTP client. It runs when, and only when, that client dials a name, and the client dials exactly
/// what it answers: between the vetting and the dialling there is no second resolution that could answer differently.
pub(super) struct VettingResolver {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) allow: Arc<AllowList>,
    /// The one [port class](AllowList::port_class) that this resolver's client dials: a resolver is not told the port.
    pub(super) port: Option<u16>,
}

/// Why a name led to no address. It travels through the HTTP client's errors as a source, and is found there by its type.
#[derive(Debug, thiserror::Error)]
pub(super) enum NameError {
    #[error("{0}")]
    Refused(&'static str),
    #[error("the lookup failed")]
    Failed(#[source] io::Error),
    #[error("the name has no address")]
    Empty,
}

impl Resolve for VettingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let looked_up = self.lookup.lookup(name.as_str());
        let (allow, port) = (Arc::clone(&self.allow), self.port);
        Box::pin(async move {
            let addresses = looked_up.await.map_err(NameError::Failed)?;
            vet_all(&allow, name.as_str(), &addresses, port)?;
            // Port 0 is replaced by the URL's own.
            let dialled: Addrs = Box::new(addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(dialled)
        })
    }
}

/// One refused address refuses the whole name. A public service has no reason to publish a private address next to its
/// public ones; a mixed answer is how a rebinding attack gets the connection to fall back from the one to the other.
pub(super) fn vet_all(allow: &AllowList, name: &str, addresses: &[IpAddr], port: Option<u16>) -> Result<(), NameError> {
    if addresses.is_empty() {
        return Err(NameError::Empty);
    }
    addresses.iter().try_for_each(|&ip| allow.vet(Some(name), ip, port)).map_err(NameError::Refused)
}
