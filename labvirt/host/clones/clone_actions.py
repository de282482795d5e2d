"""The actions of cloning: bases kept still, copies made by libvirt, pools looked at again."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from labvirt.connection import domain as domains
from labvirt.connection import pool as pools
from labvirt.connection import volume as volumes
from labvirt.errors import ConflictError, LabvirtError, NotFoundError
from labvirt.host.keeping.layers import LayDisks
from labvirt.host.shell import fed
from labvirt.images.actions import MakeImage
from labvirt.images.copying import CopyImage
from labvirt.images.files import dependents
from labvirt.plan import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl

__all__ = ["CLONE_ACTIONS", "CopyVolume", "FreezeBase", "LookAgain", "require_off"]


@dataclass(frozen=True)
class FreezeBase(Action["Host"]):
    """Take the right to write away from an image that others are to stand on.

    Attributes:
        path: the image.
        mode: its rights before.
        uuid: the domain it belongs to, which must be off.
        owner: its name.
    """

    kind: ClassVar[str] = "freeze-base"
    path: str
    mode: int
    uuid: str
    owner: str

    @property
    def title(self) -> str:
        return f"make {self.path} read-only"

    @property
    def shell(self) -> tuple[str, ...]:
        return (shlex.join(["chmod", "a-w", self.path]),)

    def check(self, host: Host) -> None:
        require_off(host, self.uuid, self.owner)

    def do(self, host: Host, control: JobControl) -> None:
        require_off(host, self.uuid, self.owner)
        Path(self.path).chmod(self.mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        if dependents(self.path):
            # An older clone stands on it: it must not be changed in any case.
            return
        with contextlib.suppress(FileNotFoundError):
            Path(self.path).chmod(self.mode)


def require_off(host: Host, uuid: str, name: str) -> None:
    """Refuse to copy the disks of a domain that was started meanwhile.

    Raises:
        ConflictError: it runs.
    """
    if domains.read(host.connection, uuid).id is not None:
        raise ConflictError(
            f"clone domain {name}",
            uri=host.label,
            libvirt_text=f"{name} runs",
            hint="clone(..., live=True), or shut it down first",
        )


@dataclass(frozen=True)
class LookAgain(Action["Host"]):
    """Let libvirt notice in its pools what was made and removed without it.

    Attributes:
        pools: names of the pools.
        gone: files that are removed by now.
    """

    kind: ClassVar[str] = "look-again"
    pools: Sequence[str]
    gone: Sequence[str] = ()

    @property
    def title(self) -> str:
        return f"look for new volumes in {', '.join(self.pools) or 'no pool'}"

    @property
    def shell(self) -> tuple[str, ...]:
        return (shlex.join(["rm", "-f", *self.gone]),) if self.gone else ()

    @property
    def virsh(self) -> tuple[str, ...]:
        return tuple(shlex.join(["pool-refresh", name]) for name in self.pools)

    def do(self, host: Host, control: JobControl) -> None:
        for name in self.pools:
            pools.refresh(host.connection, pools.find(host.connection, name))


@dataclass(frozen=True)
class CopyVolume(Action["Host"]):
    """Let libvirt copy a volume: on a host whose files cannot be reached from here.

    Attributes:
        source: path of the volume.
        path: path of the new one.
        xml: the new volume.
        pool: name of the pool that has the folder, or of the passing one.
        pool_xml: a passing pool for the folder, when no pool has it; empty else.
    """

    kind: ClassVar[str] = "copy-volume"
    source: str
    path: str
    xml: str
    pool: str
    pool_xml: str = ""

    @property
    def title(self) -> str:
        return f"copy {self.source} to {self.path}"

    @property
    def virsh(self) -> tuple[str, ...]:
        line = shlex.join(["vol-create-from", "--pool", self.pool, "--vol", self.source, "--file"])
        copy = fed(line, self.xml)
        if not self.pool_xml:
            return (copy,)
        return (fed("pool-create", self.pool_xml), copy, shlex.join(["pool-destroy", self.pool]))

    def check(self, host: Host) -> None:
        if self._known(host):
            raise ConflictError(self.title, uri=host.label, libvirt_text=f"{self.path} exists")

    def _known(self, host: Host) -> bool:
        try:
            volumes.by_path(host.connection, self.path)
        except NotFoundError:
            return False
        return True

    def do(self, host: Host, control: JobControl) -> None:
        with passing_pool(host, str(Path(self.path).parent), self.pool_xml) as pool:
            try:
                volumes.clone_path(host.connection, pool, self.xml, self.source)
            except NotFoundError:
                # A firmware that was never started has no variables yet: nothing to copy.
                if not self.pool_xml:
                    raise

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        with passing_pool(host, str(Path(self.path).parent), self.pool_xml) as pool:
            if host.users_of(self.path):
                raise ConflictError(f"delete {self.path}", libvirt_text="a domain uses it by now")
            with contextlib.suppress(NotFoundError):
                volumes.delete(host.connection, pool, Path(self.path).name)


@contextlib.contextmanager
def passing_pool(host: Host, folder: str, xml: str) -> Any:
    """Give the UUID of the active pool that has a folder; without one make one for the moment."""
    link = host.connection
    for record in pools.list_all(link):
        if record.is_active and record.path and os.path.normpath(record.path) == folder:
            pools.refresh(link, record.uuid)
            yield record.uuid
            return
    uuid = pools.create(link, xml)
    try:
        yield uuid
    finally:
        with contextlib.suppress(LabvirtError):
            pools.stop(link, uuid)


CLONE_ACTIONS: dict[str, type[Action[Any]]] = {
    kind.kind: kind for kind in (LayDisks, FreezeBase, CopyVolume, CopyImage, MakeImage)
}
