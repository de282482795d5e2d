"""Volume: a volume of a pool, and everything that can be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.connection import volume as volumes
from labvirt.errors import ConflictError, UnsupportedError
from labvirt.host.resource import Resource
from labvirt.host.storage.access import explain_access
from labvirt.host.storage.users import Sight
from labvirt.host.storage.volume_change import plan_resize, plan_wipe
from labvirt.host.storage.volume_clone import plan_clone
from labvirt.host.storage.volume_transfer import checksum, plan_download, plan_upload_into
from labvirt.host.storage.volume_tree import volume_chain
from labvirt.model.pool_types import POOL_TYPES
from labvirt.plan import Call, verb

if TYPE_CHECKING:
    from os import PathLike

    from labvirt.host.host import Host
    from labvirt.host.storage.access import Access
    from labvirt.host.storage.pool import Pool
    from labvirt.host.storage.transfer import Transfer
    from labvirt.host.storage.users import FileUser
    from labvirt.host.storage.volume_tree import ChainLink
    from labvirt.model.units import Size
    from labvirt.plan import Plan
    from labvirt.status import VolumeRecord

__all__ = ["Volume"]


class Volume(Resource):
    """A volume of a pool."""

    noun = "volume"

    def __init__(self, pool: Pool, record: VolumeRecord) -> None:
        super().__init__(pool.host, record.uuid, record.name)
        self.pool = pool
        self.path = record.path

    @property
    def python(self) -> str:
        """Python text that finds it."""
        return f"{self.pool.python}.volumes[{self.name!r}]"

    def info(self) -> VolumeRecord:
        """Read the volume now (``virsh vol-info``)."""
        return volumes.read(self.host.connection, self.pool.uuid, self.name)

    def xml(self) -> str:
        """Return the volume's XML (``virsh vol-dumpxml``)."""
        return volumes.xml(self.host.connection, self.pool.uuid, self.name)

    # -- who and what -----------------------------------------------------------------------

    def users(self) -> tuple[FileUser, ...]:
        """Return who uses the volume.

        That is every domain, running or not, in its live or its stored definition, as disk, as an
        image below a disk, as kernel or firmware; the snapshots of domains; and other volumes that
        are laid over it. The file is known under all its names: links, twins, ``pool/volume``.
        """
        return Sight(self.host).users(self.path)

    def refuse_in_use(self, asked: str, *, hint: str = "", running: bool = True) -> None:
        """Refuse what must not be done to a volume in use.

        Args:
            asked: what is to be done.
            hint: what to try.
            running: only running domains count; otherwise everyone.

        Raises:
            ConflictError: names who uses it.
        """
        users = [user for user in self.users() if user.active or not running]
        if users:
            raise ConflictError(
                asked,
                uri=self.host.label,
                libvirt_text=f"it is in use: {'; '.join(map(str, users))}",
                hint=hint or "stop or remove its users first",
            )

    def chain(self) -> tuple[ChainLink, ...]:
        """Return the image and everything below it, top first.

        Raises:
            HostError: it goes round in circles.
        """
        return volume_chain(self)

    def access(self, *, write: bool = True) -> Access:
        """Return whether QEMU can open the volume, and what is in the way; see `explain_access`."""
        if not self.path.startswith("/"):
            raise UnsupportedError(
                f"explain the access to volume {self.name}",
                uri=self.host.label,
                libvirt_text=f"it is no file of the host but {self.path} of a server",
                hint="the server decides: user and secret of the pool",
            )
        return explain_access(self.host, self.path, write=write)

    def chain_access(self) -> tuple[Access, ...]:
        """Return whether QEMU can open the volume and every image below it, which it only reads.

        Raises:
            NotFoundError: an image of the chain is missing.
        """
        first, *below = self.chain()
        return (
            explain_access(self.host, first.path),
            *(explain_access(self.host, link.path, write=False) for link in below),
        )

    def checksum(self, algorithm: str = "sha256") -> str:
        """Return the checksum of the volume's bytes, read through libvirt."""
        return checksum(self, algorithm)

    def require(self, what: str) -> None:
        """Refuse what libvirt cannot do to volumes of this kind of pool.

        Raises:
            UnsupportedError: names the kinds of pools where it can.
        """
        kind = self.pool.info().type
        known = POOL_TYPES.get(kind)
        if known is not None and what not in known.volumes:
            able = ", ".join(one.kind for one in POOL_TYPES.values() if what in one.volumes)
            raise UnsupportedError(
                f"{what} volume {self.name}",
                uri=self.host.label,
                libvirt_text=f"libvirt cannot {what} volumes of a pool of kind {kind}",
                hint=f"kinds where it can: {able}",
            )

    # -- changes ----------------------------------------------------------------------------

    @verb
    def resize(
        self, capacity: Size | str, *, allocate: bool = False, confirm: bool = False
    ) -> Plan[None]:
        """Give the volume another size (``virsh vol-resize``).

        Args:
            capacity: the new size, e.g. ``"40 GiB"``.
            allocate: take the space at once.
            confirm: agree to lose what lies behind the new end, when it becomes smaller.

        Raises:
            SpecError: no size, or more than the pool holds.
            ConflictError: a running domain uses it.
        """
        return plan_resize(self, capacity, allocate=allocate, confirm=confirm)

    @verb
    def clone(
        self,
        name: str,
        *,
        pool: Pool | str | None = None,
        format: str | None = None,  # noqa: A002 - the field's own word
        reflink: bool = False,
    ) -> Plan[Volume]:
        """Make a new volume with the bytes of this one (``virsh vol-clone``).

        Args:
            name: name of the new one.
            pool: pool that gets it; the same when left out.
            format: format of the new one; the same when left out.
            reflink: share the blocks (btrfs, XFS); refused elsewhere.

        Raises:
            ConflictError: a volume of that name exists, or a running domain writes to this one.
            SpecError: it does not fit, or no name.
        """
        return plan_clone(self, name, pool=pool, kind=format, reflink=reflink)

    @verb
    def wipe(self, algorithm: str = "zero", *, confirm: bool = False) -> Plan[None]:
        """Overwrite the bytes of the volume (``virsh vol-wipe``).

        Args:
            algorithm: ``zero``, ``random``, ``nnsa``, ``dod``, ``bsi``, ``gutmann``, ``schneier``,
                ``pfitzner7``, ``pfitzner33`` (these need ``scrub`` on the host), ``trim``.
            confirm: agree that its bytes are lost.

        Raises:
            ConflictError: somebody uses it.
            UnsupportedError: the host has no ``scrub``, or the pool cannot.
        """
        return plan_wipe(self, algorithm, confirm=confirm)

    @verb
    def delete(self, *, confirm: bool = False) -> Plan[None]:
        """Delete the volume and its bytes (``virsh vol-delete``).

        Args:
            confirm: agree that its bytes are lost.

        Raises:
            ConflictError: somebody uses it: a domain, a snapshot, an image laid over it.
        """
        self.require("delete")
        self._refuse_numbered_partition()
        self.refuse_in_use(f"delete volume {self.name}", running=False)
        action = self.deletion(self.info())
        return self.plan_of(
            (action,), lambda: None, title=action.text, python=".delete()", confirm=confirm
        )

    def _refuse_numbered_partition(self) -> None:
        """Refuse what libvirt gets wrong: partitions of devices whose name ends with a digit."""
        device, letter, number = self.path.rpartition("p")
        if letter and number.isdecimal() and device[-1:].isdecimal() and "/dev/" in device:
            raise UnsupportedError(
                f"delete volume {self.name}",
                uri=self.host.label,
                libvirt_text=f"libvirt asks parted for partition 'p{number}' of {device}, not {number}",
                hint=f"on the host: parted -s {device} rm {number}; then pool.refresh()",
            )

    def deletion(self, record: VolumeRecord) -> Call[Host, None]:
        """Return the action that deletes the volume; the caller has looked for users."""
        text = f"delete volume {self.name} of pool {self.pool.name}"
        return Call(
            text,
            lambda host, _: volumes.delete(host.connection, self.pool.uuid, self.name),
            line=f"vol-delete {self.name} --pool {self.pool.name}",
            loses=(f"volume {self.name} ({record.capacity}, {record.path})",),
            before=lambda host: host.require_writable(text),
        )

    # -- bytes ------------------------------------------------------------------------------

    @verb
    def upload(
        self,
        path: str | PathLike[str],
        *,
        offset: int = 0,
        resume: bool = False,
        rate: int | str | None = None,
        verify: bool = True,
        sparse: bool | None = None,
        confirm: bool = False,
    ) -> Plan[Transfer]:
        """Write a file of this machine into the volume (``virsh vol-upload``).

        Args:
            path: the file here.
            offset: where to begin, in the file and in the volume, bytes.
            resume: look how much of the file the volume has, and go on from there.
            rate: most bytes per second, e.g. ``"50 MiB"``; None for no limit.
            verify: read the volume back and compare (SHA-256).
            sparse: send holes as holes; what the volume had there stays.
            confirm: agree that the volume's bytes are overwritten.

        Raises:
            ConflictError: a running domain uses it.
            SpecError: the file is larger than the volume, or none.
        """
        self.require("upload")
        return plan_upload_into(
            self,
            path,
            offset=offset,
            resume=resume,
            rate=rate,
            verify=verify,
            sparse=sparse,
            confirm=confirm,
        )

    @verb
    def download(
        self,
        path: str | PathLike[str],
        *,
        resume: bool = False,
        overwrite: bool = False,
        rate: int | str | None = None,
        verify: bool = True,
        sparse: bool | None = None,
        confirm: bool = False,
    ) -> Plan[Transfer]:
        """Write the bytes of the volume into a file of this machine (``virsh vol-download``).

        They come into ``PATH.part`` first, so that a file under its own name is whole.

        Args:
            path: the file here.
            resume: go on with what an earlier download has left.
            overwrite: replace a file that exists.
            rate: most bytes per second; None for no limit.
            verify: read the volume again and compare (SHA-256).
            sparse: take holes as holes; None: when the volume is thin.
            confirm: agree that an existing file is lost.

        Raises:
            ConflictError: the file exists, or a part of an earlier download does.
            SpecError: its folder does not exist, or has no room.
        """
        return plan_download(
            self,
            path,
            resume=resume,
            overwrite=overwrite,
            rate=rate,
            verify=verify,
            sparse=sparse,
            confirm=confirm,
        )
