"""The doctor's view: ``lv.ui.doctor``."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from labvirt.doctor import Report
from labvirt.errors import LabvirtError
from labvirt.model.arguments import Wait, checked
from labvirt.model.spec import Spec
from labvirt.widgets.batch import is_batch
from labvirt.widgets.doctoring.course import Course
from labvirt.widgets.doctoring.rounds import targets_of
from labvirt.widgets.doctoring.still import as_html, as_plain, page_of
from labvirt.widgets.doctoring.tree import sent
from labvirt.widgets.doctoring.words import words
from labvirt.widgets.i18n import _, language
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.deed import Deed
from labvirt.widgets.registry import registry
from labvirt.widgets.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labvirt.host import Host
    from labvirt.widgets.doctoring.rounds import Target

__all__ = ["Doctor", "doctor"]


class _Options(Spec):
    """The options of `doctor`."""

    checks: Annotated[tuple[str, ...], Field(min_length=1)]
    deep: bool


def doctor(
    target: Any,
    *,
    checks: Sequence[str] = ("*",),
    others: Sequence[Host] = (),
    deep: bool = False,
    timeout_s: float = 30.0,
) -> Doctor:
    """Return the doctor's view: what is well and what is not, why, and what mends it (G19-01).

    Args:
        target: a host, a domain, a lab (all its hosts), a URI, a report of `labvirt.doctor.examine`,
            or a list of them. It is looked at at once, aside; a report is shown as it is. A host
            that is opened for a URI is closed with the view.
        checks: patterns of checks, ``network.*``; a leading ``!`` leaves out.
        others: hosts to which guests might move; of several hosts each other.
        deep: also what reads whole images or asks guests for long.
        timeout_s: limit for an examination in seconds.

    Raises:
        SpecError: there is nothing to look at, a pattern means no check, or a URI has a fault.
    """
    from labvirt.doctor.examining import select

    patterns = (checks,) if isinstance(checks, str) else tuple(checks)
    checked(_Options, "examine", checks=patterns, deep=deep)
    checked(Wait, "examine", timeout_s=timeout_s)
    select(patterns, deep=deep)
    made = Doctor(
        targets_of(target, others), checks=patterns, deep=deep, timeout_s=float(timeout_s)
    )
    registry.claim(made, f"doctor of {', '.join(each.title for each in made.targets)}")
    return made


class Doctor(Shown):
    """The doctor's view; see `doctor`. Shown by being the last line of a cell.

    Attributes:
        targets: what is looked at.
        deed: where what mends a finding is shown before it is done.
        deep: whether the next look is a deep one.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        *,
        checks: Sequence[str] = ("*",),
        deep: bool = False,
        timeout_s: float = 30.0,
    ) -> None:
        super().__init__()
        self.targets, self.deep = tuple(targets), deep
        self._timeout_s = timeout_s
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._box: Any = None
        self._board: Any = None
        self.course = Course(
            self.targets,
            checks=checks,
            timeout_s=timeout_s,
            changed=self._changed,
            progressed=lambda progress: self._send({"t": "progress", **progress}),
        )
        self.deed = Deed(self._tell)
        if not is_batch():
            self.again()

    def __repr__(self) -> str:
        """Return one line."""
        names = ", ".join(each.title for each in self.targets)
        found = "; ".join(each.summary for each in self.reports)
        state = "looking" if self.is_running else found or "not looked at"
        return f"<Doctor of {names}: {'closed' if self._over.is_set() else state}>"

    # -- looking ---------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether it is being looked at now."""
        return self.course.is_running

    @property
    def reports(self) -> tuple[Report, ...]:
        """What was found last, one for each target that answered."""
        return self.course.reports

    def again(self) -> bool:
        """Look at everything once more, aside; returns whether it was begun."""
        return not self._over.is_set() and self.course.again(deep=self.deep)

    def cancel(self) -> None:
        """Break off what is under way; what was found so far stays."""
        self.course.cancel()

    def wait(self, timeout_s: float = 60.0) -> tuple[Report, ...]:
        """Wait until it was looked at, and return the reports.

        Raises:
            WaitTimeoutError: it takes longer.
        """
        return self.course.wait(timeout_s)

    def look(self) -> tuple[Report, ...]:
        """Look at everything now, and return the reports: what `again` and `wait` do."""
        self.again()
        return self.wait(self._timeout_s + 30.0)

    def _changed(self, other: bool) -> None:  # noqa: FBT001 - reads as it is
        if other:
            self._send(self._tree())
        self._tell()

    # -- mending ---------------------------------------------------------------------------------

    def why_no_fix(self) -> str:
        """Return why nothing can be mended now; empty when it can."""
        if self.is_running:
            return _("wait until everything was looked at")
        if self.deed.is_busy:
            return _("something else is under way")
        hosts = [each.host for each in self.targets if each.host is not None]
        closed = [host.name for host in hosts if host.readonly]
        if closed:
            return _("{host} is open read-only").format(host=", ".join(closed))
        return ""

    def fix(self, key: str, target: int = 0) -> bool:
        """Show the plan that mends a finding, as the button does; Apply in the view does it.

        Args:
            key: id of the finding.
            target: number of the target that it was found on.

        Returns:
            Whether it was begun: not while something else is under way, and not for a finding that
            labvirt cannot mend.
        """
        ends = self.course.ends
        report = ends[target] if 0 <= target < len(ends) else None
        if self.why_no_fix() or not isinstance(report, Report) or key not in report:
            return False
        finding = report[key]
        if finding.fix is None:
            return False
        title = parts.NAMED.format(label=_("Mend"), name=finding.id)
        return self.deed.propose(
            title,
            lambda: (report.fix(key),),
            ask=True,
            after=self.again,
            watch=self.targets[target].domains,
        )

    # -- to and from the page ----------------------------------------------------------------------

    def _send(self, message: dict[str, Any]) -> None:
        if self._board is not None and not self._over.is_set():
            self._board.send_all(message, [])

    def _tell(self) -> None:
        if self._board is not None:
            self._send(self._state())

    def _state(self) -> dict[str, Any]:
        course = self.course
        return {
            "t": "state",
            "running": course.is_running,
            "progress": course.progress,
            "deep": self.deep,
            "still": course.is_still,
            "said": course.said,
            "stale": course.stale(),
            "summary": course.summary(),
            "why": self.why_no_fix(),
        }

    def _tree(self) -> dict[str, Any]:
        ends = self.course.ends
        sources = [
            sent(each.title, end.findings)
            if isinstance(end, Report)
            else {"title": each.title, "groups": [], "error": parts.told(end)}
            for each, end in zip(self.targets, ends, strict=False)
        ]
        return {"t": "tree", "sources": sources, "known": bool(ends)}

    def _receive(self, message: Mapping[str, Any]) -> None:
        kind, key = message.get("t"), message.get("key")
        if kind == "hello":
            titles = [each.title for each in self.targets]
            head = {"t": "words", "words": words(), "title": self._title, "lang": language()}
            self._send({**head, "sources": titles})
            self._send(self._tree())
            # A button opened it where no cell is named: there is somebody who looks on all the same.
            if self.course.ends or not self.again():
                self._tell()
        elif kind == "beat":
            self._send({"t": "beat"})
        elif kind == "again":
            self.deep = bool(message.get("deep"))
            self.again()
        elif kind == "cancel":
            self.cancel()
        elif kind == "fix" and isinstance(key, str) and isinstance(message.get("target"), int):
            self.fix(key, message["target"])
            self._tell()
        elif kind == "export" and message.get("what") in {"json", "html"}:
            self._export(str(message["what"]), message.get("view"))

    def _export(self, what: str, view: Any) -> None:
        name = re.sub(r"[^\w.-]+", "-", "-".join(each.title for each in self.targets))[:60]
        self._send(
            {
                "t": "file",
                "view": view,
                "name": f"labvirt-doctor-{name.strip('-')}.{what}",
                "mime": {"json": "application/json", "html": "text/html"}[what],
                "text": self.json() if what == "json" else self.html(),
            }
        )

    # -- shown -------------------------------------------------------------------------------------

    @property
    def _title(self) -> str:
        names = [each.title for each in self.targets]
        more = f" … {len(names)}" if len(names) > 4 else ""
        return _("Examination of {names}").format(names=", ".join(names[:4]) + more)

    @property
    def widget(self) -> Any:
        """The ipywidget, for layouts of one's own.

        Raises:
            LabvirtError: the view is closed.
        """
        import ipywidgets as w

        from labvirt.widgets.frame import framed
        from labvirt.widgets.view import LiveView

        if self._over.is_set():
            raise LabvirtError("this view is closed", hint="lv.ui.doctor(...) anew")
        with self._lock:
            if self._box is None:
                self._board = LiveView("doctor", self._receive)
                self._box = framed(w.VBox([self.deed.area, self._board]))
                self._box.add_class("labvirt-doctor")
        return self._box

    def offer_code(self) -> None:
        """Send the view's code to a page that may not have it."""
        if self._board is not None:
            self._board.offer_code()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget for a front end, and what was found for everything else."""
        if self._over.is_set():
            return {"text/plain": repr(self)}
        if is_batch():
            return self.bundle()
        box = self.widget
        self._board.offer_code()
        made = box._repr_mimebundle_(**options)
        data, metadata = made if isinstance(made, tuple) else (made, {})
        return {**data, **self.bundle()}, metadata

    def bundle(self) -> dict[str, Any]:
        """Return what was found by MIME type, as every reader of a notebook shows it.

        Where no front end is, it is looked at first.
        """
        if not self.course.ends and is_batch():
            self.look()
        ends = self.course.ends
        notes = [] if ends else [self.course.summary()]
        notes += [
            f"{each.title}: {parts.told(end)}"
            for each, end in zip(self.targets, ends, strict=False)
            if isinstance(end, Exception)
        ]
        plain = "\n".join([*notes, as_plain(self.reports)]).strip()
        return {"text/html": as_html(self.reports, notes), "text/plain": plain or repr(self)}

    def json(self) -> str:
        """Return what was found as JSON: one report, or a list of them."""
        if len(self.reports) == 1:
            return self.reports[0].json()
        found = [each.as_dict() for each in self.reports]
        return json.dumps(found, indent=2, ensure_ascii=False)

    def html(self) -> str:
        """Return what was found as a page that needs nothing else."""
        return page_of(self._title, self.bundle()["text/html"])

    def close(self) -> None:
        """End it; hosts that it opened are closed. Twice is harmless."""
        if self._over.is_set():
            return
        self._over.set()
        self.course.close()
        self.deed.close()
        registry.forget(self)
        if self._box is not None:
            self._board.end()
            parts.close_tree(self._box)
