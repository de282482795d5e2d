"""Balloons: lets guests tell of their memory while somebody wants to know, and not after.

A guest tells of its memory only when its balloon has a period. What had none gets one, and loses it
again. A file says what was switched on; it is locked as long as its process lives, so that the next
sampler finds and switches back what a killed one has left.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import uuid as uuids
from typing import TYPE_CHECKING, Literal, NamedTuple

from labvirt import places
from labvirt.connection import sampling
from labvirt.errors import ConnectionLostError, HostError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path
    from typing import Protocol, TypeVar

    from labvirt.connection import Connection
    from labvirt.connection.sampling import Slow
    from labvirt.connection.stats_link import StatsLink

    T = TypeVar("T")

    class Ask(Protocol):
        """Asks one domain something, with a deadline."""

        def __call__(self, uuid: str, fn: Callable[[StatsLink], T]) -> T | None:
            """Return the answer, None when there is none in time."""


__all__ = ["PERIOD_S", "Balloons"]

#: How often a guest tells of its memory, seconds.
PERIOD_S = 2
#: Somebody else may have switched it off, or the guest was started anew: look again, seconds.
_LOOK_AGAIN_S = 30.0
_MOST_A_TURN = 10

_READONLY = "its memory statistics are off, and a read-only connection cannot switch them on"
_NO_DEVICE = "it has no virtio balloon"
_SILENT = "its guest has told nothing of its memory: no balloon driver, or not yet"


#: Domains that left their host switched on by us: another host may have them now, with the period.
_moved_away: set[str] = set()


class _Orphan(NamedTuple):
    path: Path
    number: int
    period_s: int
    domains: tuple[str, ...]


class Balloons:
    """Switches the statistics of balloons on and off for one sampler; used on one thread.

    Args:
        conn: the connection to the host.
        folder: where the files are kept; labvirt's own folder when None.
    """

    def __init__(self, conn: Connection, folder: Path | None = None) -> None:
        #: UUID to why nothing is known of a guest's memory.
        self.reasons: dict[str, str] = {}
        self._conn = conn
        self._given_folder = folder
        self._ours: set[str] = set()
        self._looked: dict[str, float] = {}
        self._file: tuple[Path, int] | None = None

    @property
    def _folder(self) -> Path:
        return self._given_folder or places.home() / "sampling"

    @property
    def has_begun(self) -> bool:
        """Whether any balloon is switched on by us now."""
        return bool(self._ours)

    def note_all(self, slow: Slow) -> None:
        """Note who has told of his memory."""
        for uuid, told in slow.records:
            if not told.get("balloon.last-update"):
                self.reasons.setdefault(uuid, _SILENT)
            elif self.reasons.get(uuid) == _SILENT:
                del self.reasons[uuid]

    def prepare(self, ask: Ask, wanted: AbstractSet[str], *, at_once: bool = False) -> None:
        """Switch on what is wanted and off what no longer is; a part of it at each turn.

        Args:
            ask: asks one domain something.
            wanted: UUIDs of active domains whose memory somebody wants to know.
            at_once: all of it.
        """
        for uuid in sorted(self._ours - wanted):
            self._switch_back(ask, uuid)
        for uuid in [uuid for uuid in self._looked if uuid not in wanted]:
            self._looked.pop(uuid)
            self.reasons.pop(uuid, None)
        now = sampling.clock_s()
        due = [uuid for uuid in wanted if self._looked.get(uuid, -1e9) < now - _LOOK_AGAIN_S]
        for uuid in sorted(due)[: None if at_once else _MOST_A_TURN]:
            self._looked[uuid] = now
            with contextlib.suppress(NotFoundError):  # it has just ended
                self._look(ask, uuid)

    def leave(self, ask: Ask) -> None:
        """Switch everything back that can be; the rest stays written down for the next one."""
        self.prepare(ask, frozenset())
        if self._file is not None:
            path, number = self._file
            self._file = None
            if not self._ours:
                path.unlink(missing_ok=True)
            os.close(number)
        self._ours.clear()

    def _look(self, ask: Ask, uuid: str) -> None:
        facts = ask(uuid, lambda link: sampling.balloon_facts(link, uuid))
        if facts is None:
            self._looked.pop(uuid, None)
            return
        model, period_s = facts
        if not model.startswith("virtio"):
            self.reasons[uuid] = _NO_DEVICE
        elif not period_s and self._conn.readonly:
            self.reasons[uuid] = _READONLY
        elif period_s == PERIOD_S and uuid in _moved_away and not self._conn.readonly:
            self._write({*self._ours, uuid})
            self._ours.add(uuid)
            _moved_away.discard(uuid)
        elif not period_s:
            self._write({*self._ours, uuid})
            self._ours.add(uuid)
            with contextlib.suppress(HostError):
                ask(uuid, lambda link: sampling.set_balloon_period(link, uuid, PERIOD_S))

    def _switch_back(self, ask: Ask, uuid: str) -> None:
        outcome = _reset(ask, uuid, PERIOD_S)
        if outcome == "silent":
            return
        if outcome == "gone":
            _moved_away.add(uuid)
        self._ours.discard(uuid)
        self._write(self._ours)

    # the file

    def _write(self, domains: set[str]) -> None:
        if self._file is None:
            if not domains:
                return
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._folder / f"balloons-{uuids.uuid4().hex[:12]}.json"
            number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(number, fcntl.LOCK_EX)
            self._file = (path, number)
        text = json.dumps(
            {
                "uri": self._conn.uri.redacted(),
                "period_s": PERIOD_S,
                "domains": sorted(domains),
            }
        ).encode()
        number = self._file[1]
        os.pwrite(number, text, 0)
        os.ftruncate(number, len(text))

    @property
    def has_orphans(self) -> bool:
        """Whether a process that died has left balloons of this host switched on."""
        if self._conn.readonly:
            return False
        found = False
        for orphan in self._orphans():
            os.close(orphan.number)
            found = True
        return found

    def recover(self, ask: Ask) -> None:
        """Switch back what processes that died have left switched on on this host."""
        if self._conn.readonly:
            return
        for orphan in self._orphans():
            try:
                done = [
                    uuid in self._ours or _reset(ask, uuid, orphan.period_s) != "silent"
                    for uuid in orphan.domains
                ]
                if all(done):
                    orphan.path.unlink(missing_ok=True)
            finally:
                os.close(orphan.number)

    def _orphans(self) -> Iterator[_Orphan]:
        """Find the files of this host that nobody holds; the caller closes their numbers."""
        where = self._conn.uri.redacted()
        for path in sorted(self._folder.glob("balloons-*.json")):
            try:
                number = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found = json.loads(os.pread(number, 1 << 20, 0))
                if found["uri"] == where:
                    domains = tuple(str(uuid) for uuid in found["domains"])
                    yield _Orphan(path, number, int(found["period_s"]), domains)
                    continue
            except (OSError, ValueError, KeyError, TypeError):
                pass  # held by a live process, or cut off in its first line: nothing was done yet
            os.close(number)


def _reset(ask: Ask, uuid: str, period_s: int) -> Literal["done", "gone", "silent"]:
    """Switch statistics off if they are as we left them."""
    try:
        facts = ask(uuid, lambda link: sampling.balloon_facts(link, uuid))
        if facts is None:
            return "silent"
        if facts[1] != period_s:
            return "done"
        done = ask(uuid, lambda link: sampling.set_balloon_period(link, uuid, 0))
    except ConnectionLostError:
        raise
    except HostError:
        return "gone"  # or not active any more
    return "silent" if done is None else "done"
