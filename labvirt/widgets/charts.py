"""Charts of domains, hosts and recordings: ``lv.ui.charts``."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Literal

from labvirt.errors import LabvirtError
from labvirt.widgets.batch import is_batch
from labvirt.widgets.feed import Feed
from labvirt.widgets.registry import registry
from labvirt.widgets.shown import Shown
from labvirt.widgets.targets import driver_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    import pandas as pd

    from labvirt.history.source import Form, Source
    from labvirt.status.series import Group, Kind
    from labvirt.widgets.feed import Driver
    from labvirt.widgets.panels import Threshold
    from labvirt.widgets.scene import Theme
    from labvirt.widgets.view import LiveView

    Engine = Literal["plotly", "light"]

__all__ = ["Charts", "charts"]


def charts(
    target: Any,
    *,
    engine: Engine = "plotly",
    window_s: float = 300.0,
    groups: Sequence[Group] | None = None,
    panels: Sequence[str] | None = None,
    source: Source | None = None,
) -> Charts:
    """Return live charts of a domain, a host, a lab, several of them, or a recording.

    Nothing is read until a view is open, and nothing more when the last one is closed or hidden.

    Args:
        target: a `Domain`, `Host` or `Lab`, a list of domains or hosts, or a `Source` (a
            recording, which is played).
        engine: ``plotly``, or ``light``, which asks least of the browser.
        window_s: seconds shown at first; the view's buttons change it. 10 to 86400.
        groups: what to ask for (see `labvirt.status.series.GROUPS`); by default all that the
            board can show except steal.
        panels: keys of the panels to show (see `labvirt.widgets.boards.PANELS`); None for all.
        source: where values come from instead of the host: a recording, Prometheus.

    Raises:
        SpecError: there is nothing to draw of such a target, or no such engine, group or panel.
    """
    driver, key = driver_of(
        target, engine=engine, window_s=window_s, groups=groups, panels=panels, source=source
    )
    made = Charts(driver, engine=engine, window_s=float(window_s))
    registry.claim(made, key)
    return made


class Charts(Shown):
    """Charts of one board; see `charts`. Shown by being the last line of a cell.

    Every display of it is one more view of the same stream.
    """

    def __init__(self, driver: Driver, *, engine: Engine, window_s: float) -> None:
        self.driver, self.engine = driver, engine
        self.window_s = window_s
        self._view: LiveView | None = None
        self._lock = threading.Lock()
        self._is_closed = False
        super().__init__()
        #: Handles of pictures that are shown where nobody looks on.
        self._pictures: list[Any] = []
        self.feed = Feed(driver, self._send, window_s=window_s, busy=_busy)

    def __repr__(self) -> str:
        """Return one line."""
        state = "closed" if self._is_closed else f"{self.feed.views} views"
        return f"<Charts of {self.driver.title}: {state}>"

    # -- shown ---------------------------------------------------------------------------------

    @property
    def widget(self) -> LiveView:
        """The ipywidget, for layouts of one's own."""
        from labvirt.widgets.view import LiveView, watch_kernel

        with self._lock:
            if self._is_closed:
                raise LabvirtError(
                    f"{self.driver.title}: these charts are closed.", hint="lv.ui.charts(...) anew"
                )
            if self._view is None:
                watch_kernel()
                self._view = LiveView("charts", self.feed.receive, engine=self.engine)
            return self._view

    def _ipython_display_(self) -> None:
        """Show the widget; where no front end is, a picture that is drawn again at `close`."""
        if self._is_closed:
            self._show(self._repr_mimebundle_())
        elif not is_batch():
            self._show_live(self._repr_mimebundle_() | self._still())
        else:
            self.feed.keep()
            _wait_for_samples(self.driver)
            handle = self._show(self.bundle())
            if handle is not None:
                self._pictures.append(handle)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget for a front end."""
        if self._is_closed:
            return {"text/plain": repr(self)}
        widget = self.widget
        # A cell that keeps the kernel at work may follow: all that a view needs goes out now.
        widget.offer_code()
        self.feed.expect()
        made = widget._repr_mimebundle_(**options)
        return made[0] if isinstance(made, tuple) else made

    def _send(self, message: dict[str, Any], buffers: list[bytes]) -> None:
        view = self._view
        if view is not None:
            view.send_all(message, buffers)

    # -- asked -----------------------------------------------------------------------------------

    def figure(self, *, theme: Theme = "light") -> Any:
        """Return what the board shows now as a ``plotly.graph_objects.Figure``."""
        from labvirt.widgets.figures import figure

        return figure(self.feed.panels(), self.driver.source, theme=theme, **self._shown)

    def png(
        self,
        path: str | PathLike[str] | None = None,
        *,
        theme: Theme = "light",
        scale: float = 2.0,
    ) -> bytes:
        """Return what the board shows now as PNG, and write it to a file when a path is given.

        No browser is needed; see `labvirt.widgets.png.png`.

        Raises:
            SpecError: the scale is out of its limits.
            OSError: the file cannot be written.
        """
        from labvirt.widgets.png import png

        source = self.driver.source
        return png(self.feed.panels(), source, path, theme=theme, scale=scale, **self._shown)

    def bundle(self) -> dict[str, Any]:
        """Return what the board shows now by MIME type, as every reader of a notebook shows it."""
        from labvirt.widgets.bundle import bundle

        return bundle(self.feed.panels(), self.driver.source, **self._shown)

    def freeze(self) -> None:
        """Put a picture in the place of the live views, for good, and close them."""
        self._views += self._pictures
        self._pictures = []
        super().freeze()

    def _still(self) -> dict[str, str]:
        """Return what a reader without the kernel sees in the place of a live view."""
        from labvirt.widgets.bundle import still

        return still(self.feed.panels(), self.driver.source, **self._shown)

    @property
    def _shown(self) -> dict[str, Any]:
        return {"start": self.driver.since(self.window_s), "title": self.driver.title}

    def df(
        self,
        kind: Kind = "domain",
        *,
        fields: Sequence[str] | None = None,
        domains: Iterable[str] | None = None,
        form: Form = "long",
    ) -> pd.DataFrame:
        """Return what was sampled of the board's domains in its window; see `Source.df`.

        Raises:
            SpecError: there is no such series, kind or form.
        """
        driver = self.driver
        return driver.source.df(
            kind,
            fields=fields,
            domains=driver.domains if domains is None else domains,
            start=driver.since(self.window_s),
            form=form,
        )

    def pause(self, on: bool = True) -> None:  # noqa: FBT001, FBT002
        """Stop reading for this board, or go on; the picture stays."""
        self.feed.hold(on)

    def thresholds(self, panel: str, *thresholds: Threshold) -> None:
        """Draw levels across a panel, instead of those that it has; none removes them."""
        self.feed.set_thresholds(panel, thresholds)

    def close(self) -> None:
        """End the stream; views say so. Twice is harmless."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        for picture in self._pictures:
            picture.update(self.bundle(), raw=True)
        self._pictures.clear()
        self._views.clear()
        self.feed.close()
        registry.forget(self)
        view, self._view = self._view, None
        if view is not None:
            view.end()


def _wait_for_samples(driver: Driver) -> None:
    """Wait until there is something to draw, for three rounds at most."""
    until = time.monotonic() + 3 * driver.interval_s + 2
    while driver.window(10 * driver.interval_s).shape[1] < 2 and time.monotonic() < until:
        time.sleep(0.1)


def _busy() -> bool:
    from labvirt.widgets.view import kernel_is_busy

    return kernel_is_busy()
