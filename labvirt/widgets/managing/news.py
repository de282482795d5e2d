"""News: what happened on the hosts while the view was open, and the journal of what was done."""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from labvirt.widgets.i18n import _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.faults import fault
from labvirt.widgets.managing.parts import button, put
from labvirt.widgets.spoken import spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labvirt.host.domain import Domain
    from labvirt.host.host import Host
    from labvirt.status import Change
    from labvirt.widgets.managing.parts import Aside

__all__ = ["EventTab", "JournalTab", "words_of"]

#: Lines that are kept, and how often they are drawn at most.
KEPT = 200
_DRAW_S = 0.5
_ENTRIES = 100


def words_of(change: Change) -> str:
    """Return what happened in words: what is new, gone, or has another state.

    Of what changes all the time, such as the CPU time, nothing is said: the text is empty.
    """
    before: Any = change.before
    after: Any = change.after
    known = after or before
    name = getattr(known, "name", change.uuid)
    kind = {"domain": _("VM"), "network": _("Network"), "pool": _("Pool")}.get(
        change.kind, change.kind
    )
    if before is None:
        what = _("is there")
    elif after is None:
        what = _("is gone")
    else:
        told = []
        for field, label in (
            ("name", _("name")),
            ("state", _("state")),
            ("is_active", _("active")),
            ("vcpus", _("vCPUs")),
            ("memory", _("memory")),
            ("title", _("title")),
            ("tags", _("tags")),
            ("autostart", _("autostart")),
            ("has_managed_save", _("saved")),
            ("persistent", _("persistent")),
        ):
            old, new = getattr(before, field, None), getattr(after, field, None)
            if old != new:
                told.append(f"{label}: {_text(old)} → {_text(new)}")
        reason = getattr(after, "reason", "")
        if told and reason and getattr(before, "state", None) != getattr(after, "state", None):
            told[0] += f" ({_(reason)})"
        if not told:
            return ""
        what = ", ".join(told)
    return f"{kind} {name}: {what}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, tuple):
        return ", ".join(str(each) for each in value) or "-"
    return _(str(getattr(value, "text", None) or getattr(value, "value", None) or value))


class EventTab:
    """The news as they come, the newest first; a bounded number of them."""

    def __init__(self) -> None:
        self.lines: deque[tuple[str, str, str]] = deque(maxlen=KEPT)
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._over = False
        self._read: set[tuple[str, str]] = set()
        self.shown = w.HTML()
        self.clear = button(_("Clear"), _("Forget the events that are shown"), self._clear)
        self.box = w.VBox([self.shown, self.clear])
        self._draw()

    def hear(self, host: str, changes: Sequence[Change], known: Mapping[str, int]) -> None:
        """Note what a host tells; it is drawn a moment later, together with what comes then.

        Args:
            host: its name.
            changes: what it tells.
            known: how many records of each kind it has now. A first reading, in which all of them
                are new, is no event.
        """
        fresh = Counter(each.kind for each in changes if each.before is None)
        first = {
            kind
            for kind, count in fresh.items()
            if count == known.get(kind) and (host, kind) not in self._read
        }
        self._read |= {(host, each.kind) for each in changes}
        changes = [each for each in changes if each.before is not None or each.kind not in first]
        at = f"{dt.datetime.now(dt.UTC):%H:%M:%S}"
        with self._lock:
            new = [(at, host, words) for each in changes if (words := words_of(each))]
            self.lines.extendleft(new)
            if not new or self._timer is not None or self._over:
                return
            self._timer = threading.Timer(_DRAW_S, self._draw)
            self._timer.daemon = True
            self._timer.start()

    def _clear(self) -> None:
        with self._lock:
            self.lines.clear()
        self._draw()

    def _draw(self) -> None:
        with self._lock:
            self._timer = None
            lines = list(self.lines)
            if self._over:
                return
        put(
            self.shown,
            value=parts.grid(
                _("Events of this session, the newest first"),
                ["UTC", _("Host"), _("Event")],
                lines,
                _("Nothing has happened since this view was opened."),
            ),
        )

    def close(self) -> None:
        """Draw no more."""
        with self._lock:
            self._over = True
            if self._timer is not None:
                self._timer.cancel()


def is_about(entry: Mapping[str, Any], domain: Domain) -> bool:
    """Tell whether an entry of the journal is about a domain.

    Its UUID stands there; or its name in the title, of the same host.
    """
    if domain.uuid in json.dumps(entry, default=str):
        return True
    named = re.compile(rf"(?<![\w.-]){re.escape(domain.name)}(?![\w.-])")
    return entry.get("uri") == domain.host.label and bool(named.search(str(entry.get("title", ""))))


class JournalTab:
    """What labvirt has done to these hosts: outcome, time, the commands.

    Args:
        aside: reads.
        hosts: whose journals.
        about: only what was done to this domain.
    """

    def __init__(
        self,
        aside: Aside,
        hosts: Callable[[], Sequence[Host]],
        about: Domain | None = None,
    ) -> None:
        self._aside, self._hosts, self._about = aside, hosts, about
        self.shown = w.HTML()
        self.again = button(_("Refresh"), _("Read the journal anew"), self.refresh)
        self.box = w.VBox([self.shown, self.again])

    def refresh(self) -> None:
        """Read the journal, aside."""
        self._aside.run("journal", self._read, self._show, self._failed, latest=True)

    def _read(self) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for host in self._hosts():
            for each in host.journal.entries(last=_ENTRIES):
                ours = each.get("uri") == host.label or each.get("host") == host.name
                if ours and (self._about is None or is_about(each, self._about)):
                    found[str(each.get("id", len(found)))] = each
        return sorted(found.values(), key=lambda each: str(each.get("when", "")), reverse=True)

    def _show(self, entries: Sequence[dict[str, Any]]) -> None:
        rows = [
            (
                str(each.get("when", ""))[:19].replace("T", " "),
                each.get("host", ""),
                spoken(str(each.get("title", ""))),
                _(str(each.get("outcome", ""))),
                spoken(str(each.get("error", ""))),
            )
            for each in entries[:_ENTRIES]
        ]
        heads = ["UTC", _("Host"), _("What"), _("Outcome"), _("Why")]
        empty = _("Nothing was done to these hosts yet.")
        put(self.shown, value=parts.grid(_("Journal, the newest first"), heads, rows, empty))

    def _failed(self, error: BaseException) -> None:
        put(self.shown, value=fault(error))
