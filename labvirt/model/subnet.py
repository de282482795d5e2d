"""Which subnets are free: overlaps, and what to propose instead."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import TYPE_CHECKING, Final

from labvirt.errors import NotFoundError, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["IPNetwork", "free_subnet", "overlapping"]

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

#: The private ranges of RFC 1918, libvirt's own first; 192.168.0 and .1 are most homes' networks.
_PRIVATE: Final = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "192.168.122.0/24",
        "192.168.123.0/24",
        "192.168.124.0/22",
        "192.168.128.0/17",
        "192.168.64.0/18",
        "10.128.0.0/9",
        "172.16.0.0/12",
        "10.0.0.0/9",
        "192.168.0.0/16",
    )
)
_TRIES: Final = 65536


def overlapping(wanted: IPNetwork, taken: Iterable[IPNetwork]) -> IPNetwork | None:
    """Return the first of `taken` that shares an address with `wanted`."""
    for other in taken:
        if other.version == wanted.version and wanted.overlaps(other):
            return other
    return None


def free_subnet(
    taken: Iterable[IPNetwork], *, version: int = 4, prefix: int | None = None, seed: str = ""
) -> IPNetwork:
    """Return a private subnet that shares no address with `taken`.

    Args:
        taken: subnets in use.
        version: 4 or 6.
        prefix: length of its prefix; 24 for IPv4 and 64 for IPv6 when None.
        seed: IPv6: what the 40 bits of its unique local prefix are made from (RFC 4193).

    Raises:
        SpecError: no such version, or a prefix that no private range has room for.
        NotFoundError: nothing is free.
    """
    least, most, usual = {4: (9, 30, 24), 6: (48, 126, 64)}.get(version, (0, 0, 0))
    length = usual if prefix is None else prefix
    if not most or not least <= length <= most:
        field = "prefix" if most else "version"
        hint = f"{least} to {most}" if most else "4 or 6"
        problem = Problem(field, str(length if most else version), "cannot be offered", hint)
        raise SpecError("a free subnet cannot be found", (problem,))
    used = [one for one in taken if one.version == version and one.prefixlen]
    for candidate in _candidates(version, length, seed):
        if overlapping(candidate, used) is None:
            return candidate
    raise NotFoundError(
        f"find a free IPv{version} subnet with prefix {length}", hint="another prefix"
    )


def _candidates(version: int, length: int, seed: str) -> Iterator[IPNetwork]:
    if version == 4:
        for block in _PRIVATE:
            if length >= block.prefixlen:
                yield from block.subnets(new_prefix=length)
        return
    digest = hashlib.sha256(seed.encode()).digest()
    site = ipaddress.IPv6Network((bytes([0xFD]) + digest[:5] + bytes(10), 48))
    for count, subnet in enumerate(site.subnets(new_prefix=length)):
        if count > _TRIES:
            return
        yield subnet
