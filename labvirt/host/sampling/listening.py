"""Listening: hands samples to one listener on a thread of its own; a slow one gets the newest."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.host.sampling.wishes import Wish
    from labvirt.status.sample import Sample

__all__ = ["Listening"]

_log = logging.getLogger("labvirt")


class Listening:
    """One listener of a sampler; close it, or use it in a ``with`` block.

    Attributes:
        wish: what it asked for.
        dropped: samples it never saw because it was busy.
    """

    def __init__(
        self,
        fn: Callable[[Sample], object],
        wish: Wish,
        end: Callable[[Listening], None],
        *,
        backlog: int = 1,
        name: str = "",
    ) -> None:
        self.wish = wish
        self.dropped = 0
        self._fn = fn
        self._end = end
        self._waiting: deque[Sample] = deque(maxlen=backlog)
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(
            target=self._serve, name=f"labvirt-listener {name}"[:60], daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        """Return the listening itself."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether it still gets samples."""
        return not self._closed

    def put(self, sample: Sample) -> None:
        """Hand over a sample; never blocks."""
        with self._changed:
            if len(self._waiting) == self._waiting.maxlen:
                self.dropped += 1
            self._waiting.append(sample)
            self._changed.notify()

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                sample = self._waiting.popleft()
            try:
                self._fn(sample)
            except Exception:  # noqa: BLE001 - a broken view must not stop the samples of others
                _log.exception("a listener of the samples of %s failed", sample.host)

    def close(self) -> None:
        """Get no more samples; the last listener's end ends the sampling. Safe to call twice."""
        if not self.finish():
            return
        self._end(self)

    def finish(self) -> bool:
        """End the thread only; False when it had ended before."""
        with self._changed:
            if self._closed:
                return False
            self._closed = True
            self._changed.notify()
        if self._thread is not threading.current_thread():
            self._thread.join(2.0)
        return True
