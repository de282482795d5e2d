"""Deed: what a button is about to do: what will be lost, the command, then the job to its end."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from labvirt.errors import CancelledError, ConnectionLostError, LabvirtError
from labvirt.widgets.i18n import _, language
from labvirt.widgets.managing.fates import fates_text, left_out
from labvirt.widgets.managing.faults import fault
from labvirt.widgets.managing.marks import marks_of, require_same
from labvirt.widgets.managing.parts import (
    Aside,
    button,
    heading,
    pre,
    put,
    show,
    status,
    told,
    unbind,
)
from labvirt.widgets.spoken import spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.domain import Domain
    from labvirt.plan import Job, Plan, Progress

__all__ = ["Deed"]

#: Between two words of progress, at least: a job may report a thousand times a second.
_PROGRESS_S = 0.2
#: The same asked for again so soon after it was done is the second half of a double click.
_TWICE_S = 0.5


class Deed:
    """The place inside a view where every change is shown, confirmed, followed and reported.

    There is one deed at a time: a second click while one is planned or under way does nothing.

    Args:
        changed: is called when the deed begins or ends.
        watch: the domains that every plan here is about, unless `propose` names others: one that
            somebody else has changed while the question stood is not touched.
    """

    def __init__(
        self, changed: Callable[[], object] = lambda: None, *, watch: Sequence[Domain] = ()
    ) -> None:
        self._changed, self._watch = changed, tuple(watch)
        self._watched: tuple[Domain, ...] = ()
        self._marks: dict[str, str] = {}
        self._title = ""
        self._aside = Aside("labvirt-manager")
        self._lock = threading.Lock()
        self._plans: tuple[Plan[Any], ...] = ()
        self._jobs: list[Job[Any]] = []
        self._after: Callable[[], object] | None = None
        self._state = "idle"
        self._outcome = ""
        #: Which deed it is: what is left of an earlier one must not speak for this one.
        self._number = 0
        self._before: tuple[Plan[Any], ...] = ()
        self._ended = float("-inf")
        self._timer: threading.Timer | None = None
        self._cancelled = threading.Event()
        self.words = w.HTML()
        self.progress = w.FloatProgress(
            min=0, max=1, description=_("Progress"), layout=w.Layout(width="24em")
        )
        self.fates = w.HTML()
        self.command = w.HTML()
        self.apply = button(_("Apply"), _("Do what is said above"), self.confirm, kind="primary")
        self.cancel = button(_("Cancel"), _("Change nothing, or stop what is under way"), self.stop)
        self.fields = w.VBox([])
        self.area = w.VBox(
            [
                self.words,
                self.fields,
                self.progress,
                self.fates,
                self.command,
                w.HBox([self.apply, self.cancel]),
            ],
            layout=w.Layout(
                border="1px solid var(--jp-border-color1, #bbb)", padding="8px", margin="4px 0"
            ),
        )
        self.area.add_class("labvirt-deed")
        self._draw()

    # -- what others see -------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """Return ``idle``, ``planning``, ``asking`` (waits for Apply), ``running``."""
        return self._state

    @property
    def outcome(self) -> str:
        """Return ``done``, ``failed``, ``cancelled``, or nothing before the first end."""
        return self._outcome

    @property
    def is_busy(self) -> bool:
        """Whether something is planned or under way."""
        return self._state in {"planning", "running"}

    def propose(
        self,
        title: str,
        make: Callable[[], Sequence[Plan[Any]]],
        *,
        ask: bool = False,
        after: Callable[[], object] | None = None,
        watch: Sequence[Domain] | None = None,
    ) -> bool:
        """Plan something, show it, and do it.

        Args:
            title: what is about to be done, in words.
            make: makes the plans; may ask hosts, so it is called aside.
            ask: wait for Apply even where nothing is lost.
            after: is called when all was done.
            watch: the domains it is about; see `Deed`.

        Returns:
            Whether it was begun; not while another deed is planned or under way.
        """
        with self._lock:
            if self.is_busy:
                return False
            self._before = self._plans if self._outcome == "done" else ()
            self._number += 1
            number = self._number
            self._state, self._outcome, self._plans, self._after = "planning", "", (), after
            self._cancelled.clear()
            self._title = title
            self._watched = self._watch if watch is None else tuple(watch)
        put(self.fates, value="")
        self._draw(status(_("{title}: looking …").format(title=title)))
        watched = self._watched
        self._aside.run(
            f"plan {number}",
            lambda: (marks_of(watched), tuple(make())),
            lambda found: self._planned(number, *found, ask=ask),
            lambda error: self._unplanned(number, error),
        )
        return True

    def _is_double(self, plans: Sequence[Plan[Any]]) -> bool:
        """Whether the very same was done a moment ago: nobody asks for it twice that fast."""
        soon = time.monotonic() - self._ended < _TWICE_S
        return (
            bool(plans)
            and soon
            and [each.virsh for each in plans] == [each.virsh for each in self._before]
        )

    def _unplanned(self, number: int, error: BaseException) -> None:
        if number == self._number:
            self._end("failed", fault(error))

    def _planned(
        self, number: int, marks: dict[str, str], plans: tuple[Plan[Any], ...], *, ask: bool
    ) -> None:
        destroys = [loss for plan in plans for loss in plan.destroys]
        asks = bool(destroys or ask or left_out(plans))
        if not asks and self._is_double(plans) and number == self._number:
            self._plans = plans
            self._end("done", status(_("Done: {title}").format(title=self._named)))
            return
        with self._lock:
            if self._state != "planning" or number != self._number:
                return
            self._plans, self._marks = plans, marks if asks else {}
            # What asks nothing goes on at once: in between a second click could begin it again.
            self._state = "asking" if asks else "running"
        put(self.command, value=_command(plans))
        if not asks:
            self._go()
            return
        self._draw(_asked(self._named, plans, destroys), lossy=bool(destroys))
        # The keyboard stands where the question is; on what loses nothing when pressed in haste.
        focused = self.cancel if destroys else self.apply
        focused.focus()
        unbind(focused)

    def confirm(self) -> None:
        """Do what was asked; twice is once."""
        with self._lock:
            if self._state != "asking":
                return
            self._state = "running"
        self._go()

    def _go(self) -> None:
        self._draw(status(_("Under way: {title}").format(title=self._named)))
        # Of the one before, what was to be done afterwards may still be under way.
        key = f"apply {self._number}"
        self._aside.run(key, self._apply, lambda _none: None, self._failed)

    def stop(self) -> None:
        """Change nothing; of what is under way, stop it and have it undone."""
        with self._lock:
            state = self._state
            self._cancelled.set()
            if state in {"asking", "planning", "idle"}:
                self._state = "idle"
            jobs = tuple(self._jobs)
        if state == "running":
            for job in jobs:
                job.cancel()
            put(self.words, value=status(_("Cancelling: what was done is undone …")))
            return
        put(self.command, value="")
        put(self.fates, value="")
        self._draw(status(_("Nothing was changed.")) if state != "idle" else "")
        self._changed()

    def close(self) -> None:
        """Tell nobody any more; a job under way goes on to its end."""
        self._aside.close()
        if self._timer is not None:
            self._timer.cancel()

    # -- the job ---------------------------------------------------------------------------------

    @property
    def _named(self) -> str:
        """What is done: in the plans' own words where these are in the views' language."""
        return _titles(self._plans) if self._plans and language() == "en" else self._title

    def _apply(self) -> None:
        """Apply plan after plan, those of different hosts too, so that the progress reads well.

        One that fails does not keep the others from being done.
        """
        if self._marks:
            require_same(self._marks, marks_of(self._watched))
        failures: list[LabvirtError] = []
        for number, plan in enumerate(self._plans):
            if self._cancelled.is_set():
                raise CancelledError(_("The rest was left out."))
            try:
                self._apply_one(plan, number)
            except CancelledError:
                raise
            except LabvirtError as error:
                failures.append(error)
        if failures:
            raise failures[0] if len(failures) == 1 else _together(failures)
        self._end("done", status(_("Done: {title}").format(title=self._named)))
        if self._after is not None:
            self._after()

    def _apply_one(self, plan: Plan[Any], number: int) -> None:
        job = plan.start(confirm=True)
        with self._lock:
            self._jobs = [job]
        if self._cancelled.is_set():
            job.cancel()
        job.listen(lambda told_of: self._report(told_of, number))
        try:
            job.result()
        finally:
            with self._lock:
                self._jobs = []

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, CancelledError):
            self._end("cancelled", status(_("Cancelled.") + " " + told(error)))
            return
        more = ""
        if isinstance(error, ConnectionLostError):
            more = _(
                "The link broke before the host had answered: it may have been done or not. "
                "The table says how the VM is as soon as the host is back."
            )
        self._end("failed", fault(error, more=more))

    def _report(self, progress: Progress, number: int) -> None:
        """Say how far it is, not more often than one can read."""
        count = max(1, len(self._plans))
        part = progress.fraction if progress.fraction is not None else 0.0
        if progress.steps:
            part = (max(0, progress.step - 1) + part) / progress.steps

        def tell() -> None:
            self._timer = None
            if self._state == "running":
                put(self.progress, value=min(1.0, (number + part) / count))
                put(self.fates, value=fates_text(self._plans))
                if not self._cancelled.is_set() and progress.stage and language() == "en":
                    put(
                        self.words,
                        value=status(_("Under way: {title}").format(title=spoken(progress.stage))),
                    )

        if self._timer is None:
            self._timer = threading.Timer(_PROGRESS_S, tell)
            self._timer.daemon = True
            self._timer.start()

    def _end(self, outcome: str, words: str) -> None:
        with self._lock:
            if self._state == "idle":
                return
            if self._state == "running":
                self._ended = time.monotonic()
            self._state, self._outcome = "idle", outcome
        put(self.fates, value=fates_text(self._plans))
        self._draw(words)

    # -- drawn -----------------------------------------------------------------------------------

    def _draw(self, words: str = "", *, lossy: bool = False) -> None:
        state = self._state
        put(self.words, value=words)
        put(self.apply, disabled=state != "asking", button_style="danger" if lossy else "primary")
        show(self.apply, state == "asking")
        # Nothing to cancel: the same button puts the message away.
        idle = state == "idle"
        put(self.cancel, description=_("Close") if idle else _("Cancel"))
        put(self.progress, value=0.0)
        show(self.progress, state == "running")
        show(self.command, state in {"asking", "running"} or bool(self._outcome))
        show(self.area, bool(words))
        self._changed()


def _titles(plans: Sequence[Plan[Any]]) -> str:
    return "; ".join(dict.fromkeys(f"{spoken(plan.title)} ({plan.host.name})" for plan in plans))


def _together(failures: Sequence[LabvirtError]) -> LabvirtError:
    hint = next((each.hint for each in failures if each.hint), "")
    return LabvirtError("\n".join(each.what for each in failures), hint=hint)


def _asked(title: str, plans: Sequence[Plan[Any]], destroys: Sequence[str]) -> str:
    from html import escape

    parts = [heading(title)]
    if destroys:
        items = "".join(f"<li>{escape(spoken(each))}</li>" for each in destroys)
        parts.append(
            f"<div role='alert'>✖ <b>{escape(_('This will be lost for good:'))}</b>"
            f"<ul style='margin:2px 0 2px 1.5em'>{items}</ul></div>"
        )
    warnings = [each for plan in plans for each in plan.warnings]
    if warnings:
        items = "".join(f"<li>{escape(spoken(each))}</li>" for each in warnings)
        parts.append(
            f"<div>⚠ {escape(_('Note:'))}<ul style='margin:2px 0 2px 1.5em'>{items}</ul></div>"
        )
    return "".join(parts)


def _command(plans: Sequence[Plan[Any]]) -> str:
    """Return the plans as virsh, Python and XML, folded."""
    from html import escape

    parts = []
    for title, text in (
        ("virsh", "\n".join(plan.virsh for plan in plans)),
        ("Python", "\n".join(plan.python for plan in plans)),
        (_("XML difference"), "\n".join(plan.diff for plan in plans if plan.diff)),
    ):
        if text.strip():
            parts.append(heading(title) + pre(text))
    label = escape(_("Show me the command"))
    return f"<details><summary>{label}</summary>{''.join(parts)}</details>" if parts else ""
