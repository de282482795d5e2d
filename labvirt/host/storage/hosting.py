"""The part of a host that is about storage: types of pools, their sources, secrets, access."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.connection import domain as domains
from labvirt.errors import NotFoundError
from labvirt.host.actions import ACTIONS
from labvirt.host.files import files_of
from labvirt.host.hostfiles import HostFiles
from labvirt.host.storage.access import explain_access
from labvirt.host.storage.access_actions import GrantAccess
from labvirt.host.storage.mending import plan_move, plan_rebase, plan_repair
from labvirt.host.storage.mending_actions import MoveImage
from labvirt.host.storage.pool_actions import POOL_ACTIONS
from labvirt.host.storage.pool_sources import discover_sources
from labvirt.host.storage.pool_types import pool_types
from labvirt.host.storage.secret import plan_secret, secrets_of
from labvirt.host.storage.secret_actions import DefineSecret
from labvirt.host.storage.volume_actions import (
    CloneVolume,
    CreateEncrypted,
    CreatePreallocated,
    UploadFile,
)
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import verb

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.connection import Connection
    from labvirt.host.collection import Collection
    from labvirt.host.host import Host
    from labvirt.host.storage.access import Access
    from labvirt.host.storage.secret import Secret
    from labvirt.images import Image
    from labvirt.model.secret import SecretSpec
    from labvirt.plan import Plan
    from labvirt.status import PoolTypeRecord, SourceRecord

__all__ = ["StorageHost"]

ACTIONS.update(
    {
        kind.kind: kind
        for kind in (
            *POOL_ACTIONS,
            CloneVolume,
            CreateEncrypted,
            CreatePreallocated,
            DefineSecret,
            GrantAccess,
            MoveImage,
            UploadFile,
        )
    }
)


class StorageHost:
    """What `Host` has about storage."""

    connection: Connection

    @property
    def secrets(self: Host) -> Collection[Secret]:  # type: ignore[misc]  # a part of Host only
        """The secret objects, by usage or UUID: passphrases, passwords and keys for storage."""
        return secrets_of(self)

    @verb
    def make_secret(
        self: Host,
        spec: SecretSpec,
        value: bytes | str | os.PathLike[str] | Callable[[], bytes] | None = None,
    ) -> Plan[Secret]:
        """Make a secret object and give it its value, which no plan, journal or error shows.

        Args:
            spec: what it is for.
            value: the bytes, a text, a file that only its owner may read, or a function that
                returns the bytes; None: later, by `Secret.set_value`.

        Raises:
            ConflictError: another one has that usage or UUID.
            SpecError: the value is empty, or others can read the file.
        """
        return plan_secret(self, spec, value)

    def pool_types(self: Host) -> tuple[PoolTypeRecord, ...]:  # type: ignore[misc]
        """Return every type of storage pool: does libvirt have it, what does the host lack."""
        return pool_types(self)

    def discover_sources(  # type: ignore[misc]  # a part of Host only
        self: Host, kind: str, *, host: str | None = None, initiator: str | None = None
    ) -> tuple[SourceRecord, ...]:
        """Look for sources of which pools can be made (``virsh find-storage-pool-sources``).

        Args:
            kind: ``netfs``, ``gluster``, ``iscsi``, ``iscsi-direct``: what `host` offers;
                ``logical``: volume groups; ``disk``, ``fs``: block devices of this machine.
            host: the server, ``name`` or ``name:port``.
            initiator: name of this host as iSCSI initiator.

        Raises:
            SpecError: a server is needed and none is given, or nobody can look for this kind.
            UnsupportedError: the host lacks what is needed to look.
        """
        return discover_sources(self, kind, server=host, initiator=initiator)

    def explain_access(self: Host, path: str, *, write: bool = True) -> Access:  # type: ignore[misc]
        """Walk a path as QEMU's user: may it open the file, and what is in the way if not.

        Mode and access list of each folder, the mount, AppArmor and SELinux are looked at. The
        answer names the fix as shell lines, and as a plan that can be undone.

        Args:
            path: of an image, a device or a folder, as the host sees it.
            write: whether QEMU is to write it.

        Raises:
            UnsupportedError: the host is another machine.
            NotFoundError: nothing is there; names the first component that is missing.
            AccessDeniedError: this process may not look there itself.
            SpecError: symbolic links go round in circles.
        """
        return explain_access(self, path, write=write)

    # -- mending ----------------------------------------------------------------------------

    @verb
    def move_image(self: Host, source: str, target: str) -> Plan[None]:
        """Give an image of this machine another name in its file system; nothing is overwritten.

        Raises:
            NotFoundError: there is no such file.
            ConflictError: the other name is taken.
            UnsupportedError: the host is another machine.
        """
        return plan_move(self, source, target)

    @verb
    def repair_image(
        self: Host, path: str, what: str = "leaks", *, image_format: str = "", confirm: bool = False
    ) -> Plan[Image]:
        """Mend an image of this machine that no running domain has open (``qemu-img check -r``).

        Args:
            path: the image, as the host sees it.
            what: ``leaks`` is harmless; ``all`` mends faults and may lose what they held.
            image_format: its format; left out, qemu-img looks at its first bytes.
            confirm: agree to ``all``.

        Raises:
            NotFoundError: there is no such file.
            ConflictError: a domain has it open.
            UnsupportedError: the host is another machine, or the format cannot be checked.
        """
        return plan_repair(self, path, what, image_format, confirm=confirm)

    @verb
    def rename_base(
        self: Host, path: str, base: str, base_format: str, *, confirm: bool = False
    ) -> Plan[Image]:
        """Write name and format of the image below into an image; no data are changed.

        Args:
            path: the upper image.
            base: what it stands on: the same image as before, under another name.
            base_format: format of that image.
            confirm: agree: with any other base the guest sees rubbish.

        Raises:
            NotFoundError: one of them is not there.
            ConflictError: a domain has it open.
            UnsupportedError: the host is another machine.
        """
        return plan_rebase(self, path, base, base_format, confirm=confirm)

    # -- what plans need to know ------------------------------------------------------------

    def overwritten(self: Host, path: str) -> tuple[str, ...]:  # type: ignore[misc]  # as above
        """Return the loss that writing to `path` on the host would be, as far as it can be seen."""
        return (f"the file {path}",) if self.is_local and os.path.lexists(path) else ()

    def users_of(self: Host, path: str) -> tuple[str, ...]:  # type: ignore[misc]  # as above
        """Return the names of the domains that have a file as disk, kernel or backing file."""
        wanted = self._same_file(path)
        found = []
        for record in domains.list_all(self.connection):
            try:
                document = DomainXml.parse(domains.xml(self.connection, record.uuid))
            except NotFoundError:
                continue
            if wanted in map(self._same_file, files_of(document)):
                found.append(record.name)
        return tuple(found)

    def _same_file(self: Host, path: str) -> object:  # type: ignore[misc]  # as above
        """Return what two paths of one file have in common: where links lead is seen here only."""
        files = HostFiles.of(self)
        return files.same(path) if files else os.path.normpath(path)

    def mark_serial(self: Host, uuid: str, log: str) -> None:  # type: ignore[misc]  # as above
        """Remember where the next boot begins in the transcript of a serial console."""
        if not (log and self.is_local):
            self.serial_marks.pop(uuid, None)
            return
        path = Path(log)
        self.serial_marks[uuid] = path.stat().st_size if path.exists() else 0
