"""The files of backups: a manifest beside the images says what they are, and is written last."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import ConflictError, NotFoundError, UnsupportedError
from labvirt.images.tool import Command, run

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from labvirt.host.host import Host
    from labvirt.plan import JobControl

__all__ = [
    "PARTIAL",
    "Backup",
    "BackupImage",
    "backups_in",
    "chain_to",
    "merged_source",
    "qemu_img",
    "require_folder",
    "stamp",
    "unfinished_in",
]

#: What the name of a file ends with until it is whole.
PARTIAL: Final = ".partial"
_MANIFEST: Final = ".backup.json"
_FORMAT: Final = "labvirt-backup/1"


@dataclass(frozen=True)
class BackupImage:
    """The image of one disk.

    Attributes:
        target: the disk: ``vda``.
        file: name of the file, in the folder of the manifest.
        format: its format.
        size: bytes that the guest sees.
    """

    target: str
    file: str
    format: str
    size: int


@dataclass(frozen=True)
class Backup:
    """One finished backup.

    Attributes:
        folder: where it lies.
        name: its name.
        domain: name of the domain.
        uuid: UUID of the domain.
        when: when it was begun, UTC, ISO 8601.
        since: name of the backup it is laid over; empty for a full one.
        checkpoint: checkpoint since which the next one can save changes; empty for none.
        images: the disks.
        xml: the domain's stored definition, without its secrets.
    """

    folder: str
    name: str
    domain: str
    uuid: str
    when: str
    since: str
    checkpoint: str
    images: tuple[BackupImage, ...]
    xml: str

    @property
    def level(self) -> str:
        """``full`` or ``incremental``."""
        return "incremental" if self.since else "full"

    @property
    def manifest(self) -> Path:
        """Path of the manifest."""
        return Path(self.folder) / f"{self.name}{_MANIFEST}"

    def path(self, target: str) -> Path:
        """Return the path of a disk's image.

        Raises:
            NotFoundError: the disk is not in the backup.
        """
        for image in self.images:
            if image.target == target:
                return Path(self.folder) / image.file
        raise NotFoundError(
            f"find disk {target} in backup {self.name}",
            hint="it has: " + ", ".join(image.target for image in self.images),
        )

    def write(self) -> None:
        """Write the manifest: from then on the backup counts as finished."""
        fields = {key: value for key, value in asdict(self).items() if key != "folder"}
        text = json.dumps({"format": _FORMAT, **fields}, indent=1)
        half = self.manifest.with_name(self.manifest.name + PARTIAL)
        fd = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(fd)
        half.replace(self.manifest)

    @classmethod
    def read(cls, path: str | Path) -> Backup:
        """Read a manifest.

        Raises:
            NotFoundError: no such file, or no manifest of a backup.
        """
        manifest = Path(path)
        try:
            told: dict[str, Any] = json.loads(manifest.read_text())
            known = told.pop("format") == _FORMAT
            images = tuple(BackupImage(**image) for image in told.pop("images"))
            if known:
                return cls(folder=str(manifest.parent), images=images, **told)
            error: Exception = ValueError("it is of another format")
        except (OSError, ValueError, KeyError, TypeError) as failure:
            error = failure
        raise NotFoundError(
            f"read the backup {manifest}",
            libvirt_text=str(error),
            hint=f"a backup ends with {_MANIFEST}; host.backups(folder) lists them",
        ) from error


def backups_in(folder: str | Path) -> tuple[Backup, ...]:
    """Return the finished backups of a folder, oldest first."""
    found = []
    for path in Path(folder).glob(f"*{_MANIFEST}"):
        try:
            found.append(Backup.read(path))
        except NotFoundError:
            continue
    return tuple(sorted(found, key=lambda one: (one.when, one.name)))


def unfinished_in(folder: str | Path) -> tuple[str, ...]:
    """Return the files of a folder that a backup left half written."""
    return tuple(sorted(str(path) for path in Path(folder).glob(f"*{PARTIAL}")))


def chain_to(backup: Backup) -> tuple[Backup, ...]:
    """Return a full backup and the incremental ones up to this, in order.

    Raises:
        NotFoundError: one of them, or an image, is missing.
    """
    by_name = {one.name: one for one in backups_in(backup.folder)}
    chain = [backup]
    while chain[0].since:
        below = by_name.get(chain[0].since)
        if below is None or below in chain:
            raise NotFoundError(
                f"follow backup {backup.name} down to a full one",
                libvirt_text=f"{chain[0].since}, on which {chain[0].name} is laid, is not in "
                f"{backup.folder}",
            )
        chain.insert(0, below)
    for one in chain:
        for image in one.images:
            if not (Path(one.folder) / image.file).exists():
                raise NotFoundError(
                    f"find the images of backup {one.name}",
                    libvirt_text=f"{image.file} is not in {one.folder}",
                )
    return tuple(chain)


def merged_source(chain: Sequence[Backup], target: str) -> str:
    """Return what QEMU's tools read a disk from: all images of a chain, laid over each other.

    What the images themselves say of their backing files does not count.
    """
    node: dict[str, Any] | None = None
    for backup in chain:
        image = next((one for one in backup.images if one.target == target), None)
        if image is None:
            node = None  # a disk that came later: its first backup is a full one
            continue
        path = str(Path(backup.folder) / image.file)
        layer: dict[str, Any] = {
            "driver": image.format,
            "file": {"driver": "file", "filename": path},
        }
        if image.format == "qcow2":
            layer["backing"] = node
        node = layer
    return "json:" + json.dumps(node)


def require_folder(host: Host, asked: str, folder: str) -> Path:
    """Return a folder of this machine that backups can go to.

    Raises:
        UnsupportedError: the host is another machine.
        ConflictError: it is no folder, or may not be written to.
    """
    if not host.is_local:
        raise UnsupportedError(
            asked,
            uri=host.label,
            libvirt_text="the files would lie on another machine, where labvirt cannot name and "
            "finish them",
            hint="run labvirt there, or use backup_pull() and fetch the data through NBD",
        )
    path = Path(folder)
    if not (path.is_absolute() and path.is_dir() and os.access(path, os.W_OK | os.X_OK)):
        raise ConflictError(
            asked,
            uri=host.label,
            libvirt_text=f"{folder} is no folder that may be written to",
            hint="an absolute path of a folder that QEMU and you may write to",
        )
    return path


def qemu_img(asked: str, *words: str, control: JobControl | None = None) -> str:
    """Run ``qemu-img``, as long as it takes, and return what it prints.

    Args:
        asked: what for, for messages.
        words: its arguments.
        control: the job it belongs to: is told how far it is (``-p``), and may cancel it.

    Raises:
        UnsupportedError: this machine has no qemu-img.
        LabvirtError: what qemu-img said, as the error it means.
    """
    return run(Command(asked, words), control=control, timeout_s=None)[1]


def stamp(now: dt.datetime) -> str:
    """Return a time as part of a name."""
    return now.strftime("%Y%m%dT%H%M%SZ")
