"""Making and unmaking links: each with its end announced and its events registered."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.event_table import LINK_REASONS
from labvirt.connection.opening import Ask, open_raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.connection.events import Multiplexer
    from labvirt.model.uri import Uri

__all__ = ["Linker", "close_raw"]


@dataclass(frozen=True, slots=True)
class Linker:
    """Opens and closes the links of one connection; every method may block.

    Attributes:
        uri: where to.
        readonly: links that cannot change anything.
        keepalive: seconds between probes, and how many may go unanswered.
        ask: answers the questions of the log-in.
        events: takes the events of the first link.
        on_end: told the link and the reason, in words, when a link ends.
    """

    uri: Uri
    readonly: bool
    keepalive: tuple[int, int]
    ask: Ask | None
    events: Multiplexer
    on_end: Callable[[Any, str], None]

    def open(self) -> Any:
        """Open a link that only carries calls.

        Raises:
            LabvirtError: it cannot be opened; see `opening.open_raw`.
        """
        return open_raw(self.uri, readonly=self.readonly, keepalive=self.keepalive, ask=self.ask)

    def establish(self) -> Any:
        """Open a link that tells of its end, and of events once somebody listens.

        Raises:
            LabvirtError: it cannot be opened.
        """
        raw = self.open()
        with contextlib.suppress(libvirt.libvirtError):  # drivers in this process have no end
            raw.registerCloseCallback(self._on_close, None)
        if self.events.wanted:
            self.events.attach(raw)
        return raw

    def _on_close(self, raw: Any, reason: int, _: None) -> None:
        known = 0 <= reason < len(LINK_REASONS)
        self.on_end(raw, LINK_REASONS[reason] if known else f"reason {reason}")

    def dispose(self, raw: Any) -> None:
        """Close a link for good, with every callback that would keep it alive."""
        self.events.detach(raw)
        with contextlib.suppress(libvirt.libvirtError):
            raw.unregisterCloseCallback()
        close_raw(raw)


def close_raw(raw: Any) -> None:
    """Close a link without callbacks; a broken one is no error."""
    with contextlib.suppress(libvirt.libvirtError):
        raw.close()
