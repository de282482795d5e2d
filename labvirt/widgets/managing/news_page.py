"""The page of what happens to a domain, and of what labvirt has done to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w

from labvirt.widgets.managing.news import EventTab, JournalTab
from labvirt.widgets.managing.pages import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NewsPage"]


class NewsPage(Page):
    """Events of the domain since the view was opened, as they come; below, the journal."""

    def build(self) -> w.VBox:
        """Return the widgets."""
        self.events = EventTab()
        self.journal = JournalTab(self._aside, lambda: (self.domain.host,), about=self.domain)
        return w.VBox([self.events.box, self.journal.box])

    def hear(self, changes: Sequence[Any]) -> None:
        """Note what the host tells of this domain."""
        self.events.hear(self.domain.host.name, changes, {})

    def read(self) -> Any:
        """Read nothing of its own: the journal does."""
        self.journal.refresh()

    def draw(self, found: Any) -> None:
        """Show nothing of its own."""

    def close(self) -> None:
        """Draw no more."""
        self.events.close()
