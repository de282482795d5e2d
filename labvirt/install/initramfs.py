"""Puts the root file system of the tiny guest together from programs, modules and scripts."""

from __future__ import annotations

import gzip
from importlib import resources
from typing import TYPE_CHECKING

from labvirt.errors import LabError
from labvirt.install.cpio import Archive
from labvirt.install.elf import library_closure
from labvirt.install.kernel import pick_modules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from labvirt.install.kernel import Kernel
    from labvirt.install.tree import Tree

__all__ = ["build_initramfs"]

# The path in the guest, where to look for it, and the package that holds it.
_PROGRAMS = (
    ("bin/busybox", ("/bin/busybox", "/usr/bin/busybox"), "busybox-static"),
    ("usr/sbin/qemu-ga", ("/usr/sbin/qemu-ga", "/usr/bin/qemu-ga"), "qemu-guest-agent"),
)
_SSH = ("usr/sbin/dropbear", ("/usr/sbin/dropbear",), "dropbear-bin")
# A second name for a script or a value, and what it points to.
_LINKS = (
    ("sbin/poweroff", "shutdown"),
    ("sbin/reboot", "shutdown"),
    ("sbin/halt", "shutdown"),
    ("sbin/modprobe", "../bin/busybox"),
    ("sbin/hwclock", "../bin/busybox"),
    ("www/hostname", "/run/hostname"),
    ("www/uptime", "/run/uptime"),
    ("www/counter", "/run/counter"),
    ("www/bootid", "/run/bootid"),
)
_FOLDERS = ("dev", "proc", "sys", "run", "mnt", "var/log", "etc/dropbear")


def build_initramfs(tree: Tree, kernel: Kernel, *, ssh: bool) -> bytes:
    """Return the guest's initramfs: a gzip-compressed cpio archive.

    The same tree and scripts give the same bytes.

    Args:
        tree: where busybox, the guest agent, its libraries and dropbear are taken from.
        kernel: whose modules to take.
        ssh: include the dropbear SSH server.

    Raises:
        LabError: something is missing from the tree or cannot be read.
    """
    archive = Archive()
    for folder in _FOLDERS:
        archive.folder(folder)
    archive.folder("root", 0o700)
    archive.folder("tmp", 0o1777)
    # The kernel opens it for /init, before anything is mounted.
    archive.char_device("dev/console", 5, 1)
    # The shadow file is not among the scripts: package builders drop its mode.
    archive.file("etc/shadow", b"root::1:0:99999:7:::\n", 0o600)
    for path, data in _scripts():
        archive.file(path, data, 0o755 if data.startswith(b"#!") else 0o644)
    for path, target in _LINKS:
        archive.link(path, target)
    _add_modules(archive, kernel)
    _add_programs(archive, tree, ssh=ssh)
    # Level 1: TCG unpacks it as fast as any, and the host packs it in a fifth of a second.
    return gzip.compress(archive.data(), compresslevel=1, mtime=0)


def _add_modules(archive: Archive, kernel: Kernel) -> None:
    modules = pick_modules(kernel)
    folder = f"lib/modules/{kernel.release}"
    for name, data in modules.files.items():
        archive.file(f"{folder}/{name}.ko", data)
    archive.file(f"{folder}/modules.dep", modules.depends.encode())
    archive.file(f"{folder}/modules.alias", modules.aliases.encode())
    archive.file(f"{folder}/modules.symbols", b"")
    archive.file("etc/modules", "".join(f"{name}\n" for name in modules.loaded).encode())


def _add_programs(archive: Archive, tree: Tree, *, ssh: bool) -> None:
    files = []
    for path, places, package in (*_PROGRAMS, _SSH) if ssh else _PROGRAMS:
        program = tree.find(*places)
        if program is None:
            raise LabError(
                f"the tiny guest needs {' or '.join(places)}, which is not in {tree.root}",
                hint=f"apt-get install {package}   (Debian, Ubuntu)",
            )
        archive.file(path, _read(program), 0o755)
        files.append(program)
    for path, library in library_closure(files, tree).items():
        archive.file(path, _read(library), 0o755)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LabError(f"cannot put {path} into the tiny guest: {error}") from error


def _scripts() -> Iterator[tuple[str, bytes]]:
    """Yield the guest's own files: path in the guest, content."""

    def walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
        for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
            path = f"{prefix}{item.name}"
            if item.is_dir():
                yield from walk(item, f"{path}/")
            else:
                yield path, item.read_bytes()

    yield from walk(resources.files("labvirt.install") / "rootfs", "")
