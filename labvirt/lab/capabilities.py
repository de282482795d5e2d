"""QEMU's capabilities as libvirt remembers them, kept from lab to lab.

A new libvirtd takes seconds to probe every QEMU program. Its own cache files, copied into the next
host, make that a tenth of a second. libvirt checks each of them against the programs, the kernel
and KVM, and probes anew when one does not fit, so an old file costs time but never truth.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from pathlib import Path

__all__ = ["CapabilityCache"]

_KEPT = 8
_LARGEST = 16 * 1024 * 1024


def _fingerprint(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{path}:{found.st_size}:{found.st_mtime_ns}"


class CapabilityCache:
    """The remembered capabilities for one kind of daemon.

    Args:
        top: folder of all remembered capabilities.
        kind: back end and user, whatever changes what QEMU may do.
        libvirtd: path of the daemon.
    """

    def __init__(self, top: Path, kind: str, libvirtd: str) -> None:
        parts = [kind, os.uname().release, os.uname().machine, _fingerprint(Path(libvirtd))]
        for folder in os.get_exec_path():
            with contextlib.suppress(OSError):
                parts += sorted(_fingerprint(path) for path in Path(folder).glob("qemu-system-*"))
        self._top = top
        self._folder = top / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    @property
    def is_empty(self) -> bool:
        """True when nothing is remembered for these programs."""
        return not any(self._folder.glob("*.xml"))

    def seed(self, folder: Path) -> None:
        """Copy what is remembered into a host's folder, before its daemon is asked for it."""
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            for source in self._folder.glob("*.xml"):
                shutil.copyfile(source, folder / source.name)

    def harvest(self, folder: Path) -> None:
        """Remember what a host's daemon has found out; other labs may do the same at once."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            for source in folder.glob("*.xml"):
                self._keep(source)
            self._forget_oldest()

    def _keep(self, source: Path) -> None:
        # The daemon's user writes there; a link planted by him must not be followed.
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(handle, "rb") as file:  # noqa: PTH123 - opened by descriptor on purpose
            text = file.read(_LARGEST)
        target = self._folder / source.name
        if target.exists() and target.read_bytes() == text:
            return
        beside = self._folder / f".{source.name}.{os.getpid()}"
        beside.write_bytes(text)
        beside.replace(target)

    def _forget_oldest(self) -> None:
        folders = sorted(self._top.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
        for folder in folders[_KEPT:]:
            shutil.rmtree(folder, ignore_errors=True)
