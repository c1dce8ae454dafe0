"""An authority of this system alone, and a certificate of its making for every provider's name."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# Made anew at each start, and outlives any.
_VALID: Final = timedelta(days=365)


@dataclass(frozen=True)
class Certificates:
    """Where they lie; who is to believe the providers is told of the first."""

    authority: Path
    certificate: Path
    key: Path


def make(folder: Path, hosts: Iterable[str]) -> Certificates:
    """Write them anew; the authority's key is forgotten, so that it vouches for nobody else."""
    made = Certificates(folder / "authority.pem", folder / "providers.pem", folder / "providers.key")
    names, now = list(hosts), datetime.now(UTC)
    key, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _named("Sidecart's stand-ins of providers")
    base = x509.CertificateBuilder().issuer_name(issuer)
    base = base.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + _VALID)
    authority = base.subject_name(issuer).public_key(key.public_key()).serial_number(x509.random_serial_number())
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    leaf = base.subject_name(_named(names[0])).public_key(own.public_key())
    leaf = leaf.serial_number(x509.random_serial_number())
    leaf = leaf.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    pem, clear = serialization.Encoding.PEM, serialization.NoEncryption()
    _write(made.key, own.private_bytes(pem, serialization.PrivateFormat.PKCS8, clear))
    _write(made.certificate, leaf.sign(key, hashes.SHA256()).public_bytes(pem))
    _write(made.authority, authority.sign(key, hashes.SHA256()).public_bytes(pem))
    return made


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
