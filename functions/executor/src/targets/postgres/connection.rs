//! A connection that is new: dialled, encrypted, signed in.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use carillon_core::catalog::SecretRef;
use carillon_core::job::{RunError, codes};
use carillon_outbound::Outbound;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::TlsConnect;
use tokio_postgres::{Client, Config, NoTls};
use tokio_rustls::TlsConnector;

use super::address::{Address, Encryption};
use super::encrypted::{Done, Encrypted};
use super::error;

/// The request for encryption, before anything else: its length and a number that is no version.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Opens connections.
#[derive(Clone)]
pub(super) struct Connector {
    outbound: Outbound,
    /// The rules of TLS with the certificates that the system trusts: read at the first need, as that takes a while.
    system: Arc<Mutex<Option<Arc<ClientConfig>>>>,
}

impl Connector {
    pub(super) fn new(outbound: Outbound) -> Self {
        Self { outbound, system: Arc::default() }
    }

    /// Connects, trusting the given roots alone, or else what the system trusts.
    pub(super) async fn connect(
        &self,
        address: &Address,
        roots: Option<(&SecretRef, &str)>,
    ) -> Result<Client, RunError> {
        let host = &address.host;
        let mut stream = self.outbound.dial(host, address.port).await?;
        let broke = |what: &str| RunError::transient(codes::CONNECTION_ERROR, format!("{what} \"{host}\" broke off"));
        // Small messages go back and forth: none of them should wait for another.
        stream.set_nodelay(true).map_err(|_| broke("the connection to"))?;
        if address.encryption != Encryption::Never {
            let offers = offers_tls(&mut stream).await.map_err(|_| broke("the connection to"))?;
            if offers {
                let config = self.rules(roots)?;
                let name = ServerName::try_from(host.clone());
                let name = name
                    .map_err(|_| RunError::permanent(codes::TARGET_REFUSED, format!("\"{host}\" is no host name")))?;
                let encrypted = TlsConnector::from(config).connect(name, stream).await;
                let encrypted = Encrypted::new(encrypted.map_err(|error| unverified(host, &error))?);
                let mut config = address.config.clone();
                // The driver takes the connection as encrypted by itself, and may bind the login to it.
                config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
                return sign_in(&config, encrypted, Done).await;
            }
            if address.encryption == Encryption::Always {
                let message = format!("\"{host}\" offers no TLS; sslmode=disable in its URL goes without");
                return Err(RunError::transient(codes::CONNECTION_ERROR, message));
            }
        }
        sign_in(&address.config, stream, NoTls).await
    }

    fn rules(&self, roots: Option<(&SecretRef, &str)>) -> Result<Arc<ClientConfig>, RunError> {
        let failed = |_| RunError::transient(codes::INTERNAL_ERROR, "TLS could not be set up");
        let builder = ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(failed)?;
        if let Some((reference, pem)) = roots {
            let trusted = roots_of(pem).ok_or_else(|| error::unusable(reference, "certificates as PEM"))?;
            return Ok(Arc::new(builder.with_root_certificates(trusted).with_no_client_auth()));
        }
        let mut system = self.system.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = &*system {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(builder.with_platform_verifier().map_err(failed)?.with_no_client_auth());
        *system = Some(Arc::clone(&config));
        Ok(config)
    }
}

async fn offers_tls(stream: &mut TcpStream) -> io::Result<bool> {
    stream.write_all(&SSL_REQUEST).await?;
    // One byte and no more: what follows has to be encrypted already.
    Ok(stream.read_u8().await? == b'S')
}

fn roots_of(pem: &str) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.ok()?).ok()?;
    }
    (!roots.is_empty()).then_some(roots)
}

/// Why TLS did not come about, as far as it may be told: nothing of it is secret.
fn unverified(host: &str, error: &io::Error) -> RunError {
    let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let message = match reason {
        Some(rustls::Error::InvalidCertificate(_)) => {
            format!("the certificate of \"{host}\" is not one that is trusted here for that host")
        }
        _ => format!("the TLS handshake with \"{host}\" failed"),
    };
    RunError::transient(codes::CONNECTION_ERROR, message)
}

async fn sign_in<S, T>(config: &Config, stream: S, tls: T) -> Result<Client, RunError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsConnect<S>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect_raw(stream, tls).await.map_err(|error| error::signing_in(&error))?;
    // It ends when the client is dropped or the server closes; users of the client then get an error.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}
