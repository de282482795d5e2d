"""Evidence: what proves how far a guest has come, gathered from outside and inside."""

from __future__ import annotations

import http.client
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.connection import domain as calls
from labvirt.connection import network as networks
from labvirt.errors import HostError, LabvirtError
from labvirt.host.networks.addressing import reachable
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from labvirt.connection.console import ConsoleStream
    from labvirt.host.clones.inside import InsideVerbs
    from labvirt.status import DomainRecord, LeaseRecord

__all__ = ["Evidence", "Observer", "SerialTail"]

#: Text that only a booting guest prints first: everything before the last one is an older boot.
BOOT_MARKS = (rb"labvirt: boot", rb"SeaBIOS \(", rb"Linux version \d", rb"iPXE \d", rb"BdsDxe: ")
#: Text that a guest prints when it can be used.
READY_MARKS = re.compile(rb"(?m)^READY [\d.]+|[\w.-]+ login: ?$")


@dataclass(frozen=True)
class Evidence:
    """What was seen when a wait ended.

    Attributes:
        kind: ``state``, ``serial``, ``agent``, ``lease``, ``http`` or ``rate``.
        text: the evidence in words.
        seconds: how long the wait took.
        stages: seconds from the beginning at which each stage was passed.
    """

    kind: str
    text: str
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.text} ({self.kind}, after {self.seconds:.1f} s)"


class SerialTail:
    """Follows the serial console of one boot: the transcript if it can be read, else the line."""

    def __init__(self, domain: InsideVerbs, document: DomainXml) -> None:
        self._text = b""
        self._stream: ConsoleStream | None = None
        self._path: Path | None = None
        path = next((serial.log_file for serial in document.serials if serial.log_file), None)
        if path and domain.host.is_local:
            self._path = Path(path)
            mark = domain.host.serial_marks.get(domain.uuid)
            self._offset, self._known_boot = mark or 0, mark is not None
        elif document.serials:
            try:
                self._stream = calls.open_console(domain.host.connection, domain.uuid, None)
            except HostError:
                # Somebody else reads the console; other evidence must do.
                self._stream = None

    @property
    def available(self) -> bool:
        """True when there is a serial line that can be followed."""
        return self._path is not None or self._stream is not None

    def text(self) -> bytes:
        """Return everything that this boot has printed so far (as far as it was seen)."""
        if self._path is not None:
            return self._from_file(self._path)
        if self._stream is not None:
            try:
                self._text += self._stream.read(0.0)
            except HostError:
                self._stream = None
        return self._text

    def _from_file(self, path: Path) -> bytes:
        try:
            with path.open("rb") as log:
                log.seek(self._offset)
                text = log.read()
        except OSError:
            return b""
        if self._known_boot:
            return text
        starts = [found.start() for mark in BOOT_MARKS for found in re.finditer(mark, text)]
        return text[max(starts, default=0) :]

    def close(self) -> None:
        """Let go of the console."""
        if self._stream is not None:
            self._stream.close()


class Observer:
    """Looks at one domain, again and again, and says what can be seen."""

    def __init__(self, domain: InsideVerbs) -> None:
        self.domain = domain
        document = DomainXml.parse(domain.xml())
        self.has_agent = any(c.target_name == "org.qemu.guest_agent.0" for c in document.channels)
        self.has_interface = bool(document.interfaces)
        self.serial = SerialTail(domain, document)
        self._macs = {i.mac for i in document.interfaces if i.mac}
        self._networks = {i.source_network for i in document.interfaces if i.source_network}
        self.addresses: tuple[str, ...] = ()
        self._old_leases = set(self._leases())

    def close(self) -> None:
        """Let go of everything that was opened for looking."""
        self.serial.close()

    def record(self) -> DomainRecord:
        """Read the domain."""
        return self.domain.info()

    def serial_ready(self) -> Evidence | None:
        """Return the line by which the guest says that it is ready."""
        found = READY_MARKS.search(self.serial.text())
        if found is None:
            return None
        line = found.group().decode(errors="replace").strip()
        return Evidence("serial", f"the serial console says {line!r}")

    def last_line(self) -> str:
        """Return the last line of the serial console, for messages."""
        lines = self.serial.text().decode(errors="replace").strip().splitlines()
        return lines[-1].strip()[:120] if lines else ""

    def agent_ready(self) -> Evidence | None:
        """Return evidence when the guest agent answers."""
        if self.has_agent and self.domain.agent_answers():
            return Evidence("agent", "the guest agent answers")
        return None

    def lease_ready(self) -> Evidence | None:
        """Return evidence when the guest got an address from the host's DHCP server."""
        # A lease known before the wait may be left from an earlier boot.
        trusted = not (self.has_agent or self.serial.available)
        fresh = [item for item in self._leases() if trusted or item not in self._old_leases]
        if not fresh:
            return None
        self.addresses = tuple(item.address for item in fresh)
        return Evidence("lease", f"DHCP gave it {fresh[0].address}")

    def _leases(self) -> tuple[LeaseRecord, ...]:
        link = self.domain.host.connection
        found: list[LeaseRecord] = []
        for name in self._networks:
            try:
                leases = networks.leases(link, networks.find(link, name))
            except HostError:
                continue
            found += [lease for lease in leases if lease.mac in self._macs]
        return tuple(found)

    def address_ready(self) -> Evidence | None:
        """Return evidence when the guest has an address, by lease or by the agent's word."""
        lease = self.lease_ready()
        if lease is not None or not self.has_agent:
            return lease
        try:
            told = calls.interface_addresses(
                self.domain.host.connection, self.domain.uuid, source="agent"
            )
        except LabvirtError:
            return None
        usable = reachable(told)
        if not usable:
            return None
        self.addresses = tuple(a.address for a in usable)
        return Evidence("agent", f"the guest agent says it has {usable[0].address}")

    def http_ready(self, port: int = 80) -> Evidence | None:
        """Return evidence when a web server inside the guest answers."""
        if not self.addresses and self.address_ready() is None:
            return None
        address = self.addresses[0]
        dial = self.domain.host.facts.dial or _dial
        try:
            status = _http_status(dial(address, port, 1.0), address)
        except (OSError, LabvirtError, http.client.HTTPException):
            return None
        return Evidence("http", f"http://{address}:{port}/ answers {status}")


def _dial(address: str, port: int, timeout_s: float) -> socket.socket:
    return socket.create_connection((address, port), timeout_s)


def _http_status(connected: socket.socket, address: str) -> int:
    client = http.client.HTTPConnection(address, timeout=2.0)
    client.sock = connected
    try:
        client.request("GET", "/")
        return client.getresponse().status
    finally:
        client.close()
