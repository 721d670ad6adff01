//! The connection URL: `postgresql://user:password@host:port/database?sslmode=…`, always a secret.
//!
//! | `sslmode` | the connection |
//! | --- | --- |
//! | `disable` | is not encrypted |
//! | `prefer` | is encrypted and verified if the server offers that, and not encrypted otherwise |
//! | `require`, `verify-ca`, `verify-full`, or none | is encrypted and verified |
//!
//! Verified means: the server's certificate is made out to the host of the URL, and descends from a root certificate of the
//! database's environment (`root_certificate`), or from one that the system trusts where there is none. There is no way to
//! encrypt without that, as it would keep out nobody who can change what is on the wire.
//!
//! A URL names one host over TCP, and its user. The other parameters are those of the driver, such as `application_name`,
//! `options` and `channel_binding`.

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, SslNegotiation};
use zeroize::Zeroizing;

/// The encryption of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    Never,
    IfOffered,
    Always,
}

/// The address of a server, and the credentials.
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) encryption: Encryption,
    pub(crate) config: Config,
}

impl Address {
    /// Reads a URL; the error says what is wrong with it, and nothing of what it holds.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        if !["postgresql://", "postgres://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err("a URL that starts with postgresql://");
        }
        let (plain, encryption) = without_sslmode(url)?;
        let mut config: Config = plain.parse().map_err(|_| "a connection URL of PostgreSQL")?;
        let [Host::Tcp(host)] = config.get_hosts() else { return Err("a URL with exactly one host") };
        let host = host.clone();
        if !config.get_hostaddrs().is_empty() {
            return Err("a URL without hostaddr");
        }
        let port = match config.get_ports() {
            [] => 5432,
            [port] => *port,
            _ => return Err("a URL with one port"),
        };
        if config.get_user().is_none_or(str::is_empty) {
            return Err("a URL that names a user");
        }
        // Encryption comes before the driver does.
        config.ssl_mode(SslMode::Disable).ssl_negotiation(SslNegotiation::Postgres);
        if config.get_application_name().is_none() {
            config.application_name("carillon");
        }
        Ok(Self { host, port, encryption, config })
    }
}

/// The driver does not know all modes.
fn without_sslmode(url: &str) -> Result<(Zeroizing<String>, Encryption), &'static str> {
    let mut encryption = Encryption::Always;
    let Some((plain, query)) = url.split_once('?') else { return Ok((Zeroizing::new(url.to_owned()), encryption)) };
    let mut others = Vec::new();
    for pair in query.split('&') {
        encryption = match pair.split_once('=') {
            Some(("sslmode", "disable")) => Encryption::Never,
            Some(("sslmode", "prefer")) => Encryption::IfOffered,
            Some(("sslmode", "require" | "verify-ca" | "verify-full")) => Encryption::Always,
            Some(("sslmode", _)) => {
                return Err("a URL whose sslmode is disable, prefer, require, verify-ca or verify-full");
            }
            _ => {
                others.push(pair);
                continue;
            }
        };
    }
    // The others may have a password among them.
    let others = Zeroizing::new(others.join("&"));
    let url = if others.is_empty() { plain.to_owned() } else { [plain, "?", &others].concat() };
    Ok((Zeroizing::new(url), encryption))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_one_server_and_how_to_reach_it() {
        use Encryption::{Always, IfOffered, Never};
        for (url, expected) in [
            ("postgresql://u:p@db.example.com/shop", ("db.example.com", 5432, Always)),
            ("postgres://u@db.example.com:6432", ("db.example.com", 6432, Always)),
            ("postgresql://u:p%3F@[::1]:1/shop?sslmode=disable", ("::1", 1, Never)),
            ("postgresql://u:p@10.0.0.1/shop?application_name=x&sslmode=prefer", ("10.0.0.1", 5432, IfOffered)),
            ("postgresql://u:p@h/shop?sslmode=require&connect_timeout=3", ("h", 5432, Always)),
            ("postgresql://u:p@h/shop?sslmode=verify-ca", ("h", 5432, Always)),
            ("postgresql://u:p@h/shop?sslmode=verify-full", ("h", 5432, Always)),
        ] {
            let address = Address::parse(url).unwrap_or_else(|reason| panic!("{url} is not {reason}"));
            assert_eq!((address.host.as_str(), address.port, address.encryption), expected, "{url}");
        }
        let address = Address::parse("postgresql://u:p%26@h/shop?application_name=mine&options=-c%20a%3Db").unwrap();
        assert_eq!((address.config.get_user(), address.config.get_password()), (Some("u"), Some(b"p&".as_slice())));
        assert_eq!((address.config.get_dbname(), address.config.get_application_name()), (Some("shop"), Some("mine")));
        assert_eq!(address.config.get_options(), Some("-c a=b"));
    }

    #[test]
    fn what_the_driver_reads_is_wiped_after_it() {
        for (url, expected) in [
            ("postgres://u:p@h", "postgres://u:p@h"),
            ("postgres://u:p@h?sslmode=require", "postgres://u:p@h"),
            ("postgres://h?user=u&sslmode=disable&password=p", "postgres://h?user=u&password=p"),
        ] {
            let (wiped, _): (Zeroizing<String>, _) = without_sslmode(url).unwrap();
            assert_eq!(*wiped, expected);
        }
    }

    #[test]
    fn a_url_that_means_something_else_is_refused_without_being_repeated() {
        for url in [
            "",
            "host=h user=u",
            "mysql://u:secret@h/shop",
            "postgresql:///shop?host=/var/run/postgresql&user=u",
            "postgresql://u:secret@a,b/shop",
            "postgresql://u:secret@h/shop?hostaddr=127.0.0.1",
            "postgresql://h/shop",
            "postgresql://u:secret@h:port/shop",
            "postgresql://u:secret@h/shop?sslmode=allow",
            "postgresql://u:secret@h/shop?sslmode=secret",
            "postgresql://u:secret@h/shop?secret=1",
        ] {
            let reason = Address::parse(url).err().unwrap_or_else(|| panic!("{url} was taken"));
            assert!(!reason.contains("secret"), "{url}: {reason}");
        }
    }
}
