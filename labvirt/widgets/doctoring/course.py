"""Course: what was found, look after look, and what has changed on the hosts since; no widgets."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor import Report
from labvirt.errors import WaitTimeoutError
from labvirt.model.arguments import Wait, checked
from labvirt.widgets.doctoring.rounds import Round
from labvirt.widgets.doctoring.tree import summary_of
from labvirt.widgets.i18n import _, ngettext
from labvirt.widgets.managing.news import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.status.finding import Finding
    from labvirt.widgets.doctoring.rounds import Target

__all__ = ["Course"]

#: Between two words of progress, at least: an examination may have a thousand answers.
_PROGRESS_S: Final = 0.2
#: So many changes since the last look are named.
_NAMED: Final = 3
#: What is not one of these is not well.
_GOOD: Final = frozenset({"ok", "n/a"})


class Course:
    """Looks at targets, again and again.

    Args:
        targets: what is looked at.
        checks: patterns of checks.
        timeout_s: limit for one look in seconds.
        changed: is called when it begins, ends, or when a host has changed; gets whether there are
            other reports than before.
        progressed: gets how many answers are there, how many will be, and the newest question.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        *,
        checks: Sequence[str],
        timeout_s: float,
        changed: Callable[[bool], object],
        progressed: Callable[[dict[str, Any]], object],
    ) -> None:
        self.targets = tuple(targets)
        self._checks, self._timeout_s = tuple(checks), timeout_s
        self._changed, self._progressed = changed, progressed
        self._lock = threading.RLock()
        self._over, self._idle = threading.Event(), threading.Event()
        self._idle.set()
        self._round: Round | None = None
        self._ears: dict[int, Callable[[], None]] = {}
        self._told_at = 0.0
        self._news: list[str] = []
        #: What came of the last look, by target: a report, or what went wrong.
        self.ends: tuple[Report | Exception, ...] = ()
        self.at: datetime | None = None
        #: What the last look came to, beside its reports.
        self.said = ""
        self.progress: dict[str, Any] = {}
        self._listen()
        if self.is_still:
            self.ends = tuple(each.what for each in self.targets)

    @property
    def is_still(self) -> bool:
        """Whether there are reports only, which cannot be looked at again."""
        return all(each.is_still for each in self.targets)

    @property
    def is_running(self) -> bool:
        """Whether it is being looked at now."""
        return not self._idle.is_set()

    @property
    def reports(self) -> tuple[Report, ...]:
        """What was found last, one for each target that answered."""
        return tuple(each for each in self.ends if isinstance(each, Report))

    def again(self, *, deep: bool) -> bool:
        """Look at everything once more, aside; returns whether it was begun."""
        with self._lock:
            if self._over.is_set() or self.is_still or self.is_running:
                return False
            self._idle.clear()
            self.said, self._news, self.progress = "", [], {"done": 0, "all": 0}
            options: dict[str, Any] = {"checks": self._checks, "timeout_s": self._timeout_s}
            made = self._round = Round(self.targets, self._hear, deep=deep, **options)
        self._changed(False)  # noqa: FBT003 - no other reports yet
        threading.Thread(
            target=self._run, args=(made,), name="labvirt-doctor-course", daemon=True
        ).start()
        return True

    def _run(self, made: Round) -> None:
        ends = made.run()
        with self._lock:
            before, self.ends = self.ends, ends
            self.at = datetime.now().astimezone()
            self.said = _broken_off(ends) if made.is_cancelled else _compared(before, ends)
            self._listen()
            self._idle.set()
        self._changed(True)  # noqa: FBT003 - other reports

    def cancel(self) -> None:
        """Break off what is under way; what was found so far stays."""
        if self._round is not None:
            self._round.cancel()

    def wait(self, timeout_s: float) -> tuple[Report, ...]:
        """Wait until it was looked at, and return the reports.

        Raises:
            WaitTimeoutError: it takes longer.
        """
        checked(Wait, "wait for the examination", timeout_s=timeout_s)
        if not self._idle.wait(timeout_s):
            raise WaitTimeoutError(
                "the examination to end", timeout_s=timeout_s, hint="cancel() breaks it off"
            )
        return self.reports

    def _hear(self, done: int, most: int, one: Finding) -> None:
        now = time.monotonic()
        with self._lock:
            if now - self._told_at < _PROGRESS_S:
                return
            self._told_at = now
            self.progress = {"done": done, "all": most, "question": one.question}
        self._progressed(self.progress)

    # -- what is said ------------------------------------------------------------------------------

    def summary(self) -> str:
        """Return what was found in one line."""
        if self.is_running:
            return _("Looking …")
        if not self.ends:
            return _("Not looked at yet.")
        told = summary_of([one for report in self.reports for one in report.findings])
        if self.at is None:
            return told
        took = max((report.seconds for report in self.reports), default=0.0)
        return _("{counts}. Looked at {at}, in {seconds:.1f} s.").format(
            counts=told, at=f"{self.at:%H:%M:%S}", seconds=took
        )

    def stale(self) -> str:
        """Return what has changed on the hosts since the last look; empty when nothing has."""
        with self._lock:
            news = list(self._news)
        if not news:
            return ""
        named = "; ".join(news[:_NAMED])
        if len(news) > _NAMED:
            named += " " + _("and {count} more").format(count=len(news) - _NAMED)
        return _("Changed since it was looked at: {what}. Run again.").format(what=named)

    def _listen(self) -> None:
        """Hear of every host that is open what changes on it after it was looked at."""
        for each in self.targets:
            host = each.host
            if host is not None and id(host) not in self._ears and not self._over.is_set():
                self._ears[id(host)] = host.listen(self._heard)

    def _heard(self, changes: Any) -> None:
        if self.is_running or self.at is None or self._over.is_set():
            return
        told = [words_of(each) for each in changes if each.kind in {"domain", "network", "pool"}]
        with self._lock:
            fresh = [each for each in dict.fromkeys(told) if each and each not in self._news]
            self._news += fresh
        if fresh:
            self._changed(False)  # noqa: FBT003 - the reports are the same

    def close(self) -> None:
        """End it; hosts that it opened are closed. Twice is harmless."""
        if self._over.is_set():
            return
        self._over.set()
        self.cancel()
        for stop in self._ears.values():
            stop()
        for each in self.targets:
            each.close()


def _compared(before: Sequence[Report | Exception], after: Sequence[Report | Exception]) -> str:
    """Return in words what became well and what did not since the look before; empty without one."""
    old, new = _ill(before), _ill(after)
    if not before or old == new:
        return ""
    well, worse = len(old - new), len(new - old)
    told = []
    if well:
        told.append(
            ngettext("{count} fault is gone", "{count} faults are gone", well).format(count=well)
        )
    if worse:
        told.append(
            ngettext("{count} fault is new", "{count} faults are new", worse).format(count=worse)
        )
    return _("Since the look before: {what}.").format(what=", ".join(told))


def _ill(ends: Sequence[Report | Exception]) -> set[tuple[int, str]]:
    return {
        (number, one.id)
        for number, end in enumerate(ends)
        if isinstance(end, Report)
        for one in end.findings
        if one.verdict not in _GOOD
    }


def _broken_off(ends: Sequence[Report | Exception]) -> str:
    count = sum(len(end) for end in ends if isinstance(end, Report))
    return ngettext(
        "Broken off after {count} answer; the rest was not looked at.",
        "Broken off after {count} answers; the rest was not looked at.",
        count,
    ).format(count=count)
