"""Registry: what a cell made is closed when the cell is run again or deleted.

Without it every run of a cell leaves one more board that reads and sends.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any, Protocol

__all__ = ["Closable", "Registry", "cell_now", "registry"]


class Closable(Protocol):
    """What can be closed, twice too."""

    def close(self) -> None:
        """End it."""
        ...


def cell_now() -> tuple[str, str, tuple[str, ...]] | None:
    """Return the running cell, its run, and cells that were deleted; None outside of a kernel.

    The cell is empty where the front end does not name it (papermill).
    """
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return None
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return None
    parent: dict[str, Any] = kernel.get_parent() or {}
    metadata = parent.get("metadata") or {}
    deleted = metadata.get("deletedCells") or ()
    run = str(parent.get("header", {}).get("msg_id", ""))
    return str(metadata.get("cellId", "")), run, tuple(str(each) for each in deleted)


class Registry:
    """What lives, by the cell that made it, or by a key where no cell is known."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[str, list[Closable]]] = {}
        self._lock = threading.Lock()

    def claim(self, made: Closable, key: str) -> None:
        """Note what was made now; close what the same cell made in an earlier run.

        Args:
            made: the new one.
            key: stands for the cell where the front end names none: what it is and of whom.
        """
        now = cell_now()
        if now is None:
            return
        cell, run, deleted = now
        old: list[Closable] = []
        with self._lock:
            for each in deleted:
                old += self._made.pop(f"cell {each}", ("", list[Closable]()))[1]
            place = f"cell {cell}" if cell else f"key {key}"
            before, living = self._made.get(place, ("", list[Closable]()))
            if cell and before == run:
                living.append(made)
            else:
                old += living
                self._made[place] = (run, [made])
        for stale in old:
            with contextlib.suppress(Exception):
                stale.close()

    def forget(self, made: Closable) -> None:
        """Keep no reference to what is closed."""
        with self._lock:
            for place, (_, living) in list(self._made.items()):
                if made in living:
                    living.remove(made)
                    if not living:
                        del self._made[place]

    def __len__(self) -> int:
        return sum(len(living) for _, living in self._made.values())


#: Of this kernel.
registry = Registry()
