"""Watch: sleep until something happens to one domain, or until a limit."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.connection import Event
    from labvirt.host.host import Host

__all__ = ["Watch", "watch"]


class Watch:
    """Wakes up at events; an event is only a hint to look again."""

    def __init__(self) -> None:
        self._woken = threading.Event()

    def wake(self) -> None:
        """End the current or the next `wait` at once."""
        self._woken.set()

    def wait(self, seconds: float) -> None:
        """Sleep until an event or for `seconds`."""
        self._woken.wait(seconds)
        self._woken.clear()


@contextmanager
def watch(host: Host, uuid: str) -> Iterator[Watch]:
    """Watch the events of one domain, and those of the link, while the block runs."""
    watching = Watch()

    def on_event(event: Event) -> None:
        if event.kind == "link" or event.uuid == uuid:
            watching.wake()

    subscription = host.connection.listen(on_event)
    try:
        yield watching
    finally:
        subscription.close()
