"""Trying the ports between two hosts, each from inside the other's network (G12.1-03)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from labvirt.connection import node
from labvirt.errors import LabvirtError
from labvirt.host.migrating.check_network import DATA_PORTS
from labvirt.host.migrating.sides import Answer, Way
from labvirt.model.uri import Uri

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.model.migration import MigrationSpec

__all__ = ["answer_of", "dial_ways"]

_SECONDS: Final = 1.0
#: What an error says, and what it means; the first that fits.
_ANSWERS: Final[tuple[tuple[str, Answer], ...]] = (
    ("Errno 111", "refused"),
    ("refused", "refused"),
    ("Errno -2", "no-name"),
    ("Errno -3", "no-name"),
    ("not known", "no-name"),
    ("resolution", "no-name"),
    ("timed out", "silent"),
    ("Errno 110", "silent"),
    ("Errno 113", "unreachable"),
    ("Errno 101", "unreachable"),
    ("No route", "unreachable"),
    ("unreachable", "unreachable"),
)


def dial_ways(
    source: Host, destination: Host, spec: MigrationSpec, data_uri: str | None
) -> tuple[Way, ...] | None:
    """Try the ports that a migration needs; None when it cannot be tried or needs none.

    Args:
        source: host that sends.
        destination: host that takes.
        spec: how.
        data_uri: where the data would go; None: the destination says.
    """
    plans: list[tuple[str, Host, str, int]] = []
    if spec.mode != "tunnelled" and not (data_uri or "").startswith("unix:"):
        address, port = _data_address(destination, data_uri)
        plans.append(("data", source, address, port))
        plans.append(("back", destination, _name(source), DATA_PORTS[0]))
    if spec.p2p:
        uri = Uri.parse(spec.peer_uri) if spec.peer_uri else destination.connection.uri
        daemon = uri.port or uri.default_port
        if uri.host and daemon:
            plans.append(("daemon", source, uri.host, daemon))
    plans = [one for one in plans if one[1].facts.dial is not None and one[2]]
    if not plans:
        return None
    with ThreadPoolExecutor(len(plans), thread_name_prefix="labvirt-dial") as pool:
        return tuple(pool.map(lambda one: _dial(*one), plans))


def _data_address(destination: Host, data_uri: str | None) -> tuple[str, int]:
    """Return host and port of the data."""
    known = data_uri or destination.facts.migrate_uri
    if known:
        parts = urlsplit(known)
        return parts.hostname or "", parts.port or DATA_PORTS[0]
    return _name(destination), DATA_PORTS[0]


def _name(host: Host) -> str:
    """Return what libvirt tells others to call a host: its own name."""
    try:
        return node.hostname(host.connection)
    except LabvirtError:
        return ""


def _dial(key: str, start: Host, address: str, port: int) -> Way:
    dial = start.facts.dial
    if dial is None:
        return Way(key, start.name, address, port, "unknown", "cannot be tried from there")
    try:
        dial(address, port, _SECONDS).close()
    except (LabvirtError, OSError) as error:
        text = error.what if isinstance(error, LabvirtError) else str(error)
        return Way(key, start.name, address, port, answer_of(text), text)
    return Way(key, start.name, address, port, "open")


def answer_of(text: str) -> Answer:
    """Return what an error of a connection means."""
    return next((answer for words, answer in _ANSWERS if words in text), "unknown")
