"""The graphical console of a domain in a cell: ``lv.ui.screen``."""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from labvirt.errors import ConflictError, LabvirtError, NotFoundError, Problem, SpecError
from labvirt.host.display import screen_place
from labvirt.widgets.batch import is_batch
from labvirt.widgets.desk import Desk
from labvirt.widgets.i18n import _
from labvirt.widgets.registry import registry
from labvirt.widgets.screen_feed import ScreenFeed
from labvirt.widgets.screen_words import place_words, screen_words
from labvirt.widgets.shown import Shown
from labvirt.widgets.svg import plain

if TYPE_CHECKING:
    from socket import socket

    from labvirt.host import Domain
    from labvirt.widgets.byteview import ByteView

__all__ = ["ScreenView", "screen"]

#: How long a VM that has left its host may take to turn up on another one.
_ARRIVAL_S: Final = 5.0
#: A larger picture is not put into a notebook without being asked for.
_PICTURE_MOST: Final = 512 << 10


def screen(
    domain: Domain,
    *,
    index: int | None = None,
    view_only: bool = False,
    scale: bool = True,
    height: int = 480,
) -> ScreenView:
    """Return the graphical console of a domain: its VNC screen, with keyboard and mouse (G16.4-01).

    It works through the kernel and libvirt: no port is opened here, and on this machine a guest
    whose graphics listen on nothing will do. The display of a host that is reached by ssh comes
    through ssh. A password of the device is asked in the page and kept nowhere. When labvirt
    migrates the domain, the view goes on with it on its new host. Of a screen that it cannot open
    (SPICE, a display that only its host reaches) it shows a picture, renewed every few seconds.

    Args:
        domain: whose screen.
        index: which of the ``<graphics>`` devices, from 0; None for the first of VNC.
        view_only: send no keys and no mouse; the view has a button for it too.
        scale: fit the picture into the view.
        height: of the view in pixels, 120 to 4000.

    Raises:
        SpecError: a number is out of its limits, or it is no domain.
    """
    _checked(domain, index, height)
    look = {"view_only": bool(view_only), "scale": bool(scale), "height": height}
    made = ScreenView(domain, index=index, look=look)
    registry.claim(made, f"screen {domain.host.label} {domain.uuid} {index}")
    return made


def _checked(domain: Any, index: Any, height: Any) -> None:
    problems = []
    if not hasattr(domain, "uuid") or not hasattr(domain, "screen"):
        shown = type(domain).__name__
        problems.append(Problem("domain", shown, "is no domain", "host.domains['web1']"))
    if not isinstance(height, int) or isinstance(height, bool) or not 120 <= height <= 4000:
        why = "is no whole number from 120 to 4000"
        problems.append(Problem("height", str(height)[:40], why))
    if index is not None and (not isinstance(index, int) or isinstance(index, bool) or index < 0):
        problems.append(Problem("index", str(index)[:40], "is no number of a device", "0"))
    if problems:
        raise SpecError("a screen", problems)


class ScreenView(Shown):
    """A graphical console; see `screen`. Shown by being the last line of a cell."""

    def __init__(self, domain: Domain, *, index: int | None, look: dict[str, Any]) -> None:
        super().__init__()
        self._index, self._look = index, look
        self._lock = threading.Lock()
        self._is_closed = False
        self._view: ByteView | None = None
        self.feed = ScreenFeed(
            self._send,
            connect=self._connect,
            about=self._about,
            still=self._still,
            act=lambda do, confirmed: self.desk.act(do, confirmed=confirmed),
            facts=lambda: self.desk.facts,
            words=lambda: screen_words() | {"look": self._look},
        )
        self.desk = Desk(
            domain, self.feed.push_state, lambda text, good: self.feed.say(text, good=good)
        )
        if domain.host.news.record("domain", domain.uuid) is None:
            domain.info()

    def __repr__(self) -> str:
        """Return one line."""
        state = "closed" if self._is_closed else f"{self.feed.views} views"
        return f"<ScreenView of {self.domain.name} on {self.domain.host.name}: {state}>"

    @property
    def domain(self) -> Domain:
        """Whose screen it is."""
        return self.desk.domain

    def moved(self, domain: Domain) -> None:
        """Go on with the domain on the host that it has moved to.

        What labvirt itself migrates is followed without being told.
        """
        self.desk.move(domain)
        text = _("The VM has moved: the screen goes on at {host}")
        self.feed.say(text.format(host=domain.host.name))

    @property
    def where(self) -> str:
        """Where the display listens, and who reaches it (G16.4-02).

        Raises:
            UnsupportedError: the domain has no VNC device.
        """
        place = screen_place(self.domain, self._index)
        return str(place_words(place, self.domain.host.name)["text"])

    def _connect(self) -> socket:
        """Open the display; what has left its host is looked for where labvirt moved it."""
        until = time.monotonic() + _ARRIVAL_S
        while True:
            try:
                return self.domain.screen(self._index)
            except (NotFoundError, ConflictError) as error:
                if self._follow():
                    continue
                is_late = self._is_closed or time.monotonic() > until
                if is_late or isinstance(error, ConflictError):
                    raise
                time.sleep(0.1)

    def _follow(self) -> bool:
        """Go on with the domain where labvirt has moved it to; whether it has, and it is there."""
        there = self.domain.host.moved_to(self.domain.uuid)
        if there is None:
            return False
        try:
            domain = there.domains[self.domain.uuid]
            domain.info()
        except LabvirtError:
            return False
        self.moved(domain)
        return True

    def _still(self) -> tuple[str, bytes]:
        shot = self.domain.screenshot()
        return shot.mime, shot.data

    def _about(self) -> dict[str, Any]:
        """Return what the view shows of the display that it is connected to."""
        place = screen_place(self.domain, self._index)
        words = place_words(place, self.domain.host.name)
        return {"guest": self.domain.name, **words}

    def png(self) -> bytes:
        """Return the picture as libvirt takes it; no view is needed.

        Raises:
            ConflictError: the domain is not running.
            UnsupportedError: it has no screen.
        """
        return self.domain.screenshot().data

    @property
    def widget(self) -> ByteView:
        """The ipywidget, for layouts of one's own."""
        from labvirt.widgets.byteview import ByteView
        from labvirt.widgets.view import watch_kernel

        with self._lock:
            if self._is_closed:
                raise LabvirtError("This screen is closed.", hint="lv.ui.screen(...) anew")
            if self._view is None:
                watch_kernel()
                self._view = ByteView("screen", self.feed.receive)
            return self._view

    def _send(self, message: dict[str, Any], buffers: list[bytes]) -> None:
        view = self._view
        if view is not None:
            view.send_all(message, buffers)

    def _ipython_display_(self) -> None:
        """Show the screen; where no front end is, its picture."""
        if self._is_closed:
            self._show(self._caption())
        elif not is_batch():
            self._show_live(self._repr_mimebundle_() | self._kept())
        else:
            try:
                self._show(self.bundle())
            except LabvirtError as error:
                self._show(self._caption(note=str(error)))

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget for a front end."""
        if self._is_closed:
            return self._caption()
        widget = self.widget
        widget.send_code()
        made = widget._repr_mimebundle_(**options)
        return made[0] if isinstance(made, tuple) else made

    def _kept(self) -> dict[str, str]:
        """Return what stays in a saved notebook: the picture of now, where there is one."""
        if not self._is_closed:
            with contextlib.suppress(LabvirtError):
                made = self.bundle()
                if len(made["text/html"]) <= _PICTURE_MOST:
                    return made
        return self._caption()

    def bundle(self, *, picture: bool = True) -> dict[str, str]:
        """Return the picture of now by MIME type, as every reader of a notebook shows it.

        Args:
            picture: False for a line alone, which asks nobody.

        Raises:
            ConflictError: the domain is not running, so there is no picture.
            UnsupportedError: it has no screen.
        """
        if not picture:
            return self._caption()
        shot = self.domain.screenshot()
        data = base64.b64encode(shot.data).decode()
        return self._caption(picture=f"data:{shot.mime};base64,{data}")

    def _caption(self, *, picture: str = "", note: str = "") -> dict[str, str]:
        """Return a line that says whose screen it is, and a picture or why there is none."""
        title = _("{name} on {host}: screen").format(
            name=self.domain.name, host=self.domain.host.name
        )
        if picture:
            title += f", {time.strftime('%Y-%m-%d %H:%M:%S %Z')}"
        root = etree.Element("figure", style="margin: 0")
        etree.SubElement(root, "figcaption").text = plain(title)
        if picture:
            etree.SubElement(root, "img", src=picture, alt=plain(title), style="max-width: 100%")
        if note:
            etree.SubElement(root, "p").text = plain(note)
        page = etree.tostring(root, encoding="unicode", method="html")
        return {"text/html": str(page), "text/plain": f"{title}\n{note}".strip()}

    def close(self) -> None:
        """Hang up; views say so. Twice is harmless."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self._views.clear()
        self._send({"t": "closed"}, [])
        self.feed.close()
        self.desk.close()
        registry.forget(self)
        view, self._view = self._view, None
        if view is not None:
            view.end()
