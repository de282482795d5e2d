"""Several migrations as one plan: some at a time, with the fate of each, stopped or taken back."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, Final

from labvirt.connection import domain as calls
from labvirt.errors import CancelledError, LabvirtError, PlanError
from labvirt.host.migrating.leg import Leg, how
from labvirt.plan import Action, Plan, verb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from labvirt.host.host import Host
    from labvirt.host.migrating.result import MigrationResult
    from labvirt.model.evacuation import EvacuationSpec
    from labvirt.plan import Job, JobControl

__all__ = ["Convoy", "ConvoyResult", "convoy"]

_DONE: Final = frozenset({"moved", "failed", "stayed", "back"})


class ConvoyResult:
    """What became of every guest; can be looked at while it goes on.

    Args:
        title: what it is for.
        legs: every guest that was to move.
        left: guests that nothing was planned for, and why.
        policy: how they move.
    """

    def __init__(
        self, title: str, legs: Sequence[Leg], left: dict[str, str], policy: EvacuationSpec
    ) -> None:
        self.title, self.legs, self.left, self.policy = title, tuple(legs), left, policy
        self.seconds = 0.0

    def __repr__(self) -> str:
        """Return one line."""
        return f"<{self.title}: {self.told}>"

    def __len__(self) -> int:
        return len(self.legs)

    @property
    def told(self) -> str:
        """Return how many are in which state."""
        states = [leg.state for leg in self.legs]
        counts = [f"{states.count(one)} {one}" for one in dict.fromkeys(sorted(states))]
        return ", ".join(counts) or "nobody to move"

    @property
    def moved(self) -> tuple[Leg, ...]:
        """Those that are on their new host."""
        return tuple(leg for leg in self.legs if leg.state == "moved")

    @property
    def failed(self) -> tuple[Leg, ...]:
        """Those that could not move; they go on where they were."""
        return tuple(leg for leg in self.legs if leg.state == "failed")

    def df(self) -> pd.DataFrame:
        """Return a row for each guest.

        Columns: source, destination, state, seconds, downtime_ms, memory (bytes), error; the index
        is the guest.
        """
        import pandas as pd

        rows = [leg.as_dict() for leg in self.legs]
        columns = [
            "guest",
            "source",
            "destination",
            "state",
            "seconds",
            "downtime_ms",
            "memory",
            "error",
        ]
        return pd.DataFrame(rows, columns=columns).set_index("guest")

    def __str__(self) -> str:
        """Return a line for each guest."""
        lines = [f"{self.title}: {self.told} in {self.seconds:.1f} s"]
        lines += [
            f"  {leg.name}: {leg.source.name} -> {leg.destination.name}: {leg.state}"
            + (f", downtime {leg.downtime_ms} ms" if leg.downtime_ms is not None else "")
            + (f": {leg.error}" if leg.error else "")
            for leg in self.legs
        ]
        return "\n".join([*lines, *(f"  {name} is left: {why}" for name, why in self.left.items())])

    def _repr_html_(self) -> str:
        names = ("guest", "source", "destination", "state", "seconds", "downtime_ms", "error")
        head = "".join(f"<th>{name}</th>" for name in names)
        rows = "".join(
            "<tr>"
            + "".join(f"<td>{escape(str(leg.as_dict()[name]))}</td>" for name in names)
            + "</tr>"
            for leg in self.legs
        )
        told = escape(f"{self.title}: {self.told}")
        return f"<p><b>{told}</b></p><table><tr>{head}</tr>{rows}</table>"

    @verb
    def bring_back(self) -> Plan[ConvoyResult]:
        """Bring everybody who has moved back to where it was.

        Raises:
            PreconditionError: somebody cannot come back; every reason.
            PlanError: some did not; the others are back.
        """
        legs = [
            Leg(
                leg.name,
                leg.uuid,
                leg.destination,
                leg.source,
                leg.memory,
                leg.is_on,
                leg.autostart,
                plan=_way_back(leg),
            )
            for leg in reversed(self.moved)
        ]
        return convoy(f"bring back: {self.title}", legs, self.policy, after=self._came_back)

    def _came_back(self, result: ConvoyResult) -> None:
        home = {leg.uuid for leg in result.moved}
        for leg in self.legs:
            if leg.uuid in home:
                leg.state = "back"


def _way_back(leg: Leg) -> Plan[MigrationResult]:
    domain = leg.destination.domains[leg.uuid]
    return domain.migrate.plan(leg.source, **how(domain))


@dataclass(frozen=True)
class Convoy(Action["Host"]):
    """Moves several guests, `at_once` at a time.

    Attributes:
        text: the title.
        result: filled while they move.
        after: called with it when all have come to an end.
        keep: called with it before the first one begins.
    """

    kind: ClassVar[str] = "convoy"

    text: str
    result: ConvoyResult
    after: Callable[[ConvoyResult], object] | None = None
    keep: Callable[[ConvoyResult], object] | None = None

    @property
    def title(self) -> str:
        """What is done to whom."""
        return self.text

    @property
    def virsh(self) -> tuple[str, ...]:
        """The same thing as virsh commands, one after another."""
        return tuple(line for leg in self.result.legs for line in _lines(leg))

    def check(self, host: Host) -> None:
        """Refuse on read-only hosts."""
        host.require_writable(self.text)

    def do(self, host: Host, control: JobControl) -> None:  # noqa: ARG002 - every action's shape
        """Move them; what is not begun when it is stopped stays."""
        result, began = self.result, time.monotonic()
        if self.keep is not None:
            self.keep(result)
        crew = _Crew(result, control)
        control.on_cancel(crew.stop)
        try:
            with ThreadPoolExecutor(
                result.policy.at_once, thread_name_prefix="labvirt-convoy"
            ) as pool:
                list(pool.map(crew.move, result.legs))
        finally:
            control.on_cancel(None)
            result.seconds = time.monotonic() - began
        if result.failed and result.policy.on_failure == "undo":
            crew.take_back()
        if self.after is not None:
            self.after(result)
        _raise_if_not_all(self.text, result, cancelled=control.cancelled)

    def to_record(self) -> dict[str, Any]:
        """Return the title only: every migration has an entry of its own."""
        return {"kind": self.kind, "text": self.text}


class _Crew:
    """Moves legs from several threads, and stops them together."""

    def __init__(self, result: ConvoyResult, control: JobControl) -> None:
        self.result, self.control = result, control
        self._jobs: list[Job[MigrationResult]] = []
        self._lock = threading.Lock()
        self._halted = False

    def stop(self) -> None:
        """Abort those under way; nobody else begins."""
        with self._lock:
            self._halted = True
            jobs = tuple(self._jobs)
        for job in jobs:
            job.cancel()

    def move(self, leg: Leg) -> None:
        """Move one guest, and write down how it went."""
        began = time.monotonic()
        try:
            plan = _as_it_is_now(leg)
            with self._lock:
                if self._halted or self.control.cancelled:
                    leg.state = "stayed"
                    return
                leg.state = "moving"
                job = plan.start(confirm=True)
                self._jobs.append(job)
            self._report(leg)
            found = job.result()
            leg.downtime_ms, leg.state = found.downtime_ms, "moved"
            _keep_autostart(leg, leg.destination)
        except CancelledError:
            leg.state = "stayed"
        except LabvirtError as error:
            leg.state, leg.error = "failed", error.what
            if self.result.policy.on_failure != "continue":
                with self._lock:
                    self._halted = True
        finally:
            leg.seconds = time.monotonic() - began
            self._report(leg)

    def take_back(self) -> None:
        """Bring those that have moved back, one after another."""
        for leg in reversed(self.result.moved):
            try:
                _way_back(leg).apply()
            except LabvirtError as error:
                leg.error = f"could not be brought back: {error.what}"
            else:
                leg.state = "back"
                _keep_autostart(leg, leg.source)

    def _report(self, leg: Leg) -> None:
        legs = self.result.legs
        done = sum(one.state in _DONE for one in legs)
        text = f"{leg.name} -> {leg.destination.name}: {leg.state}"
        self.control.report(text, step=done, steps=len(legs), fraction=done / len(legs))


def _as_it_is_now(leg: Leg) -> Plan[MigrationResult]:
    """Return the plan of a leg; a new one when it was started or has ended meanwhile."""
    domain = leg.source.domains[leg.uuid]
    if leg.plan is not None and domain.is_active == leg.is_on:
        return leg.plan
    return domain.migrate.plan(leg.destination, **how(domain))


def _keep_autostart(leg: Leg, host: Host) -> None:
    """Set autostart again: libvirt takes the definition along, and leaves this behind."""
    if leg.autostart:
        try:
            calls.set_autostart(host.connection, leg.uuid, on=True)
        except LabvirtError as error:
            leg.error = f"moved, but no longer starts with its host's daemon: {error.what}"


def _lines(leg: Leg) -> tuple[str, ...]:
    if leg.plan is None:
        return ()
    return tuple(line for one in leg.plan.actions for line in one.virsh)


def _raise_if_not_all(text: str, result: ConvoyResult, *, cancelled: bool) -> None:
    hint = "the result is kept: host.evacuation; .bring_back() takes back what was moved"
    if cancelled:
        raise CancelledError(f"{text} was stopped: {result.told}", hint=hint)
    if result.failed:
        told = "; ".join(f"{leg.name}: {leg.error}" for leg in result.failed)
        raise PlanError(f"{text}: {result.told}: {told}", action=text, hint=hint)


def convoy(
    text: str,
    legs: Sequence[Leg],
    policy: EvacuationSpec,
    *,
    host: Host | None = None,
    left: dict[str, str] | None = None,
    python: str = "",
    keep: Callable[[ConvoyResult], object] | None = None,
    after: Callable[[ConvoyResult], object] | None = None,
) -> Plan[ConvoyResult]:
    """Return one plan over several migrations.

    Args:
        text: what it is for.
        legs: who moves, each with its plan, in order.
        policy: how.
        host: whose plan it is; that of the first leg when None.
        left: guests that nothing is planned for, and why.
        python: the same thing in Python.
        keep: called with the result before the first one begins.
        after: called with it when all have come to an end.

    Raises:
        PlanError: there is nobody to move, and no host.
    """
    home = host or (legs[0].source if legs else None)
    if home is None:
        raise PlanError(f"{text}: nobody has moved")
    result = ConvoyResult(text, legs, dict(left or {}), policy)
    action = Convoy(text, result, after, keep)
    return Plan(
        title=text,
        host=home,
        actions=(action,) if legs else (),
        result=lambda: result,
        warnings=(
            *(f"{leg.name} -> {leg.destination.name}" for leg in legs),
            *(f"{leg.name}: {told}" for leg in legs if leg.plan for told in leg.plan.warnings),
            *(f"{name} is left: {why}" for name, why in result.left.items()),
        ),
        python=python,
        journal=home.journal,
    )
