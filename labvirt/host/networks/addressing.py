"""Where is my guest's address: leases, agent, ARP and the serial console are asked in turn."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labvirt.connection import domain as calls
from labvirt.connection import network as networks
from labvirt.errors import HostError, LabvirtError, NotFoundError, WaitTimeoutError
from labvirt.host.collection import Table
from labvirt.host.networks.hostnet import neighbours
from labvirt.host.networks.network_guests import Rows
from labvirt.model.xml.domain import DomainXml
from labvirt.status import AddressRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from labvirt.host.handle import DomainHandle

__all__ = ["SOURCES", "Addresses", "SourceAnswer", "find_addresses", "reachable"]

SOURCES: Final = ("lease", "agent", "arp", "serial")
"""Who is asked, in this order."""

_TAIL_BYTES = 256 * 1024
_V4 = r"(?:\d{1,3}\.){3}\d{1,3}"
_V6 = r"[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}"
_ESCAPE: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
#: How boot messages and login screens tell an address.
_TOLD: Final = tuple(
    re.compile(pattern.replace("@", f"(?P<ip>{_V4}|{_V6})"), re.MULTILINE)
    for pattern in (
        r"^ci-info: \|\s*(?P<dev>[\w.-]+)\s*\|\s*True\s*\|\s*@(?:/\d+)?\s*\|",
        r"\binet6? @/\d+",
        r"\blease of @ obtained",
        r"\bbound to @\b",
        r"\bDHCPv[46] address @",
        r"\baddress[:=]\s*@\b",
        r"(?:^|\s)(?P<dev>e[a-z0-9]+):\s+@\b",
    )
)


@dataclass(frozen=True)
class SourceAnswer:
    """What came of asking one source.

    Attributes:
        source: ``lease``, ``agent``, ``arp`` or ``serial``.
        found: how many usable addresses it told.
        reason: why it told none; empty when it did.
    """

    source: str
    found: int
    reason: str

    def __str__(self) -> str:
        return f"{self.source}: {self.reason or f'{self.found} found'}"


class Addresses(Rows[AddressRecord]):
    """The addresses of a guest, and what each source that was asked said.

    Attributes:
        answers: one per source, in the order in which they were asked.
    """

    answers: tuple[SourceAnswer, ...]
    table = Table(
        "address",
        [
            ("address", "", lambda r: r.address),
            ("prefix", "bits", lambda r: r.prefix),
            ("family", "", lambda r: r.family),
            ("mac", "", lambda r: r.mac),
            ("interface", "", lambda r: r.interface),
            ("source", "", lambda r: r.source),
            ("evidence", "", lambda r: r.evidence),
        ],
    )

    @property
    def source(self) -> str:
        """Who answered first."""
        return next(answer.source for answer in self.answers if answer.found)


def find_addresses(domain: DomainHandle, *, every: bool) -> Addresses:
    """Ask the sources in turn; see `InsideVerbs.addresses`."""
    if not domain.is_active:
        raise HostError(
            f"find the addresses of domain {domain.name}",
            uri=domain.host.label,
            libvirt_text="the domain is not running",
            hint="start it first",
        )
    look = _Look(domain)
    answers: list[SourceAnswer] = []
    found: dict[tuple[str, str], AddressRecord] = {}
    for source in SOURCES:
        told, reason = look.ask(source)
        good = reachable(told)
        if told and not good:
            reason = "only loopback and link-local addresses yet"
        answers.append(SourceAnswer(source, len(good), "" if good else reason))
        for record in told if good else ():
            found.setdefault((record.mac, record.address), record)
        if good and not every:
            break
    if not found:
        raise HostError(
            f"find the addresses of domain {domain.name}",
            uri=domain.host.label,
            libvirt_text="; ".join(map(str, answers)),
            hint="wait for the guest to boot, start the guest agent in it, or look at its console",
        )
    result = Addresses(found.values())
    result.answers = tuple(answers)
    return result


def reachable(addresses: Iterable[AddressRecord]) -> tuple[AddressRecord, ...]:
    """Return those by which others can reach the guest: neither loopback nor link-local."""

    def is_own(text: str) -> bool:
        address = ipaddress.ip_address(text)
        return address.is_loopback or address.is_link_local

    return tuple(record for record in addresses if not is_own(record.address))


class _Look:
    """Asks for the addresses of one domain."""

    def __init__(self, domain: DomainHandle) -> None:
        self._domain, self._host = domain, domain.host
        self._document = DomainXml.parse(domain.xml())
        self._macs = {one.mac.lower(): one for one in self._document.interfaces if one.mac}

    def ask(self, source: str) -> tuple[tuple[AddressRecord, ...], str]:
        """Return what a source says, and why it says nothing."""
        if not self._macs:
            return (), "the domain has no network interface"
        ways: dict[str, Callable[[], tuple[tuple[AddressRecord, ...], str]]] = {
            "lease": self._leases,
            "agent": self._agent,
            "arp": self._arp,
            "serial": self._serial,
        }
        try:
            return ways[source]()
        except HostError as error:
            return (), error.libvirt_text or error.what
        except (LabvirtError, WaitTimeoutError) as error:
            return (), error.what

    def _leases(self) -> tuple[tuple[AddressRecord, ...], str]:
        """Ask the DHCP servers of libvirt's networks."""
        link = self._host.connection
        names = sorted({one.source_network for one in self._macs.values() if one.source_network})
        if not names:
            kinds = ", ".join(sorted({one.type or "" for one in self._macs.values()}))
            return (), f"no interface is on a network of libvirt ({kinds})"
        found: list[AddressRecord] = []
        silent: list[str] = []
        for name in names:
            try:
                leases = networks.leases(link, networks.find(link, name))
            except NotFoundError:
                silent.append(f"{name} is gone")
                continue
            except HostError as error:
                silent.append(f"{name}: {error.libvirt_text}")
                continue
            here = [one for one in leases if one.mac in self._macs]
            if not here:
                silent.append(f"{name} has no lease for it")
            for lease in here:
                until = f" until {lease.expires_at:%H:%M:%S} UTC" if lease.expires_at else ""
                found.append(
                    AddressRecord(
                        interface=self._macs[lease.mac].target_dev or "",
                        mac=lease.mac,
                        family=lease.family,
                        address=lease.address,
                        prefix=lease.prefix,
                        source="lease",
                        evidence=f"network {name} leased it{until}",
                    )
                )
        return tuple(found), "; ".join(silent)

    def _agent(self) -> tuple[tuple[AddressRecord, ...], str]:
        """Ask the guest itself."""
        if not any(c.target_name == "org.qemu.guest_agent.0" for c in self._document.channels):
            return (), "the domain has no channel for a guest agent"
        told = calls.interface_addresses(self._host.connection, self._domain.uuid, source="agent")
        named = tuple(
            replace(one, evidence=f"the guest says so of its {one.interface}") for one in told
        )
        return named, "the guest agent named none"

    def _arp(self) -> tuple[tuple[AddressRecord, ...], str]:
        """Ask libvirt for the host's ARP table, or read it: libvirt 9.0 cannot on new kernels."""
        try:
            told = calls.interface_addresses(self._host.connection, self._domain.uuid, source="arp")
            if told:
                return tuple(replace(o, evidence="the host's ARP table has it") for o in told), ""
            said = "libvirt found none"
        except HostError as error:
            said = f"libvirt: {error.libvirt_text}"
        seen = neighbours(self._host)
        if seen is None:
            return (), f"{said}; the host's own table cannot be read from here"
        found = tuple(
            AddressRecord(
                interface=one.device,
                mac=one.mac,
                family="ipv6" if ":" in one.address else "ipv4",
                address=one.address,
                prefix=0,
                source="arp",
                evidence=f"the host has it as neighbour on {one.device} ({one.state.lower()})",
            )
            for one in seen
            if one.mac in self._macs
        )
        return found, f"{said}; the host has seen no packet of it"

    def _serial(self) -> tuple[tuple[AddressRecord, ...], str]:
        """Look for what the guest printed on its serial console since it booted."""
        logs = [one.log_file for one in self._document.serials if one.log_file]
        if not logs:
            return (), "its serial console is not written to a file (log_path)"
        if not self._host.is_local:
            return (), f"{logs[0]} is a file of another machine"
        path = Path(logs[0])
        try:
            size = path.stat().st_size
            start = max(self._host.serial_marks.get(self._domain.uuid, 0), size - _TAIL_BYTES)
            with path.open("rb") as log:
                log.seek(start)
                text = log.read().decode(errors="replace").replace("\r", "")
        except OSError as error:
            return (), f"{path}: {error.strerror}"
        return _told(text), f"nothing like an address was printed to {path}"


def _told(text: str) -> tuple[AddressRecord, ...]:
    """Return the addresses in boot messages; each with the line that tells it."""
    text = _ESCAPE.sub(" ", text)
    found: dict[str, AddressRecord] = {}
    for pattern in _TOLD:
        for match in pattern.finditer(text):
            try:
                address = ipaddress.ip_address(match["ip"])
            except ValueError:
                continue
            if address.is_unspecified or address.is_multicast:
                continue
            start = text.rfind("\n", 0, match.start("ip")) + 1
            line = text[start:].partition("\n")[0].strip()[:120]
            record = AddressRecord(
                interface=match.groupdict().get("dev") or "",
                mac="",
                family=f"ipv{address.version}",
                address=str(address),
                prefix=0,
                source="serial",
                evidence=f"the serial console says {line!r}",
            )
            found.setdefault(str(address), record)
    return tuple(found.values())
