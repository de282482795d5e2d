"""MAC addresses and UUIDs: made at random, unique among those taken, and brought to one form."""

from __future__ import annotations

import random
import re
import uuid
from typing import TYPE_CHECKING, Final

from labvirt.errors import Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["KVM_OUI", "XEN_OUI", "new_mac", "new_uuid", "normal_mac", "normal_uuid"]

KVM_OUI: Final = "52:54:00"
XEN_OUI: Final = "00:16:3e"

_MAC: Final = re.compile(r"[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}")
_OUI: Final = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){2}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}")
_TRIES: Final = 1000


def new_mac(
    oui: str = KVM_OUI, taken: Collection[str] = (), rng: random.Random | None = None
) -> str:
    """Return a random MAC address that is not in ``taken``.

    Args:
        oui: the first three bytes: ``52:54:00`` for QEMU and KVM, ``00:16:3e`` for Xen, whose
            fourth byte stays in 00-7f as the guide's ``macgen.py`` has it (guide G17.8-01).
        taken: addresses in use, in any of the forms :func:`normal_mac` reads.
        rng: source of randomness; the system's own when None.

    Raises:
        SpecError: ``oui`` is malformed or a multicast one, or no free address was found.
    """
    prefix = oui.strip().lower().replace("-", ":")
    if not _OUI.fullmatch(prefix):
        raise _refusal("MAC prefix", oui, "must be three bytes in hexadecimal", f"e.g. {KVM_OUI}")
    if int(prefix[:2], 16) & 1:
        raise _refusal("MAC prefix", oui, "is a multicast prefix", f"e.g. {KVM_OUI}")
    used = {normal_mac(mac, unicast=False) for mac in taken}
    source = rng or random.SystemRandom()
    top = 0x7F if prefix == XEN_OUI else 0xFF
    for _ in range(_TRIES):
        tail = (source.randint(0, top), source.randint(0, 255), source.randint(0, 255))
        mac = prefix + "".join(f":{byte:02x}" for byte in tail)
        if mac not in used:
            return mac
    raise _refusal("MAC prefix", oui, f"no free address found in {_TRIES} tries", "another prefix")


def new_uuid(taken: Collection[str] = (), rng: random.Random | None = None) -> str:
    """Return a random UUID (RFC 4122, version 4), dashed, that is not in ``taken`` (G17.8-02).

    Args:
        taken: UUIDs in use, dashed or not.
        rng: source of randomness; the system's own when None.

    Raises:
        SpecError: ``rng`` gave nothing but UUIDs that are taken.
    """
    used = {normal_uuid(text) for text in taken}
    source = rng or random.SystemRandom()
    for _ in range(_TRIES):
        made = str(uuid.UUID(int=source.getrandbits(128), version=4))
        if made not in used:
            return made
    raise _refusal("UUID", made, f"no free UUID found in {_TRIES} tries", "another generator")


def normal_mac(text: str, *, unicast: bool = True) -> str:
    """Return a MAC address in lower case with colons.

    Args:
        text: six bytes in hexadecimal, divided by ``:`` or ``-``.
        unicast: refuse multicast addresses and zero, as libvirt does for an interface.

    Raises:
        SpecError: malformed, or a multicast address.
    """
    low = text.strip().lower()
    if not _MAC.fullmatch(low):
        raise _refusal("MAC address", text, "must be six bytes in hexadecimal", "52:54:00:12:34:56")
    mac = low.replace("-", ":")
    if unicast and int(mac[:2], 16) & 1:
        raise _refusal(
            "MAC address", text, "is a multicast address", "an even first byte: 52:54:00:12:34:56"
        )
    if unicast and mac == "00:00:00:00:00:00":
        raise _refusal("MAC address", text, "is all zero", "52:54:00:12:34:56")
    return mac


def normal_uuid(text: str) -> str:
    """Return a UUID in lower case with dashes; it may be given without them (guide G15-11).

    Raises:
        SpecError: malformed.
    """
    low = text.strip().lower()
    if not _UUID.fullmatch(low):
        raise _refusal(
            "UUID", text, "must be 32 hexadecimal digits", "4a4c59a7-ee3f-c781-96e4-288f2862f011"
        )
    return str(uuid.UUID(low))


def _refusal(what: str, value: str, why: str, hint: str) -> SpecError:
    shown = value if len(value) <= 60 else value[:57] + "..."
    field = "uuid" if what == "UUID" else "mac"
    return SpecError(f"{shown!r} is no usable {what}", (Problem(field, shown, why, hint),))
