"""A text area for XML: colours, line numbers, and what is wrong at its line."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from labvirt.widgets.i18n import _, ngettext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labvirt.widgets.view import LiveView

__all__ = ["XmlText"]

_LONGEST = 2_000_000  # characters; a message must stay below the server's 10 MB


class XmlText:
    """XML that can be written; whoever made it says what is wrong in it.

    Args:
        changed: is called when somebody has written something.
        label: what the text is.
    """

    def __init__(self, changed: Callable[[], object], label: str) -> None:
        self._changed, self._label = changed, label
        self._lock = threading.RLock()
        self._value = ""
        self._n = 0
        self._faults: tuple[tuple[int, str], ...] = ()
        self._said = ""
        self.readonly = False
        self._view: LiveView | None = None

    @property
    def value(self) -> str:
        """The text as it is now."""
        return self._value

    @value.setter
    def value(self, text: str) -> None:
        with self._lock:
            if text == self._value:
                return
            self._value = text
            self._faults, self._said = (), ""
        self.send()
        self._changed()

    @property
    def widget(self) -> LiveView:
        """The ipywidget."""
        if self._view is None:
            from labvirt.widgets.view import LiveView

            self._view = LiveView("xmledit", self._receive)
            self._view.offer_code()
        return self._view

    def say(self, faults: Sequence[tuple[int, str]], *, of: str) -> None:
        """Show what is wrong: line (0: none in particular) and words.

        Args:
            faults: what is wrong; empty when nothing is.
            of: the text that was looked at; of another one it is not said.
        """
        with self._lock:
            if of != self._value:
                return
            self._faults = tuple(faults)
            count = len(self._faults)
            self._said = (
                ngettext("{count} fault", "{count} faults", count).format(count=count)
                if count
                else _("Libvirt's schema has no objection.")
            )
        self.send(text=False)

    def lock(self, *, readonly: bool) -> None:
        """Let nobody write, or let them again."""
        if readonly != self.readonly:
            self.readonly = readonly
            self.send(text=False)

    def send(self, *, text: bool = True) -> None:
        """Send it to the pages that show it; what is written there meanwhile stays."""
        view = self._view
        if view is None:
            return
        with self._lock:
            message: dict[str, Any] = {
                "t": "xml",
                "n": self._n,
                "faults": [list(each) for each in self._faults],
                "said": self._said,
                "readonly": self.readonly,
                "words": {
                    "label": self._label,
                    "tip": _("The definition as it is stored"),
                    "line": _("line {number}"),
                    "go": _("Go to this line"),
                },
            }
            if text:
                message["text"] = self._value
        view.send_all(message, [])

    def _receive(self, message: Mapping[str, Any]) -> None:
        kind, text, number = message.get("t"), message.get("text"), message.get("n")
        if kind == "hello":
            self.send()
        elif kind == "set" and isinstance(text, str) and len(text) < _LONGEST and not self.readonly:
            with self._lock:
                self._n = number if isinstance(number, int) else self._n
                if text == self._value:
                    return
                self._value = text
                self._faults, self._said = (), ""
            self._changed()

    def close(self) -> None:
        """End it. Twice is harmless."""
        view, self._view = self._view, None
        if view is not None:
            view.end()
