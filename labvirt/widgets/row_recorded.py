"""Recorded rows: who was there at a moment of a recording, and what they used."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from labvirt.errors import NotFoundError
from labvirt.status.sample import Subject
from labvirt.widgets.past import past_of
from labvirt.widgets.rows import Row, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labvirt.history.source import Source
    from labvirt.widgets.row_feed import RowTick

__all__ = ["RecordedRows"]


class RecordedRows:
    """The rows of a recording at one moment, its end at first; `seek` goes to another.

    A domain without a number at that moment counts as inactive: recordings hold no states.

    Args:
        source: the recording.
    """

    def __init__(self, source: Source) -> None:
        span = source.span()
        if span is None:
            raise NotFoundError("show an overview: the recording holds no sample")
        self.span: tuple[float, float] | None = span
        self._first, self._last = span
        self._source = source
        self.rows, self.lock = Rows(), threading.RLock()
        hosts = [each.host for kind in ("host", "domain") for each in source.subjects(kind)]
        self._hosts = tuple(dict.fromkeys(hosts))
        self.title = ", ".join(self._hosts[:6])
        self.interval_s = self._measure()
        self._load(self._last)

    def _measure(self) -> float:
        """Return the usual distance of two samples."""
        for kind in ("host", "domain"):
            for subject in self._source.subjects(kind)[:1]:
                start = self._last - 600
                window = self._source.window(kind, subject, ("cpu_percent",), start=start)
                if len(window.times) > 1:
                    return float(np.median(np.diff(window.times)))
        return 1.0

    def _load(self, at: float) -> None:
        source = self._source
        domains = source.subjects("domain")
        whom = [*(Subject(host) for host in self._hosts), *domains]
        times, known = past_of(source, whom, at, self.interval_s)
        rows = Rows()
        rows.put(
            Row(
                host,
                name=host,
                state="connected",
                text="recorded",
                memory_bytes=self._memory(host, at),
            )
            for host in self._hosts
        )
        for each in domains:
            values = known.get((each.host, each.uuid))
            active = values is not None and bool(np.isfinite(values[:, -1]).any())
            rows.put(
                [
                    Row(
                        each.host,
                        each.uuid,
                        source.name(each.uuid),
                        state="running" if active else "shutoff",
                        text="active" if active else "no data",
                        active=active,
                    )
                ]
            )
        rows.seed(times, known)
        rows.at = at
        self.rows = rows

    def _memory(self, host: str, at: float) -> int:
        start = at - 3 * self.interval_s
        window = self._source.window("host", Subject(host), ("memory_bytes",), start=start, end=at)
        seen = window.values[0][np.isfinite(window.values[0])]
        return int(seen[-1]) if len(seen) else 0

    # -- what the feed asks ----------------------------------------------------------------------

    def start(self, tell: Callable[[RowTick], None]) -> None:
        """Nothing moves by itself."""

    def stop(self) -> None:
        """Nothing moves by itself."""

    def join(self, timeout_s: float = 5.0) -> None:
        """Nothing moves by itself."""

    def state(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def poll(self) -> RowTick | None:
        """Nothing changes by itself."""
        return None

    def want(self, *, disk: bool) -> None:
        """Everything is there already."""

    def once(self) -> None:
        """Everything is there already."""

    def prepare(self) -> None:
        """Everything is there already."""

    def refresh(self) -> None:
        """Everything is there already."""

    def control(self, message: Mapping[str, Any]) -> bool:
        """Obey ``seek`` at."""
        at = message.get("at")
        if message.get("t") != "seek" or not isinstance(at, (int, float)):
            return False
        with self.lock:
            self._load(min(self._last, max(self._first, float(at))))
        return True
