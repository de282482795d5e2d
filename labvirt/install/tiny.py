"""Builds the tiny guest: a real Linux that is ready in seconds, made without root.

It is this distribution's kernel and one initramfs; nothing is written to any disk, and a data disk
is never touched. What it does:

- a root shell without password on ``ttyS0`` (and on the screen); the prompt is ``NAME:~# ``;
- the console says ``labvirt: boot UPTIME`` when the kernel is up, and ``READY UPTIME`` when all
  services run; the network is not waited for;
- DHCP on every Ethernet interface, also on one that is plugged in later;
- HTTP on port 80: ``/`` for people, and ``/hostname``, ``/uptime`` (s), ``/counter``, ``/bootid`` as
  plain values;
- a counter, +1 each 100 ms, in one process that lives as long as the guest: ``/run/counter``. After
  a live migration it goes on; after a restart it begins again, and ``/run/bootid`` is another;
- the QEMU guest agent with everything allowed, ACPI power button, balloon, random numbers from the
  host, CPUs, memory, disks and interfaces added while it runs;
- with ``TinyGuest(ssh=True)`` an SSH server: user root, no password.

Options on the kernel command line. The disk variant has its command line inside; there, give them
as the serial number of the SMBIOS system table (``<sysinfo type='smbios'><system><entry
name='serial'>``), which works for the kernel variant too:

==================== =====================================================================
``hostname=NAME``    the guest's name; else the DHCP server's, else ``tiny-`` and the MAC's end
``labvirt.dhcp=off`` no DHCP
``labvirt.address=`` ``ADDRESS/PREFIX`` for ``eth0`` instead of DHCP
``labvirt.gateway=`` default gateway that goes with it
``labvirt.dns=``     name server that goes with it
==================== =====================================================================
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from importlib import resources
from typing import TYPE_CHECKING

from labvirt.errors import LabError
from labvirt.install.image import bootable_disk
from labvirt.install.initramfs import build_initramfs
from labvirt.install.kernel import find_kernel
from labvirt.install.parts import find_parts, known_parts
from labvirt.install.store import Store, copy_checked, matches
from labvirt.model.source import Media
from labvirt.model.units import Size

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from labvirt.install.parts import Parts
    from labvirt.install.store import Built
    from labvirt.model.source import TinyGuest

    Progress = Callable[[str], None]

__all__ = ["CMDLINE", "MINIMUM_MEMORY", "build"]

#: The console comes last and is the serial line; memory added later is used at once; a panic
#: restarts the guest, as on a server. A domain that can get memory above 4 GiB later would lose
#: 64 MiB to bounce buffers, which is more than a tiny guest has: 2 MiB will do.
CMDLINE = "console=tty0 console=ttyS0 quiet panic=-1 memhp_default_state=online swiotlb=1024"
#: The least memory in which both variants boot.
MINIMUM_MEMORY = Size.parse("96 MiB")

_NAMES = {"vmlinuz": "vmlinuz", "initrd.gz": "initrd.gz", "disk.qcow2": "qcow2"}


def build(
    source: TinyGuest,
    folder: Path,
    *,
    progress: Progress | None = None,
    refresh: bool = False,
) -> Media:
    """Make the guest's media in `folder`, or find that they are there already.

    The files are named by their content, readable by everybody, and appear whole or not at all;
    several processes may do this at once. A disk is a template: copy it or put an overlay over it.

    Args:
        source: the guest; its ``boot`` says kernel or disk, its ``ssh`` whether it has a server.
        folder: where the files are wanted; made when it is absent.
        progress: told in words what is being done.
        refresh: ask the distribution for a newer kernel and programs although the cache has some.

    Raises:
        LabError: parts are missing or cannot be fetched, a tool fails, a disk is full.
        WaitTimeoutError: another process has been building for too long.
    """
    tell = progress or (lambda _text: None)
    store = Store()
    try:
        found = None if refresh else _cached(store, source)
        media = found and _deliver(found, source, folder)
        if media:
            return media
        with store.locked(progress=tell):
            found = _made(store, source, tell, refresh=refresh)
            media = _deliver(found, source, folder)
    except OSError as error:
        raise LabError(
            f"cannot build the tiny guest in {folder} (cache: {store.root}): {error}",
            hint=f"{_cure(error)}; labvirt's cache moves with LABVIRT_CACHE",
        ) from error
    if media is None:
        raise LabError(
            f"the tiny guest in {store.root} was damaged while it was being copied to {folder}",
            hint="look at the disk and its file system (dmesg)",
        )
    return media


def _cure(error: OSError) -> str:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    return "free some space" if full else "make sure that this user may write to both folders"


def _cached(store: Store, source: TinyGuest) -> dict[str, Built] | None:
    parts = known_parts(store, ssh=source.ssh)
    return None if parts is None else store.find(_key(parts, source.boot, ssh=source.ssh))


def _made(store: Store, source: TinyGuest, tell: Progress, *, refresh: bool) -> dict[str, Built]:
    """Return the build, making what is missing or damaged. Hold the lock."""
    parts = find_parts(store, ssh=source.ssh, progress=tell, refresh=refresh)
    kernel_key = _key(parts, "kernel", ssh=source.ssh)
    pair = _whole(store, kernel_key)
    if pair is None:
        tell("building the tiny guest")
        pair = _make_kernel(store, parts, kernel_key, ssh=source.ssh)
    if source.boot == "kernel":
        return pair
    disk_key = _key(parts, source.boot, ssh=source.ssh)
    disk = _whole(store, disk_key)
    if disk is None:
        tell("building the tiny guest's disk")
        disk = _make_disk(store, pair, disk_key)
    return disk


def _whole(store: Store, key: str) -> dict[str, Built] | None:
    found = store.find(key)
    if found and all(matches(file.path, file.size, file.sha256) for file in found.values()):
        return found
    return None


def _make_kernel(store: Store, parts: Parts, key: str, *, ssh: bool) -> dict[str, Built]:
    with store.workshop() as folder:
        tree = parts.tree(store, folder / "root")
        kernel = find_kernel(tree)
        if kernel is None:
            raise LabError(
                f"no kernel with its modules in the packages "
                f"{', '.join(package.file for package in parts.packages)}"
            )
        result = folder / "result"
        result.mkdir()
        shutil.copyfile(kernel.image, result / "vmlinuz")
        (result / "initrd.gz").write_bytes(build_initramfs(tree, kernel, ssh=ssh))
        return store.publish(key, result)


def _make_disk(store: Store, pair: dict[str, Built], key: str) -> dict[str, Built]:
    with store.workshop() as folder:
        result = folder / "result"
        result.mkdir()
        kernel, initrd = pair["vmlinuz"].path, pair["initrd.gz"].path
        bootable_disk(kernel, initrd, CMDLINE, result / "disk.qcow2")
        return store.publish(key, result)


def _deliver(files: dict[str, Built], source: TinyGuest, folder: Path) -> Media | None:
    """Put the files into `folder`; None when the cache turns out to be damaged or cleaned."""
    digest = hashlib.sha256(
        "".join(f.sha256 for _, f in sorted(files.items())).encode()
    ).hexdigest()
    folder = folder.absolute()
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    targets = {name: folder / f"tiny-{digest[:12]}.{_NAMES[name]}" for name in files}
    missing = [n for n, f in files.items() if not matches(targets[n], f.size, f.sha256)]
    _check_room(folder, sum(files[name].size for name in missing))
    for name in missing:
        try:
            copy_checked(files[name], targets[name])
        except (LabError, FileNotFoundError):
            return None
    paths = {name: str(target) for name, target in targets.items()}
    return Media(
        kernel=paths.get("vmlinuz"),
        initrd=paths.get("initrd.gz"),
        cmdline=CMDLINE if source.boot == "kernel" else "",
        disk=paths.get("disk.qcow2"),
        disk_format="qcow2" if "disk.qcow2" in paths else None,
        minimum_memory=MINIMUM_MEMORY,
        digest=digest,
    )


def _check_room(folder: Path, size: int) -> None:
    """Refuse to begin what will not fit, so that not one file of two is written."""
    room = os.statvfs(folder)
    if size > room.f_bavail * room.f_frsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _key(parts: Parts, boot: str, *, ssh: bool) -> str:
    text = f"{parts.digest} {_recipe()} {boot} {ssh}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _recipe() -> str:
    """Return a digest of this room's own files: another labvirt builds another guest."""
    digest = hashlib.sha256()

    def take(folder: Traversable) -> None:
        for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if item.is_dir():
                if item.name != "__pycache__":
                    take(item)
            else:
                digest.update(f"{item.name}\0".encode() + item.read_bytes() + b"\0")

    take(resources.files("labvirt.install"))
    return digest.hexdigest()
