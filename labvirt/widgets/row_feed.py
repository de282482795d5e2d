"""Row feed: the stream of the overview. Rows that come and go ride in the message of the tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from labvirt.widgets.feed import Feed
from labvirt.widgets.words import WORDS

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

    def control(self, message: Mapping[str, Any]) -> bool:
        """Obey ``seek``; return whether views need a snapshot."""
        ...

    def poll(self) -> RowTick | None:
        """Return what changed without anybody telling."""
        ...


class RowFeed(Feed[RowTick]):
    """The stream of one overview.

    ``snap`` has the rows in ``meta`` and the buffer of `Rows.everything`; ``d`` has that of
    `Rows.delta` (none when only rows changed) and ``rows``, what `Rows.changes` gives.
    """

    def __init__(
        self, driver: RowDriver, send: Send, *, more: Callable[[], dict[str, Any]], **options: Any
    ) -> None:
        super().__init__(driver, send, **options)
        self._rows_of, self._more = driver, more

    def receive(self, message: Mapping[str, Any]) -> None:
        """Take a message of a view."""
        super().receive(message)
        if message.get("t") == "beat":
            tick = self._rows_of.poll()
            if tick is not None:
                self.tick(tick)
