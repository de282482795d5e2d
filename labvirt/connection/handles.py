"""Handles: libvirt's objects looked up anew for every call, because they die with the link."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

import libvirt

from labvirt.connection.failures import CODES, is_code
from labvirt.errors import NotFoundError
from labvirt.model.units import SIZE_LIMIT, Size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from labvirt.connection.connection import Connection

__all__ = [
    "QUICK_S",
    "SLOW_S",
    "affects",
    "bits",
    "close_names",
    "find_uuid",
    "flag",
    "on_domain",
    "on_network",
    "on_pool",
    "on_volume",
    "size_of",
    "size_of_kib",
]

T = TypeVar("T")
#: Limit of calls that only read or change a definition, seconds.
QUICK_S = 30.0
#: Limit of calls that wait for a hypervisor process or a disk, seconds.
SLOW_S = 120.0

_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")


def on_domain(
    conn: Connection,
    uuid: str,
    verb: str,
    fn: Callable[[Any], T],
    *,
    timeout_s: float | None = QUICK_S,
) -> T:
    """Run a function of a ``libvirt.virDomain``; for failures see `Connection.call`."""
    asked = f"{verb} domain {conn.label(uuid)}"
    return conn.call(asked, lambda raw: fn(raw.lookupByUUIDString(uuid)), timeout_s=timeout_s)


def on_network(conn: Connection, uuid: str, verb: str, fn: Callable[[Any], T]) -> T:
    """Run a function of a ``libvirt.virNetwork``; for failures see `Connection.call`."""
    asked = f"{verb} network {conn.label(uuid)}"
    return conn.call(asked, lambda raw: fn(raw.networkLookupByUUIDString(uuid)), timeout_s=SLOW_S)


def on_pool(conn: Connection, uuid: str, verb: str, fn: Callable[[Any], T]) -> T:
    """Run a function of a ``libvirt.virStoragePool``; for failures see `Connection.call`."""
    asked = f"{verb} pool {conn.label(uuid)}"
    return conn.call(
        asked, lambda raw: fn(raw.storagePoolLookupByUUIDString(uuid)), timeout_s=SLOW_S
    )


def on_volume(  # the shape of Connection.call
    conn: Connection,
    pool: str,
    name: str,
    verb: str,
    fn: Callable[[Any, Any], T],
    *,
    timeout_s: float | None = SLOW_S,
) -> T:
    """Run a function of ``libvirt.virConnect`` and ``libvirt.virStorageVol``.

    For failures see `Connection.call`.
    """
    asked = f"{verb} volume {name} of pool {conn.label(pool)}"

    def look(raw: Any) -> T:
        handle = raw.storagePoolLookupByUUIDString(pool)
        try:
            volume = handle.storageVolLookupByName(name)
        except libvirt.libvirtError as error:
            if not is_code(error, "NO_STORAGE_VOL"):
                raise
            near = close_names(name, handle.listVolumes())
            hint = f"did you mean {near[0]!r}?" if near else "refresh the pool if it is new"
            raise NotFoundError(
                asked,
                uri=conn.uri.redacted(),
                code=error.get_error_code() or 0,
                domain=error.get_error_domain() or 0,
                libvirt_text=str(error),
                hint=hint,
            ) from error
        return fn(raw, volume)

    return conn.call(asked, look, timeout_s=timeout_s)


def flag(name: str) -> int:
    """Return a flag of the installed library, 0 when it is too old to have it."""
    return int(getattr(libvirt, f"VIR_{name}", 0))


def bits(**chosen: bool) -> int:
    """Return the flags whose names (without ``VIR_``) are True, together."""
    return sum({flag(name) for name, on in chosen.items() if on})


def affects(*, live: bool, config: bool) -> int:
    """Return the flags for what a change applies to; neither means what the domain is now."""
    return bits(DOMAIN_AFFECT_LIVE=live, DOMAIN_AFFECT_CONFIG=config)


def size_of_kib(kib: int) -> Size:
    """Return a size from libvirt's KiB; "unlimited" becomes the largest there is."""
    return size_of(kib * 1024)


def size_of(count: int) -> Size:
    """Return a size from libvirt's bytes; "unlimited" becomes the largest there is."""
    return Size(min(count, SIZE_LIMIT))


def find_uuid(
    conn: Connection,
    key: str,
    what: str,
    *,
    by_name: Callable[[Any, str], Any],
    by_uuid: Callable[[Any, str], Any],
    by_id: Callable[[Any, int], Any] | None,
    names: Callable[[Any], Iterable[str]],
    missing: str,
) -> str:
    """Return the UUID of the object with a name, a UUID (dashed or not) or an id.

    An exact name counts first, then a UUID, then a number.

    Args:
        conn: the connection.
        key: what was typed.
        what: ``domain``, ``network``, ``pool``.
        by_name: looks up by name.
        by_uuid: looks up by UUID.
        by_id: looks up by number; None where there are none.
        names: every name there is, for a suggestion.
        missing: name of the code libvirt uses for an absent object.

    Raises:
        NotFoundError: there is none; suggests near names and the right case.
    """
    asked = f"find {what} {key!r}"

    def look(raw: Any) -> tuple[str, str] | list[str]:
        ways: list[Callable[[], Any]] = [lambda: by_name(raw, key)]
        if _UUID.fullmatch(key):
            ways.append(lambda: by_uuid(raw, key))
        if by_id is not None and key.isascii() and key.isdigit() and len(key) < 10:
            ways.append(lambda: by_id(raw, int(key)))
        for way in ways:
            try:
                found = way()
            except libvirt.libvirtError as error:
                if is_code(error, missing, "INVALID_ARG"):
                    continue
                raise
            return found.UUIDString(), found.name()
        return sorted(names(raw))

    seen = conn.call(asked, look)
    if isinstance(seen, tuple):
        conn.learn(*seen)
        return seen[0]
    raise NotFoundError(
        asked,
        uri=conn.uri.redacted(),
        code=int(getattr(libvirt, f"VIR_ERR_{missing}", 0)),
        libvirt_text=f"there is no {what} with that name, UUID or id",
        hint=_suggestion(key, what, seen) or CODES[missing][1],
    )


def close_names(key: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return names like `key`: first the same in another case, then near ones."""
    known = list(names)
    same = [name for name in known if name.lower() == key.lower()]
    by_lower = {name.lower(): name for name in known}
    near = [by_lower[low] for low in get_close_matches(key.lower(), by_lower, 3, 0.6)]
    return tuple(dict.fromkeys([*same, *near]))


def _suggestion(key: str, what: str, names: list[str]) -> str:
    near = close_names(key, names)
    if near and near[0].lower() == key.lower():
        return f"did you mean {near[0]!r}? Names are case-sensitive"
    if near:
        return "did you mean " + " or ".join(repr(name) for name in near) + "?"
    if not names:
        return f"this host has no {what} at all"
    shown = ", ".join(names[:10]) + (" ..." if len(names) > 10 else "")
    return f"there are: {shown}"
