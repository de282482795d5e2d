"""An address of the host in a virtual network, and what DHCP and TFTP serve there."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import AbsolutePath, Line, Mac
from labvirt.model.spec import Spec
from labvirt.model.xml.network import DhcpHostXml, DhcpRangeXml, NetworkIpXml

__all__ = ["Address", "DhcpHost", "DhcpRange", "DnsName", "Interface", "NetworkIp"]

_RANGE_MASK = 0xFFFF  # libvirt wants first and last address equal but for their last 16 bits
_SHORTEST_LEASE_S = 120
_DUID = re.compile(r"[0-9a-f]{1,2}(:[0-9a-f]{1,2}){3,}")

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def _interface(text: str) -> str:
    """Return ``address/prefix`` in its usual form; the prefix must be given."""
    hint = "e.g. 192.168.100.1/24"
    try:
        found = ipaddress.ip_interface(text.strip())
    except ValueError:
        found = None
    if found is None or "/" not in text:
        why = "is no address with the length of its network's prefix"
        raise SpecError("NetworkIp", (Problem("address", text, why, hint),))
    if found.network.num_addresses > 2 and found.ip == found.network.network_address:
        why = "is the address of the network, not of the host in it"
        example = f"e.g. {found.ip + 1}/{found.network.prefixlen}"
        raise SpecError("NetworkIp", (Problem("address", text, why, example),))
    return str(found)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        why = "is no IP address"
        raise SpecError("NetworkIp", (Problem("", text, why, "e.g. 192.168.100.2"),)) from None


def _duid(text: str) -> str:
    plain = text.strip().lower()
    if not _DUID.fullmatch(plain):
        why = "is no DUID"
        hint = "hexadecimal bytes with colons, e.g. 00:03:00:01:52:54:00:12:34:56"
        raise SpecError("DhcpHost", (Problem("id", text, why, hint),))
    return plain


def _number(text: str) -> int:
    return int(ipaddress.ip_address(text))


def _lease(seconds: int) -> int:
    if 0 < seconds < _SHORTEST_LEASE_S:
        why = f"is too short: libvirt takes {_SHORTEST_LEASE_S} seconds or more"
        raise SpecError("lease", (Problem("lease_s", str(seconds), why, "0 means for ever"),))
    return seconds


Address = Annotated[str, AfterValidator(_address)]
"""An IPv4 or IPv6 address in its usual form."""

DnsName = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$", max_length=253)]
"""A name as DNS knows it."""

Lease = Annotated[int, Field(ge=0), AfterValidator(_lease)] | None
_LEASE_WORDS = "seconds that a lease lasts, 0 for ever; dnsmasq's hour when left out"


class DhcpRange(Spec):
    """Addresses that are handed out; short form: ``"10.0.0.2-10.0.0.9"``."""

    SECTION: ClassVar[str] = "ip-dhcp-range"

    start: Address = Field(description="first address", examples=["192.168.100.2"])
    end: Address = Field(description="last address", examples=["192.168.100.254"])
    lease_s: Lease = Field(None, description=_LEASE_WORDS)

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        if isinstance(data, str):
            start, _, end = data.partition("-")
            return {"start": start, "end": end or start}
        return data

    @model_validator(mode="after")
    def _check(self) -> Self:
        first, last = ipaddress.ip_address(self.start), ipaddress.ip_address(self.end)
        why = ""
        if first.version != last.version:
            why = f"is IPv{last.version}, and the first address is IPv{first.version}"
        elif int(first) > int(last):
            why = f"comes before {first}"
        elif int(first) | _RANGE_MASK != int(last) | _RANGE_MASK:
            why = f"is too far from {first}: libvirt takes one stretch of 65536 addresses"
        if why:
            raise SpecError("DhcpRange", (Problem("end", self.end, why),))
        return self

    @property
    def title(self) -> str:
        """The range in words."""
        return f"DHCP range {self.start} to {self.end}"

    def numbers(self) -> tuple[int, int]:
        """Return first and last address as numbers."""
        return _number(self.start), _number(self.end)

    def view(self) -> DhcpRangeXml:
        """Return the ``<range>`` element."""
        view = DhcpRangeXml.new(start=self.start, end=self.end, lease=self.lease_s)
        if self.lease_s is not None:
            view.lease_unit = "seconds"
        return view


class DhcpHost(Spec):
    """An address kept for one guest: by its MAC address, or for IPv6 by its DUID or name."""

    SECTION: ClassVar[str] = "ip-dhcp-host"

    mac: Mac | None = Field(None, description="MAC address of the guest, IPv4 only")
    ip: Address = Field(description="address that it gets", examples=["192.168.100.10"])
    name: DnsName | None = Field(None, description="host name that it gets", examples=["web1"])
    id: Annotated[str, AfterValidator(_duid)] | None = Field(
        None,
        description="DUID of the guest, IPv6 only",
        examples=["00:03:00:01:52:54:00:12:34:56"],
    )
    lease_s: Lease = Field(None, description=_LEASE_WORDS)

    @model_validator(mode="after")
    def _check(self) -> Self:
        version = ipaddress.ip_address(self.ip).version
        problems = []
        if version == 6 and self.mac is not None:
            why = "does not identify an IPv6 guest"
            problems.append(Problem("mac", self.mac, why, "id=<its DUID>, or its name"))
        if version == 4 and self.id is not None:
            why = "does not identify an IPv4 guest"
            problems.append(Problem("id", self.id, why, "mac=<its MAC address>"))
        if not (self.mac or self.id or self.name):
            field = "mac" if version == 4 else "id"
            problems.append(Problem(field, "", "is missing", f"give {field} or name"))
        if problems:
            raise SpecError("DhcpHost", problems)
        return self

    @property
    def title(self) -> str:
        """The reservation in words."""
        return f"reservation of {self.ip} for {self.mac or self.id or self.name}"

    def view(self) -> DhcpHostXml:
        """Return the ``<host>`` element."""
        view = DhcpHostXml.new(mac=self.mac, id=self.id, name=self.name, ip=self.ip)
        if self.lease_s is not None:
            view.set(lease=self.lease_s, lease_unit="seconds")
        return view


class NetworkIp(Spec):
    """An address of the host in the network, and what it serves there; short form: the address."""

    address: Annotated[str, AfterValidator(_interface)] = Field(
        description="address of the host with the length of the prefix",
        examples=["192.168.100.1/24", "fd00:1::1/64"],
    )
    dhcp: bool = Field(default=True, description="hand out addresses by DHCP")
    reserved_only: bool = Field(
        default=False, description="hand out the addresses of hosts, and no others"
    )
    dhcp_start: Address | None = Field(
        None, description="first address handed out; left out: all that are free"
    )
    dhcp_end: Address | None = Field(None, description="last address handed out")
    lease_s: Lease = Field(None, description=_LEASE_WORDS)
    more_ranges: tuple[DhcpRange, ...] = Field(
        (), description="further ranges of addresses handed out"
    )
    hosts: tuple[DhcpHost, ...] = Field((), description="addresses kept for one guest each")
    local_ptr: bool = Field(
        default=False, description="reverse questions about it are not asked of other servers"
    )
    tftp_root: AbsolutePath | None = Field(None, description="folder served by TFTP, for PXE")
    boot_file: Line | None = Field(
        None, description="what guests boot from the network", examples=["pxelinux.0", "boot.ipxe"]
    )
    boot_server: Address | None = Field(None, description="who serves it, when not the host")

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        return {"address": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = self._outside() + self._incomplete()
        if self.dhcp and not self.reserved_only and not problems and self.range is None:
            problems.append(Problem("address", self.address, "leaves no address for DHCP"))
        if not problems and self.range and _number(self.range[0]) > _number(self.range[1]):
            problems.append(Problem("dhcp_end", self.range[1], f"comes before {self.range[0]}"))
        if not problems:
            problems = self._crossing() + self._twice()
        if problems:
            raise SpecError("NetworkIp", problems)
        return self

    def _outside(self) -> list[Problem]:
        """Return what does not lie in the network."""
        network = self.interface.network
        given = [("dhcp_start", self.dhcp_start), ("dhcp_end", self.dhcp_end)]
        given += [(f"hosts[{place}].ip", host.ip) for place, host in enumerate(self.hosts)]
        for place, one in enumerate(self.more_ranges):
            given += [(f"more_ranges[{place}].start", one.start)]
            given += [(f"more_ranges[{place}].end", one.end)]
        return [
            Problem(field, text, f"is not in the network {network}")
            for field, text in given
            if text is not None and ipaddress.ip_address(text) not in network
        ]

    def _incomplete(self) -> list[Problem]:
        """Return what is missing."""
        problems = []
        if (self.dhcp_start is None) != (self.dhcp_end is None):
            missing = "dhcp_start" if self.dhcp_start is None else "dhcp_end"
            problems.append(Problem(missing, "", "is missing", "start and end belong together"))
        wants = self.dhcp_start or self.hosts or self.boot_file or self.more_ranges or self.lease_s
        if not self.dhcp and wants:
            problems.append(Problem("dhcp", "False", "is needed by ranges, hosts and boot_file"))
        if self.reserved_only and (self.dhcp_start or self.more_ranges):
            why = "contradicts the ranges that are given"
            problems.append(Problem("reserved_only", "True", why))
        elif self.reserved_only and not self.hosts:
            problems.append(Problem("hosts", "", "there is none", "reserved_only needs them"))
        if self.boot_server is not None and self.boot_file is None:
            problems.append(Problem("boot_file", "", "is missing", "boot_server serves it"))
        if self.interface.version == 6 and self.boot_file is not None:
            why = "cannot be told by DHCPv6: libvirt serves it to IPv4 guests only"
            problems.append(Problem("boot_file", self.boot_file, why))
        return problems

    def _crossing(self) -> list[Problem]:
        """Return ranges that hold the host's own address, or cross each other."""
        problems = []
        own = int(self.interface.ip)
        named = [("dhcp_start" if not place else f"more_ranges[{place - 1}]", one)
                 for place, one in enumerate(self.ranges)]  # fmt: skip
        for place, (field, one) in enumerate(named):
            start, end = one.numbers()
            if start <= own <= end:
                why = f"the range to {one.end} holds the host's own address {self.interface.ip}"
                problems.append(Problem(field, one.start, why))
            for _, other in named[:place]:
                first, last = other.numbers()
                if start <= last and first <= end:
                    why = f"crosses the range {other.start} to {other.end}"
                    problems.append(Problem(field, one.start, why))
        return problems

    def _twice(self) -> list[Problem]:
        """Return reservations that say the same thing twice, or take the host's address."""
        problems = []
        seen: dict[tuple[str, str], int] = {}
        for place, host in enumerate(self.hosts):
            if ipaddress.ip_address(host.ip) == self.interface.ip:
                why = "is the host's own address"
                problems.append(Problem(f"hosts[{place}].ip", host.ip, why))
            for field in ("mac", "id", "ip", "name"):
                value = getattr(host, field)
                if value is None:
                    continue
                first = seen.setdefault((field, value), place)
                if first != place:
                    why = f"has a reservation already: hosts[{first}]"
                    problems.append(Problem(f"hosts[{place}].{field}", value, why))
        return problems

    @property
    def interface(self) -> Interface:
        """Address and network."""
        return ipaddress.ip_interface(self.address)

    @property
    def range(self) -> tuple[str, str] | None:
        """First and last address of the first range; None without DHCP or room for it."""
        if not self.dhcp or self.reserved_only:
            return None
        if self.dhcp_start is not None and self.dhcp_end is not None:
            return self.dhcp_start, self.dhcp_end
        network, own = self.interface.network, int(self.interface.ip)
        first, last = int(network[0]) + 1, int(network[-1]) - (1 if network.version == 4 else 0)
        # The larger of the two stretches beside the host's own address.
        low, high = (first, own - 1), (own + 1, last)
        start, end = max((low, high), key=lambda stretch: stretch[1] - stretch[0])
        end = min(end, start | _RANGE_MASK)
        kind = type(self.interface.ip)
        return (str(kind(start)), str(kind(end))) if start <= end else None

    @property
    def ranges(self) -> tuple[DhcpRange, ...]:
        """All ranges that are handed out."""
        first = self.range
        if first is None:
            return ()
        own = DhcpRange(start=first[0], end=first[1], lease_s=self.lease_s)
        return (own, *self.more_ranges)

    def view(self) -> NetworkIpXml:
        """Return the ``<ip>`` element."""
        found = self.interface
        family = "ipv6" if found.version == 6 else None
        view = NetworkIpXml.new(family=family, address=str(found.ip))
        view.set(prefix=found.network.prefixlen, tftp_root=self.tftp_root)
        if self.local_ptr:
            view.local_ptr = True
        for one in self.ranges:
            view.ranges.append(one.view())
        for host in self.hosts:
            view.hosts.append(host.view())
        view.set(boot_file=self.boot_file, boot_server=self.boot_server)
        return view
