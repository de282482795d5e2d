"""What may be called what: names of domains, networks, pools and volumes in three strictnesses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from labvirt.errors import Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["NAME_LIMIT", "NameMode", "check_name", "free_name", "suggest_name"]

NameMode = Literal["safe", "guide", "libvirt"]

NAME_LIMIT: Final = 128
"""Characters of a safe name; QEMU's sockets carry it in paths of at most 107 bytes."""

_FOLDERS: Final = (".", "..")
_FILE_LIMIT: Final = 251  # bytes: libvirt keeps NAME.xml, and a file name has at most 255
_GUIDE: Final = re.compile(r"[A-Za-z0-9]+")
_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def check_name(name: str, *, what: str = "domain", mode: NameMode = "safe") -> str:
    """Return ``name`` unchanged when it may name a ``what``.

    Args:
        name: the name.
        what: the kind of object, for the message: domain, network, pool, volume, snapshot, lab.
        mode: ``safe`` (the default of specs): starts with a letter or digit, then letters, digits
            and ``. _ + -``, at most 128; such a name needs no quoting in a shell, path or URI.
            ``guide``: letters and digits only (guide G3.2-03).
            ``libvirt``: whatever libvirt's own parser takes, but for ``.`` and ``..``, with which it
            would remove folders of other domains.

    Raises:
        SpecError: with the reason and, where one can be made, a name that would do.
    """
    why = _why_libvirt_refuses(name) if mode == "libvirt" else _why_refused(name, mode)
    if why:
        better = suggest_name(name, mode=mode)
        raise _refusal(what, name, why, f"e.g. {better!r}" if better else "e.g. 'web1'")
    return name


def suggest_name(name: str, *, mode: NameMode = "safe") -> str:
    """Return the nearest name that ``mode`` allows, empty when nothing of ``name`` is left."""
    if mode == "libvirt":
        plain = _UNPRINTABLE.sub("", name).replace("/", "-").strip()[: _FILE_LIMIT // 4]
        return "" if plain in _FOLDERS else plain
    if mode == "guide":
        return re.sub(r"[^A-Za-z0-9]", "", name)[:NAME_LIMIT]
    dashed = re.sub(r"[^A-Za-z0-9._+]+", "-", name)
    return dashed.strip("-._+")[:NAME_LIMIT]


def free_name(wanted: str, taken: Collection[str]) -> str:
    """Return a name like `wanted` that nobody has: itself, else with the next free number.

    Args:
        wanted: a name; a number at its end is counted on, before an ending such as ``.qcow2``.
        taken: names in use.
    """
    if wanted not in taken:
        return wanted
    stem, dot, ending = wanted.rpartition(".")
    if not stem or not ending.isalnum() or ending.isdecimal():
        stem, dot, ending = wanted, "", ""
    stem = re.sub(r"\d+$", "", stem) or "vm"
    number = 1
    while (name := f"{stem}{number}{dot}{ending}") in taken or name == wanted:
        number += 1
    return name


def _why_refused(name: str, mode: NameMode) -> str:
    if not name:
        return "is empty"
    if len(name) > NAME_LIMIT:
        return f"has {len(name)} characters; at most {NAME_LIMIT}"
    pattern, rule = (
        (_GUIDE, "only the letters A-Z, a-z and digits are allowed")
        if mode == "guide"
        else (_SAFE, "it must start with a letter or digit, then letters, digits and . _ + -")
    )
    if pattern.fullmatch(name):
        return ""
    odd = next((char for char in name if not pattern.fullmatch("a" + char)), "")
    return f"contains {odd!r}; {rule}" if odd else f"starts with {name[0]!r}; {rule}"


def _why_libvirt_refuses(name: str) -> str:
    if not name.strip(" \t\r\n"):
        return "is empty"
    if name in _FOLDERS:
        return "is a folder; libvirt would keep what belongs to the domain in its own folders"
    if "/" in name:
        return "contains '/'; libvirt keeps the definition in a file of this name"
    odd = _UNPRINTABLE.search(name)
    if odd:
        return f"contains the control character {odd.group()!r}"
    if len(name.encode()) > _FILE_LIMIT:
        return f"has {len(name.encode())} bytes; at most {_FILE_LIMIT}"
    return ""


def _refusal(what: str, name: str, why: str, hint: str) -> SpecError:
    shown = name if len(name) <= 60 else name[:57] + "..."
    return SpecError(f"{shown!r} cannot name a {what}", (Problem("name", shown, why, hint),))
