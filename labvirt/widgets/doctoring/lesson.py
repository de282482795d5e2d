"""The view of an exercise: ``lv.ui.exercise``."""

from __future__ import annotations

import re
import threading
from html import escape
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w

from labvirt.errors import LabvirtError, SpecError
from labvirt.lab.exercises import Exercise
from labvirt.widgets.batch import is_batch
from labvirt.widgets.frame import framed
from labvirt.widgets.i18n import N_, _, ngettext
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.parts import Aside, alert, button, put, show, status
from labvirt.widgets.registry import registry
from labvirt.widgets.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.lab.exercises import Item, Result

__all__ = ["Lesson", "exercise"]

#: How often the time is drawn.
_TICK_S: Final = 5.0
_DID: Final = {
    "start": N_("begun"),
    "check": N_("checked"),
    "hint": N_("hint taken"),
    "reset": N_("brought back to its beginning"),
    "solve": N_("solution shown"),
    "end": N_("put away"),
}


def exercise(given: Exercise) -> Lesson:
    """Return the view of an exercise: its story, the time, Check, Hint, Reset, attempts (G19-01).

    The exercise speaks its own language (``lab.exercise(..., language="ru")``), the buttons that
    of the views.

    Args:
        given: what ``lab.exercise("no-address")`` returned.

    Raises:
        SpecError: it is no exercise.
    """
    if not isinstance(given, Exercise):
        raise SpecError(f"show {given!r:.200}", hint="lv.ui.exercise(lab.exercise('no-address'))")
    made = Lesson(given)
    registry.claim(made, f"exercise {given.name} {given.student} {given.lab.name}")
    return made


class Lesson(Shown):
    """The view of an exercise; see `exercise`. Shown by being the last line of a cell.

    Attributes:
        given: the exercise.
        result: what the last check of this view said; None before.
    """

    def __init__(self, given: Exercise) -> None:
        super().__init__()
        self.given = given
        self.result: Result | None = None
        self._busy = ""
        self._lock = threading.RLock()
        self._over = threading.Event()
        self.aside = Aside("labvirt-exercise")
        self._build()
        self._draw()
        threading.Thread(target=self._tick, name="labvirt-exercise-time", daemon=True).start()

    def __repr__(self) -> str:
        """Return one line."""
        return f"<Lesson of {self.given!r}{': closed' if self._over.is_set() else ''}>"

    def _build(self) -> None:
        self.story = w.HTML(_raw(self.given, self.given._repr_html_()))
        self.time = w.HTML()
        self.words = w.HTML()
        self.start = button(
            _("Start"), _("Set it up, and break it"), self.press_start, kind="primary"
        )
        self.check = button(_("Check"), _("Look whether it is solved"), self.press_check)
        self.hint = button(_("Hint"), _("Tell the next hint; it costs points"), self.press_hint)
        self.reset = button(
            _("Reset"),
            _("Bring it back to its beginning; what was changed is lost"),
            self.press_reset,
        )
        self.surely = button(
            _("Yes, reset"), _("What was changed is lost"), self.press_surely, kind="danger"
        )
        self.rather_not = button(_("No"), _("Leave it as it is"), self.press_no)
        question = _(
            "Bring it back to its beginning? What you have changed is lost; hints stay taken."
        )
        self.question = w.VBox(
            [w.HTML(alert_text(question)), w.HBox([self.surely, self.rather_not])]
        )
        show(self.question, on=False)
        self.checked = w.HTML()
        self.hints = w.HTML()
        self.attempts = w.HTML()
        row = w.HBox(
            [self.start, self.check, self.hint, self.reset], layout=w.Layout(flex_flow="row wrap")
        )
        texts = (self.checked, self.hints, self.attempts)
        self.box = w.VBox([self.story, self.time, row, self.question, self.words, *texts])
        framed(self.box).add_class("labvirt-exercise")

    # -- what people do ----------------------------------------------------------------------------

    def press_start(self) -> bool:
        """Set it up, aside; returns whether it was begun."""
        return self._do(
            _("Being set up …"), lambda: self.given.start(progress=self._told), self._began
        )

    def press_check(self) -> bool:
        """Look whether it is solved, aside; returns whether it was begun."""
        return self._do(_("Being checked …"), self.given.check, self._seen)

    def press_hint(self) -> bool:
        """Tell the next hint, aside; returns whether it was begun."""
        return self._do(_("Looking for a hint …"), self.given.hint, self._hinted)

    def press_reset(self) -> None:
        """Ask whether it is to be brought back to its beginning."""
        if not self._busy:
            show(self.question, on=True)
            self.rather_not.focus()
            parts.unbind(self.rather_not)

    def press_no(self) -> None:
        """Leave it as it is."""
        show(self.question, on=False)

    def press_surely(self) -> bool:
        """Bring it back to its beginning, aside; returns whether it was begun."""
        show(self.question, on=False)
        self.result = None
        return self._do(
            _("Being brought back to its beginning …"),
            lambda: self.given.reset(progress=self._told),
            self._began,
        )

    def _do(self, said: str, work: Callable[[], Any], done: Callable[[Any], object]) -> bool:
        with self._lock:
            if self._busy or self._over.is_set():
                return False
            self._busy = said
        put(self.words, value=status(said))
        self._enable()

        def ended(found: Any) -> None:
            self._busy = ""
            done(found)
            self._draw()

        def failed(error: BaseException) -> None:
            self._busy = ""
            put(self.words, value=alert(parts.told(error)))
            self._draw()

        return self.aside.run("do", work, ended, failed)

    def _told(self, what: str) -> None:
        said = _("{what}: {step}").format(what=self._busy.removesuffix(" …"), step=what)
        put(self.words, value=status(said))

    def _began(self, _given: Any) -> None:
        put(self.words, value=status(_("It is ready: the lab is as the story says.")))

    def _hinted(self, hint: Any) -> None:
        said = _("That were all hints.") if hint is None else _("The hint stands below.")
        put(self.words, value=status(said))

    def _seen(self, result: Result) -> None:
        self.result = result
        points = _("{points} of {possible} points").format(
            points=result.points, possible=result.possible
        )
        verdict = _("✔ Solved: {points}.") if result.passed else _("✖ Not solved yet: {points}.")
        said = verdict.format(points=points)
        if result.late:
            said += " " + _("It took longer than it should; that costs nothing.")
        put(self.words, value=status(said))

    # -- drawn -------------------------------------------------------------------------------------

    def _draw(self) -> None:
        if self._over.is_set():
            return
        put(self.checked, value=self._items())
        put(self.hints, value=self._hints())
        put(self.attempts, value=self._attempts())
        self._draw_time()
        self._enable()

    def _enable(self) -> None:
        begun, busy = self.given.has_begun, bool(self._busy)
        put(self.start, disabled=busy or begun)
        for each in (self.check, self.hint, self.reset):
            put(each, disabled=busy or not begun)

    def _draw_time(self) -> None:
        if not self.given.has_begun:
            text = _("Not begun yet; it should take {minutes} min.").format(
                minutes=self.given.minutes
            )
        else:
            text = _("Time: {spent} min of {minutes} min").format(
                spent=int(self.given.seconds // 60), minutes=self.given.minutes
            )
            if self.given.penalty:
                cost = self.given.penalty
                text += "; " + ngettext(
                    "hints cost {count} point", "hints cost {count} points", cost
                ).format(count=cost)
        put(self.time, value=f"<div role='timer' style='line-height:1.4'>{escape(text)}</div>")

    def _tick(self) -> None:
        while not self._over.wait(_TICK_S):
            try:
                self._draw_time()
            except (LabvirtError, OSError):
                continue

    def _items(self) -> str:
        if self.result is None:
            return ""
        items = "".join(map(_item, self.result.items))
        shown = parts.heading(_("Verdict")) + f"<ul style='list-style:none;margin:0'>{items}</ul>"
        return _raw(self.given, shown)

    def _hints(self) -> str:
        taken = self.given.hints
        if not taken:
            return ""
        items = "".join(f"<li>{escape(each.text)}</li>" for each in taken)
        left = taken[-1].left
        more = ngettext("{count} more hint", "{count} more hints", left).format(count=left)
        return _raw(
            self.given,
            parts.heading(_("Hints")) + f"<ol style='margin:2px 0 2px 1.5em'>{items}</ol>",
        ) + (f"<p>{escape(more)}</p>" if left else "")

    def _attempts(self) -> str:
        found = self.given.attempts
        if not found:
            return ""
        rows = [
            (
                f"{each.when:%Y-%m-%d %H:%M:%S}",
                _(_DID.get(each.did, each.did)),
                "" if each.passed is None or each.did != "check" else bool(each.passed),
                f"{each.points}/{each.possible}" if each.did == "check" else "",
            )
            for each in reversed(found)
        ]
        heads = [_("When (UTC)"), _("What"), _("Solved"), _("Points")]
        title = ngettext("{count} entry", "{count} entries", len(rows)).format(count=len(rows))
        table = parts.grid(_("Attempts"), heads, rows, "")
        return (
            f"<details><summary>{escape(_('Attempts'))}: {escape(title)}</summary>{table}</details>"
        )

    # -- shown -------------------------------------------------------------------------------------

    @property
    def widget(self) -> Any:
        """The ipywidget, for layouts of one's own.

        Raises:
            LabvirtError: the view is closed.
        """
        if self._over.is_set():
            raise LabvirtError("this view is closed", hint="lv.ui.exercise(...) anew")
        return self.box

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget for a front end, and the story for everything else."""
        if self._over.is_set():
            return {"text/plain": repr(self)}
        if is_batch():
            return self.bundle()
        made = self.box._repr_mimebundle_(**options)
        data, metadata = made if isinstance(made, tuple) else (made, {})
        return {**data, **self.bundle()}, metadata

    def bundle(self) -> dict[str, Any]:
        """Return the story and what the last check said, as every reader of a notebook shows it."""
        told = [str(self.given)]
        if self.result is not None:
            told.append(str(self.result))
        # The story has the hints in it.
        return {
            "text/html": self.given._repr_html_() + self._items(),
            "text/plain": "\n\n".join(told),
        }

    def close(self) -> None:
        """Close the view; the exercise stays as it is. Twice is harmless."""
        if self._over.is_set():
            return
        self._over.set()
        self.aside.close()
        registry.forget(self)
        parts.close_tree(self.box)


def _item(one: Item) -> str:
    """Return one thing that must hold, with what is expected and what is there."""
    mark = _("✔ yes") if one.passed else _("✖ no")
    head = f"<b>{escape(mark)}</b> {escape(one.what)} ({one.points}/{one.possible})"
    told = [(_("Expected"), one.expected), (_("Seen"), one.seen), (_("Where to look"), one.hint)]
    return (
        "<li style='margin:4px 0;padding-left:8px;border-left:3px solid "
        f"var(--jp-border-color1,#999)'>{head}{parts.facts(told)}</li>"
    )


def alert_text(text: str) -> str:
    """Return a question that a screen reader says at once, as HTML."""
    return f"<div role='alert' style='line-height:1.4'>{escape(text)}</div>"


def _raw(given: Exercise, html: str) -> str:
    """Return HTML marked as the exercise's own words, in its own language; code is code."""
    html = re.sub(r"`([^`<]+)`", r"<code>\1</code>", html)
    return f"<div lang='{given.language}' data-raw='' style='line-height:1.45'>{html}</div>"
