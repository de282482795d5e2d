"""The errors of labvirt, all of them, and what each one tells the reader.

::

    LabvirtError                  what was asked; a hint what to try; the exit code of the CLI
    ├── SpecError                 what is asked for is wrong: every problem with its field   (2)
    ├── HostError                 libvirt refused: code, domain, its own words
    │   ├── NotFoundError         no such domain, pool, volume, network ...              (2)
    │   ├── ConflictError         it exists already, is in use, or is in the wrong state (2)
    │   ├── AccessDeniedError     read-only connection, socket or file rights, authentication
    │   ├── UnsupportedError      this driver, QEMU or host cannot do it
    │   └── ConnectionLostError   no link to the host, or it broke in the middle
    ├── WaitTimeoutError          waited for what, how long, last seen, the likely cause
    ├── PlanError                 an action failed: which, what was undone, what remains
    │   └── ConfirmationError     a destructive plan that nobody confirmed; names what is lost  (2)
    ├── CancelledError            stopped because somebody asked for it                      (130)
    ├── PreconditionError         looked before anything was changed, and it cannot work       (3)
    ├── RunError                  a runbook failed or was refused; where its record is
    └── LabError                  the embedded lab cannot start, be found, or be cleaned

A host that cannot be opened ends the CLI with 2 as well: the URI is what is wrong.

Every message says what was asked, of which object, what the other side said, and what to try.
No message carries a password, key or token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = [
    "AccessDeniedError",
    "CancelledError",
    "ConfirmationError",
    "ConflictError",
    "ConnectionLostError",
    "HostError",
    "LabError",
    "LabvirtError",
    "NotFoundError",
    "PlanError",
    "PreconditionError",
    "Problem",
    "RunError",
    "SpecError",
    "UnsupportedError",
    "WaitTimeoutError",
]


class LabvirtError(Exception):
    """Root of all errors that labvirt raises on purpose.

    Attributes:
        what: one sentence: what was asked, of which object, and what came of it.
        hint: what to try next; empty when nothing helpful is known.
        exit_code: the code with which the CLI ends for this error.
    """

    exit_code: int = 1

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        """Return the sentence, then the hint on a line of its own."""
        return f"{self.what}\n  Try: {self.hint}" if self.hint else self.what


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a spec or a document.

    Attributes:
        field: dotted path of the field, or XPath of the element or ``element/@attribute``.
        value: the offending value as text, cut to a readable length; empty when it is missing.
        why: what is wrong with it.
        hint: what would do: allowed values, a nearest match, an example.
    """

    field: str
    value: str
    why: str
    hint: str = ""

    def __str__(self) -> str:
        shown = f" = {self.value!r}" if self.value else ""
        tail = f" ({self.hint})" if self.hint else ""
        return f"{self.field}{shown}: {self.why}{tail}"


class SpecError(LabvirtError, ValueError):
    """What is asked for cannot be right; nothing has been changed.

    Attributes:
        problems: every problem found, in the order of the fields.
    """

    exit_code = 2

    def __init__(self, what: str, problems: Iterable[Problem] = (), *, hint: str = "") -> None:
        self.problems = tuple(problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(what + lines, hint=hint)

    @property
    def field(self) -> str:
        """Path of the first offending field, empty when no single field is to blame."""
        return self.problems[0].field if self.problems else ""


class HostError(LabvirtError):
    """Libvirt refused or failed.

    Attributes:
        asked: what was asked, e.g. ``start domain web1``.
        uri: the host it was asked of, without secrets.
        code: libvirt's error code (``VIR_ERR_*``), 0 when the error is not libvirt's.
        domain: libvirt's error domain (``VIR_FROM_*``), 0 likewise.
        libvirt_text: libvirt's own words, unchanged; ours when the error is not libvirt's.
        exit_code: 2 when nothing but another wish can help: the object is not there, exists
            already, or the host cannot even be opened.
    """

    def __init__(
        self,
        asked: str,
        *,
        uri: str = "",
        code: int = 0,
        domain: int = 0,
        libvirt_text: str = "",
        hint: str = "",
    ) -> None:
        self.asked = asked
        self.uri = uri
        self.code = code
        self.domain = domain
        self.libvirt_text = libvirt_text
        where = f" on {uri}" if uri else ""
        if not libvirt_text:
            said = ""
        elif code:
            said = f"; libvirt said: {libvirt_text} (code {code})"
        else:
            said = f": {libvirt_text}"
        super().__init__(f"{asked}{where} failed{said}", hint=hint)


class NotFoundError(HostError, KeyError):
    """The object asked for does not exist on this host.

    Also a ``KeyError``, so that ``host.domains["nobody"]`` behaves as a mapping does.
    """

    exit_code = 2

    def __str__(self) -> str:
        """Return the plain sentence (``KeyError`` would quote it)."""
        return LabvirtError.__str__(self)


class ConflictError(HostError):
    """The object exists already, is in use, or is in a state in which this cannot be done."""

    exit_code = 2


class AccessDeniedError(HostError):
    """Not allowed: a read-only connection, socket or file rights, or failed authentication."""


class UnsupportedError(HostError):
    """This driver, hypervisor or host cannot do what was asked."""


class ConnectionLostError(HostError):
    """There is no link to the host, or it broke while the call was under way.

    The call may or may not have taken effect; look at the object again after reconnecting.
    """


class WaitTimeoutError(LabvirtError, TimeoutError):
    """Something waited for did not happen in time.

    Attributes:
        waited_for: what was waited for, e.g. ``domain web1 to be ready``.
        timeout_s: the limit in seconds.
        last_seen: the last evidence seen, in words.
        likely_cause: why it probably did not happen.
    """

    def __init__(
        self,
        waited_for: str,
        *,
        timeout_s: float,
        last_seen: str = "",
        likely_cause: str = "",
        hint: str = "",
    ) -> None:
        self.waited_for = waited_for
        self.timeout_s = timeout_s
        self.last_seen = last_seen
        self.likely_cause = likely_cause
        seen = f"; last seen: {last_seen}" if last_seen else ""
        cause = f"; likely cause: {likely_cause}" if likely_cause else ""
        super().__init__(f"waited {timeout_s:g} s for {waited_for}{seen}{cause}", hint=hint)


class PlanError(LabvirtError):
    """An action of a plan failed; what could be undone has been undone.

    Attributes:
        action: title of the action that failed, empty when the plan never began.
        undone: titles of the actions that were rolled back, last first.
        remains: what is still there and why, in words; empty when the roll-back is whole.
    """

    def __init__(
        self,
        what: str,
        *,
        action: str = "",
        undone: Sequence[str] = (),
        remains: Sequence[str] = (),
        hint: str = "",
    ) -> None:
        self.action = action
        self.undone = tuple(undone)
        self.remains = tuple(remains)
        lines = [what]
        if self.undone:
            lines.append("  Undone: " + "; ".join(self.undone))
        if self.remains:
            lines.append("  Remains: " + "; ".join(self.remains))
        super().__init__("\n".join(lines), hint=hint)


class ConfirmationError(PlanError):
    """A plan would destroy something and nobody confirmed it; nothing has been changed.

    Attributes:
        destroys: what would be lost, one line each.
    """

    exit_code = 2

    def __init__(self, what: str, *, destroys: Sequence[str], hint: str = "") -> None:
        self.destroys = tuple(destroys)
        super().__init__(
            f"{what} would destroy: " + "; ".join(self.destroys),
            hint=hint or "confirm=True, once you are sure",
        )


class CancelledError(LabvirtError):
    """A job ended because somebody asked it to; what it had done has been undone."""

    exit_code = 130


class PreconditionError(LabvirtError):
    """A check before the first change says that it cannot work; nothing has been changed."""

    exit_code = 3


class RunError(LabvirtError):
    """A runbook failed, or was refused before it started.

    Attributes:
        record: path of the executed notebook as far as it got, None when nothing was run.
        code: exit code of the run (1 failed, 2 bad parameters, 3 precondition, 130 cancelled,
            138 kernel died).
    """

    def __init__(
        self, what: str, *, record: Path | None = None, code: int = 1, hint: str = ""
    ) -> None:
        self.record = record
        self.code = code
        self.exit_code = code
        where = f"\n  Record: {record}" if record is not None else ""
        super().__init__(what + where, hint=hint)


class LabError(LabvirtError):
    """The embedded lab cannot be started, found, changed or cleaned."""
