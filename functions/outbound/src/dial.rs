//! A connection to a host that a user named, for what is not HTTP.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use carillon_core::job::{RunError, codes};
use tokio::net::TcpStream;
use url::Host;

use super::allow::without_root;
use super::client::Outbound;
use super::resolver::{NameError, vet_all};

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
        /// The error of the last address.
        source: io::Error,
    },
}

impl From<DialError> for RunError {
    fn from(error: DialError) -> Self {
        let message = error.to_string();
        match error {
            DialError::Refused { .. } => Self::permanent(codes::TARGET_REFUSED, message),
            DialError::Unresolvable { .. } | DialError::Connect { .. } => {
                Self::transient(codes::CONNECTION_ERROR, message)
            }
        }
    }
}

impl Outbound {
    /// Connects to a host by the rules of [`Self::send`]: its name is resolved once, every address is vetted, and one that was
    /// vetted is dialled.
    pub async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let failed = |source| DialError::Connect { host: host.to_owned(), source };
        let connected = async {
            let addresses = self.addresses(host, port).await?;
            TcpStream::connect(addresses.as_slice()).await.map_err(failed)
        };
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connected).await;
        connected.unwrap_or_else(|_| Err(failed(io::ErrorKind::TimedOut.into())))
    }

    /// The addresses of a host, each of them one that may be dialled, for what dials by itself and looks up no name.
    pub async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
        let addresses = self.vetted(host, port).await?;
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    async fn vetted(&self, host: &str, port: u16) -> Result<Vec<IpAddr>, DialError> {
        let (allow, lookup) = self.guard();
        let refused = |reason| DialError::Refused { host: host.to_owned(), reason };
        let unresolvable = || DialError::Unresolvable { host: host.to_owned() };
        let class = allow.port_class(port);
        let address = match read(host).map_err(refused)? {
            Host::Ipv4(ip) => ip.into(),
            Host::Ipv6(ip) => ip.into(),
            Host::Domain(name) => {
                let addresses = lookup.lookup(&name).await.map_err(|_| unresolvable())?;
                return match vet_all(allow, &name, &addresses, class) {
                    Ok(()) => Ok(addresses),
                    Err(NameError::Refused(reason)) => Err(refused(reason)),
                    Err(NameError::Failed(_) | NameError::Empty) => Err(unresolvable()),
                };
            }
        };
        allow.vet(None, address, class).map(|()| vec![address]).map_err(refused)
    }
}

/// Parses the host. Every spelling of an IPv4 address (octal, hexadecimal, one number) is normalised.
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
