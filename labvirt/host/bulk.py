"""One verb on many objects at once: as one plan, in parallel, with the fate of each."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

from labvirt.errors import CancelledError, LabvirtError, PlanError, SpecError
from labvirt.plan import Action, BoundVerb, Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.host.host import Host
    from labvirt.plan import Job, JobControl

__all__ = ["Bulk", "BulkResult", "Fate", "Together", "together"]

#: Plans under way at once. Starting a guest is mostly waiting for its QEMU, so more than one for
#: each processor pays; a daemon reads from a client only so many calls at a time.
WORKERS = max(8, 4 * (os.cpu_count() or 1))


@dataclass(frozen=True)
class Fate:
    """What became of one object.

    Attributes:
        name: the object.
        seconds: how long it took.
        value: what the verb returned; None when it failed.
        error: why it failed; None when it did not.
    """

    name: str
    seconds: float
    value: Any = None
    error: LabvirtError | None = None

    @property
    def words(self) -> str:
        """Return ``done``, or why not."""
        return "done" if self.error is None else self.error.what


@dataclass(frozen=True)
class BulkResult:
    """What became of every object, in the order of their names."""

    fates: tuple[Fate, ...]

    @property
    def failed(self) -> tuple[Fate, ...]:
        """Those that failed."""
        return tuple(one for one in self.fates if one.error is not None)

    def __getitem__(self, name: str) -> Any:
        """Return what the verb returned for an object.

        Raises:
            KeyError: it was not among them.
            LabvirtError: what it failed with.
        """
        fate = next((one for one in self.fates if one.name == name), None)
        if fate is None:
            raise KeyError(name)
        if fate.error is not None:
            raise fate.error
        return fate.value

    def __len__(self) -> int:
        return len(self.fates)

    def __str__(self) -> str:
        """Return one line for each object."""
        return "\n".join(f"{one.name}: {one.words} ({one.seconds:.2f} s)" for one in self.fates)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(one.name)}</td><td>{escape(one.words)}</td><td>{one.seconds:.2f}</td></tr>"
            for one in self.fates
        )
        return f"<table><tr><th>name</th><th>outcome</th><th>seconds</th></tr>{rows}</table>"


@dataclass(frozen=True)
class Together(Action["Host"]):
    """Several plans at once. One that fails, or could not even be made, does not stop the others.

    `fates` grows while they are applied.
    """

    kind: ClassVar[str] = "together"

    text: str
    plans: tuple[tuple[str, Plan[Any] | LabvirtError], ...]
    workers: int
    fates: list[Fate] = field(default_factory=list, compare=False, repr=False)

    @property
    def title(self) -> str:
        """What is done to whom."""
        return self.text

    @property
    def virsh(self) -> tuple[str, ...]:
        """The same thing as virsh commands, one after another."""
        return tuple(line for _, plan in self.made for one in plan.actions for line in one.virsh)

    @property
    def diff(self) -> str:
        """What changes in XML, of all."""
        return "\n".join(plan.diff for _, plan in self.made if plan.diff)

    @property
    def destroys(self) -> tuple[str, ...]:
        """What is lost, of all."""
        return tuple(loss for _, plan in self.made for loss in plan.destroys)

    @property
    def made(self) -> tuple[tuple[str, Plan[Any]], ...]:
        """The plans that could be made, by name."""
        return tuple((name, each) for name, each in self.plans if isinstance(each, Plan))

    @property
    def left_out(self) -> tuple[tuple[str, LabvirtError], ...]:
        """Why the others could not, by name."""
        return tuple((name, each) for name, each in self.plans if isinstance(each, LabvirtError))

    def check(self, host: Host) -> None:
        """Refuse on a read-only host; each plan looks for itself."""
        host.require_writable(self.text)

    def do(self, host: Host, control: JobControl) -> None:  # noqa: ARG002 - every action's shape
        """Apply every plan; cancelling stops those under way and leaves the others out."""
        self.fates.clear()
        jobs: list[Job[Any]] = []

        def stop() -> None:
            for job in jobs:
                job.cancel()

        control.on_cancel(stop)

        def one(item: tuple[str, Plan[Any] | LabvirtError]) -> None:
            name, plan = item
            fate = self._apply(name, plan, control, jobs)
            self.fates.append(fate)
            control.report(f"{self.text}: {name}", fraction=len(self.fates) / len(self.plans))

        with ThreadPoolExecutor(self.workers, thread_name_prefix="labvirt-bulk") as pool:
            list(pool.map(one, self.plans))
        names = [name for name, _ in self.plans]
        self.fates.sort(key=lambda fate: names.index(fate.name))
        control.check()

    @staticmethod
    def _apply(
        name: str, plan: Plan[Any] | LabvirtError, control: JobControl, jobs: list[Job[Any]]
    ) -> Fate:
        began = time.monotonic()
        if isinstance(plan, LabvirtError):
            return Fate(name, 0.0, error=plan)
        try:
            control.check()
            job = plan.start(confirm=True)
            jobs.append(job)
            value = job.result()
        except LabvirtError as error:
            return Fate(name, time.monotonic() - began, error=error)
        return Fate(name, time.monotonic() - began, value=value)

    def to_record(self) -> dict[str, Any]:
        """Return the title only: every plan has an entry of its own."""
        return {"kind": self.kind, "text": self.text}


class Bulk:
    """The verbs of every object of a selection: ``host.domains.where("web*").all.start()``.

    ``all.start.plan(...)`` shows the one plan for all, ``all.start.job(...)`` begins it. When some
    fail the others are done all the same; then a `PlanError` names those that failed and why.

    Args:
        host: whose objects they are.
        kind: what they are: ``domain``.
        objects: the objects.
    """

    def __init__(self, host: Host, kind: str, objects: Sequence[Any]) -> None:
        self._host = host
        self._kind = kind
        self._objects = sorted(objects, key=lambda one: str(one.name))

    def __repr__(self) -> str:
        """Return one line."""
        return f"<the verbs of {len(self._objects)} {self._kind}s>"

    def __getattr__(self, name: str) -> BoundVerb[..., BulkResult]:
        """Return the verb for all of them.

        Raises:
            AttributeError: it is no verb of theirs.
        """
        if name.startswith("_"):
            raise AttributeError(name)
        verbs = [getattr(one, name, None) for one in self._objects]
        if not verbs:
            raise SpecError(f"{name} no {self._kind}: nothing is selected")
        if not all(isinstance(one, BoundVerb) for one in verbs):
            raise AttributeError(f"{name} is no verb of a {self._kind}")

        def build(*args: Any, confirm: bool = False, **options: Any) -> Plan[BulkResult]:
            return self._plan(name, args, options, confirm=confirm)

        return BoundVerb(build, build)

    def _plan(
        self, name: str, args: tuple[Any, ...], options: dict[str, Any], *, confirm: bool
    ) -> Plan[BulkResult]:
        many = f"{len(self._objects)} {self._kind}" + "s" * (len(self._objects) != 1)
        text = f"{name.replace('_', ' ')} {many}"
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="labvirt-bulk") as pool:
            made = pool.map(lambda one: getattr(one, name).plan(*args, **options), self._objects)
            plans = tuple(
                (str(one.name), plan) for one, plan in zip(self._objects, made, strict=True)
            )
        given = ", ".join(
            [*map(repr, args), *(f"{key}={value!r}" for key, value in options.items())]
        )
        names = ", ".join(one for one, _ in plans)
        python = f"{self._host.python}.{self._kind}s.where(...).all.{name}({given})  # {names}"
        return together(self._host, text, plans, python=python, confirmed=confirm)


def together(
    host: Host,
    text: str,
    plans: Sequence[tuple[str, Plan[Any] | LabvirtError]],
    *,
    python: str = "",
    confirmed: bool = False,
    workers: int = WORKERS,
) -> Plan[BulkResult]:
    """Return one plan over several of a host, each with a name; see `Bulk`.

    Args:
        host: where they are.
        text: what is done to all of them.
        plans: by name; an error stands for one that could not be made: it is told with the others.
        python: the same thing in Python; by default that of each.
        confirmed: the caller has agreed to what they destroy.
        workers: how many are under way at once.
    """
    action = Together(text, tuple(plans), workers)
    each = "\n".join(plan.python for _, plan in action.made if plan.python)
    return Plan(
        title=text,
        host=host,
        actions=(action,),
        result=lambda: _result(action),
        warnings=(
            *(f"{one}: {told}" for one, plan in action.made for told in plan.warnings),
            *(f"{one} is left out: {error.what}" for one, error in action.left_out),
        ),
        python=python or each,
        confirmed=confirmed,
        journal=host.journal,
    )


def _result(action: Together) -> BulkResult:
    result = BulkResult(tuple(action.fates))
    if not result.failed:
        return result
    if all(isinstance(one.error, CancelledError) for one in result.failed):
        raise CancelledError(f"{action.text} was cancelled")
    told = "; ".join(f"{one.name}: {one.words}" for one in result.failed)
    done = len(result) - len(result.failed)
    raise PlanError(
        f"{action.text}: {len(result.failed)} failed, {done} done: {told}",
        action=action.text,
        hint=result.failed[0].error.hint if result.failed[0].error else "",
    )
