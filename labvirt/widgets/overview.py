"""The overview of all domains: ``lv.ui.overview``."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from labvirt.errors import LabvirtError, NotFoundError, SpecError
from labvirt.status.filtering import WHY, read
from labvirt.widgets import overview_html
from labvirt.widgets.batch import is_batch
from labvirt.widgets.i18n import _
from labvirt.widgets.registry import registry
from labvirt.widgets.row_feed import RowFeed
from labvirt.widgets.row_look import Look, row_driver_of
from labvirt.widgets.row_order import frame, ordered
from labvirt.widgets.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from labvirt.widgets.row_feed import RowDriver
    from labvirt.widgets.rows import Row
    from labvirt.widgets.view import LiveView

__all__ = ["Overview", "overview"]

_log = logging.getLogger("labvirt")


def overview(
    target: Any,
    *,
    columns: Sequence[str] = (
        "id",
        "state",
        "vcpus",
        "cpu",
        "memory",
        "memory_host",
        "disk",
        "net",
    ),
    sort: str = "name",
    descending: bool = False,
    inactive: bool = False,
    metric: str = "cpu",
    top: int = 5,
    height: int = 440,
    filter: str = "",  # noqa: A002 - its name in the view
    group: str = "host",
) -> Overview:
    """Return a table of all domains, live: who is there, how they are, what they use (G12.4-06).

    The view's own buttons change what is shown. Nothing is read until a view is open.

    Args:
        target: a `Host`, a `Lab`, a list of hosts, or a `Source` (a recording; it stands at its
            end).
        columns: what is shown beside the name: ``id`` (G16.9-01), ``state`` (G16.10-01), ``vcpus``
            (G16.11-01), ``cpu`` (of the guest, with sparkline), ``cpu_host`` (G16.12-01),
            ``memory``, ``memory_host`` (G16.13-01), ``disk``, ``net``, ``host``, ``tags``, ``os``,
            ``address`` (leases), ``title``, ``autostart``. Disks are read only while they are shown.
        sort: a column.
        descending: the greatest first.
        inactive: domains too that are not running.
        metric: what "who uses most" is about: ``cpu``, ``memory``, ``disk``, ``net``; empty hides
            it.
        top: how many users it tells apart, 1 to 5.
        height: pixels of the table, 78 to 4000.
        filter: who is shown: words, or terms such as ``state:running tag:web mem>1G -tag:old``;
            see `labvirt.status.filtering`.
        group: what has headings: ``host``, ``state``, ``tag``, ``os``; empty: none.

    Raises:
        SpecError: there is nothing to show of such a target, or an argument is wrong.
    """
    look = Look.checked(
        filter=filter,
        group=group,
        columns=columns,
        sort=sort,
        down=descending,
        inactive=inactive,
        metric=metric,
        top=top,
        height=height,
    )
    driver, key = row_driver_of(target, look)
    made = Overview(driver, look)
    registry.claim(made, key)
    return made


class Overview(Shown):
    """A table of domains; see `overview`. Shown by being the last line of a cell.

    Every display of it is one more view; all of them share what is selected.
    """

    def __init__(self, driver: RowDriver, look: Look) -> None:
        self.driver, self._look = driver, look
        self._selected: tuple[str, ...] = ()
        self._on_select: list[Callable[[tuple[str, ...]], object]] = []
        self._on_open: list[Callable[[Row], object]] = []
        #: Gives the menu of the selected rows: ``[{"key", "label", "why"}, ...]``; None: there is none.
        self.menu: Callable[[], list[dict[str, str]]] | None = None
        #: Is called with the key of what was chosen there.
        self.on_act: Callable[[str], object] | None = None
        self._view: LiveView | None = None
        self._lock = threading.Lock()
        self._is_closed = False
        super().__init__()
        self.feed = RowFeed(driver, self._send, more=self._more, window_s=60.0, busy=_busy)

    def __repr__(self) -> str:
        """Return one line."""
        state = "closed" if self._is_closed else f"{self.feed.views} views"
        return f"<Overview of {self.driver.title}: {state}>"

    # -- shown ---------------------------------------------------------------------------------

    @property
    def look(self) -> Look:
        """What is shown, and in which order; views change it."""
        return self._look

    @property
    def widget(self) -> LiveView:
        """The ipywidget, for layouts of one's own.

        Raises:
            LabvirtError: the overview is closed.
        """
        from labvirt.widgets.view import LiveView, watch_kernel

        with self._lock:
            if self._is_closed:
                raise LabvirtError(
                    f"{self.driver.title}: this overview is closed.",
                    hint="lv.ui.overview(...) anew",
                )
            if self._view is None:
                watch_kernel()
                self._view = LiveView("overview", self._receive)
            return self._view

    def _ipython_display_(self) -> None:
        """Show the widget; where no front end is, a table."""
        made = _pair(self._repr_mimebundle_())[0]
        if self._is_closed or is_batch():
            self._show(made)
        else:
            self._show_live(made)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget for a front end, and a table for everything else.

        Where a program runs the notebook there is the table only; its hosts are read once for it.
        """
        if self._is_closed:
            return {"text/plain": repr(self)}
        if is_batch():
            return self.bundle()
        widget = self.widget
        if not self.driver.rows.rows:
            # What is saved with the notebook says at least who is there.
            self.driver.prepare()
        widget.offer_code()
        self.feed.expect()
        data, *rest = _pair(widget._repr_mimebundle_(**options))
        return ({**data, **self._static()}, *rest)

    def _static(self) -> dict[str, Any]:
        look, rows = self._look, self.driver.rows
        with self.driver.lock:
            shown = ordered(
                rows,
                sort=look.sort,
                descending=look.down,
                inactive=look.inactive,
                asked=read(look.filter)[0],
            )
            return {
                "text/html": overview_html.html(rows, self.driver.title, look.all_columns, shown),
                "text/plain": overview_html.plain(rows, self.driver.title),
            }

    def bundle(self) -> dict[str, Any]:
        """Return what it shows now by MIME type, as every reader of a notebook shows it.

        When no view is open, the hosts are read once; that takes a second.

        Raises:
            LabvirtError: no host gives an answer.
        """
        self.driver.once()
        return self._static()

    def _send(self, message: dict[str, Any], buffers: list[bytes]) -> None:
        view = self._view
        if view is not None:
            view.send_all(message, buffers)

    def _more(self) -> dict[str, Any]:
        look = self._look
        at = self.driver.rows.at
        return {
            "moment": at if at == at else None,  # noqa: PLR0124 - NaN has no JSON
            "look": look.for_view(),
            "selected": list(self._selected),
            "top": look.top,
            "height": look.height,
            "filter": filter_message(look.filter),
            "menu": self.menu is not None,
        }

    # -- what views say --------------------------------------------------------------------------

    def _receive(self, message: Mapping[str, Any]) -> None:
        kind = message.get("t")
        if kind == "look":
            before, self._look = self._look, self._look.changed(message.get("look"))
            if before.filter != self._look.filter:
                self.feed.tell({"t": "filter", **filter_message(self._look.filter)})
            self.driver.want(disk=self._look.needs_disk)
        elif kind == "select":
            uuids = message.get("uuids")
            if isinstance(uuids, list):
                self._set(tuple(str(each) for each in uuids))
        elif kind == "menu" and self.menu is not None:
            self.feed.tell({"t": "menu", "items": self.menu()})
        elif kind == "act" and self.on_act is not None:
            _call([self.on_act], str(message.get("key", "")))
        elif kind == "open":
            with self.driver.lock:
                row = self.driver.rows.rows.get(
                    (str(message.get("host", "")), str(message.get("uuid", "")))
                )
            if row is not None:
                _call(self._on_open, row)
        else:
            self.feed.receive(message)

    # -- selecting -------------------------------------------------------------------------------

    @property
    def selected(self) -> tuple[str, ...]:
        """UUIDs of the domains that are selected, in the order of selecting."""
        return self._selected

    def select(self, *domains: Any) -> None:
        """Select these domains and no others; without any: nothing.

        Args:
            domains: names, UUIDs, or domains themselves.

        Raises:
            NotFoundError: there is no such domain among the rows.
        """
        found = self._uuids(domains)
        if not all(fits for _wanted, fits in found):
            # While nobody looks, nobody hears of new ones.
            self.driver.refresh()
            found = self._uuids(domains)
        for wanted, fits in found:
            if not fits:
                raise NotFoundError(
                    f"select {wanted!r:.80} in the overview of {self.driver.title}",
                    hint="give names or UUIDs of domains that are there",
                )
        self._set(tuple(dict.fromkeys(uuid for _wanted, fits in found for uuid in fits)))

    def _uuids(self, domains: Sequence[Any]) -> list[tuple[Any, list[str]]]:
        with self.driver.lock:
            rows = [row for row in self.driver.rows.rows.values() if row.uuid]
        asked = [getattr(each, "uuid", each) for each in domains]
        return [
            (wanted, [row.uuid for row in rows if wanted in {row.uuid, row.name}])
            for wanted in asked
        ]

    def _set(self, uuids: tuple[str, ...]) -> None:
        if uuids == self._selected:
            return
        self._selected = uuids
        self.feed.tell({"t": "selected", "uuids": list(uuids)})
        _call(self._on_select, uuids)

    def on_select(self, fn: Callable[[tuple[str, ...]], object]) -> Callable[[], None]:
        """Call `fn` with the UUIDs when others are selected; returns what ends that."""
        return _listener(self._on_select, fn)

    def on_open(self, fn: Callable[[Row], object]) -> Callable[[], None]:
        """Call `fn` with the row (``name``, ``uuid``, ``host`` ...) that is opened.

        That is by Enter or a double click; returns what ends the calls.
        """
        return _listener(self._on_open, fn)

    # -- asked -----------------------------------------------------------------------------------

    @property
    def df(self) -> pd.DataFrame:
        """All domains as a DataFrame, with the columns and units of `row_order.FRAME`.

        When no view is open, the hosts are read once; that takes a second. The order is that of
        the view; inactive domains are there too.

        Raises:
            LabvirtError: no host gives an answer.
        """
        self.driver.once()
        look = self._look
        with self.driver.lock:
            rows = self.driver.rows
            return frame(rows, ordered(rows, sort=look.sort, descending=look.down))

    def seek(self, at: float) -> None:
        """Go to a time of a recording (seconds since 1970, UTC).

        Raises:
            SpecError: the overview is live.
        """
        if self.driver.span is None:
            raise SpecError("seek: this overview is live", hint="give a recording to overview()")
        self.feed.receive({"t": "seek", "at": float(at)})

    def pause(self, on: bool = True) -> None:  # noqa: FBT001, FBT002
        """Stop reading for this overview, or go on; the picture stays."""
        self.feed.hold(on)

    def close(self) -> None:
        """End the stream; views say so. Twice is harmless."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self.feed.close()
        self.driver.join()
        registry.forget(self)
        view, self._view = self._view, None
        if view is not None:
            view.end()


def filter_message(text: str) -> dict[str, Any]:
    """Return what a view must know of a filter: its terms, and what is wrong with the text."""
    found, fault = read(text)
    told_of = None
    if fault is not None:
        why = _(WHY[fault.kind]).format(**fault.values)
        told_of = {"at": fault.at, "end": fault.end, "why": why, "hint": fault.hint}
    return {"text": text, "terms": [term.as_json() for term in found.terms], "fault": told_of}


def _pair(bundle: Any) -> tuple[Any, ...]:
    return bundle if isinstance(bundle, tuple) else (bundle,)


def _listener(listeners: list[Any], fn: Any) -> Callable[[], None]:
    listeners.append(fn)

    def stop() -> None:
        if fn in listeners:
            listeners.remove(fn)

    return stop


def _call(listeners: Sequence[Callable[[Any], object]], value: Any) -> None:
    for fn in tuple(listeners):
        try:
            fn(value)
        except Exception:  # noqa: BLE001 - its traceback would land under some other cell
            _log.exception("what was told of an overview failed")


def _busy() -> bool:
    from labvirt.widgets.view import kernel_is_busy

    return kernel_is_busy()
