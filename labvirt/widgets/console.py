"""The serial console of a domain in a cell: ``lv.ui.console``."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from labvirt.errors import LabvirtError, Problem, SpecError
from labvirt.host.console import Console, Transcript
from labvirt.host.line import line_of
from labvirt.widgets.batch import is_batch
from labvirt.widgets.console_feed import ConsoleFeed
from labvirt.widgets.console_text import page_of_screen, screen_text
from labvirt.widgets.console_words import console_words, line_words
from labvirt.widgets.desk import Desk
from labvirt.widgets.i18n import _
from labvirt.widgets.registry import registry
from labvirt.widgets.shown import Shown

if TYPE_CHECKING:
    import re
    from os import PathLike

    from labvirt.host import Domain
    from labvirt.host.line import LineState
    from labvirt.widgets.byteview import ByteView

__all__ = ["ConsoleView", "console"]


def console(
    domain: Domain,
    *,
    device: str | None = None,
    transcript: str | PathLike[str] | None = None,
    rows: int = 24,
    scrollback: int = 5000,
    screen_reader: bool = False,
    force: bool = False,
) -> ConsoleView:
    """Return the serial console of a domain as a terminal (G3.1-04, G16.4).

    It works through the kernel: no port is opened. One that is off is waited for; after a reload of
    the page, a lost link, a reboot or a migration it goes on by itself. All views and scripts of a
    host share one reader.

    Args:
        domain: whose console.
        device: alias of the device; None for the first one.
        transcript: file that everything printed is added to (mode 0600 when it is made). It holds
            whatever the guest prints, secrets too.
        rows: height in lines, 4 to 200; the width follows the page.
        scrollback: lines kept above the screen, 0 to 100000.
        screen_reader: let the terminal be read aloud.
        force: take the console away from whoever has it.

    Raises:
        SpecError: a number is out of its limits, it is no domain, or the transcript cannot be
            written.
    """
    _checked(domain, rows, scrollback)
    made = ConsoleView(
        domain,
        device=device,
        transcript=transcript,
        look={"rows": rows, "scrollback": scrollback, "reader": bool(screen_reader)},
        force=force,
    )
    registry.claim(made, f"console {domain.host.label} {domain.uuid} {device or ''}")
    return made


def _checked(domain: Any, rows: Any, scrollback: Any) -> None:
    problems = []
    if not hasattr(domain, "uuid") or not hasattr(domain, "console"):
        shown = type(domain).__name__
        problems.append(Problem("domain", shown, "is no domain", "host.domains['web1']"))
    for field, value, low, high in (
        ("rows", rows, 4, 200),
        ("scrollback", scrollback, 0, 100_000),
    ):
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            why = f"is no whole number from {low} to {high}"
            problems.append(Problem(field, str(value)[:40], why))
    if problems:
        raise SpecError("a console", problems)


class ConsoleView(Shown):
    """A serial console with its terminal; see `console`. Shown by being the last line of a cell.

    Attributes:
        script: the same line for scripts; see `labvirt.host.Console`.
    """

    def __init__(
        self,
        domain: Domain,
        *,
        device: str | None,
        transcript: str | PathLike[str] | None,
        look: dict[str, Any],
        force: bool,
    ) -> None:
        super().__init__()
        written = Transcript(transcript) if transcript is not None else None
        self._look = look
        self._lock = threading.Lock()
        self._is_closed = False
        self._view: ByteView | None = None
        #: Handles of texts that are shown where nobody looks on.
        self._texts: list[Any] = []
        self.feed = ConsoleFeed(
            self._send,
            write=self._type,
            act=self._press,
            facts=self._facts,
            words=lambda: {**console_words(), "look": self._look},
        )
        self.desk = Desk(domain, self.feed.push_state, self._say)
        line = line_of(domain, device)
        self.script = Console(line, wait=True, transcript=written)
        self.feed.begin(*line.join(self))
        if force:
            line.retry(force=True)

    def __repr__(self) -> str:
        """Return one line."""
        state = "closed" if self._is_closed else self.script.line.state.kind
        return f"<ConsoleView of {self.domain.name} on {self.domain.host.name}: {state}>"

    # -- for scripts -----------------------------------------------------------------------------

    @property
    def domain(self) -> Domain:
        """Whose console it is; after a migration the domain on its new host."""
        return self.script.line.domain  # type: ignore[return-value]

    @property
    def text(self) -> str:
        """Everything seen since it was opened (the last MiB)."""
        return self.script.text

    def send(self, text: str) -> None:
        """Type text; see `labvirt.host.Console.send`."""
        self.script.send(text)

    def wait_for(self, pattern: str, timeout_s: float = 30.0) -> re.Match[str]:
        """Wait until fresh text matches; see `labvirt.host.Console.expect`."""
        return self.script.wait_for(pattern, timeout_s)

    # -- from the line ---------------------------------------------------------------------------

    def take(self, at: int, data: bytes) -> None:
        """Hand output to the views; called by the line."""
        self.feed.take(at, data)

    def turn(self, _state: LineState) -> None:
        """Tell the views; called by the line."""
        if self.script.line.domain is not self.desk.domain:
            self.desk.move(self.domain)
            self.feed.say(
                _("The VM has moved: the console goes on at {host}").format(
                    host=self.domain.host.name
                )
            )
        self.feed.push_state()

    def _type(self, data: bytes) -> bool:
        return self.script.line.write(data)

    def _facts(self) -> dict[str, Any]:
        line = self.script.line
        facts = self.desk.facts
        kind = line.state.kind
        facts["can"]["force"] = kind == "taken" and not self.domain.host.readonly
        written = self.script.written
        return facts | {
            "line": kind,
            "line_text": line_words(line.state, self.domain.host),
            "transcript": written.path if written else "",
            "hole": written.error if written else "",
        }

    def _press(self, do: str, confirmed: bool) -> None:  # noqa: FBT001 - as the message has it
        if do == "force":
            if confirmed:
                self.script.line.retry(force=True)
        elif do == "retry":
            self.script.line.retry()
        else:
            self.desk.act(do, confirmed=confirmed)

    def _say(self, text: str, good: bool) -> None:  # noqa: FBT001 - what came of a button
        self.feed.say(text, good=good)

    # -- shown -----------------------------------------------------------------------------------

    @property
    def widget(self) -> ByteView:
        """The ipywidget, for layouts of one's own."""
        from labvirt.widgets.byteview import ByteView
        from labvirt.widgets.view import watch_kernel

        with self._lock:
            if self._is_closed:
                raise LabvirtError("This console is closed.", hint="lv.ui.console(...) anew")
            if self._view is None:
                watch_kernel()
                self._view = ByteView("console", self.feed.receive)
            return self._view

    def _send(self, message: dict[str, Any], buffers: list[bytes]) -> None:
        view = self._view
        if view is not None:
            view.send_all(message, buffers)

    def _ipython_display_(self) -> None:
        """Show the terminal; where no front end is, the text, drawn again at `close`."""
        if self._is_closed:
            self._show(self.bundle())
        elif not is_batch():
            self._show_live(self._repr_mimebundle_() | self.bundle())
        else:
            _wait_for_text(self)
            handle = self._show(self.bundle())
            if handle is not None:
                self._texts.append(handle)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget for a front end."""
        if self._is_closed:
            return self.bundle()
        widget = self.widget
        widget.send_code()
        made = widget._repr_mimebundle_(**options)
        return made[0] if isinstance(made, tuple) else made

    def bundle(self) -> dict[str, str]:
        """Return the newest lines by MIME type, as every reader of a notebook shows them."""
        text = screen_text(self.feed.newest())
        title = _("{name} on {host}: serial console").format(
            name=self.domain.name, host=self.domain.host.name
        )
        return {"text/html": page_of_screen(text, title), "text/plain": f"{title}\n{text}"}

    def freeze(self) -> None:
        """Put the newest lines in the place of the terminal, for good, and close it."""
        self._views += self._texts
        self._texts = []
        super().freeze()

    def close(self) -> None:
        """Give the console back; views say so. Twice is harmless."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        for handle in self._texts:
            handle.update(self.bundle(), raw=True)
        self._texts.clear()
        self._views.clear()
        self.script.line.quit(self)
        self._send({"t": "state", "line": "closed"}, [])
        self.feed.close()
        self.desk.close()
        self.script.close()
        registry.forget(self)
        view, self._view = self._view, None
        if view is not None:
            view.end()


def _wait_for_text(view: ConsoleView, timeout_s: float = 2.0) -> None:
    """Give a guest that is talking a moment, so that there is something to keep."""
    until = time.monotonic() + timeout_s
    while not view.feed.newest() and time.monotonic() < until:
        time.sleep(0.05)
