"""A mail server on three ports of the loopback interface: with STARTTLS, with TLS from the first byte, and with neither.

It prints its ports and the certificate of its authority as one line of JSON, then one line for each message that it accepts,
and exits at the end of its standard input. With TLS it requires the login of USER with PASSWORD. It refuses a recipient named
`rcpt-550` with 550, and a message to one named `data-452` with 452.
"""

import asyncio
import datetime
import email
import email.policy
import functools
import json
import logging
import ssl
import sys
import tempfile
import warnings
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# It warns of AUTH without STARTTLS, and of clients that do not trust it; both are intended.
warnings.filterwarnings("ignore", module="aiosmtpd")
logging.getLogger("mail.log").setLevel(logging.CRITICAL)

USER, PASSWORD = b"svc", b"s3cr3t"


class Inbox:
    """Refuses messages by the names of their recipients, and prints every accepted message as Python's mail parser reads it."""

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = refused("rcpt", address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        refusal = next(filter(None, (refused("data", address) for address in envelope.rcpt_tos)), None)
        if refusal:
            return refusal
        taken = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "user": session.auth_data.login.decode()}
        taken |= {"tls": server.transport.get_extra_info("ssl_object") is not None}
        message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        taken["headers"] = [[name.lower(), str(value)] for name, value in message.items()]
        taken["parts"] = [[part.get_content_type(), part.get_content()] for part in message.walk() if not part.is_multipart()]
        taken["defects"] = [str(defect) for part in message.walk() for defect in part.defects]
        tell(taken)
        return "250 2.0.0 OK: queued as 4F1C"


def refused(where, address):
    name = address.split("@")[0]
    return f"{name.removeprefix(where + '-')} <{address}> is refused" if name.startswith(where + "-") else None


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (USER, PASSWORD), handled=False, auth_data=data)


def tell(line):
    print(json.dumps(line), flush=True)


def certificates(directory):
    """Creates an authority and its certificate for localhost. Returns the authority's certificate as PEM and a server's context."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def certificate(subject, issuer, key, signer):
        name = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (subject, issuer)]
        built = x509.CertificateBuilder(name[1], name[0], key.public_key(), x509.random_serial_number())
        built = built.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
        built = built.add_extension(x509.BasicConstraints(subject == issuer, None), critical=True)
        if subject != issuer:
            built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
            built = built.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        return built.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    pem = certificate("Authority", "Authority", authority, authority)
    chain, private = Path(directory, "chain.pem"), Path(directory, "key.pem")
    chain.write_bytes(certificate("localhost", "Authority", key, authority))
    plain = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, private)
    return pem.decode(), context


async def main():
    with tempfile.TemporaryDirectory() as directory:
        authority, tls = certificates(directory)
    login = {"authenticator": authenticate, "auth_required": True}
    # On an implicit TLS connection the server offers AUTH only without this requirement, because there was no STARTTLS.
    kinds = {
        "starttls": (None, login | {"tls_context": tls, "require_starttls": True}),
        "implicit": (tls, login | {"auth_require_tls": False}),
        "plain": (None, {}),
    }
    loop, ports = asyncio.get_running_loop(), {}
    for name, (outer, options) in kinds.items():
        protocol = functools.partial(SMTP, Inbox(), loop=loop, **options)
        server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=outer)
        ports[name] = server.sockets[0].getsockname()[1]
    tell({"authority": authority} | ports)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
