"""X.509 certificates: made, read and judged; private keys never leave the call that makes them."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from labvirt.errors import Problem, SpecError, UnsupportedError

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as absent:
    raise UnsupportedError(
        "make and read certificates",
        libvirt_text=f"the package cryptography is not here ({absent})",
        hint="pip install 'labvirt[remote]'",
    ) from None

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = [
    "Certificate",
    "Role",
    "check_names",
    "read_certificate",
    "same_key",
    "sign",
    "sign_crl",
]

Role = Literal["ca", "server", "client"]

_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
#: So much earlier a certificate begins to be valid: clocks of hosts differ.
_BEFORE = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says.

    Attributes:
        subject: whose it is, as ``CN=kvm7.example.com``.
        issuer: who signed it.
        names: host names and addresses for which it counts (subjectAltName).
        uses: ``server``, ``client``, ``ca``.
        serial: its number, in hexadecimal.
        begins: not valid before (UTC).
        ends: not valid after (UTC).
        sha256: fingerprint, in hexadecimal.
        pem: the certificate itself; it is public.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    uses: tuple[str, ...]
    serial: str
    begins: dt.datetime
    ends: dt.datetime
    sha256: str
    pem: str

    def __repr__(self) -> str:
        """Return one line."""
        return f"<Certificate {self.subject}, valid until {self.ends:%Y-%m-%d}>"

    @property
    def days_left(self) -> float:
        """Days until it ends; negative when it has."""
        return (self.ends - dt.datetime.now(dt.UTC)) / dt.timedelta(days=1)

    def fits(self, host: str) -> bool:
        """Whether it counts for a host name or address."""
        wanted = host.strip("[]").lower().rstrip(".")
        head, _, tail = wanted.partition(".")
        known = {name.lower() for name in self.names}
        return wanted in known or bool(head and tail and f"*.{tail}" in known)

    def signed_by(self, authority: Certificate) -> bool:
        """Whether the key of this authority has signed it."""
        ours, theirs = _load(self.pem.encode()), _load(authority.pem.encode())
        try:
            ours.verify_directly_issued_by(theirs)
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True

    def problems(
        self,
        role: Role,
        *,
        host: str = "",
        authority: Certificate | None = None,
        warn_days: int = 0,
    ) -> tuple[Problem, ...]:
        """Return what is wrong with it for a role.

        Args:
            role: what it is to be used for.
            host: the name by which the host is called; for a server.
            authority: who must have signed it.
            warn_days: also say when it ends within so many days.
        """
        found = []
        now = dt.datetime.now(dt.UTC)
        ends = f"{self.ends:%Y-%m-%d %H:%M} UTC"
        if now < self.begins:
            why = "is not valid yet: is the clock right?"
            found.append(Problem("begins", f"{self.begins:%Y-%m-%d %H:%M} UTC", why))
        if now > self.ends:
            found.append(Problem("ends", ends, "has expired", "renew it"))
        elif self.days_left < warn_days:
            found.append(Problem("ends", ends, f"ends in {self.days_left:.0f} days", "renew it"))
        if role not in self.uses:
            uses = ", ".join(self.uses) or "nothing"
            found.append(Problem("uses", uses, f"must not be used as {role}", "make one for it"))
        if authority is not None and not self.signed_by(authority):
            why = f"was not signed by {authority.subject}"
            found.append(Problem("issuer", self.issuer, why, "use certificates of one authority"))
        if host and not self.fits(host):
            names = ", ".join(self.names) or "none"
            why = f"does not count for {host}"
            found.append(Problem("names", names, why, "call the host by one of these names"))
        return tuple(found)


def check_names(asked: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return host names and addresses, checked.

    Raises:
        SpecError: one of them is no host name.
    """
    found = []
    for name in names:
        try:
            found.append(str(ipaddress.ip_address(name.strip("[]"))))
        except ValueError:
            if not _HOST.fullmatch(name) or len(name) > 253:
                why = "is neither a host name nor an address"
                raise SpecError(
                    asked, (Problem("names", name, why, "e.g. kvm7.example.com"),)
                ) from None
            found.append(name.lower())
    return tuple(dict.fromkeys(found))


def _load(data: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(data)


def read_certificate(data: bytes, where: str = "a certificate") -> Certificate:
    """Read a certificate in PEM.

    Raises:
        SpecError: it is none.
    """
    try:
        found = _load(data)
        extensions = found.extensions
    except ValueError as error:
        raise SpecError(f"{where} is no certificate in PEM: {error}") from None
    names: list[str] = []
    uses: list[str] = []
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.SubjectAlternativeName):
            names += value.get_values_for_type(x509.DNSName)
            names += [str(each) for each in value.get_values_for_type(x509.IPAddress)]
        elif isinstance(value, x509.ExtendedKeyUsage):
            uses += ["server"] * (ExtendedKeyUsageOID.SERVER_AUTH in value)
            uses += ["client"] * (ExtendedKeyUsageOID.CLIENT_AUTH in value)
        elif isinstance(value, x509.BasicConstraints) and value.ca:
            uses.append("ca")
    if not uses and not any(isinstance(e.value, x509.ExtendedKeyUsage) for e in extensions):
        uses = ["server", "client"]  # without the extension it may be used for both
    return Certificate(
        subject=found.subject.rfc4514_string(),
        issuer=found.issuer.rfc4514_string(),
        names=tuple(names),
        uses=tuple(uses),
        serial=f"{found.serial_number:x}",
        begins=found.not_valid_before_utc,
        ends=found.not_valid_after_utc,
        sha256=found.fingerprint(hashes.SHA256()).hex(),
        pem=found.public_bytes(serialization.Encoding.PEM).decode(),
    )


def new_key(kind: Literal["ec", "rsa"] = "ec", bits: int = 3072) -> bytes:
    """Make a private key (P-256, or RSA) and return it in PEM; the caller keeps it secret."""
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if kind == "ec":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _key(path: Path) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no private key in PEM"
        raise SpecError(f"{path} cannot be read: {why}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise SpecError(f"{path} is neither an RSA nor an EC key")
    return key


def same_key(certificate: Certificate, key: Path) -> bool:
    """Whether a private key belongs to a certificate.

    Raises:
        SpecError: the file is no private key.
    """
    return _key(key).public_key() == _load(certificate.pem.encode()).public_key()


def _names_of(names: Sequence[str]) -> x509.SubjectAlternativeName:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return x509.SubjectAlternativeName(found)


def sign(
    role: Role,
    subject: str,
    key: Path,
    *,
    names: Sequence[str] = (),
    begins: dt.datetime | None = None,
    ends: dt.datetime,
    authority: tuple[Path, Path] | None = None,
) -> bytes:
    """Return a signed certificate in PEM.

    Args:
        role: what it may be used for.
        subject: its common name.
        key: file of its own private key.
        names: host names and addresses.
        begins: None: five minutes ago.
        ends: when it ends.
        authority: certificate and key that sign it; None: it signs itself.
    """
    own = _key(key)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    signer = _load(authority[0].read_bytes()) if authority else None
    signing = _key(authority[1]) if authority else own
    use = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(signer.subject if signer else name)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins or dt.datetime.now(dt.UTC) - _BEFORE)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=role == "ca", path_length=None), critical=True)
        .add_extension(_key_usage(role), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()),
            critical=False,
        )
    )
    if role != "ca":
        builder = builder.add_extension(x509.ExtendedKeyUsage([use[role]]), critical=False)
    if names:
        builder = builder.add_extension(_names_of(names), critical=False)
    return builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _key_usage(role: Role) -> x509.KeyUsage:
    ca = role == "ca"
    return x509.KeyUsage(
        digital_signature=not ca, key_encipherment=not ca, key_cert_sign=ca, crl_sign=ca,
        content_commitment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def sign_crl(
    authority: tuple[Path, Path], revoked: Iterable[tuple[str, dt.datetime]], *, days: int
) -> bytes:
    """Return the list of revoked certificates in PEM.

    Args:
        authority: certificate and key that sign it.
        revoked: serial number in hexadecimal and time, each.
        days: how long the list counts; a daemon refuses everybody when it is older.
    """
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(_load(authority[0].read_bytes()).subject)
        .last_update(now - _BEFORE)
        .next_update(now + dt.timedelta(days=days))
    )
    for serial, when in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(int(serial, 16))
            .revocation_date(when)
            .build()
        )
    return builder.sign(_key(authority[1]), hashes.SHA256()).public_bytes(
        serialization.Encoding.PEM
    )


def read_crl(data: bytes, where: str = "a CRL") -> dict[str, dt.datetime]:
    """Return serial number (hexadecimal) and time of everything that was revoked.

    Raises:
        SpecError: it is no CRL in PEM.
    """
    try:
        found = x509.load_pem_x509_crl(data)
    except ValueError as error:
        raise SpecError(f"{where} is no CRL in PEM: {error}") from None
    return {f"{each.serial_number:x}": each.revocation_date_utc for each in found}
