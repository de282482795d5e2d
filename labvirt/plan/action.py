"""Action: one change to a host that can be described, done and undone."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from labvirt.model.redact import redact_xml

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from labvirt.plan.job import JobControl

__all__ = ["Action", "Call", "Crash"]

H = TypeVar("H")
R = TypeVar("R")


@dataclass(frozen=True)
class Crash:
    """What is known of an action whose process died.

    Attributes:
        begun: when the action was begun (UTC). What came to be much later is somebody else's.
        finished: a later action was begun too, so this one surely took effect.
    """

    begun: dt.datetime
    finished: bool


@dataclass(frozen=True)
class Action(ABC, Generic[H]):
    """One change. Subclasses are frozen dataclasses whose fields say all that `undo` needs.

    The fields are written to the journal before `do` runs, so that another process can undo the
    action when this one was killed in the middle; for the same reason `undo` must be harmless
    when `do` never took effect, and must never touch what was there before. A `ConflictError`
    from `do` says that somebody else was faster and nothing was made: it is not undone.
    """

    #: Name under which the action stands in the journal.
    kind: ClassVar[str] = ""

    @property
    @abstractmethod
    def title(self) -> str:
        """What is done to which object, as a phrase: ``define domain web1``."""

    @property
    def virsh(self) -> tuple[str, ...]:
        """The same thing as virsh commands, quoted for the shell; none when virsh cannot do it."""
        return ()

    @property
    def shell(self) -> tuple[str, ...]:
        """What is done by another tool than virsh, as shell lines; they come before `virsh`."""
        return ()

    @property
    def diff(self) -> str:
        """What changes in XML, as a unified diff without secrets; empty when no XML is involved."""
        return ""

    @property
    def destroys(self) -> tuple[str, ...]:
        """What is lost for good when this is done, one phrase each."""
        return ()

    def check(self, host: H) -> None:
        """Look, before anything is changed, whether the action can still be done.

        Raises:
            LabvirtError: it cannot.
        """

    @abstractmethod
    def do(self, host: H, control: JobControl) -> None:
        """Make the change."""

    @property
    def can_undo(self) -> bool:
        """True when `undo` takes the change back."""
        return type(self).undo is not Action.undo

    def undo(self, host: H, crash: Crash | None = None) -> str | None:
        """Take the change back; harmless when it never took effect.

        Args:
            host: the host.
            crash: None in the process that did it; else how the process that did it died.

        Returns:
            What became of it, when it was not simply taken back: that it was finished instead,
            or is whole and stays.
        """

    def to_record(self) -> dict[str, Any]:
        """Return the fields for the journal; XML without its secrets."""
        fields = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {
            "kind": self.kind,
            **{
                name: redact_xml(value) if name.endswith("xml") and value else value
                for name, value in fields.items()
            },
        }


@dataclass(frozen=True)
class Call(Action[H], Generic[H, R]):
    """A simple verb: one call that needs no undo (start, suspend, set memory ...).

    Attributes:
        text: the title.
        run: the call.
        line: the virsh command; empty when virsh has none.
        change: the XML diff.
        loses: what is destroyed.
        before: the check.
    """

    kind: ClassVar[str] = "call"

    text: str
    run: Callable[[H, JobControl], R]
    line: str = ""
    change: str = ""
    loses: tuple[str, ...] = ()
    before: Callable[[H], None] | None = None
    results: list[R] = field(default_factory=list, compare=False, repr=False)

    @property
    def title(self) -> str:
        """What is done to which object."""
        return self.text

    @property
    def virsh(self) -> tuple[str, ...]:
        """The same thing as a virsh command."""
        return (self.line,) if self.line else ()

    @property
    def diff(self) -> str:
        """What changes in XML."""
        return self.change

    @property
    def destroys(self) -> tuple[str, ...]:
        """What is lost for good."""
        return self.loses

    def check(self, host: H) -> None:
        """Run the caller's check."""
        if self.before is not None:
            self.before(host)

    def do(self, host: H, control: JobControl) -> None:
        """Run the call and keep what it returned."""
        self.results.append(self.run(host, control))

    def to_record(self) -> dict[str, Any]:
        """Return the title only: a call has nothing that could be undone."""
        return {"kind": self.kind, "text": self.text}
