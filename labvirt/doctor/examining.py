"""An examination: every check of a host and of what is on it, side by side, each within its limit."""

from __future__ import annotations

import contextlib
import fnmatch
import threading
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeVar

from labvirt.doctor.case import Case, Patient
from labvirt.doctor.checks import SUBJECTS, Seen, all_checks, unknown
from labvirt.doctor.report import Report
from labvirt.errors import LabvirtError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from labvirt.doctor.checks import Check
    from labvirt.host import Host
    from labvirt.status.finding import Finding

__all__ = ["examine_host"]

_SIDE_BY_SIDE: Final = 6
_GRACE_S: Final = 0.5
#: How long one waits for news before limits are looked at.
_LOOK_S: Final = 0.05
#: Limit for the lists of what a host has.
_LISTING_S: Final = 8.0

T = TypeVar("T")


@dataclass(frozen=True)
class _Task:
    """One check of one thing."""

    check: Check
    case: Case


def examine_host(
    host: Host,
    *,
    checks: Sequence[str] = ("*",),
    domains: Sequence[str] | None = None,
    others: Sequence[Host] = (),
    deep: bool = False,
    limit_s: float = 30.0,
    progress: Callable[[int, int, Finding], None] | None = None,
) -> Report:
    """Look at a host and everything on it; changes nothing.

    Args:
        host: the host.
        checks: patterns of ids, ``network.*``; a leading ``!`` leaves out.
        domains: only what concerns these domains, by name; None: everything.
        others: hosts to which its guests might move.
        deep: also what reads whole images or asks guests for long.
        limit_s: for all of it in seconds; what has not answered then is unknown.
        progress: told after each finding: how many are there, how many will be, the finding.

    Raises:
        SpecError: a pattern means no check.
        NotFoundError: there is no such domain.
    """
    chosen = select(checks, deep=deep)
    for name in domains or ():
        host.domains[name]
    patient = Patient(host, deep=deep, others=tuple(others))
    began = time.monotonic()
    run = _Run(until=began + limit_s, progress=progress)
    first = [one for one in chosen if one.subject == "connection"]
    answers = run.all([_Task(one, Case(patient)) for one in first])
    silent = _silence(answers)
    asked: list[Check] = []
    for one in chosen:
        if one.subject == "connection":
            continue
        if silent and one.needs in {"daemon", "monitor"}:
            said = unknown(f"not looked at, because of: {silent}")
            answers.append(one.finding("", said))
        elif not silent or one.subject == "host":
            asked.append(one)
    tasks = run.within(
        lambda: [_Task(one, case) for one in asked for case in _cases(patient, one, domains)]
    )
    if tasks is None:
        said = unknown("what the host has could not be listed: its daemon gives no answer")
        answers += [one.finding("", said) for one in asked]
    answers += run.all(tasks or ())
    order = {one.id: place for place, one in enumerate(chosen)}
    answers.sort(key=lambda one: order.get(one.kind, len(order)))
    title = f"{host.name}" + (f": {', '.join(domains)}" if domains else "")
    return Report(title, tuple(answers), time.monotonic() - began, host)


def select(patterns: Sequence[str], *, deep: bool) -> tuple[Check, ...]:
    """Return the checks that patterns mean, in the order of a report.

    Raises:
        SpecError: a pattern means no check.
    """
    known = all_checks()
    for pattern in patterns:
        if not any(fnmatch.fnmatch(one.id, pattern.removeprefix("!")) for one in known):
            subjects = ", ".join(f"{each}.*" for each in SUBJECTS)
            raise SpecError(
                f"no check is called {pattern!r}", hint=f"{subjects}; lv.doctor.table()"
            )
    wanted = [each for each in patterns if not each.startswith("!")] or ["*"]
    unwanted = [each.removeprefix("!") for each in patterns if each.startswith("!")]
    return tuple(
        one
        for one in known
        if any(fnmatch.fnmatch(one.id, each) for each in wanted)
        and not any(fnmatch.fnmatch(one.id, each) for each in unwanted)
        and (deep or not one.deep or one.id in wanted)
    )


def _silence(answers: Sequence[Finding]) -> str:
    """Return why the daemon cannot be asked; empty when it answers."""
    for one in answers:
        if one.kind == "connection.answers" and one.verdict != "ok":
            return f"{one.question} {one.evidence or one.verdict}"
    return ""


@dataclass(eq=False)
class _Entry:
    """A task on its way.

    Attributes:
        number: place among the tasks.
        task: what is looked at.
        began: when a thread took it; 0 before.
        answer: what came of it.
        left: it has taken too long, and what it answers later counts no more.
    """

    number: int
    task: _Task
    began: float = 0.0
    answer: list[Finding] | None = None
    left: bool = False

    def counts(self) -> bool:
        """Whether somebody still waits for it; asked anew each time."""
        return not self.left


class _Run:
    """Checks on a few threads; one that hangs is left behind, and the others go on."""

    def __init__(
        self, *, until: float, progress: Callable[[int, int, Finding], None] | None
    ) -> None:
        self._until = until
        self._progress = progress
        self._done = self._all = 0
        self._news = threading.Condition()

    def within(self, read: Callable[[], T]) -> T | None:
        """Return what a reading gives; None when it does not end in time."""
        box: list[T] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                box.append(read())
            except BaseException as error:  # noqa: BLE001 - raised again on the caller's thread
                errors.append(error)

        thread = threading.Thread(target=work, name="labvirt-doctor-list", daemon=True)
        thread.start()
        thread.join(max(0.0, min(_LISTING_S, self._until - time.monotonic())))
        if errors:
            raise errors[0]
        return box[0] if box else None

    def all(self, tasks: Sequence[_Task]) -> list[Finding]:
        """Return what the checks find, in the order of the tasks."""
        entries = [_Entry(number, task) for number, task in enumerate(tasks)]
        waiting: SimpleQueue[_Entry] = SimpleQueue()
        for entry in entries:
            waiting.put(entry)
        self._all += len(tasks)
        for number in range(min(_SIDE_BY_SIDE, len(tasks))):
            self._helper(waiting, number)
        open_ones = dict.fromkeys(entries)
        while open_ones:
            with self._news:
                if not any(one.answer is not None for one in open_ones):
                    self._news.wait(_LOOK_S)
                ended = [one for one in open_ones if one.answer is not None]
            ended += self._late([one for one in open_ones if one.answer is None], waiting)
            for one in ended:
                del open_ones[one]
                self._tell_or_stop(one, waiting)
        return [finding for entry in entries for finding in entry.answer or ()]

    def _tell_or_stop(self, one: _Entry, waiting: SimpleQueue[_Entry]) -> None:
        """Tell of an answer; who hears it may break all off by an error: nothing more is begun then."""
        try:
            self._tell(one)
        except BaseException:
            with contextlib.suppress(Empty):
                while True:
                    waiting.get_nowait()
            raise

    def _late(self, running: Sequence[_Entry], waiting: SimpleQueue[_Entry]) -> list[_Entry]:
        """Leave behind what has taken too long; each hangs a thread, and another takes its place."""
        now = time.monotonic()
        late = []
        for one in running:
            limit = one.task.check.limit_s
            if now > self._until:
                seen = unknown("the time for the whole examination was over")
            elif one.began and now > one.began + limit + _GRACE_S:
                seen = one.task.check.too_late(f"no answer in {limit:g} s")
            else:
                continue
            with self._news:
                if one.answer is None:
                    one.left = True
                    one.answer = [one.task.check.finding(one.task.case.name, seen)]
                    late.append(one)
            if one.began and now <= self._until:
                self._helper(waiting, -1)
        return late

    def _tell(self, entry: _Entry) -> None:
        self._done += 1
        for one in entry.answer or ():
            if self._progress is not None:
                self._progress(self._done, self._all, one)

    def _helper(self, waiting: SimpleQueue[_Entry], number: int) -> None:
        def work() -> None:
            while True:
                try:
                    entry = waiting.get_nowait()
                except Empty:
                    return
                if not entry.counts():
                    continue
                entry.began = time.monotonic()
                found = _look(entry.task)
                with self._news:
                    if not entry.counts():
                        return  # it was left behind, and another thread goes on
                    entry.answer = found
                    self._news.notify()

        threading.Thread(target=work, name=f"labvirt-doctor-{number}", daemon=True).start()


def _look(task: _Task) -> list[Finding]:
    check, case = task.check, task.case
    try:
        if (
            check.needs == "monitor"
            and case.thing is not None
            and (silent := case.patient.silence(case.domain))
        ):
            return [check.finding(case.name, unknown(f"not asked, because {silent}"))]
        answer = check.look(case)
        seen = [answer] if isinstance(answer, Seen) else list(answer or ())
    except LabvirtError as error:
        seen = [unknown(str(error))]
    except Exception as error:  # noqa: BLE001 - a check that fails is no reason to end the others
        seen = [unknown(f"the check itself failed: {type(error).__name__}: {error}")]
    return [check.finding(case.name, one) for one in seen]


def _listed(read: Callable[[], Sequence[Any]]) -> Sequence[Any]:
    try:
        return read()
    except LabvirtError:
        return ()


def _cases(patient: Patient, check: Check, domains: Sequence[str] | None) -> Iterator[Case]:
    """Yield what a check is asked of; nothing when that cannot be listed."""
    whole = domains is None
    if check.subject == "host":
        # Of a domain only what concerns it is asked.
        yield from [Case(patient)] if whole else []
    elif check.subject == "network":
        used = set() if domains is None else _networks_of(patient, domains)
        for network in _listed(lambda: patient.networks):
            if whole or network.name in used:
                yield Case(patient, network.name, network)
    elif check.subject == "storage":
        for pool in _listed(lambda: patient.pools) if whole else ():
            yield Case(patient, pool.name, pool)
    else:
        for domain in _listed(lambda: patient.domains):
            if domains is None or domain.name in domains:
                yield from _of_domain(patient, check, domain)


def _networks_of(patient: Patient, domains: Sequence[str]) -> set[str]:
    used: set[str] = set()
    for domain in patient.domains:
        if domain.name in domains:
            used |= {one.source_network or "" for one in patient.document(domain).interfaces}
    return used


def _of_domain(patient: Patient, check: Check, domain: Any) -> Iterator[Case]:
    """Yield the cases of a domain: itself, its disks, its interfaces; as a guest when it runs."""
    if check.subject == "domain":
        yield Case(patient, domain.name, domain)
        return
    try:
        if check.subject == "guest":
            if patient.record(domain).state.text == "running":
                yield Case(patient, domain.name, domain)
            return
        root = patient.document(domain).element
    except LabvirtError:
        return
    for place, each in enumerate(root.findall(f"devices/{check.subject}")):
        target = each.find("target")
        dev = target.get("dev", "") if target is not None else ""
        mac = each.find("mac")
        if check.subject == "interface":
            dev = mac.get("address", "") if mac is not None else str(place)
        yield Case(patient, f"{domain.name}/{dev}", each, domain)
