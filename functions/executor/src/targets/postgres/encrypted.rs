//! A connection inside of TLS, which the server can tell from any other: what a client signs in with is bound to it
//! (`tls-server-end-point`, RFC 5929), where the server asks for that.

use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// The connection.
pub(super) struct Encrypted(tokio_rustls::client::TlsStream<TcpStream>);

impl Encrypted {
    pub(super) fn new(stream: tokio_rustls::client::TlsStream<TcpStream>) -> Self {
        Self(stream)
    }

    fn inner(self: Pin<&mut Self>) -> Pin<&mut tokio_rustls::client::TlsStream<TcpStream>> {
        Pin::new(&mut self.get_mut().0)
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(cx)
    }
}

impl TlsStream for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        let certificate = self.0.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        certificate.and_then(end_point).map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

/// For a driver that would encrypt what is encrypted already.
pub(super) struct Done;

impl TlsConnect<Encrypted> for Done {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = Ready<io::Result<Encrypted>>;

    fn connect(self, stream: Encrypted) -> Self::Future {
        ready(Ok(stream))
    }
}

/// PKCS #1, 1.2.840.113549.1.1.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];
/// ANSI X9.62, 1.2.840.10045.4.
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4];
/// ECDSA with SHA-2, 1.2.840.10045.4.3.
const ECDSA_SHA2: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3];

/// The digest of a certificate by the hash of its own signature, or by SHA-256 if that is weaker (RFC 5929, section
/// 4.1). `None` for signatures without a known hash.
fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (inside, _) = element(0x30, certificate)?;
    let (_, after) = element(0x30, inside)?;
    let (algorithm, _) = element(0x30, after)?;
    // The last part of the algorithm's name is the hash.
    let (hash, family) = element(0x06, algorithm)?.0.split_last()?;
    Some(match (family, hash) {
        (RSA, 4 | 5 | 11) | (ECDSA, 1) | (ECDSA_SHA2, 2) => Sha256::digest(certificate).to_vec(),
        (RSA, 12) | (ECDSA_SHA2, 3) => Sha384::digest(certificate).to_vec(),
        (RSA, 13) | (ECDSA_SHA2, 4) => Sha512::digest(certificate).to_vec(),
        _ => return None,
    })
}

/// The content of the DER element that stands here, if it is of this kind, and what follows it.
fn element(kind: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first().filter(|(first, _)| **first == kind).and(bytes.get(1..)?.split_first())?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long => {
            let (digits, rest) =
                rest.split_at_checked(usize::from(long & 0x7f)).filter(|(digits, _)| digits.len() <= 4)?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate as far as it is looked at, whose signature is of this algorithm.
    fn certificate(algorithm: &[u8]) -> CertificateDer<'static> {
        let wrap = |kind: u8, inside: &[u8]| {
            let length = u16::try_from(inside.len()).unwrap().to_be_bytes();
            [&[kind, 0x82][..], &length, inside].concat()
        };
        let identifier = wrap(0x30, &[&wrap(0x06, algorithm)[..], &[5, 0]].concat());
        CertificateDer::from(wrap(0x30, &[wrap(0x30, &[7; 300]), identifier, wrap(0x03, &[9; 64])].concat()))
    }

    #[test]
    fn a_certificate_is_digested_by_the_hash_of_its_signature() {
        let rsa = |last: u8| [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, last];
        let ecdsa = |last: u8| [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, last];
        for (algorithm, length) in [
            (&rsa(5)[..], Some(32)),
            (&rsa(11), Some(32)),
            (&rsa(12), Some(48)),
            (&rsa(13), Some(64)),
            (&rsa(10), None),
            (&ecdsa(2), Some(32)),
            (&ecdsa(3), Some(48)),
            (&ecdsa(4), Some(64)),
            (&[0x2b, 0x65, 0x70], None),
        ] {
            let digest = end_point(&certificate(algorithm));
            assert_eq!(digest.map(|digest| digest.len()), length, "{algorithm:x?}");
        }
        let whole = certificate(&rsa(11));
        assert_eq!(end_point(&whole), Some(Sha256::digest(&whole).to_vec()));
        for cut in 0..whole.len() {
            assert_eq!(end_point(&CertificateDer::from(&whole[..cut])), None, "{cut}");
        }
    }
}
