"""PKI: an authority in a folder, the certificates it signs, and their places (guide 13.2).

https://libvirt.org/kbase/tlscerts.html. Private keys have mode 0600 from the first moment on; they
stand in no text, journal or record.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from labvirt.errors import ConflictError, NotFoundError, Problem, SpecError
from labvirt.hostprep import certificates, preparing
from labvirt.hostprep.certificates import Certificate, check_names, read_certificate
from labvirt.hostprep.file_actions import MakeFile, RemoveFile
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labvirt.plan import Action

__all__ = ["Authority", "Bundle"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,99}")
_LONGEST_DAYS = 7300
_CERTTOOL = (
    "certtool --generate-certificate --load-privkey {bundle.key} --load-ca-certificate {ca.cert} "
    "--load-ca-privkey {ca.folder}/cakey.pem --outfile {bundle.cert}"
)


@dataclass(frozen=True)
class Bundle:
    """The files of one who has a certificate, in one folder that works as ``pkipath`` too.

    Attributes:
        role: ``server`` or ``client``.
        folder: where they are.
    """

    role: Literal["server", "client"]
    folder: Path

    @property
    def ca(self) -> Path:
        """Return the path of the authority's certificate."""
        return self.folder / "cacert.pem"

    @property
    def cert(self) -> Path:
        """Return the path of the certificate."""
        return self.folder / f"{self.role}cert.pem"

    @property
    def key(self) -> Path:
        """Return the path of the private key."""
        return self.folder / f"{self.role}key.pem"

    @property
    def crl(self) -> Path:
        """Return the path of the list of revoked certificates; only servers have one."""
        return self.folder / "cacrl.pem"

    @property
    def certificate(self) -> Certificate:
        """Read the certificate.

        Raises:
            NotFoundError: it is not there.
        """
        return _read(self.cert)


def _read(path: Path) -> Certificate:
    try:
        return read_certificate(path.read_bytes(), str(path))
    except FileNotFoundError:
        raise NotFoundError(f"read {path}", libvirt_text="it is not there") from None


class Authority:
    """An authority: ``cacert.pem``, ``cakey.pem``, ``cacrl.pem``, and a folder for each bundle.

    Keep its folder away from the hosts: who has ``cakey.pem`` can pretend to be every host and user.

    Args:
        folder: where it is, or shall be.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser().absolute()

    def __repr__(self) -> str:
        """Return one line."""
        return f"<Authority {self.folder}>"

    @property
    def cert(self) -> Path:
        """Return the path of its certificate."""
        return self.folder / "cacert.pem"

    @property
    def crl(self) -> Path:
        """Return the path of the list of what it has revoked."""
        return self.folder / "cacrl.pem"

    @property
    def certificate(self) -> Certificate:
        """Read its certificate.

        Raises:
            NotFoundError: it was not made yet.
        """
        return _read(self.cert)

    @property
    def _pair(self) -> tuple[Path, Path]:
        return self.cert, self.folder / "cakey.pem"

    @property
    def revoked(self) -> dict[str, dt.datetime]:
        """Return serial numbers (hexadecimal) and times of all it has revoked."""
        return certificates.read_crl(self.crl.read_bytes()) if self.crl.exists() else {}

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """Return all bundles that it has made, by name of their folder."""
        found: list[Bundle] = []
        roles: tuple[Literal["server", "client"], ...] = ("server", "client")
        for role in roles:
            paths = sorted(self.folder.glob(f"{role}-*/{role}cert.pem"))
            found += [Bundle(role, path.parent) for path in paths]
        return tuple(found)

    @verb
    def create(
        self, name: str = "labvirt CA", *, days: int = 3650, key: Literal["ec", "rsa"] = "ec"
    ) -> Plan[Certificate]:
        """Make it; nothing that is there is ever overwritten (G13.2-02).

        Args:
            name: its common name.
            days: how long it counts.
            key: ``ec`` (P-256) or ``rsa`` (3072 bits).

        Raises:
            SpecError: a name or a number cannot be right.
            ConflictError: there is one already.
        """
        _check("make an authority", name, days)
        cert, private = self._pair
        crl = certificates.sign_crl
        line = f"certtool --generate-privkey --outfile {private}"
        actions = [
            *preparing.folder(self.folder, 0o700, exact=True),
            MakeFile(str(private), 0o600, "private key", line, lambda: certificates.new_key(key)),
            MakeFile(
                str(cert), 0o644, "certificate",
                f"certtool --generate-self-signed --load-privkey {private} --outfile {cert}",
                lambda: certificates.sign("ca", name, private, ends=_after(days)),
            ),
            MakeFile(
                str(self.crl), 0o644, "list of revoked certificates",
                f"certtool --generate-crl --load-ca-privkey {private} --load-ca-certificate {cert} "
                f"--outfile {self.crl}",
                lambda: crl(self._pair, (), days=days),
            ),
        ]  # fmt: skip
        return preparing.preparation(
            f"make authority {name}", actions, lambda: self.certificate,
            python=f"pki.Authority({str(self.folder)!r}).create({name!r}, days={days})",
        )  # fmt: skip

    @verb
    def server(
        self, name: str, *more: str, days: float = 365, key: Literal["ec", "rsa"] = "ec"
    ) -> Plan[Bundle]:
        """Make key and certificate of a host (G13.2-02).

        Args:
            name: the name by which clients call it in their URIs: its full host name (E-67).
            more: further names and addresses by which it is called.
            days: how long it counts.
            key: kind of the key.

        Raises:
            SpecError: a name cannot be right.
            ConflictError: it has one already: `renew` it.
            NotFoundError: there is no authority here.
        """
        names = check_names("make a server's certificate", (name, *more))
        return self._issue("server", name, names, days, key)

    @verb
    def client(
        self, name: str, *, days: float = 365, key: Literal["ec", "rsa"] = "ec"
    ) -> Plan[Bundle]:
        """Make key and certificate of a user (G13.2-04).

        Raises:
            SpecError: the name cannot be right.
            ConflictError: there is one already: `renew` it.
            NotFoundError: there is no authority here.
        """
        return self._issue("client", name, (), days, key)

    def _issue(
        self,
        role: Literal["server", "client"],
        name: str,
        names: Sequence[str],
        days: float,
        key: Literal["ec", "rsa"],
    ) -> Plan[Bundle]:
        _check(f"make a {role}'s certificate", name, days)
        if not _NAME.fullmatch(name):
            raise SpecError(f"{name!r} cannot be a name", hint="letters, digits, '.', '-', '_'")
        ca = self.certificate
        made = Bundle(role, self.folder / f"{role}-{name}")
        ends = min(_after(days), ca.ends)
        line = f"certtool --generate-privkey --outfile {made.key}"
        actions: list[Action[Any]] = [
            *preparing.folder(made.folder, 0o700),
            MakeFile(str(made.key), 0o600, "private key", line, lambda: certificates.new_key(key)),
            MakeFile(
                str(made.cert), 0o644, "certificate",
                _CERTTOOL.format(bundle=made, ca=self),
                lambda: certificates.sign(
                    role, name, made.key, names=names, ends=ends, authority=self._pair
                ),
            ),
            *preparing.text(made.ca, ca.pem, line=f"cp {self.cert} {made.ca}"),
        ]  # fmt: skip
        if role == "server" and self.crl.exists():
            line = f"cp {self.crl} {made.crl}"
            actions += preparing.text(made.crl, self.crl.read_text(), line=line)
        return preparing.preparation(
            f"make certificate of {role} {name}", actions, lambda: made,
            python=f"pki.Authority({str(self.folder)!r}).{role}({name!r})",
            warnings=() if ends < ca.ends else ("it ends with its authority",),
        )  # fmt: skip

    @verb
    def renew(self, bundle: Bundle, *, days: float = 365) -> Plan[Bundle]:
        """Sign the key of a bundle anew, for the same names; the old certificate counts to its end.

        Raises:
            NotFoundError: there is no such certificate.
        """
        old = bundle.certificate
        _check("renew a certificate", old.subject, days)
        ends = min(_after(days), self.certificate.ends)
        name = old.subject.rpartition("CN=")[2]
        signed = certificates.sign(
            bundle.role, name, bundle.key, names=old.names, ends=ends, authority=self._pair
        ).decode()
        return preparing.preparation(
            f"renew certificate of {bundle.role} {name} until {ends:%Y-%m-%d}",
            preparing.text(bundle.cert, signed, line=_CERTTOOL.format(bundle=bundle, ca=self)),
            lambda: bundle,
        )

    @verb
    def revoke(self, bundle: Bundle | Certificate, *, days: int = 3650) -> Plan[Path]:
        """Put a certificate on the list of those that no longer count (G13.2-01).

        The list must then be brought to every host (`pki_places.install`) and its daemon told to
        read it: ``virt-admin server-update-tls libvirtd`` where the files stand in their default
        places, else by a restart of the daemon, which guests do not notice.

        Args:
            bundle: whose.
            days: how long the list counts.

        Raises:
            SpecError: this authority has not signed it.
            NotFoundError: there is no such certificate.
        """
        found = bundle.certificate if isinstance(bundle, Bundle) else bundle
        if not found.signed_by(self.certificate):
            raise SpecError(f"{found.subject} was not signed by {self.certificate.subject}")
        now = dt.datetime.now(dt.UTC)
        listed = {found.serial: now} | self.revoked
        text = certificates.sign_crl(self._pair, listed.items(), days=days).decode()
        line = f"certtool --generate-crl --outfile {self.crl}"
        actions = (
            [] if found.serial in self.revoked else list(preparing.text(self.crl, text, line=line))
        )
        for each in self.bundles if actions else ():
            if each.role == "server":
                actions += preparing.text(each.crl, text, line=f"cp {self.crl} {each.crl}")
        return preparing.preparation(
            f"revoke {found.subject}, serial {found.serial}",
            actions,
            lambda: self.crl,
            warnings=("hosts refuse it only after they have got the new list and read it",),
        )

    @verb
    def remove(self, bundle: Bundle) -> Plan[None]:
        """Remove the files of a bundle here; it counts until it is revoked or ends.

        Raises:
            ConflictError: the bundle is not one of this authority's.
        """
        if bundle.folder.parent != self.folder:
            raise ConflictError(
                f"remove {bundle.folder}", libvirt_text="it is not in this authority"
            )
        return preparing.preparation(
            f"remove {bundle.folder.name}", _removing(bundle.folder), lambda: _drop(bundle.folder)
        )


def _removing(folder: Path) -> Iterator[Action[Any]]:
    for path in sorted(folder.glob("*.pem")):
        yield RemoveFile(str(path), "private key" if "key" in path.name else "certificate")


def _drop(folder: Path) -> None:
    if folder.exists() and not any(folder.iterdir()):
        os.rmdir(folder)  # noqa: PTH106 - only when it is empty


def _after(days: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=days)


def _check(asked: str, name: str, days: float) -> None:
    problems = []
    if not name.strip() or len(name) > 64:
        problems.append(Problem("name", name[:80], "is empty or longer than 64 characters"))
    if not 0 < days <= _LONGEST_DAYS:
        problems.append(Problem("days", str(days), "is out of range", f"up to {_LONGEST_DAYS}"))
    if problems:
        raise SpecError(asked, problems)
