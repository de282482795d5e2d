"""Plan: a change to a host that can be read before, applied as a whole, and is journaled."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from labvirt.errors import (
    CancelledError,
    ConfirmationError,
    ConflictError,
    LabvirtError,
    PlanError,
)
from labvirt.plan import render
from labvirt.plan.job import CANCELLED, Job
from labvirt.plan.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.plan.action import Action
    from labvirt.plan.job import JobControl
    from labvirt.plan.journal import Entry, Target

__all__ = ["Plan"]

R = TypeVar("R")


@dataclass(frozen=True, repr=False)
class Plan(Generic[R]):
    """What would be done to a host, in order; nothing has been changed yet.

    Attributes:
        title: what the plan is for: ``create domain web1``.
        host: the host it is for.
        actions: the changes, in order.
        result: gives what `apply` returns, after the last action.
        warnings: what will work but deserves a thought.
        python: the same thing in Python.
        virt_install: the same thing as a virt-install line; empty when it has none.
        confirmed: the caller has already agreed to what the plan destroys.
        journal: where the plan is written down; the user's own journal when None.
    """

    title: str
    host: Target
    actions: tuple[Action[Any], ...]
    result: Callable[[], R]
    warnings: tuple[str, ...] = ()
    python: str = ""
    virt_install: str = ""
    confirmed: bool = False
    journal: Journal | None = field(default=None, repr=False)

    @property
    def virsh(self) -> str:
        """The same thing as shell lines that can be pasted into a terminal."""
        virsh = shlex.join(["virsh", "-c", self.host.label])
        return "\n".join(
            line
            for action in self.actions
            for line in (*action.shell, *(f"{virsh} {line}" for line in action.virsh))
        )

    @property
    def diff(self) -> str:
        """What changes in XML, without secrets."""
        return "\n".join(action.diff for action in self.actions if action.diff)

    @property
    def destroys(self) -> tuple[str, ...]:
        """What is lost for good when the plan is applied."""
        return tuple(loss for action in self.actions for loss in action.destroys)

    def __str__(self) -> str:
        """Return the plan as text: actions, warnings, losses, XML, shell lines, Python."""
        return render.as_text(self)

    def __repr__(self) -> str:
        """Return one line."""
        return f"<Plan {self.title} on {self.host.name}: {len(self.actions)} actions>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001 - IPython's protocol
        """Show the plan as text where a notebook shows text."""
        printer.text(repr(self) if cycle else str(self))

    def _repr_html_(self) -> str:
        """Return the plan as HTML that needs no kernel and no JavaScript."""
        return render.as_html(self)

    def apply(self, *, confirm: bool = False) -> R:
        """Make the changes; wait for the end.

        If an action fails, or the call is interrupted, everything done so far is undone.

        Args:
            confirm: agree to what `destroys` names.

        Raises:
            ConfirmationError: the plan destroys something and `confirm` is not given.
            PlanError: an action failed; says which, what was undone, what remains.
            LabvirtError: the only action, or a check before the first one, failed.
        """
        return self.start(confirm=confirm).result()

    def start(self, *, confirm: bool = False) -> Job[R]:
        """Begin to make the changes and return the `Job`.

        Raises:
            ConfirmationError: the plan destroys something and `confirm` is not given.
        """
        if self.destroys and not (confirm or self.confirmed):
            raise ConfirmationError(f"{self.title} on {self.host.name}", destroys=self.destroys)
        return Job(f"{self.title} on {self.host.name}", self._work)

    def _work(self, control: JobControl) -> R:
        for action in self.actions:
            action.check(self.host)
        journal = self.journal or Journal()
        ahead = any(action.can_undo for action in self.actions)
        entry = journal.begin(self.host, self.title, self.actions, ahead=ahead)
        began = time.monotonic()
        done: list[Action[Any]] = []
        try:
            for index, action in enumerate(self.actions):
                control.check()
                control.report(action.title, step=index + 1, steps=len(self.actions))
                entry.begin(index)
                done.append(action)
                action.do(self.host, control)
                control.on_cancel(None)
            result = self.result()
        except BaseException as error:
            failure = self._failed(journal, entry, done, error, time.monotonic() - began)
            if failure is error:
                raise
            raise failure from error
        seconds = time.monotonic() - began
        journal.end(entry, self.actions, outcome="applied", seconds=seconds)
        return result

    def _failed(
        self,
        journal: Journal,
        entry: Entry,
        done: list[Action[Any]],
        error: BaseException,
        seconds: float,
    ) -> BaseException:
        """Roll back and return what the caller shall see."""
        at = done[-1].title if done else "the first step"
        # After a conflict what stands in the action's place is somebody else's.
        undone, remains = self._roll_back(done[:-1] if isinstance(error, ConflictError) else done)
        cancelled = isinstance(error, CancelledError)
        why = error.what if isinstance(error, LabvirtError) else f"{type(error).__name__}: {error}"
        outcome = "cancelled" if cancelled else "failed"
        journal.end(
            entry, self.actions, outcome=outcome, seconds=seconds, error=why, remains=remains
        )
        silent = not set(undone) - {action.title for action in self.actions}
        alone = len(self.actions) == 1 and not remains and silent
        if alone and isinstance(error, LabvirtError):
            return error
        if cancelled and not remains:
            undoing = f"; undone: {'; '.join(undone)}" if undone else ""
            told = f": {why}" if why != CANCELLED else ""
            return CancelledError(
                f"{self.title} on {self.host.name} was cancelled{told}{undoing}",
                hint=getattr(error, "hint", ""),
            )
        return PlanError(
            f"{self.title} on {self.host.name}: {at} failed: {why}",
            action=at,
            undone=undone,
            remains=remains,
            hint=getattr(error, "hint", ""),
        )

    def _roll_back(self, done: list[Action[Any]]) -> tuple[list[str], list[str]]:
        undone, remains = [], []
        for action in reversed(done):
            if not action.can_undo:
                continue
            try:
                told = action.undo(self.host)
            except LabvirtError as error:
                remains.append(f"{action.title}: {error.what}")
            else:
                undone.append(f"{action.title} ({told})" if told else action.title)
        return undone, remains
