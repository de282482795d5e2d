"""Operating systems of guests: what libosinfo's files say of each (G2.2-09, G3.2-05). Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from lxml import etree

from labvirt.model.units import Size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["USUAL", "GuestOs", "find_os", "like", "read_oses"]

_DISKS: Final = frozenset({"http://pcisig.com/pci/1af4/1001", "http://pcisig.com/pci/1af4/1042"})
_CARDS: Final = frozenset({"http://pcisig.com/pci/1af4/1000", "http://pcisig.com/pci/1af4/1041"})
#: Sizes that are no sizes of a machine are left out.
_MOST: Final = 2**50


@dataclass(frozen=True, slots=True)
class GuestOs:
    """An operating system that guests have.

    Attributes:
        key: libosinfo's short id: ``debian11``, ``win2k8``.
        name: for people.
        family: ``linux``, ``winnt``, ``freebsd`` ...; empty when not told.
        released: ISO date; empty when not told.
        least_memory: with less it does not install; None when not told.
        memory: recommended, else the least.
        least_disk: likewise for the disk.
        disk: likewise.
        cpus: recommended; None when not told.
        virtio_disk: it has a driver for virtio disks.
        virtio_net: likewise for network cards.
    """

    key: str
    name: str
    family: str = ""
    released: str = ""
    least_memory: Size | None = None
    memory: Size | None = None
    least_disk: Size | None = None
    disk: Size | None = None
    cpus: int | None = None
    virtio_disk: bool = True
    virtio_net: bool = True


def _usual(key: str, name: str, memory: str, disk: str, *, old: bool = False) -> GuestOs:
    family = "winnt" if key.startswith("win") else "linux"
    size, room = Size.parse(memory), Size.parse(disk)
    return GuestOs(
        key,
        name,
        family,
        least_memory=size,
        memory=size,
        least_disk=room,
        disk=room,
        virtio_disk=not old,
        virtio_net=not old,
    )


#: Those of the guide and today's most usual ones, for machines without libosinfo's files.
USUAL: Final = (
    _usual("debian12", "Debian 12", "1 GiB", "20 GiB"),
    _usual("debian11", "Debian 11", "1 GiB", "20 GiB"),
    _usual("ubuntu22.04", "Ubuntu 22.04 LTS", "4 GiB", "25 GiB"),
    _usual("rhel9.0", "Red Hat Enterprise Linux 9.0", "2 GiB", "20 GiB"),
    _usual("rhel5.3", "Red Hat Enterprise Linux 5.3", "512 MiB", "6 GiB"),
    _usual("rhel3", "Red Hat Enterprise Linux 3", "512 MiB", "6 GiB", old=True),
    _usual("win11", "Microsoft Windows 11", "4 GiB", "64 GiB", old=True),
    _usual("win2k8", "Microsoft Windows Server 2008", "1 GiB", "20 GiB", old=True),
    _usual("win2k3", "Microsoft Windows Server 2003", "512 MiB", "5 GiB", old=True),
    _usual("winxp", "Microsoft Windows XP", "512 MiB", "6 GiB", old=True),
)


def find_os(text: str, known: Sequence[GuestOs]) -> GuestOs | None:
    """Return the system that a short id or a name means; None when none or several could be."""
    wanted = " ".join(text.split()).casefold()
    if not wanted:
        return None
    for each in known:
        if wanted in {each.key.casefold(), each.name.casefold()}:
            return each
    like = [each for each in known if wanted in each.name.casefold()]
    return like[0] if len(like) == 1 else None


def like(text: str, known: Sequence[GuestOs], most: int = 40) -> tuple[GuestOs, ...]:
    """Return the systems whose name or short id has every word of a text; the first of them.

    Args:
        text: words in any order; without any it is the first systems that are known.
        known: the systems.
        most: how many at most.
    """
    words = text.casefold().split()
    found = (
        each
        for each in known
        if all(word in f"{each.name} {each.key}".casefold() for word in words)
    )
    return tuple(islice(found, most))


def read_oses(documents: Iterable[bytes], arch: str = "x86_64") -> tuple[GuestOs, ...]:
    """Return the systems that files of libosinfo describe, newest first.

    Args:
        documents: contents of the files; what is no such file is passed over.
        arch: for which architecture resources are told.
    """
    found: dict[str, GuestOs] = {}
    own: dict[str, tuple[tuple[str, ...], frozenset[str], frozenset[str]]] = {}
    for text in documents:
        for node in _nodes(text):
            made = _read(node, arch)
            if made is None:
                continue
            found[node.get("id", made.key)] = made
            own[node.get("id", made.key)] = _devices(node)
    made_of = [
        replace(
            each,
            virtio_disk=bool(_DISKS & (has := _inherited(name, own))),
            virtio_net=bool(_CARDS & has),
        )
        for name, each in found.items()
    ]
    return tuple(sorted(made_of, key=lambda each: (each.released, each.name), reverse=True))


def _nodes(text: bytes) -> Iterator[etree._Element]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    try:
        yield from etree.fromstring(text, parser).iterfind("os")
    except etree.XMLSyntaxError:
        return


def _read(node: etree._Element, arch: str) -> GuestOs | None:
    key, name = node.findtext("short-id"), node.findtext("name")
    if not key or not name:
        return None
    least = _amounts(node, "minimum", arch)
    wanted = {**least, **_amounts(node, "recommended", arch)}
    memory, disk = wanted.get("ram"), wanted.get("storage")
    return GuestOs(
        key=key,
        name=name,
        family=node.findtext("family") or "",
        released=node.findtext("release-date") or "",
        least_memory=_size(least.get("ram")),
        memory=_size(memory),
        least_disk=_size(least.get("storage")),
        disk=_size(disk),
        cpus=wanted.get("n-cpus"),
    )


def _amounts(node: etree._Element, kind: str, arch: str) -> dict[str, int]:
    """Return the amounts of one kind; those of the architecture itself before those of all."""
    found: dict[str, int] = {}
    for wanted in ("all", arch):
        for part in node.iterfind(f"resources[@arch='{wanted}']/{kind}"):
            for each in part:
                text = (each.text or "").strip()
                if text.isdecimal() and 0 < int(text) < _MOST:
                    found[str(each.tag)] = int(text)
    return found


def _size(value: int | None) -> Size | None:
    return Size(value) if value is not None else None


def _devices(
    node: etree._Element,
) -> tuple[tuple[str, ...], frozenset[str], frozenset[str]]:
    """Return whom a system comes from, the devices it has, and those that it lost."""
    above = tuple(
        each.get("id", "") for kind in ("derives-from", "clones") for each in node.iterfind(kind)
    )
    every = list(node.iterfind("devices/device"))
    lost = frozenset(each.get("id", "") for each in every if each.get("removed") == "true")
    return above, frozenset(each.get("id", "") for each in every) - lost, lost


def _inherited(
    name: str, own: Mapping[str, tuple[tuple[str, ...], frozenset[str], frozenset[str]]]
) -> frozenset[str]:
    has: set[str] = set()
    lost: set[str] = set()
    waiting, seen = [name], set()
    while waiting:
        at = waiting.pop(0)
        if at in seen or at not in own:
            continue
        seen.add(at)
        above, more, less = own[at]
        has |= more - lost
        lost |= less
        waiting += above
    return frozenset(has)
