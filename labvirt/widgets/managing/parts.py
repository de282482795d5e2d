"""Parts: small widgets of one look, set from any thread, and work that blocks no view."""

from __future__ import annotations

import logging
import threading
from html import escape
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w

from labvirt.errors import LabvirtError
from labvirt.widgets.i18n import _
from labvirt.widgets.spoken import spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = [
    "NAMED",
    "REASONED",
    "Aside",
    "alert",
    "button",
    "cell",
    "close_tree",
    "facts",
    "grid",
    "heading",
    "looks",
    "pre",
    "put",
    "reasons_list",
    "show",
    "status",
    "told",
    "unbind",
    "unbind_tree",
]

#: The same in every language: what is done to whom, and why it cannot be done.
NAMED: Final = "{label}: {name}"
REASONED: Final = "{label}: {why}"

_log = logging.getLogger("labvirt")


def put(widget: Any, **traits: Any) -> None:
    """Set traits of a widget, those that are other ones, from any thread.

    See `LiveView._lv_unbind` for why the comm forgets who sent last.
    """
    for name, value in traits.items():
        if getattr(widget, name) != value:
            setattr(widget, name, value)
    unbind(widget)


def unbind(widget: Any) -> None:
    """Let the kernel hear a widget where its page says, not where it last sent from."""
    comm = getattr(widget, "comm", None)
    if comm is not None:
        comm.__dict__.pop("_reply_subshell_id", None)


def unbind_tree(widget: Any) -> None:
    """Do so for all that is in it: what a thread has made was sent in the name of any request."""
    unbind(widget)
    for child in getattr(widget, "children", ()):
        unbind_tree(child)


def show(widget: Any, on: bool) -> None:  # noqa: FBT001 - reads as it is
    """Show or hide a widget; what is hidden is out of the reach of the keyboard too."""
    put(widget.layout, display=None if on else "none")


#: Titles of tabs are not cut, whatever the language; where they do not fit they go on below.
_TABS: Final = (
    ("", "max-height:none!important"),
    (".lm-TabBar-content", "flex-wrap:wrap"),
    (
        ".lm-TabBar-tab",
        "flex:0 1 auto!important;min-width:0!important;max-width:100%!important",
    ),
    (".lm-TabBar-tabLabel", "overflow:hidden;text-overflow:ellipsis;max-width:24em"),
)


def looks() -> Any:
    """Return what mends the look of the tabs of a manager and of details; nothing is to be seen."""
    css = "".join(
        ",".join(
            f".{scope} .jupyter-widget-tab>.lm-TabBar {each}".rstrip()
            for scope in ("labvirt-manager", "labvirt-details")
        )
        + f"{{{rule}}}"
        for each, rule in _TABS
    )
    return w.HTML(f"<style>{css}</style>", layout=w.Layout(display="none"))


def close_tree(widget: Any) -> None:
    """Close a widget, what is in it, and their layouts and styles."""
    for child in getattr(widget, "children", ()):
        close_tree(child)
    for part in (getattr(widget, "layout", None), getattr(widget, "style", None)):
        if isinstance(part, w.Widget):
            part.close()
    widget.close()


def button(label: str, tip: str, click: Callable[[], object], *, kind: str = "") -> Any:
    """Return a button that its text names; its tooltip says what it does."""
    made = w.Button(
        description=label,
        tooltip=tip,
        button_style=kind,
        layout=w.Layout(width="auto", margin="2px", align_self="flex-start"),
    )
    made.on_click(lambda _button: click())
    return made


def heading(text: str) -> str:
    """Return a heading as HTML."""
    return f"<p style='margin:6px 0 2px'><b>{escape(text)}</b></p>"


def status(text: str) -> str:
    """Return words that a screen reader says when they change, as HTML."""
    return f"<div role='status' style='line-height:1.4'>{escape(text)}</div>"


def alert(text: str) -> str:
    """Return an error as HTML: what, why, what to try; its lines stay lines."""
    return (
        "<div role='alert' style='line-height:1.4;white-space:pre-wrap;overflow-wrap:anywhere;"
        "border-left:3px solid var(--jp-error-color1,#d32f2f);padding-left:8px'>"
        f"<b>{escape(_('Error'))}:</b> {escape(text)}</div>"
    )


def reasons_list(reasons: Iterable[tuple[str, str]]) -> str:
    """Return why buttons are off, folded, as HTML; a tooltip alone is out of the keyboard's reach.

    Args:
        reasons: label of the button, and why it is off; empty where it is on.
    """
    lines = [f"<li>{escape(label)}: {escape(why)}</li>" for label, why in reasons if why]
    if not lines:
        return ""
    title = escape(_("Why are some buttons off?"))
    items = "".join(lines)
    return (
        f"<details><summary>{title}</summary>"
        f"<ul style='margin:2px 0 2px 1.5em'>{items}</ul></details>"
    )


def pre(text: str) -> str:
    """Return text with its lines as HTML that can be copied."""
    return (
        "<pre tabindex='0' style='white-space:pre-wrap;overflow-wrap:anywhere;max-height:22em;"
        "overflow:auto;line-height:1.35;margin:4px 0;padding:6px;"
        "background:var(--jp-layout-color2,#eee);color:var(--jp-ui-font-color1,#111)'>"
        f"{escape(text)}</pre>"
    )


def grid(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> str:
    """Return a table as HTML; without rows a sentence."""
    found = [list(row) for row in rows]
    if not found:
        return f"<p style='margin:6px 0'>{escape(empty)}</p>"
    look = "style='text-align:left;padding:2px 10px 2px 0;vertical-align:top'"
    head = "".join(f"<th scope='col' {look}>{escape(each)}</th>" for each in heads)
    body = "".join(
        "<tr>" + "".join(f"<td {look}>{escape(cell(each))}</td>" for each in row) + "</tr>"
        for row in found
    )
    return (
        "<div tabindex='0' role='region' style='max-height:24em;overflow:auto;line-height:1.35;"
        "margin-top:8px' "
        f"aria-label='{escape(caption, quote=True)}'><table style='border-collapse:collapse'>"
        f"<caption style='text-align:left;font-weight:bold'>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """Return names and values as an HTML list; names without a value are left out."""
    body = "".join(
        f"<tr><th scope='row' style='text-align:left;font-weight:normal;padding:1px 14px 1px 0;"
        f"vertical-align:top;white-space:nowrap'>{escape(name)}</th>"
        f"<td style='overflow-wrap:anywhere'>{escape(cell(value))}</td></tr>"
        for name, value in pairs
        if value not in (None, "", ())
    )
    return f"<table style='border-collapse:collapse;line-height:1.4'>{body}</table>"


def cell(value: Any) -> str:
    """Return a value as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, (tuple, list)):
        return ", ".join(str(each) for each in value)
    return str(value)


def told(error: BaseException) -> str:
    """Return an error's own words; those of one that nobody expected with its kind."""
    if isinstance(error, LabvirtError):
        return spoken(str(error))
    _log.error("a view failed", exc_info=error)
    return f"{type(error).__name__}: {error}"


class Aside:
    """Work beside the page, each piece on a thread of its own that keeps nobody alive.

    What comes after `close` is not told any more.
    """

    def __init__(self, name: str) -> None:
        self._name, self._over = name, threading.Event()
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._again: dict[str, tuple[Any, ...]] = {}

    def run(
        self,
        key: str,
        work: Callable[[], Any],
        done: Callable[[Any], object],
        failed: Callable[[BaseException], object],
        *,
        latest: bool = False,
    ) -> bool:
        """Do some work aside, unless the same is under way.

        Args:
            key: what it is.
            work: the work; it may wait for a host.
            done: gets what it returned.
            failed: gets what it raised.
            latest: while the same is under way, do this one afterwards instead of not at all.

        Returns:
            Whether it was begun.
        """
        with self._lock:
            if self._over.is_set():
                return False
            if key in self._busy:
                if latest:
                    self._again[key] = (work, done, failed)
                return False
            self._busy.add(key)
        threading.Thread(
            target=self._do, args=(key, work, done, failed), name=self._name, daemon=True
        ).start()
        return True

    def _do(self, key: str, work: Any, done: Any, failed: Any) -> None:
        while True:
            told_of, value = self._try(work, done, failed)
            with self._lock:
                following = self._again.pop(key, None)
                if following is None or self._over.is_set():
                    self._busy.discard(key)
            if not self._over.is_set():
                try:
                    told_of(value)
                except Exception:  # noqa: BLE001 - its traceback would land under some other cell
                    _log.exception("%s", self._name)
            if following is None or self._over.is_set():
                return
            work, done, failed = following

    @staticmethod
    def _try(work: Any, done: Any, failed: Any) -> tuple[Any, Any]:
        try:
            return done, work()
        except Exception as error:  # noqa: BLE001 - whatever it is, the view says it
            return failed, error

    @property
    def is_busy(self) -> bool:
        """Whether anything is under way."""
        with self._lock:
            return bool(self._busy)

    def close(self) -> None:
        """Begin nothing more and tell nobody; work under way ends by itself."""
        self._over.set()
