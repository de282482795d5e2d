"""PullBackup: a moment of a domain's disks, served through NBD until it is told to stop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from labvirt.errors import ConflictError, SpecError
from labvirt.host.keeping.backup_actions import BeginPull, dirty_extents
from labvirt.host.keeping.backup_files import PARTIAL, qemu_img

if TYPE_CHECKING:
    from types import TracebackType

    from labvirt.host.host import Host

__all__ = ["Export", "PullBackup"]


@dataclass(frozen=True)
class Export:
    """One disk that is served.

    Attributes:
        target: the disk: ``vda``; also the name of the export.
        size: bytes that the guest sees.
        uri: where ``nbdcopy``, ``nbdinfo`` and ``qemu-img`` find it.
        bitmap: NBD's name of the map of changed blocks; empty for a full backup.
    """

    target: str
    size: int
    uri: str
    bitmap: str = ""


class PullBackup:
    """A pull backup under way; use it in a ``with`` block, or call `stop`."""

    def __init__(self, host: Host, action: BeginPull, sizes: dict[str, int], since: str) -> None:
        self.host = host
        self.socket = action.socket
        self.domain = action.domain
        self._action = action
        self._over = False
        self.exports = {
            target: Export(
                target,
                size,
                f"nbd+unix:///{target}?socket={quote(action.socket)}",
                f"qemu:dirty-bitmap:backup-{target}" if since else "",
            )
            for target, size in sizes.items()
        }

    def __repr__(self) -> str:
        """Return one line, without a call to the host."""
        return f"<PullBackup of {self.domain} at {self.socket}: {', '.join(self.exports)}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop(keep=kind is None)

    def _export(self, target: str) -> Export:
        if target not in self.exports:
            raise SpecError(f"{target} is not served", hint=", ".join(self.exports))
        return self.exports[target]

    def _node(self, export: Export) -> str:
        path = self.socket.replace(",", ",,")
        return f"driver=nbd,server.type=unix,server.path={path},export={export.target}"

    def dirty(self, target: str) -> tuple[tuple[int, int], ...]:
        """Return offset and length of what has changed since the checkpoint, bytes.

        Raises:
            SpecError: the disk is not served, or with everything in it.
        """
        export = self._export(target)
        if not export.bitmap:
            raise SpecError(f"{target} is served whole: no changes are known")
        return dirty_extents(
            f"map the changes of {target}", f"{self._node(export)},x-dirty-bitmap={export.bitmap}"
        )

    def copy(self, target: str, path: str, *, over: str | None = None) -> int:
        """Copy what is served into a new qcow2 image; it gets its name when it is whole.

        Args:
            target: which disk.
            path: the image.
            over: the image of the backup before: then only changes are copied, and the new image
                lies over that one.

        Returns:
            Bytes copied.

        Raises:
            ConflictError: the file exists already.
        """
        export = self._export(target)
        asked = f"copy {target} of domain {self.domain} to {path}"
        half = path + PARTIAL
        for one in (path, half):
            if Path(one).exists():
                raise ConflictError(asked, libvirt_text=f"{one} exists already")
        try:
            done = self._changes(export, half, over, asked) if over else export.size
            if not over:
                source = self._node(export)
                qemu_img(asked, "convert", "-O", "qcow2", "--image-opts", source, half)
        except BaseException:
            Path(half).unlink(missing_ok=True)
            raise
        Path(half).rename(path)
        return done

    def _changes(self, export: Export, half: str, over: str, asked: str) -> int:
        qemu_img(asked, "create", "-f", "qcow2", "-F", "qcow2", "-b", over, half, str(export.size))
        done = 0
        image = half.replace(",", ",,")
        for offset, length in self.dirty(export.target):
            window = f"driver=raw,offset={offset},size={length}"
            source = ",file.".join([window, *self._node(export).split(",")])
            target = f"{window},file.driver=qcow2,file.file.driver=file,file.file.filename={image}"
            qemu_img(asked, "convert", "-n", "--image-opts", source, "--target-image-opts", target)
            done += length
        return done

    def stop(self, *, keep: bool = True) -> None:
        """End the backup; calling it twice is harmless.

        Args:
            keep: keep the checkpoint that was made with it, for the next backup.
        """
        if self._over:
            return
        self._over = True
        self._action.end(self.host, keep=keep)
