//! The operator's exceptions to the guard.

use super::address;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use url::Host;

/// The targets that a deployment opens although [`refusal`](super::refusal) refuses their addresses. Empty by default.
///
/// | entry | opens |
/// | --- | --- |
/// | `127.0.0.1`, `::1`, `[::1]` | that address, on every port |
/// | `127.0.0.1:8080`, `[::1]:9000` | that address, on that port |
/// | `10.0.0.0/8`, `fd00::/8` | every address of the block |
/// | `10.1.0.0/16:443`, `fd00::/8:443` | every address of the block, on that port |
/// | `internal.example.com` | whatever address that one name resolves to (its subdomains stay shut) |
/// | `internal.example.com:8443` | the same, on that port |
///
/// The port is the one that is dialled: the URL's own, or the default of its scheme.
#[derive(Debug, Clone, Default)]
pub struct AllowList {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    opened: Opened,
    /// `None` opens every port.
    port: Option<u16>,
}

#[derive(Debug, Clone)]
enum Opened {
    Block(IpNet),
    Name(String),
}

/// The entries of an allow list that could not be read: all of them, so that one correction is enough.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed allow list: {}", list(.malformed))]
pub struct AllowListError {
    /// The faults, in the order of the list.
    pub malformed: Vec<MalformedEntry>,
}

/// One entry of an allow list that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MalformedEntry {
    /// The entry as it was written.
    pub entry: String,
    /// The fault.
    pub problem: &'static str,
}

impl AllowList {
    /// Reads the configuration's entries.
    ///
    /// ```
    /// use carillon_outbound::AllowList;
    ///
    /// assert!(AllowList::parse(&["127.0.0.1:8080".into(), "10.0.0.0/8".into()]).is_ok());
    /// assert!(AllowList::parse(&["10.0.0.1/8".into()]).is_err(), "bits are set behind the prefix");
    /// ```
    pub fn parse(entries: &[String]) -> Result<Self, AllowListError> {
        let mut rules = Vec::with_capacity(entries.len());
        let mut malformed = Vec::new();
        for entry in entries {
            match parse_rule(entry.trim()) {
                Ok(rule) => rules.push(rule),
                Err(problem) => malformed.push(MalformedEntry { entry: entry.clone(), problem }),
            }
        }
        if malformed.is_empty() { Ok(Self { rules }) } else { Err(AllowListError { malformed }) }
    }

    /// The part of a port that the rules can tell apart: itself when an entry names it, otherwise `None`.
    pub(super) fn port_class(&self, port: u16) -> Option<u16> {
        self.rules.iter().any(|rule| rule.port == Some(port)).then_some(port)
    }

    /// True if this address may be dialled: it is public, or the operator allows it or its name. `port` is a
    /// [`port_class`](Self::port_class), `name` is `None` for an address in the URL itself.
    pub(super) fn vet(&self, name: Option<&str>, ip: IpAddr, port: Option<u16>) -> Result<(), &'static str> {
        if name.is_some_and(|name| self.opens_name(name, port)) {
            return Ok(());
        }
        match address::refusal(ip) {
            None => Ok(()),
            Some(reason) if !self.opens_address(ip, port) => Err(reason),
            Some(_) => match ip {
                IpAddr::V6(ip) => address::embedded_v4(ip).map_or(Ok(()), |inner| self.vet(None, inner.into(), port)),
                IpAddr::V4(_) => Ok(()),
            },
        }
    }

    fn opens_name(&self, name: &str, port: Option<u16>) -> bool {
        let name = without_root(name);
        self.on_port(port).any(|opened| matches!(opened, Opened::Name(opened) if opened.eq_ignore_ascii_case(name)))
    }

    fn opens_address(&self, ip: IpAddr, port: Option<u16>) -> bool {
        self.on_port(port).any(|opened| matches!(opened, Opened::Block(block) if block.contains(&ip)))
    }

    fn on_port(&self, port: Option<u16>) -> impl Iterator<Item = &Opened> {
        self.rules.iter().filter(move |rule| rule.port.is_none() || rule.port == port).map(|rule| &rule.opened)
    }
}

/// "example.com." and "example.com" are one name: the final dot only says that it is complete.
pub(super) fn without_root(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn parse_rule(entry: &str) -> Result<Rule, &'static str> {
    // Addresses first: an IPv6 address is full of colons that start no port.
    let bracketed = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Ok(ip) = bracketed.map_or_else(|| entry.parse(), |ip| ip.parse::<Ipv6Addr>().map(IpAddr::V6)) {
        return Ok(Rule { opened: Opened::Block(ip.into()), port: None });
    }
    if let Some((network, rest)) = entry.split_once('/') {
        return parse_block(network, rest);
    }
    if let Ok(socket) = entry.parse::<SocketAddr>() {
        if matches!(socket, SocketAddr::V6(socket) if socket.scope_id() != 0) {
            return Err("a scoped address cannot stand in a URL");
        }
        return Ok(Rule { opened: Opened::Block(socket.ip().into()), port: Some(nonzero(socket.port())?) });
    }
    let (name, port) = split_port(entry)?;
    Ok(Rule { opened: Opened::Name(parse_name(name)?), port })
}

fn parse_block(network: &str, rest: &str) -> Result<Rule, &'static str> {
    let (prefix, port) = split_port(rest)?;
    let ip = network.parse::<IpAddr>().map_err(|_| "what stands before the slash is not an IP address")?;
    let prefix = prefix.parse::<u8>().map_err(|_| "the prefix length is not a number")?;
    let block = IpNet::new(ip, prefix).map_err(|_| "the prefix is longer than the address")?;
    if block.network() != ip {
        return Err("bits are set behind the prefix");
    }
    Ok(Rule { opened: Opened::Block(block), port })
}

fn split_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    match text.rsplit_once(':') {
        None => Ok((text, None)),
        Some((head, port)) => {
            let port = port.parse::<u16>().map_err(|_| "the port is not a number up to 65535")?;
            Ok((head, Some(nonzero(port)?)))
        }
    }
}

fn nonzero(port: u16) -> Result<u16, &'static str> {
    if port == 0 { Err("port 0 cannot be dialled") } else { Ok(port) }
}

/// The name as a URL parser would write it, so that it can be compared with a URL's host.
fn parse_name(name: &str) -> Result<String, &'static str> {
    const PROBLEM: &str = "neither an IP address, a CIDR block nor a host name";
    let Ok(Host::Domain(domain)) = Host::parse(name) else { return Err(PROBLEM) };
    let domain = without_root(&domain);
    // Stricter than the URL standard: "*.example.com" is a host to it, but would open nothing.
    let plain = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if domain.split('.').all(plain) { Ok(domain.to_owned()) } else { Err(PROBLEM) }
}

fn list(malformed: &[MalformedEntry]) -> String {
    let entries: Vec<_> = malformed.iter().map(|bad| format!("\"{}\" ({})", bad.entry, bad.problem)).collect();
    entries.join(", ")
}
