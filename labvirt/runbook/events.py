"""The events of a run: one line of JSON each, written as they happen, enough to rebuild it."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import errno
import json
import os
import tempfile
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["Event", "EventLog", "now", "read_events", "rebuild"]

Event = dict[str, Any]
"""One event: ``at`` (ISO 8601, UTC), ``kind``, and what belongs to the kind:

``run-begin`` and ``run-end``: ``record``; ``step-begin`` and ``step-end``: ``step`` (a step's
record), ``position``, ``steps`` (how many there are); ``cell-begin``: ``cell``, ``role``, ``step``;
``output``: ``cell``, ``output`` (as in a notebook), ``display_id`` if it may be updated;
``update``: ``display_id``, ``output`` (its data and metadata); ``clear``: ``cell``; ``cell-end``:
``cell``, ``verdict``, ``seconds``, ``count``; ``kernel``: ``pid`` of the kernel that takes the next
cells; ``note``: ``text``.
"""

_LIMIT: Final = 1 << 20
"""Characters of one output in the log; more of it goes to a side file."""
_RESERVE: Final = 256 * 1024
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def now() -> str:
    """Return the time, ISO 8601, UTC, milliseconds."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


class EventLog:
    """Appends events to a file and tells listeners; a full disk stops the run, not the record.

    Some room on the disk is held from the beginning on, in a file without a name, and given back
    when the disk is full: so the run can still write down how it ended.

    Args:
        path: the file, made when it is absent, closed to others.
        listeners: called with each event, on the thread that writes.

    Raises:
        OSError: it cannot be made, or the disk has no room for a record.
    """

    def __init__(self, path: Path, *listeners: Callable[[Event], None]) -> None:
        self.path = path
        self._listeners = listeners
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._fd = os.open(path, flags, 0o600)
        self._torn = False
        self._reserve = contextlib.ExitStack()
        try:
            held = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - closed by `release`
            self._reserve.enter_context(held)
            os.posix_fallocate(held.fileno(), 0, _RESERVE)
        except OSError as error:
            self.release()
            if error.errno in _FULL:
                self.close()
                raise

    def write(self, kind: str, **fields: Any) -> Event:
        """Write one event.

        Raises:
            RunError: it cannot be written (a full disk).
        """
        event: Event = {"at": now(), "kind": kind, **fields}
        line = json.dumps(event, ensure_ascii=False, separators=(",", ":"), default=str)
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        try:
            # After a torn line the next one must not be glued to its rest.
            self._append(b"\n" + data if self._torn else data)
        except OSError as error:
            self._torn = True
            self.release()
            raise RunError(
                f"the events of the run cannot be written to {self.path}: {error.strerror}",
                hint="make room on the disk, then: labvirt runs resume",
            ) from error
        self._torn = False
        for listener in self._listeners:
            listener(event)
        return event

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def release(self) -> None:
        """Give the room back that was held for the end of the run; twice is harmless."""
        self._reserve.close()

    def close(self) -> None:
        """Close the file; calling it twice is harmless."""
        self.release()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_events(path: Path) -> Iterator[Event]:
    """Yield the events of a log; a line torn by a crash is left out.

    Raises:
        RunError: there is no such log.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    event = json.loads(line)
                except json.JSONDecodeError:
                    continue
                if isinstance(event, dict) and "kind" in event:
                    yield event
    except OSError as error:
        raise RunError(f"the events {path} cannot be read: {error.strerror}") from error


def rebuild(notebook: Any, events: Iterator[Event]) -> Any:
    """Return a copy of a prepared notebook with the outputs that the events tell of.

    Args:
        notebook: as it was before the first cell ran.
        events: what `read_events` gives.
    """
    from nbformat import from_dict

    made = copy.deepcopy(notebook)
    shown: dict[str, list[Any]] = {}
    for event in events:
        if event["kind"] == "update":
            for output in shown.get(event["display_id"], ()):
                output.update(from_dict(event["output"]))
            continue
        number = event.get("cell")
        if not isinstance(number, int) or not 0 <= number < len(made.cells):
            continue
        _replay(made.cells[number], event, shown, from_dict)
    return made


def _replay(
    cell: Any, event: Mapping[str, Any], shown: dict[str, list[Any]], node: Callable[[Any], Any]
) -> None:
    kind = event["kind"]
    if kind in ("cell-begin", "clear"):
        cell.outputs = []
    if kind == "cell-begin":
        cell.metadata.setdefault("labvirt", {}).update(verdict="running", began=event["at"])
    elif kind == "output":
        output = node(event["output"])
        last = cell.outputs[-1] if cell.outputs else None
        if last is not None and _same_stream(last, output):
            last.text += output.text
        else:
            cell.outputs.append(output)
        if event.get("display_id"):
            shown.setdefault(event["display_id"], []).append(cell.outputs[-1])
    elif kind == "cell-end":
        if event.get("count") is not None:
            cell.execution_count = event["count"]
        cell.metadata.setdefault("labvirt", {}).update(
            verdict=event["verdict"], seconds=event["seconds"]
        )


def _same_stream(last: Any, output: Any) -> bool:
    return bool(
        output.output_type == "stream" and last.output_type == "stream" and last.name == output.name
    )
