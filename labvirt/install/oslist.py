"""The list of operating systems: libosinfo's files where this machine has them (osinfo-db)."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Final

from labvirt.model.osinfo import USUAL, GuestOs, read_oses

__all__ = ["has_osinfo", "known_oses"]

#: Folders in the order in which libosinfo reads them, and the variables that move them.
_FOLDERS: Final = (
    ("OSINFO_SYSTEM_DIR", "/usr/share/osinfo"),
    ("OSINFO_LOCAL_DIR", "/etc/osinfo"),
    ("OSINFO_USER_DIR", "~/.config/osinfo"),
)


def known_oses() -> tuple[GuestOs, ...]:
    """Return the operating systems that are known here, newest first.

    They come from libosinfo's files (Debian package osinfo-db). Without these it is a short list
    of the most usual ones.
    """
    return _known(_folders())


def has_osinfo() -> bool:
    """Return whether this machine has libosinfo's files."""
    return known_oses() is not USUAL


def _folders() -> tuple[Path, ...]:
    named = (Path(os.environ.get(name) or usual).expanduser() for name, usual in _FOLDERS)
    return tuple(folder / "os" for folder in named)


@cache
def _known(folders: tuple[Path, ...]) -> tuple[GuestOs, ...]:
    texts = []
    for folder in folders:
        for path in sorted(folder.rglob("*.xml")):
            try:
                texts.append(path.read_bytes())
            except OSError:
                continue
    found = read_oses(texts)
    if not found:
        return USUAL
    # Files of some age lack what is usual now.
    have = {each.key for each in found}
    return (*(each for each in USUAL if each.key not in have), *found)
