//! A connection to a host that a user named, for what is not HTTP.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use url::Host;

use super::allow::{AllowList, without_root};
use super::client::Outbound;
use super::resolver::{Lookup, NameError, vet_all};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no connection. The text names the host alone, and may be shown to its user.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The guard refused the target. Nothing was dialled, and trying again will not help.
    #[error("the target \"{host}\" is refused: {reason}")]
    Refused {
        /// The host.
        host: String,
        /// The name of the address block, or what is wrong with the host's name.
        reason: &'static str,
    },
    /// The name could not be looked up, or has no address.
    #[error("the host \"{host}\" could not be resolved")]
    Unresolvable {
        /// The host.
        host: String,
    },
    /// Nobody listens, or it took more than 5 seconds.
    #[error("no connection to \"{host}\" could be opened")]
    Connect {
        /// The host.
        host: String,
        /// Of the address that was tried last.
        source: io::Error,
    },
}

impl Outbound {
    /// Connects to a host by the rules of [`Self::send`]: its name is resolved once, every address is vetted, and one that was
    /// vetted is dialled.
    pub async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let (allow, lookup) = self.guard();
        let refused = |reason| DialError::Refused { host: host.to_owned(), reason };
        let addresses = match read(host).map_err(refused)? {
            Host::Ipv4(ip) => vec![vetted(allow, ip.into(), port).map_err(refused)?],
            Host::Ipv6(ip) => vec![vetted(allow, ip.into(), port).map_err(refused)?],
            Host::Domain(name) => resolve(&name, allow, lookup, port).await?,
        };
        let addresses: Vec<_> = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(addresses.as_slice())).await;
        let stream = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        stream.map_err(|source| DialError::Connect { host: host.to_owned(), source })
    }
}

/// What the host is. Every spelling of an IPv4 address (octal, hexadecimal, one number) is brought into its one form.
fn read(host: &str) -> Result<Host, &'static str> {
    if let Ok(ip) = host.parse::<Ipv6Addr>() {
        return Ok(Host::Ipv6(ip));
    }
    match Host::parse(host) {
        Ok(Host::Domain(name)) if without_root(&name).split('.').any(str::is_empty) => {
            Err("the host name has an empty part")
        }
        Ok(host) => Ok(host),
        Err(_) => Err("it is no host name"),
    }
}

fn vetted(allow: &AllowList, ip: IpAddr, port: u16) -> Result<IpAddr, &'static str> {
    allow.vet(None, ip, allow.port_class(port)).map(|()| ip)
}

async fn resolve(host: &str, allow: &AllowList, lookup: &dyn Lookup, port: u16) -> Result<Vec<IpAddr>, DialError> {
    let unresolvable = || DialError::Unresolvable { host: host.to_owned() };
    let addresses = lookup.lookup(host).await.map_err(|_| unresolvable())?;
    match vet_all(allow, host, &addresses, allow.port_class(port)) {
        Ok(()) => Ok(addresses),
        Err(NameError::Refused(reason)) => Err(DialError::Refused { host: host.to_owned(), reason }),
        Err(NameError::Failed(_) | NameError::Empty) => Err(unresolvable()),
    }
}
