"""The actions of plans on volumes, beside creating them; each can be undone."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labvirt.connection import pool as pools
from labvirt.connection import volume as volumes
from labvirt.errors import CancelledError, HostError, LabvirtError
from labvirt.host.actions import CreateVolume, UploadVolume
from labvirt.host.hostfiles import HostFiles
from labvirt.host.shell import fed
from labvirt.host.storage.transfer import Meter, compare, send
from labvirt.model.units import Size

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.plan import JobControl

__all__ = ["CloneVolume", "CreateEncrypted", "CreatePreallocated", "UploadFile", "cut_short"]


@dataclass(frozen=True)
class CreatePreallocated(CreateVolume):
    """Create a qcow2 image whose tables are laid out at once."""

    kind: ClassVar[str] = "create-preallocated"

    @property
    def virsh(self) -> tuple[str, ...]:
        return tuple(
            line.replace("vol-create", "vol-create --prealloc-metadata", 1)
            for line in super().virsh
        )

    def do(self, host: Host, control: JobControl) -> None:
        link = host.connection
        volumes.create(link, pools.find(link, self.pool), self.xml, preallocate_metadata=True)


@dataclass(frozen=True)
class CreateEncrypted(CreateVolume):
    """Create a LUKS volume; preallocated tables when it is asked for.

    Attributes:
        tables: lay the tables of a qcow2 image out at once.
    """

    kind: ClassVar[str] = "create-encrypted"
    tables: bool = False

    def do(self, host: Host, control: JobControl) -> None:
        link = host.connection
        uuid = pools.find(link, self.pool)
        for left in (3, 2, 1, 0):
            try:
                volumes.create(link, uuid, self.xml, preallocate_metadata=self.tables)
            except HostError as error:
                # QEMU measures its processor to choose how often the key is hashed, and gives up
                # when the machine is too busy to measure.
                if "accurate CPU usage" not in error.libvirt_text or not left:
                    raise
                control.report(f"{self.title}: QEMU could not measure the processor, once more")
                control.sleep(1.0)
                self.undo(host)
            else:
                return


@dataclass(frozen=True)
class CloneVolume(CreateVolume):
    """Make a new volume with the bytes of another one.

    Attributes:
        source_pool: name of the pool of the other one.
        source_name: its name.
        source_size: bytes that it takes.
        reflink: share the blocks.
    """

    kind: ClassVar[str] = "clone-volume"
    source_pool: str = ""
    source_name: str = ""
    source_size: int = 0
    reflink: bool = False

    @property
    def title(self) -> str:
        return f"clone volume {self.source_name} to {self.pool}/{self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        words = f"vol-create-from {self.pool} --inputpool {self.source_pool} {self.source_name}"
        return (fed(words + " --reflink" * self.reflink + " --file", self.xml),)

    def do(self, host: Host, control: JobControl) -> None:
        link = host.connection
        target = pools.find(link, self.pool)
        source = (pools.find(link, self.source_pool), self.source_name)
        ended = threading.Event()
        watcher = threading.Thread(
            target=self._watch, args=(host, control, target, ended), daemon=True
        )
        watcher.start()
        try:
            volumes.clone(link, target, self.xml, source, reflink=self.reflink)
        finally:
            ended.set()
            watcher.join(5.0)
        control.check()

    def _watch(self, host: Host, control: JobControl, pool: str, ended: threading.Event) -> None:
        """Report how large the copy has become; libvirt itself tells no progress."""
        files = HostFiles.of(host)
        if files is None:
            return
        try:
            place = f"{pools.read(host.connection, pool).path}/{self.name}"
        except LabvirtError:
            return
        while not ended.wait(0.2):
            try:
                info = files.stat(place)
            except LabvirtError:
                return
            if info is not None:
                done = min(1.0, info.st_blocks * 512 / max(self.source_size, 1))
                control.report(self.title, fraction=done)


@dataclass(frozen=True)
class UploadFile(UploadVolume):
    """Upload a file of this machine as a new volume, compared at the end.

    Attributes:
        rate: most bytes per second; None for no limit.
        verify: read the volume back and compare.
        sparse: send holes as holes.
        keep: leave what has come when the upload is cut.
    """

    kind: ClassVar[str] = "upload-file"
    rate: int | None = None
    verify: bool = True
    sparse: bool = False
    keep: bool = False

    @property
    def can_undo(self) -> bool:
        return not self.keep

    def do(self, host: Host, control: JobControl) -> None:
        link = host.connection
        uuid = pools.find(link, self.pool)
        volumes.create(link, uuid, self.xml)
        meter = Meter(control, self.title, self.capacity, rate=self.rate)
        place = (uuid, self.name)
        try:
            send(link, place, self.path, meter, offset=0, size=self.capacity, sparse=self.sparse)
        except (LabvirtError, OSError) as error:
            if self.keep or isinstance(error, OSError):
                raise cut_short(host, self.title, meter.done, self.capacity, error) from error
            raise
        # What came may be of another format than the empty volume was.
        pools.refresh(link, uuid)
        if self.verify:
            compare(link, place, self.path, self.capacity, control)


def cut_short(
    host: Host, asked: str, done: int, size: int, error: LabvirtError | OSError
) -> CancelledError | HostError:
    """Return the error of an upload that was cut: what has come, and how to go on."""
    state = f"{Size(done)} of {Size(size)} have been sent, the volume is not whole"
    hint = "volume.upload(path, resume=True) looks how much has come and goes on from there"
    if isinstance(error, CancelledError):
        return CancelledError(f"{asked} was cancelled: {state}", hint=hint)
    why = error.what if isinstance(error, LabvirtError) else f"the file cannot be read: {error}"
    return HostError(asked, uri=host.label, libvirt_text=f"{state}; {why}", hint=hint)
