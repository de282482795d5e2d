"""The stages of TLS: our own files, the host's certificate, and whether it accepts ours (13.2)."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import warnings
from typing import TYPE_CHECKING

from labvirt.hostprep import pki_places
from labvirt.hostprep.certificates import read_certificate
from labvirt.status.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from labvirt.doctor.way import Way
    from labvirt.status.finding import Verdict

__all__ = ["handshake", "own_files"]

_OWN = "Are our own certificate and key there and in order?"
_SERVER = "Is the host's certificate in order, and does it count for this name?"
_ACCEPTED = "Does the host accept our certificate?"


def _place(way: Way) -> tuple[str, str | None]:
    """Return where libvirt's client looks: name of the place, and root."""
    if folder := way.uri.param("pkipath"):
        return "pkipath", folder
    mine = pki_places.place("user")
    if os.geteuid() != 0 and all(path.exists() for path in mine.values()):
        return "user", None
    return "client", None


def own_files(way: Way) -> Iterator[Finding]:
    """Look at our files as virt-pki-validate does."""
    name, root = _place(way)
    paths = pki_places.place(name, root)
    way.facts["own"] = paths
    problems = pki_places.check(name, root=root)
    said = ", ".join(str(path) for path in paths.values())
    mild = [each for each in problems if "ends in" in each.why or "get at" in each.why]
    told = "; ".join(str(each) for each in problems)
    hints = "; ".join(dict.fromkeys(each.hint for each in problems if each.hint))
    lenient = way.uri.flag("no_verify")
    if len(mild) < len(problems):
        only_ca = lenient and all(each.field == str(paths["ca"]) for each in problems)
        verdict: Verdict = "warning" if only_ca else "fail"
        yield Finding("own_files", _OWN, verdict, said, told, hints, "G13.2-04")
        return
    yield Finding("own_files", _OWN, "warning" if mild else "ok", said, told, hints, "G13.2-04")


def handshake(way: Way) -> Iterator[Finding]:
    """Shake hands as libvirt does; its daemon then sends one byte to those it lets in."""
    paths: dict[str, Path] = way.facts["own"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # judged below, with what is wrong by name
    context.load_cert_chain(paths["cert"], paths["key"])
    limit = min(way.timeout_s, 10.0)
    said, byte, pem, version = "", b"", None, ""
    try:
        with (
            socket.create_connection((way.uri.host, way.port), limit) as plain,
            context.wrap_socket(plain, server_hostname=way.uri.host) as link,
        ):
            pem, version = link.getpeercert(binary_form=True), link.version() or ""
            byte = link.recv(1)
    except TimeoutError:
        said = f"no answer in {limit:g} s"
    except OSError as error:
        said = str(error)
    if pem is None:
        cause = "the other side does not speak TLS as we do, or not at all"
        remedy = f"openssl s_client -connect {way.uri.host}:{way.port}"
        yield Finding("certificate", _SERVER, "fail", said, cause, remedy, "G13.3-01")
        return
    yield _judged(way, ssl.DER_cert_to_PEM_cert(pem), version)
    if byte == b"\1":
        yield _old_tls(way, paths, limit)
        yield Finding("accepted", _ACCEPTED, "ok", "it lets us in", guide="G13.2-01")
        return
    cause = (
        "it has expired, is revoked, was signed by another authority than the daemon's, "
        "or is missing from tls_allowed_dn_list"
    )
    remedy = f"on {way.uri.host}: journalctl -u libvirtd -u virtproxyd, which names the reason"
    shown = said or "it closed the connection behind the handshake"
    yield Finding("accepted", _ACCEPTED, "fail", shown, cause, remedy, "G13.2-01")


def _old_tls(way: Way, paths: dict[str, Path], limit: float) -> Finding:
    """Try whether the host still takes TLS 1.1, which nobody should."""
    question = "Does the host refuse TLS older than 1.2?"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.load_cert_chain(paths["cert"], paths["key"])
        with (
            socket.create_connection((way.uri.host, way.port), limit) as plain,
            context.wrap_socket(plain) as link,
        ):
            taken = link.recv(1) == b"\1"
    except (OSError, ValueError):
        taken = False
    if not taken:
        return Finding("protocol", question, "ok", "it does", guide="G13.3-01")
    cause = "it takes TLS 1.1: GnuTLS allows it on this system"
    remedy = f"in libvirtd.conf (virtproxyd.conf) there: {pki_places.PRIORITY_LINE}"
    return Finding("protocol", question, "warning", "TLS 1.1 was taken", cause, remedy, "G13.3-01")


def _judged(way: Way, pem: str, version: str) -> Finding:
    found = read_certificate(pem.encode())
    authority = None
    with contextlib.suppress(OSError):
        authority = read_certificate(way.facts["own"]["ca"].read_bytes())
    problems = found.problems("server", host=way.uri.host, authority=authority, warn_days=30)
    said = f"{found.subject}, for {', '.join(found.names) or 'no name'}, until {found.ends:%Y-%m-%d}, {version}"
    told = "; ".join(str(each) for each in problems)
    hints = "; ".join(dict.fromkeys(each.hint for each in problems if each.hint))
    hard = [each for each in problems if "ends in" not in each.why]
    if way.uri.flag("no_verify"):
        told = f"no_verify: nobody looks at it; {told}".rstrip("; ")
        hard = []
    verdict: Verdict = "fail" if hard else "warning" if told else "ok"
    return Finding("certificate", _SERVER, verdict, said, told, hints, "G13.2-02")
