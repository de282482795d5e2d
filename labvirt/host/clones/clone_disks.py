"""What becomes of each disk of a domain that is cloned."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.connection import pool as pools
from labvirt.connection import volume as volumes
from labvirt.errors import (
    Problem,
    SpecError,
    UnsupportedError,
)
from labvirt.host.clones.clone_copies import CloneCopies
from labvirt.host.keeping.layers import LayDisks, MergeLayers

if TYPE_CHECKING:
    from labvirt.model.xml.devices import DiskXml

__all__ = ["CloneDisks"]

HOW = ("copy", "link", "share", "skip")


class CloneDisks(CloneCopies):
    """Settles the disks of a clone in its definition."""

    def settle(self, wanted: dict[str, str]) -> None:
        """Settle every disk, the layers of a running original, and the NVRAM.

        Args:
            wanted: what becomes of single disks, by target.

        Raises:
            LabvirtError: see `CloningVerbs.clone`.
        """
        chosen = self._chosen(wanted)
        laid = self._laid([disk for disk, how in chosen if how in ("copy", "link")])
        if laid is not None:
            self.actions.append(laid)
        for disk, how in chosen:
            if how == "skip":
                self._document.remove_device(disk)
            elif how in ("copy", "link"):
                self._placed(disk, how)
        self._require_space()
        gone: tuple[str, ...] = ()
        copied = any(how == "copy" for _, how in chosen)
        if laid is not None and not any(how == "link" for _, how in chosen):
            self.actions.append(MergeLayers(laid))
            gone = tuple(laid.layers.values())
        elif laid is not None:
            self.warnings.append(
                f"{self._domain.name} goes on in {', '.join(laid.layers.values())}; what is below "
                "it and the clone must never change again"
            )
        self._copy_nvram()
        if copied or laid is not None:
            self.actions.append(self._look_again(gone))

    def _chosen(self, wanted: dict[str, str]) -> list[tuple[DiskXml, str]]:
        targets = [disk.target or "" for disk in self._document.disks]
        problems = [
            Problem(f"disks[{key!r}]", value, why, hint)
            for key, value in wanted.items()
            for bad, why, hint in (
                (key not in targets, "there is no such disk", ", ".join(targets)),
                (value not in HOW, "is not known", ", ".join(HOW)),
            )
            if bad
        ]
        if problems:
            raise SpecError(f"clone domain {self._domain.name}:", problems)
        usual = "link" if self._linked else "copy"
        found = []
        for disk in self._document.disks:
            keeps = (
                disk.device in ("cdrom", "floppy")
                or disk.readonly
                or disk.shareable
                or (disk.source_path is None and disk.source_pool is None
                    and disk.source_protocol is None)
            )  # fmt: skip
            how = wanted.get(disk.target or "", "share" if keeps else usual)
            if how == "share" and not keeps:
                self.warnings.append(
                    f"{disk.target} ({disk.source_path}) is shared: only one of the two may run"
                )
            found.append((disk, how))
        return found

    def _source(self, disk: DiskXml) -> str:
        """Return the path of what a disk holds.

        Raises:
            UnsupportedError: it has none that could be copied.
        """
        if disk.type == "volume" and disk.source_pool and disk.source_volume:
            link = self._host.connection
            return volumes.read(link, pools.find(link, disk.source_pool), disk.source_volume).path
        path = self._live.get(disk.target or "") or disk.source_path
        if path is None or disk.type not in ("file", "block"):
            what = f"{disk.source_protocol} disk" if disk.source_protocol else f"{disk.type} disk"
            raise UnsupportedError(
                f"clone domain {self._domain.name}",
                uri=self._host.label,
                libvirt_text=f"{disk.target} is a {what}, which cannot be copied here",
                hint=f"disks={{{disk.target!r}: 'share'}} or 'skip'",
            )
        return path

    def _laid(self, disks: list[DiskXml]) -> LayDisks | None:
        if not (self._running and disks):
            return None
        bases = {disk.target or "": self._source(disk) for disk in disks}
        mark = uuid.uuid4().hex[:6]
        tail = f"after-{self._name}" if self._linked else f"while-cloned-{mark}"
        layers = {
            target: str(Path(base).with_name(f"{Path(base).stem}.{tail}.qcow2"))
            for target, base in bases.items()
        }
        if not self.quiesce:
            self.warnings.append(
                f"the guest agent of {self._domain.name} does not hold it still: the file systems "
                "of the clone are as after a power cut"
            )
        return LayDisks(
            self._domain.name,
            self._domain.uuid,
            layers,
            bases,
            {disk.target or "": disk.driver_type or "raw" for disk in disks},
            tuple(target for target in self._live if target not in layers),
            quiesce=self.quiesce,
            timeout_s=self._timeout_s,
        )

    def _placed(self, disk: DiskXml, how: str) -> None:
        source = self._source(disk)
        form = disk.driver_type or "raw"
        if how == "link" and disk.element.find("source/encryption") is not None:
            raise UnsupportedError(
                f"clone domain {self._domain.name}",
                uri=self._host.label,
                libvirt_text=f"{disk.target} is encrypted, and a layer over it would not be",
                hint=f"disks={{{disk.target!r}: 'copy'}}",
            )
        path = self._new_path(disk, source, ".qcow2" if how == "link" else "")
        if how == "link":
            self._link(source, form, path)
            disk.driver_type = "qcow2"
        else:
            self._copy(source, form, path, is_block=disk.type == "block")
        backing = disk.element.find("backingStore")
        if backing is not None:
            self._document.doc.remove(backing)
        for fact in ("source_dev", "source_pool", "source_volume"):
            setattr(disk, fact, None)
        disk.type = "file"
        disk.source_file = path
