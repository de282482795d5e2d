"""Where labvirt keeps its files on this machine.

``LABVIRT_HOME`` moves everything but the sockets into one folder, ``LABVIRT_CACHE`` the cache
into another. Without them root uses the system's folders and everybody else their own (XDG).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import platformdirs

from labvirt.errors import LabError

__all__ = ["cache", "home", "journal", "labs", "runs", "runtime", "settings"]


def home() -> Path:
    """Return the folder for what must last: labs, journal, records of runs."""
    chosen = os.environ.get("LABVIRT_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/labvirt")
    return platformdirs.user_data_path("labvirt")


def cache() -> Path:
    """Return the folder for what can be made again: guest kernels, images, probe results."""
    chosen = os.environ.get("LABVIRT_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if os.environ.get("LABVIRT_HOME"):
        return home() / "cache"
    if os.geteuid() == 0:
        return Path("/var/cache/labvirt")
    return platformdirs.user_cache_path("labvirt")


def labs() -> Path:
    """Return the folder with one folder per embedded lab."""
    return home() / "labs"


def journal() -> Path:
    """Return the folder of the journal of applied plans."""
    return home() / "journal"


def runs() -> Path:
    """Return the folder of the records of runbook runs."""
    return home() / "runs"


def settings() -> Path:
    """Return the folder of what the user prefers."""
    return home() / "settings"


def runtime() -> Path:
    """Return a short, private folder for sockets (a socket path may have 107 bytes at most).

    The folder is made, closed to others, when it is absent.

    Raises:
        LabError: the folder exists and belongs to somebody else or can be written by others.
    """
    uid = os.geteuid()
    xdg = os.environ.get("XDG_RUNTIME_DIR", "")
    if uid == 0:
        folder = Path("/run/labvirt")
    elif xdg and len(xdg) <= 20 and os.access(xdg, os.W_OK):
        folder = Path(xdg) / "labvirt"
    else:
        folder = Path(f"/tmp/labvirt-{uid}")  # noqa: S108 - owner and mode are checked below
    # Root's labs may run daemons as an ordinary user, who must be able to pass through.
    folder.mkdir(mode=0o711 if uid == 0 else 0o700, exist_ok=True)
    found = folder.lstat()
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or mode & 0o022:
        raise LabError(
            f"the folder for sockets {folder} cannot be trusted: owner {found.st_uid}, mode {mode:o}",
            hint=f"remove {folder}, or set XDG_RUNTIME_DIR to a private folder with a short path",
        )
    return folder
