"""What a host keeps for later: backups that can be restored, and saved images."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labvirt.connection import backup as calls
from labvirt.connection import domain as domains
from labvirt.errors import (
    AccessDeniedError,
    ConnectionLostError,
    HostError,
    LabvirtError,
    NotFoundError,
    SpecError,
    UnsupportedError,
)
from labvirt.host.handle import xml_diff
from labvirt.host.keeping.backup_files import Backup, backups_in, unfinished_in
from labvirt.host.keeping.restoring import plan_restore_backup
from labvirt.host.validate import require_valid
from labvirt.model.arguments import HostFile, checked
from labvirt.model.units import Size
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Call, Plan, verb

if TYPE_CHECKING:
    from labvirt.host.domain import Domain
    from labvirt.host.host import Host
    from labvirt.plan import JobControl

__all__ = ["KeepingVerbs", "SavedImage"]

#: How every saved image of QEMU begins; a half written one has another word there.
_SAVED = b"LibvirtQemudSave"
_HALF = b"LibvirtQemudPart"


@dataclass(frozen=True)
class SavedImage:
    """A domain that was saved to a file.

    Attributes:
        path: the file.
        domain: name of the domain.
        uuid: its UUID.
        size: bytes of the file; None when it cannot be seen from here.
        files: the disks that it goes on with.
        is_whole: False for a file whose saving was cut short.
    """

    path: str
    domain: str
    uuid: str
    size: Size | None
    files: tuple[str, ...]
    is_whole: bool = True


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(len(_SAVED))
    except OSError:
        return b""


class KeepingVerbs:
    """Verbs of a host about backups and saved images."""

    def saved_image(self: Any, path: str) -> SavedImage:
        """Look into a file that `Domain.save` wrote (``virsh save-image-dumpxml``).

        Raises:
            NotFoundError: no such file, or not a saved domain.
        """
        host: Host = self
        path = checked(HostFile, "read a saved image", path=path).path
        document = DomainXml.parse(self.saved_image_xml(path))
        file = Path(path)
        seen = host.is_local and file.exists()
        return SavedImage(
            path=path,
            domain=document.name or "",
            uuid=document.uuid or "",
            size=Size(file.stat().st_size) if seen else None,
            files=tuple(disk.source_path for disk in document.disks if disk.source_path),
        )

    def saved_image_xml(self: Any, path: str, *, secure: bool = False) -> str:
        """Return the definition inside a saved image; with passwords when `secure`.

        Raises:
            NotFoundError: no such file, or not a saved domain.
        """
        host: Host = self
        try:
            return domains.save_image_xml(host.connection, path, secure=secure)
        except (AccessDeniedError, ConnectionLostError):
            raise
        except (HostError, SpecError) as error:
            raise NotFoundError(
                f"read the saved image {path}",
                uri=host.label,
                libvirt_text=getattr(error, "libvirt_text", "") or error.what,
                hint="the file is no domain that was saved",
            ) from error

    def saved_images(self: Any, folder: str) -> tuple[SavedImage, ...]:
        """Return the saved domains in a folder of this machine, half written ones marked.

        Raises:
            UnsupportedError: the host is another machine.
        """
        host: Host = self
        if not host.is_local:
            raise UnsupportedError(
                f"list the saved images in {folder}",
                uri=host.label,
                libvirt_text="the folder is on another machine",
                hint="saved_image(path) reads one whose path is known",
            )
        found = []
        for path in sorted(Path(folder).iterdir()):
            head = _head(path) if path.is_file() else b""
            if head == _HALF:
                size = Size(path.stat().st_size)
                found.append(SavedImage(str(path), "", "", size, (), is_whole=False))
            elif head == _SAVED:
                try:
                    found.append(self.saved_image(str(path)))
                except LabvirtError:
                    continue
        return tuple(found)

    @verb
    def edit_saved_image(
        self: Any, path: str, xml: str, *, paused: bool | None = None
    ) -> Plan[None]:
        """Put another definition into a saved image (``virsh save-image-define``).

        Args:
            path: absolute path on the host.
            xml: the definition; what the guest sees must stay the same.
            paused: whether it shall be paused when it is restored; None leaves that as it is.

        Raises:
            SpecError: the XML is not that of a domain, or of another one.
            NotFoundError: no such file, or not a saved domain.
        """
        host: Host = self
        before = self.saved_image_xml(path)
        old, new = DomainXml.parse(before), DomainXml.parse(xml)
        require_valid(new.text())
        if new.uuid not in (None, old.uuid):
            raise SpecError(
                f"cannot edit the saved image {path}: it holds {old.name} ({old.uuid}), and the "
                f"XML is that of {new.uuid}"
            )
        text = f"edit the saved image {path}"

        def run(target: Host, _: JobControl) -> None:
            calls.define_saved_image(target.connection, path, xml, paused=paused)

        call: Call[Host, None] = Call(
            text,
            run,
            line=shlex.join(["save-image-define", path, "domain.xml"]),
            change=xml_diff(before, xml, old.name or path),
            before=lambda target: target.require_writable(text),
        )
        return Plan(
            title=text,
            host=host,
            actions=(call,),
            result=lambda: None,
            python=f"{host.python}.edit_saved_image({path!r}, xml)",
            journal=host.journal,
        )

    def backups(self, folder: str) -> tuple[Backup, ...]:
        """Return the finished backups in a folder of this machine, oldest first."""
        return backups_in(folder)

    def unfinished_backups(self, folder: str) -> tuple[str, ...]:
        """Return the files in a folder of this machine that are not whole."""
        return unfinished_in(folder)

    @verb
    def restore_backup(
        self: Any,
        backup: Backup | str,
        *,
        name: str | None = None,
        pool: str | None = None,
        start: bool = False,
    ) -> Plan[Domain]:
        """Make a domain of a backup; a full one and its incremental ones become one image.

        The backup stays as it is. Beside the domain that was backed up, the new one gets a UUID
        and MAC addresses of its own.

        Args:
            backup: the backup, or the path of its manifest.
            name: name of the new domain; that of the old one when None.
            pool: where its disks go; the host's usual pool when None.
            start: start it.

        Raises:
            NotFoundError: no such backup, or a part of its chain is missing.
            ConflictError: a domain or a volume of that name exists; the pool is too small.
            UnsupportedError: the pool is on another machine.
        """
        manifest = str(backup.manifest) if isinstance(backup, Backup) else str(backup)
        return plan_restore_backup(self, manifest, name=name, pool=pool, start=start)
