"""What may stand in the way of a new pool, looked for before anything is changed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.connection import pool as pools
from labvirt.errors import (
    AccessDeniedError,
    ConflictError,
    LabvirtError,
    NotFoundError,
    Problem,
    SpecError,
)
from labvirt.host.hostfiles import HostFiles
from labvirt.host.storage.access import reachable
from labvirt.host.storage.pool_types import require_type
from labvirt.model.pool_types import FILE_POOLS
from labvirt.model.xml.pool import PoolXml

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.model.pool import PoolSpec

__all__ = ["PoolCheck", "busy_device"]

#: Places of the kernel and of the system in which a folder of images has no business (G7.1-04).
_CLOSED = ("/proc", "/sys", "/dev", "/etc", "/boot", "/run/libvirt")


class PoolCheck:
    """Looks at everything a new pool needs.

    Args:
        host: the host.
        spec: the pool.
        build: whether its place is to be made.
        overwrite: whether data on its device may be lost.
    """

    def __init__(self, host: Host, spec: PoolSpec, *, build: bool, overwrite: bool) -> None:
        self.host, self.spec, self.build, self.overwrite = host, spec, build, overwrite
        self.files = HostFiles.of(host)
        self.asked = f"create pool {spec.name}"
        self.warnings: list[str] = []
        #: Whether the folder is there already, so that an undo must leave it; None: not known.
        self.had_folder: bool | None = None

    def run(self, *, replaces: str | None = None) -> None:
        """Look at everything.

        Args:
            replaces: UUID of the pool that is edited, which is no obstacle to itself.

        Raises:
            ConflictError: name, UUID, path or source is another pool's, or a device is in use.
            SpecError: path or device cannot be right.
            NotFoundError: a device is not there.
            UnsupportedError: this libvirt or the host cannot have this kind of pool.
        """
        require_type(self.host, self.spec.kind, self.asked)
        if self.files is not None:
            try:
                self._look_at_path(self.files)
            except AccessDeniedError as error:
                # The daemon may go where this process may not.
                self.warnings.append(f"not looked at: {error.libvirt_text}")
            for device in self.spec.source_devices:
                self._look_at_device(self.files, device)
            if self.build and self.spec.kind == "fs":
                self._look_at_mkfs(self.files)
        self._look_at_pools(replaces)
        if self.files is None:
            self.warnings.append("the host is another machine: its files were not looked at")

    def _refuse(self, field: str, value: str, why: str, hint: str = "") -> SpecError:
        return SpecError(self.asked, [Problem(field, value, why, hint)])

    # -- the folder ---------------------------------------------------------------------------

    def _look_at_path(self, files: HostFiles) -> None:
        spec = self.spec
        if spec.path is None or spec.kind not in FILE_POOLS:
            return
        try:
            real = files.resolve(spec.path)
        except SpecError as error:
            raise self._refuse("path", spec.path, error.what) from None
        for closed in _CLOSED:
            if real == closed or real.startswith(f"{closed}/"):
                why = f"is below {closed}, which is no place for images"
                raise self._refuse("path", spec.path, why, "e.g. /var/lib/libvirt/images/NAME")
        info = files.stat(spec.path)
        self.had_folder = info is not None
        if info is None:
            if not self.build:
                why = "does not exist"
                raise self._refuse("path", spec.path, why, "build=True makes it")
            return
        if not stat.S_ISDIR(info.st_mode):
            raise self._refuse("path", spec.path, "is no folder")
        if spec.kind != "dir":
            self._look_at_mount(files, real)
        elif why := reachable(self.host, spec.path):
            self.warnings.append(f"{why}; host.explain_access({spec.path!r}) tells the way out")

    def _look_at_mount(self, files: HostFiles, real: str) -> None:
        mount = next((one for one in files.mounts() if one.path == real), None)
        if mount is not None:
            raise ConflictError(
                self.asked,
                uri=self.host.label,
                libvirt_text=f"{mount.source} ({mount.kind}) is mounted on {real} already",
                hint=f"unmount it, or use the folder as it is: PoolSpec(kind='dir', path={real!r})",
            )
        if os.listdir(files.here(real)):  # noqa: PTH208 - a path below /proc/PID/root
            self.warnings.append(f"{real} is not empty: its files are hidden while the pool runs")

    # -- the device ---------------------------------------------------------------------------

    def _look_at_device(self, files: HostFiles, device: str) -> None:
        info = files.stat(device)
        if info is None:
            near = ", ".join(sorted(one.name for one in Path("/sys/class/block").iterdir())[:12])
            raise NotFoundError(
                self.asked,
                uri=self.host.label,
                libvirt_text=f"the device {device} does not exist",
                hint=f"the host has: {near or 'no block device'}",
            )
        if not stat.S_ISBLK(info.st_mode):
            hint = "losetup -f --show FILE makes a device of an image" * stat.S_ISREG(info.st_mode)
            raise self._refuse("device", device, "is no block device", hint)
        busy = busy_device(files, info.st_rdev)
        if busy:
            raise ConflictError(
                self.asked,
                uri=self.host.label,
                libvirt_text=f"{device} is in use: {busy}",
                hint="another device, or end that use first",
            )
        users = self.host.users_of(device)
        if users:
            raise ConflictError(
                self.asked,
                uri=self.host.label,
                libvirt_text=f"{device} is a disk of {', '.join(users)}",
            )

    def _look_at_mkfs(self, files: HostFiles) -> None:
        form = self.spec.format
        if form in (None, "auto"):
            why = "says no file system that could be made"
            raise self._refuse("format", form or "", why, "e.g. 'ext4'")
        if not files.program(f"mkfs.{form}"):
            raise self._refuse("format", str(form), f"the host has no program mkfs.{form}")

    # -- other pools ------------------------------------------------------------------------

    def _look_at_pools(self, replaces: str | None) -> None:
        mine = PoolXml.parse(self.spec.to_xml())
        for record in pools.list_all(self.host.connection):
            if record.uuid == replaces:
                continue
            if record.name == self.spec.name or record.uuid == self.spec.uuid:
                same = "name" if record.name == self.spec.name else "UUID"
                raise ConflictError(
                    self.asked,
                    uri=self.host.label,
                    libvirt_text=f"pool {record.name} has that {same} already",
                    hint=f"another name, or host.pools[{record.name!r}]",
                )
            try:
                other = PoolXml.parse(pools.xml(self.host.connection, record.uuid))
            except NotFoundError:
                continue
            shared = self._shared(mine, other)
            if shared:
                raise ConflictError(
                    self.asked,
                    uri=self.host.label,
                    libvirt_text=f"pool {record.name} has {shared} already",
                    hint=f"use host.pools[{record.name!r}], or undefine it first",
                )

    def _shared(self, mine: PoolXml, other: PoolXml) -> str:
        """Return what two pools have in common that only one may have."""
        if self.spec.kind in FILE_POOLS and other.type in FILE_POOLS:
            left, right = mine.path or "", other.path or ""
            if self._same(left, right):
                return f"the path {right}"
            self._warn_nested(left, right)
        for device in other.devices:
            if any(self._same(one, device) for one in mine.devices) and not device.startswith(
                "iqn"
            ):
                return f"the device {device}"
        if mine.type == other.type:
            keys = ("source_host", "source_dir", "source_device", "source_name", "adapter_name")
            values = [getattr(mine, key) for key in keys]
            if any(values) and values == [getattr(other, key) for key in keys]:
                return "the same source"
        return ""

    def _same(self, left: str, right: str) -> bool:
        if self.files is None:
            return os.path.normpath(left) == os.path.normpath(right)
        try:
            if self.files.resolve(left) == self.files.resolve(right):
                return True
        except LabvirtError:
            return left == right
        return self.files.same(left) == self.files.same(right)

    def _warn_nested(self, left: str, right: str) -> None:
        if left.startswith(f"{right}/") or right.startswith(f"{left}/"):
            self.warnings.append(f"{left} and {right} of another pool lie in one another")


def busy_device(files: HostFiles, number: int) -> str:
    """Return what a block device is used for; empty when for nothing that can be seen."""
    name = f"{os.major(number)}:{os.minor(number)}"
    place = Path("/sys/dev/block") / name
    for mount in files.mounts():
        try:
            info = files.stat(mount.source) if mount.source.startswith("/dev/") else None
        except LabvirtError:
            continue
        if info is not None and info.st_rdev == number:
            return f"mounted on {mount.path}"
    for line in _text("/proc/swaps").splitlines()[1:]:
        info = files.stat(line.split()[0])
        if info is not None and info.st_rdev == number:
            return "swap space"
    holders = sorted(one.name for one in place.glob("holders/*"))
    if holders:
        return f"held by {', '.join(holders)}"
    for part in place.glob("*/partition"):
        inner = _text(str(part.parent / "dev")).strip()
        if inner:
            major, minor = map(int, inner.split(":"))
            why = busy_device(files, os.makedev(major, minor))
            if why:
                return f"partition {part.parent.name} is {why}"
    return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
