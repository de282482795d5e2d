"""Table: records in columns, one of which can be selected; sorted and filtered in the page."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labvirt.widgets.i18n import _
from labvirt.widgets.managing.parts import grid
from labvirt.widgets.view import LiveView

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Cell", "Column", "Row", "Table"]

#: Of the time, at most this share is spent on reading what nobody tells of.
_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        key: name in code.
        title: its heading, in English.
        tip: one sentence: what it says, in English.
        kind: ``text`` or ``number``.
    """

    key: str
    title: str
    tip: str = ""
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        text: what is read; also by a screen reader, beside a bar.
        value: what it is sorted by; the text when None.
        bar: a share of 1 that is drawn beside the text; None for none.
        tip: more words for the pointer; the text when empty.
        full: the bar warns.
    """

    text: str
    value: float | None = None
    bar: float | None = None
    tip: str = ""
    full: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        key: what tells it from the others.
        cells: one for each column.
        level: how deep it stands in a tree; 0 at the top.
    """

    key: str
    cells: tuple[Cell, ...]
    level: int = 0


class Table:
    """A table in a page. It is empty until `set` was called.

    Args:
        label: what it holds, in the views' language.
        columns: its columns.
        empty: what is said when it holds nothing.
        tree: rows stand below each other as `Row.level` says, and are not sorted.
        look_s: seconds after which `on_look` is called again while somebody sees it; 0 for never.
    """

    def __init__(
        self,
        label: str,
        columns: Sequence[Column],
        *,
        empty: str,
        tree: bool = False,
        look_s: float = 0.0,
    ) -> None:
        self._label, self.columns, self._tree, self._look_s = label, tuple(columns), tree, look_s
        self._empty, self._is_read = empty, False
        self._lock = threading.RLock()
        self._due = 0.0
        self.rows: tuple[Row, ...] = ()
        self.selected: str | None = None
        #: Called with nothing when another row is selected, opened, and when it is seen.
        self.on_select: Callable[[], object] = lambda: None
        self.on_open: Callable[[], object] = lambda: None
        self.on_look: Callable[[], object] = lambda: None
        self.widget = LiveView("lists", self._receive)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the rows."""
        return tuple(row.key for row in self.rows)

    def text(self, key: str) -> str:
        """Return a row as it is read."""
        found = next((row for row in self.rows if row.key == key), None)
        return " · ".join(cell.text for cell in found.cells if cell.text) if found else ""

    def set(self, rows: Sequence[Row]) -> None:
        """Show these rows; what was selected stays selected if it is still there."""
        with self._lock:
            made = tuple(rows)
            keys = [row.key for row in made]
            kept = self.selected if self.selected in keys else (keys[0] if keys else None)
            if self._is_read and made == self.rows and kept == self.selected:
                return
            self.rows, self.selected, self._is_read = made, kept, True
        self._send()

    def select(self, key: str) -> None:
        """Select a row; one that is not there is no matter."""
        with self._lock:
            if key == self.selected or key not in self.keys:
                return
            self.selected = key
        self.widget.send_all({"t": "select", "key": key}, [])
        self.on_select()

    def spent(self, seconds: float) -> None:
        """Take note how long a reading took: the next by itself comes not before ten times that."""
        self._due = time.monotonic() + seconds / _SHARE

    def html(self) -> str:
        """Return it as every reader of a notebook shows it."""
        heads = [_(column.title) for column in self.columns]
        rows = [[cell.text for cell in row.cells] for row in self.rows]
        return grid(self._label, heads, rows, self._empty)

    # -- to and from the page ----------------------------------------------------------------------

    def _send(self) -> None:
        with self._lock:
            message = self._message()
        self.widget.send_all(message, [])

    def _message(self) -> dict[str, Any]:
        return {
            "t": "table",
            "label": self._label,
            "tree": self._tree,
            "look_s": self._look_s,
            "empty": self._empty if self._is_read else _("Loading …"),
            "selected": self.selected,
            "words": {
                "filter": _("Filter"),
                "count": _("{shown} of {all} shown"),
                "more": _("{count} more: use the filter"),
            },
            "columns": [
                {"key": one.key, "title": _(one.title), "tip": _(one.tip), "kind": one.kind}
                for one in self.columns
            ],
            "rows": [
                {"key": row.key, "level": row.level, "cells": [_sent(cell) for cell in row.cells]}
                for row in self.rows
            ],
        }

    def _receive(self, message: Mapping[str, Any]) -> None:
        kind, key = message.get("t"), message.get("key")
        if kind == "hello":
            self._send()
        elif kind == "select" and isinstance(key, str):
            self.select(key)
        elif kind == "open" and isinstance(key, str) and key in self.keys:
            self.select(key)
            self.on_open()
        elif kind == "look" and time.monotonic() >= self._due:
            self.on_look()

    def close(self) -> None:
        """End it. Twice is harmless."""
        self.widget.end()


def _sent(cell: Cell) -> dict[str, Any]:
    found: dict[str, Any] = {"s": cell.text}
    if cell.value is not None:
        found["v"] = cell.value
    if cell.bar is not None:
        found["bar"] = cell.bar
    if cell.tip:
        found["tip"] = cell.tip
    if cell.full:
        found["full"] = True
    return found
