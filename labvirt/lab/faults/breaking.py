"""Breaking: the calls of a lab that break it and mend it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, cast

from labvirt.errors import ConflictError, LabError, LabvirtError
from labvirt.lab.faults.planted import Planted, folder_of, new_path, now, planted_in
from labvirt.lab.faults.registry import fault_of
from labvirt.lab.faults.scene import Scene
from labvirt.lab.faults.table import FAULTS, row_of
from labvirt.lab.faults.whereabouts import find_where
from labvirt.lab.store import locked

if TYPE_CHECKING:
    from labvirt.host import Host
    from labvirt.lab.faults.table import FaultRow
    from labvirt.lab.lab import Lab

__all__ = ["Breaking", "forget"]


class Breaking:
    """What a lab can do to itself, so that somebody finds out what is wrong."""

    @property
    def faults(self) -> Any:
        """Every fault there is, a row each; ``.df`` gives them as a DataFrame."""
        from labvirt.lab.faults.registry import all_faults

        lab = cast("Lab", self)
        rows: list[FaultRow] = [row_of(one, lab.backend) for one in all_faults()]
        return FAULTS(rows)

    def inject(
        self,
        fault: str,
        *,
        host: str | Host = "",
        domain: str = "",
        network: str = "",
        pool: str = "",
        disk: str = "",
        interface: str = "",
        language: str = "en",
        **options: Any,
    ) -> Planted:
        """Break something for real; `Planted.undo` brings it back, from any process.

        Args:
            fault: id of the fault; `faults` lists them.
            host: the host; the first one when it is not named.
            domain: the domain, when there are several.
            network: the network; ``default`` when it is not named.
            pool: the storage pool; likewise.
            disk: target of the disk, ``vda``; the first one with a file when it is not named.
            interface: MAC address of the interface; the first one when it is not named.
            language: of symptom and hints: ``en``, ``ru``.
            options: what else the fault takes; `faults` tells.

        Returns:
            What was planted: symptom, hints, where, `undo`.

        Raises:
            SpecError: no such fault, option or language.
            ConflictError: it is broken in this way already.
            LabError: the thing is not of this lab, or it cannot be broken here; says why.
                Nothing is changed then.
        """
        known = fault_of(fault)
        lab = cast("Lab", self)
        given = {"domain": domain, "network": network, "pool": pool, "disk": disk}
        given["interface"] = interface
        known.told(language, {})
        where, chosen = find_where(lab, known, host, given, options)
        path = new_path(lab.name, known.id, where)
        with locked(lab.name, doing="break"):
            if path.exists():
                raise ConflictError(
                    f"break lab {lab.name} by {known.id}",
                    libvirt_text=f"it is broken in this way already: {where}",
                    hint=f"lab.planted() tells, labvirt lab mend {lab.name} undoes",
                )
            planted = Planted(lab, path, known.id, where, chosen, {}, now(), language)
            _make(planted)
        return planted

    def planted(self, language: str = "en") -> tuple[Planted, ...]:
        """Return what is broken now, also by other processes, in the order of breaking.

        Args:
            language: of symptoms and hints.
        """
        return planted_in(cast("Lab", self), language)


def _make(planted: Planted) -> None:
    """Break it; when that fails in the middle, what was done is undone."""
    how = planted.fault.how
    with Scene(planted.lab, planted.where, planted.options, {}, planted.keep) as scene:
        memo = how.look(scene)
        scene.keep(**memo)
        planted.memo.update(scene.memo)
        try:
            how.make(scene)
        except BaseException as error:
            left = _undone(planted)
            if isinstance(error, LabvirtError):
                raise LabError(f"{planted.id} could not be made: {error}{left}") from error
            raise
        planted.memo.update(scene.memo)


def _undone(planted: Planted) -> str:
    try:
        planted._mend()  # noqa: SLF001 - the lock is held already
    except LabvirtError as error:
        return f"; and not undone either: {error}"
    return ""


def forget(lab: str) -> None:
    """Forget all faults of a lab: it was brought back to its beginning."""
    shutil.rmtree(folder_of(lab), ignore_errors=True)
