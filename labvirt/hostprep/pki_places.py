"""Where libvirt, QEMU and VNC viewers look for certificates; put there, and checked there (13.2).

As ``virt-pki-validate`` does, for every place and below any root folder.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import NotFoundError, Problem, SpecError
from labvirt.hostprep import certificates, preparing
from labvirt.hostprep.certificates import Certificate, read_certificate
from labvirt.hostprep.file_actions import MakeFile, RemoveFile
from labvirt.hostprep.files import mode_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from labvirt.hostprep.pki import Bundle
    from labvirt.plan import Action, Plan

__all__ = ["PLACES", "PRIORITY_LINE", "Place", "check", "install", "place", "uninstall"]


@dataclass(frozen=True)
class Place:
    """One set of file names.

    Attributes:
        text: who looks there.
        role: whose certificate it is.
        ca: path of the authority's certificate below the root.
        cert: path of the certificate.
        key: path of the private key.
        crl: path of the list of revoked certificates; empty when nobody looks for one.
    """

    text: str
    role: str
    ca: str
    cert: str
    key: str
    crl: str = ""

    def below(self, root: Path) -> dict[str, Path]:
        """Return the paths by ``ca``, ``cert``, ``key``, ``crl``."""
        names = {"ca": self.ca, "cert": self.cert, "key": self.key, "crl": self.crl}
        return {name: root / path for name, path in names.items() if path}


def _flat(text: str, role: str, folder: str, *, viewer: bool = False, dash: bool = False) -> Place:
    part = f"{role}-" if dash else role
    ca = "ca-cert.pem" if dash or viewer else "cacert.pem"
    crl = "ca-crl.pem" if dash else ""
    head = f"{folder}/" if folder else ""
    return Place(
        text, role, f"{head}{ca}", f"{head}{part}cert.pem", f"{head}{part}key.pem",
        f"{head}{crl}" if crl else "",
    )  # fmt: skip


#: The line of libvirtd.conf (virtproxyd.conf) that leaves TLS 1.2 and later (E-69).
PRIORITY_LINE: Final = 'tls_priority = "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1"'
_LIBVIRT: Final = "etc/pki/libvirt"
#: Places by name; those of a user are below his home, the others below ``/``.
PLACES: Final[Mapping[str, Place]] = {
    "server": Place(
        "libvirt's daemon", "server", "etc/pki/CA/cacert.pem", f"{_LIBVIRT}/servercert.pem",
        f"{_LIBVIRT}/private/serverkey.pem", "etc/pki/CA/cacrl.pem",
    ),
    "client": Place(
        "libvirt's clients, all users", "client", "etc/pki/CA/cacert.pem",
        f"{_LIBVIRT}/clientcert.pem", f"{_LIBVIRT}/private/clientkey.pem",
    ),
    "user": _flat("libvirt's clients, one user (below his home)", "client", ".pki/libvirt"),
    "pkipath": _flat("a client whose URI says pkipath=", "client", ""),
    "vnc-server": _flat("QEMU's displays (vnc_tls=1)", "server", "etc/pki/libvirt-vnc", dash=True),
    "vnc-user": _flat(
        "VNC viewers, one user (below his home)", "client", ".pki/libvirt-vnc", viewer=True
    ),
    "migrate-server": _flat("QEMU as it receives", "server", "etc/pki/libvirt-migrate", dash=True),
    "migrate-client": _flat("QEMU as it sends", "client", "etc/pki/libvirt-migrate", dash=True),
}  # fmt: skip


def place(name: str, root: str | Path | None = None) -> dict[str, Path]:
    """Return the paths of a place by ``ca``, ``cert``, ``key``, ``crl``.

    Args:
        name: key of `PLACES`.
        root: the folder below which it is; None: ``/``, or the home of this user.

    Raises:
        SpecError: there is no such place.
    """
    if name not in PLACES:
        raise SpecError(f"there is no place {name!r} for certificates", hint=", ".join(PLACES))
    if root is None:
        if name == "pkipath":
            raise SpecError("pkipath is a folder of your choice", hint="root=...")
        root = Path.home() if "user" in name else Path("/")
    return PLACES[name].below(Path(root).expanduser().absolute())


def install(bundle: Bundle, name: str, *, root: str | Path | None = None) -> Plan[dict[str, Path]]:
    """Return the plan that puts a bundle where it is looked for (G13.2-02, G13.2-04).

    A private key that is there and is another one is never overwritten; certificates are, so that
    a renewed one and a longer list of revoked ones arrive.

    Args:
        bundle: what `Authority.server` or `Authority.client` made.
        name: key of `PLACES`.
        root: below which folder; None: ``/``, or the home of this user.

    Raises:
        SpecError: there is no such place, or it is for another role.
        ConflictError: another private key is there.
    """
    paths = place(name, root)
    if PLACES[name].role != bundle.role:
        raise SpecError(f"{name} is for a {PLACES[name].role}, this is a {bundle.role}")
    source = {"ca": bundle.ca, "cert": bundle.cert, "key": bundle.key, "crl": bundle.crl}
    actions: list[Action[Any]] = []
    for what, path in paths.items():
        if what == "crl" and not bundle.crl.exists():
            continue
        made = {str(getattr(action, "path", "")) for action in actions}
        if str(path.parent) not in made:
            secret = path.parent.name == "private" or "user" in name
            actions += preparing.folder(path.parent, 0o700 if secret else 0o755)
        if what != "key":
            line = f"install -m 0644 {source[what]} {path}"
            actions += preparing.text(path, source[what].read_text(), line=line)
        elif _same(path, bundle.key):
            actions += preparing.mode(path, 0o600)
        else:
            line = f"install -m 0600 {bundle.key} {path}"
            actions.append(MakeFile(str(path), 0o600, "private key", line, bundle.key.read_bytes))
    return preparing.preparation(
        f"install certificate of {bundle.folder.name} for {PLACES[name].text}",
        actions,
        lambda: paths,
    )


def _same(path: Path, other: Path) -> bool:
    try:
        return path.read_bytes() == other.read_bytes()
    except FileNotFoundError:
        return False


def uninstall(name: str, *, root: str | Path | None = None) -> Plan[None]:
    """Return the plan that removes certificate and key from a place; the authority's stays.

    Others may use the authority's certificate; it is public and does no harm.
    """
    paths = place(name, root)
    actions = [
        RemoveFile(str(paths[what]), text)
        for what, text in (("cert", "certificate"), ("key", "private key"))
        if paths[what].exists()
    ]
    return preparing.preparation(f"remove certificate of {PLACES[name].text}", actions, _nothing)


def _nothing() -> None:
    return None


def check(
    name: str, *, root: str | Path | None = None, host: str = "", warn_days: int = 30
) -> tuple[Problem, ...]:
    """Look at what is in a place, as ``virt-pki-validate`` does; empty when all is well.

    Args:
        name: key of `PLACES`.
        root: below which folder; None: ``/``, or the home of this user.
        host: the name by which the host is called; for a server.
        warn_days: also tell what ends within so many days.

    Raises:
        SpecError: there is no such place.
    """
    return tuple(_problems(place(name, root), PLACES[name].role, host, warn_days))


def _problems(paths: dict[str, Path], role: str, host: str, warn_days: int) -> Iterator[Problem]:
    known: dict[str, Certificate] = {}
    for what in ("ca", "cert"):
        path = paths[what]
        try:
            known[what] = read_certificate(path.read_bytes(), str(path))
        except FileNotFoundError:
            yield Problem(str(path), "", "is not there", "install it")
        except OSError as error:
            yield Problem(str(path), "", f"cannot be read: {error.strerror}")
        except SpecError as error:
            yield Problem(str(path), "", error.what)
    authority = known.get("ca")
    if authority is not None:
        for each in authority.problems("ca", warn_days=warn_days):
            yield _at(paths["ca"], each)
    if "cert" in known:
        judged: Any = role
        for each in known["cert"].problems(
            judged, host=host, authority=authority, warn_days=warn_days
        ):
            yield _at(paths["cert"], each)
    yield from _key_problems(paths["key"], known.get("cert"))
    if "cert" in known and "crl" in paths and paths["crl"].exists():
        yield from _crl_problems(paths, known["cert"])


def _crl_problems(paths: dict[str, Path], certificate: Certificate) -> Iterator[Problem]:
    try:
        revoked = certificates.read_crl(paths["crl"].read_bytes(), str(paths["crl"]))
    except OSError as error:
        yield Problem(str(paths["crl"]), "", f"cannot be read: {error.strerror}")
    except SpecError as error:
        yield Problem(str(paths["crl"]), "", error.what)
    else:
        if certificate.serial in revoked:
            yield Problem(str(paths["cert"]), certificate.serial, "has been revoked")


def _at(path: Path, problem: Problem) -> Problem:
    return Problem(str(path), problem.value, problem.why, problem.hint)


def _key_problems(path: Path, certificate: Certificate | None) -> Iterator[Problem]:
    bits = mode_of(path)
    if bits is None:
        yield Problem(str(path), "", "is not there", "install it")
        return
    if bits & (stat.S_IRWXG | stat.S_IRWXO):
        why = "others can get at the private key"
        yield Problem(str(path), f"{bits:04o}", why, f"chmod 0600 {path}")
    if certificate is None:
        return
    try:
        if not certificates.same_key(certificate, path):
            yield Problem(str(path), "", "does not belong to the certificate")
    except (SpecError, NotFoundError) as error:
        yield Problem(str(path), "", error.what)
