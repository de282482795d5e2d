"""Ends a lab whose keeper may be gone: finds what remains of it, and removes that."""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.errors import LabError
from labvirt.lab.processes import Process, carrying, kill_all
from labvirt.lab.requests import request

if TYPE_CHECKING:
    from labvirt.lab.records import LabRecord
    from labvirt.lab.store import Shelf

__all__ = ["end_lab", "remains_of"]

_GRACE_S, _KILL_S = 5.0, 10.0
_QUIET, _PAUSE_S = 2, 0.01


def remains_of(record: LabRecord) -> tuple[Process, ...]:
    """Return the processes of a lab: they carry its mark, or one of its hosts' homes.

    Args:
        record: the lab.
    """
    homes = [
        f"HOME={top}/hosts/{name}/home"
        for top in (record.folder, record.spare_folder)
        for name in record.names
    ]
    return carrying([f"LABVIRT_LAB={record.id}", *homes])


def end_lab(shelf: Shelf) -> None:
    """Stop a lab and remove all of it, however much of it is still working.

    Args:
        shelf: the lab on disk; its lock is held.

    Raises:
        LabError: something would not go away; says what.
    """
    record = shelf.record()
    _end_keeper(shelf, record)
    if record is not None:
        if left := _kill_remains(record):
            numbers = ", ".join(str(process.pid) for process in left)
            raise LabError(
                f"processes {numbers} of lab {shelf.name} cannot be ended",
                hint="they belong to another user or hang in the kernel; end them, then stop again",
            )
        for folder in (record.sockets, record.spare_folder):
            shutil.rmtree(folder, ignore_errors=True)
        _tidy(Path(record.sockets).parent)
    if shelf.exists:
        _remove(shelf.folder)


def _kill_remains(record: LabRecord) -> tuple[Process, ...]:
    """Kill what is left of a lab; return what would not go away."""
    deadline = time.monotonic() + _KILL_S
    quiet = 0
    while True:
        # Whoever is killed may just have started somebody else, and a program that is just being
        # started has no environment for a moment: look again.
        left = remains_of(record)
        quiet = 0 if left else quiet + 1
        if quiet == _QUIET or time.monotonic() > deadline:
            return left
        kill_all(left, _KILL_S)
        time.sleep(_PAUSE_S)


def _end_keeper(shelf: Shelf, record: LabRecord | None) -> None:
    keeper = shelf.keeper()
    if keeper is None:
        return
    if record is not None:
        try:
            request(record, {"op": "stop"}, timeout_s=_GRACE_S)
        except LabError:
            # It is not up yet, it hangs, or it has just gone.
            keeper.send(signal.SIGTERM)
    else:
        keeper.send(signal.SIGTERM)
    if not keeper.wait(_GRACE_S):
        keeper.send(signal.SIGKILL)
        if not keeper.wait(_KILL_S):
            raise LabError(
                f"the keeper of lab {shelf.name}, process {keeper.pid}, cannot be ended",
                hint="it hangs in the kernel; look at its state with ps",
            )


def _tidy(base: Path) -> None:
    """Remove labvirt's folder for sockets when the last lab has left it."""
    if base.name.startswith("labvirt"):
        with contextlib.suppress(OSError):
            base.rmdir()


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise LabError(
            f"the lab's folder {folder} cannot be removed: {error}",
            hint="remove it by hand, then stop the lab again",
        ) from error
