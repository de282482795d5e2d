"""The slow tier: what only hypervisor processes know, read by and by on a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from labvirt.connection import sampling
from labvirt.connection.reconnect import LinkState
from labvirt.errors import LabvirtError
from labvirt.host.sampling.asking import SLICE, Asker
from labvirt.host.sampling.rota import TURN_S, Rota, slices
from labvirt.host.sampling.wishes import COSTLY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labvirt.connection import Connection
    from labvirt.connection.sampling import Slow
    from labvirt.host.sampling.balloon import Balloons
    from labvirt.host.sampling.wishes import Needs
    from labvirt.status.series import Group

__all__ = ["SlowTier", "end"]

_log = logging.getLogger("labvirt")

#: How long the end of a thread may take before its call is broken off, and how often that is tried.
_PATIENT_S, _HURRY_S, _HURRIES = 1.0, 0.5, 16


class SlowTier:
    """Reads disks, balloon and steal of those who need it; ends when nobody does.

    A guest whose process hangs holds up nobody else; see `Asker`.

    Args:
        conn: the connection to the host.
        name: for the threads.
        round_s: within so many seconds everybody is asked once.
        needs: what is needed now.
        active: UUID to name of the active domains.
        tell: told of a guest that is stalled (clock since when) or free again (None).
        balloons: switches statistics of balloons on and off.
    """

    def __init__(
        self,
        conn: Connection,
        name: str,
        *,
        round_s: float,
        needs: Callable[[], Needs],
        active: Callable[[], Mapping[str, str]],
        tell: Callable[[str, float | None], object],
        balloons: Balloons,
    ) -> None:
        self.rota = Rota(round_s)
        self.asker = Asker(conn, f"{name} slow", tell)
        self._conn = conn
        self._needs = needs
        self._active = active
        self._balloons = balloons
        self._begun = False
        self._fresh: list[Slow] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{name} slow"[:60], daemon=True)
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        """Whether nobody needs it any more, and its thread and link are gone."""
        return not self._thread.is_alive()

    def take(self) -> list[Slow]:
        """Return what was read since the last time."""
        with self._lock:
            fresh, self._fresh = self._fresh, []
        return fresh

    def stop(self) -> None:
        """Let it end by itself, soon."""
        self._stop.set()

    def close(self) -> None:
        """End thread and link. Safe to call twice."""
        self._stop.set()
        end(self._thread, self.asker.line.hurry)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                began = time.monotonic()
                try:
                    if not self._turn():
                        break
                except LabvirtError as error:
                    _log.debug("slow statistics of %s: %s", self._conn.uri.redacted(), error.what)
                except Exception:  # noqa: BLE001 - it is logged; the next turn is another one
                    _log.exception("slow statistics of %s", self._conn.uri.redacted())
                took = time.monotonic() - began
                # A turn that takes long is followed by a rest: hypervisors have other work too.
                self._stop.wait(max(TURN_S - took, took / 2))
        finally:
            self._leave()

    def _leave(self) -> None:
        try:
            self._balloons.leave(self.asker.ask)
        except LabvirtError as error:
            _log.debug("leaving %s: %s", self._conn.uri.redacted(), error.what)
        finally:
            self.asker.close()

    def _turn(self) -> bool:
        """Ask those whose turn it is; False when nobody needs anything any more."""
        if self._conn.state is not LinkState.CONNECTED:
            return True
        if not self._begun:
            self._balloons.recover(self.asker.ask)
            self._begun = True
        needs = self._needs()
        if not needs.is_costly:
            return False
        active = frozenset(self._active())
        self.asker.look_at_stalled(active)
        groups = {uuid: needs.of(uuid).intersection(COSTLY) for uuid in active}
        telling = {uuid for uuid in active if "balloon" in groups[uuid]}
        self._balloons.prepare(self.asker.ask, telling)
        free = {uuid for uuid in active if groups[uuid]} - self.asker.stalled.keys()
        chosen = self.rota.pick(sampling.clock_s(), free, free & needs.named.keys())
        by_groups: dict[frozenset[Group], list[str]] = {}
        for uuid in chosen:
            by_groups.setdefault(groups[uuid], []).append(uuid)
        for some, uuids in by_groups.items():
            for few in slices(uuids, SLICE):
                if self._stop.is_set():
                    return True
                self._slice(few, some)
        return True

    def _slice(self, uuids: list[str], groups: frozenset[Group]) -> None:
        slow = self.asker.read(uuids, groups)
        if slow is None:
            self.rota.forget(uuid for uuid in uuids if uuid not in self.asker.stalled)
            return
        if "balloon" in groups:
            self._balloons.note_all(slow)
        with self._lock:
            self._fresh.append(slow)


def end(thread: threading.Thread, hurry: Callable[[], None]) -> None:
    """Wait for a thread that was asked to end; break off what it waits for when it takes long.

    A thread whose call cannot be broken off is left behind.
    """
    if thread is threading.current_thread():
        return
    thread.join(_PATIENT_S)
    for _ in range(_HURRIES):
        if not thread.is_alive():
            return
        hurry()
        thread.join(_HURRY_S)
