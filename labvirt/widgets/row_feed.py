"""Row feed: the stream of the overview. Rows that come and go ride in the message of the tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from labvirt.widgets.feed import Feed
from labvirt.widgets.i18n import told
from labvirt.widgets.row_words import ROW_WORDS

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from labvirt.widgets.feed import Send
    from labvirt.widgets.rows import Rows

__all__ = ["RowDriver", "RowFeed", "RowTick"]


@dataclass(frozen=True, slots=True)
class RowTick:
    """What a driver has to say at one moment.

    Attributes:
        values: there are new numbers; else only rows may be other ones.
        anew: views need a snapshot.
    """

    values: bool = False
    anew: bool = False


class RowDriver(Protocol):
    """Where rows come from: hosts, or a recording."""

    title: str
    rows: Rows
    #: Held while rows are read or changed.
    lock: threading.RLock
    #: First and last time of a recording; None when the values are live.
    span: tuple[float, float] | None

    @property
    def interval_s(self) -> float:
        """Return the seconds between two ticks."""
        ...

    def start(self, tell: Callable[[RowTick], None]) -> None:
        """Begin; ``tell`` is called on threads of the driver."""
        ...

    def stop(self) -> None:
        """End; may be called on a thread of the driver, and twice."""
        ...

    def join(self, timeout_s: float = 5.0) -> None:
        """Wait until what `stop` began is done."""
        ...

    def control(self, message: Mapping[str, Any]) -> bool:
        """Obey ``seek``; return whether views need a snapshot."""
        ...

    def state(self) -> dict[str, Any]:
        """Return ``error`` (a text) when there is one."""
        ...

    def poll(self) -> RowTick | None:
        """Return what changed without anybody telling."""
        ...

    def want(self, *, disk: bool) -> None:
        """Ask for disks too, or no more."""
        ...

    def refresh(self) -> None:
        """Ask who is there.

        Raises:
            LabvirtError: nobody gives an answer.
        """
        ...

    def prepare(self) -> None:
        """Know who is there, and what was kept of them, as far as that is possible."""
        ...

    def once(self) -> None:
        """Have fresh numbers, without a view.

        Raises:
            LabvirtError: nobody gives an answer.
        """
        ...


class RowFeed(Feed):
    """The stream of one overview.

    ``snap`` has the rows in ``meta`` and the buffer of `Rows.everything`; ``d`` has that of
    `Rows.delta` (none when only rows changed) and ``rows``, what `Rows.changes` gives.

    Args:
        driver: gives the rows.
        send: as that of `Feed`.
        more: gives what the view has to know besides: its look, what is selected.
        options: further arguments of `Feed`.
    """

    def __init__(
        self, driver: RowDriver, send: Send, *, more: Callable[[], dict[str, Any]], **options: Any
    ) -> None:
        super().__init__(cast("Any", driver), send, **options)
        self._rows_of, self._more = driver, more

    def receive(self, message: Mapping[str, Any]) -> None:
        """Take a message of a view; a sign of life is an occasion to look what nobody told."""
        super().receive(message)
        if message.get("t") == "beat" and self.is_running:
            tick = self._rows_of.poll()
            if tick is not None:
                self.tick(cast("Any", tick))

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message that is no tick."""
        with self._lock:
            self._send(message, [])

    def _pass_on(self, tick: Any) -> None:
        with self._rows_of.lock:
            changes = self._rows_of.rows.changes()
            buffers = [self._rows_of.rows.delta()] if tick.values else []
        if changes is None and not buffers:
            return
        self._sent.seq += 1
        message: dict[str, Any] = {"t": "d", "seq": self._sent.seq}
        if changes is not None:
            message["rows"] = changes
        self._send(message, buffers)

    def _snap(self) -> None:
        driver = self._rows_of
        with driver.lock:
            unsent = driver.rows.unsent
            head, block = driver.rows.everything()
        if unsent:
            # There is more in it than in the last tick: who has that must not pass over it.
            self._anew()
        self._old = False
        meta = {
            "title": driver.title,
            "version": self._sent.version,
            "window_s": self.window_s,
            "interval_s": driver.interval_s,
            "replay": None if driver.span is None else {"span": list(driver.span)},
            "marks": [],
            "state": self._state(),
            "words": told(ROW_WORDS),
            **self._more(),
            **head,
        }
        self._send({"t": "snap", "seq": self._sent.seq, "meta": meta}, [block])
