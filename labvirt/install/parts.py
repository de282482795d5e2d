"""Decides what a guest is made of: the distribution's packages, else this machine's own files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.errors import LabError
from labvirt.install import packages
from labvirt.install.kernel import find_kernel
from labvirt.install.store import read_json, write_json
from labvirt.install.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.install.packages import Package
    from labvirt.install.store import Store

__all__ = ["Parts", "find_parts", "known_parts"]

_ROOT = Path("/")
_PROGRAMS = ("/bin/busybox", "/usr/sbin/qemu-ga")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a guest is made of.

    Attributes:
        packages: the packages; empty when the files of this machine are used.
        digest: digest of the packages' checksums, or of the machine's files as they are now.
        machine: root folder of the machine whose files are used; None with packages.
    """

    packages: tuple[Package, ...]
    digest: str
    machine: Path | None = None

    def tree(self, store: Store, folder: Path) -> Tree:
        """Return the tree to take files from; packages are unpacked into `folder`.

        Raises:
            LabError: a package is damaged, or the disk is full.
        """
        if self.machine is not None:
            return Tree(self.machine)
        packages.unpack(store, self.packages, folder)
        return Tree(folder)


def known_parts(store: Store, *, ssh: bool, machine: Path = _ROOT) -> Parts | None:
    """Return what was decided before, without asking anybody; None when it no longer holds."""
    found = packages.known(store, packages.wanted(ssh=ssh))
    if found is not None:
        return _of_packages(found)
    decided = read_json(_decision(store, ssh=ssh)).get("machine")
    if decided is None:
        return None
    now = _of_machine(machine, ssh=ssh)
    return now if now is not None and now.digest == decided else None


def find_parts(
    store: Store,
    *,
    ssh: bool,
    progress: Callable[[str], None],
    refresh: bool = False,
    machine: Path = _ROOT,
) -> Parts:
    """Return what to make a guest of, fetching packages when needed. Hold the lock.

    Args:
        store: the cache.
        ssh: an SSH server is wanted.
        progress: told what is being done.
        refresh: ask for newer packages although the cache has a whole set.
        machine: root folder of the machine whose files are taken when there are no packages.

    Raises:
        LabError: neither packages nor this machine's files will do; says what was looked for.
    """
    if not refresh:
        before = known_parts(store, ssh=ssh, machine=machine)
        if before is not None and before.machine is not None:
            return before
    try:
        found = packages.fetch(store, packages.wanted(ssh=ssh), progress=progress, refresh=refresh)
    except LabError as error:
        why = error
    else:
        return _of_packages(found)
    progress(f"no packages ({why.what}); taking the files of this machine")
    own = _of_machine(machine, ssh=ssh)
    if own is None:
        raise LabError(
            f"nothing to make a tiny guest of.\n  Packages: {why.what}\n"
            f"  This machine: {_lacking(machine, ssh=ssh)}",
            hint="connect this machine to its package mirror, or install the parts: "
            "apt-get install linux-image-cloud-amd64 busybox-static qemu-guest-agent"
            + (" dropbear-bin" if ssh else "")
            + "   (Ubuntu: linux-image-virtual, and make /boot/vmlinuz-* readable)",
        ) from why
    write_json(_decision(store, ssh=ssh), {"machine": own.digest, "why": why.what})
    return own


def _of_packages(found: tuple[Package, ...]) -> Parts:
    text = json.dumps([[p.file, p.sha256] for p in found])
    return Parts(found, hashlib.sha256(text.encode()).hexdigest())


def _of_machine(root: Path, *, ssh: bool) -> Parts | None:
    """Describe this machine's own files by name, size and time; None when they do not suffice."""
    tree = Tree(root)
    kernel = find_kernel(tree)
    programs = [tree.find(path) for path in _programs(ssh=ssh)]
    if kernel is None or None in programs:
        return None
    facts = []
    for path in (kernel.image, kernel.modules / "modules.builtin", *programs):
        if path is not None:
            stat = path.stat()
            facts.append([str(path), stat.st_size, stat.st_mtime_ns])
    return Parts((), hashlib.sha256(json.dumps(facts).encode()).hexdigest(), root)


def _lacking(root: Path, *, ssh: bool) -> str:
    tree = Tree(root)
    lacking = [path for path in _programs(ssh=ssh) if tree.find(path) is None]
    if find_kernel(tree) is None:
        lacking.insert(0, "a readable kernel in /boot with its modules in /lib/modules")
    return "it lacks " + ", ".join(lacking)


def _programs(*, ssh: bool) -> tuple[str, ...]:
    return (*_PROGRAMS, "/usr/sbin/dropbear") if ssh else _PROGRAMS


def _decision(store: Store, *, ssh: bool) -> Path:
    return store.packages / ("machine-ssh.json" if ssh else "machine.json")
